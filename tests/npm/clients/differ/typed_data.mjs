// ethers 6: the digest of typed data.
import { TypedDataEncoder } from "ethers6";
import { answer } from "./lines.mjs";

answer(({ json }) => {
  const { domain, types: { EIP712Domain, ...types }, primaryType, message } = JSON.parse(json);
  const encoder = TypedDataEncoder.from(types);
  if (encoder.primaryType !== primaryType) throw new Error(`another primary type: ${encoder.primaryType}`);
  return { word: TypedDataEncoder.hash(domain, types, message) };
});
