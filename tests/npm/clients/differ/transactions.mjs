// ethers 6: makes the bytes of a transaction or authorization from its fields, signs them, and reads what we signed.
import { SigningKey, Transaction, computeAddress, encodeRlp, hashAuthorization, recoverAddress, toBeArray } from "ethers6";
import { answer } from "./lines.mjs";

answer((it) => {
  if (it.spoiled !== undefined) return { word: Transaction.from(it.spoiled).unsignedHash };
  const key = new SigningKey(it.key);
  if (it.kind === "authorization") return authorization(it, key);
  const { type, chainId, gas, nonce, to, value, data, accessList, authorizationList } = it;
  const tx = Transaction.from({
    type, chainId, nonce, to, value, data, gasLimit: gas,
    ...(type < 2 ? { gasPrice: it.gasPrice } : { maxFeePerGas: it.maxFeePerGas, maxPriorityFeePerGas: it.maxPriorityFeePerGas }),
    ...(type > 0 ? { accessList } : {}),
    ...(type === 3 ? { maxFeePerBlobGas: it.maxFeePerBlobGas, blobVersionedHashes: it.blobVersionedHashes } : {}),
    ...(type === 4 ? { authorizationList: authorizationList.map(listed) } : {}),
  });
  const { unsignedSerialized: preimage, unsignedHash: digest } = tx;
  tx.signature = key.sign(digest);
  const read = Transaction.from(it.raw);
  return { preimage, digest, raw: tx.serialized, hash: tx.hash, from: read.from.toLowerCase() };
});

function listed({ chainId, address, nonce, yParity, r, s }) {
  return { chainId, address, nonce, signature: { r, s, yParity } };
}

function authorization({ chainId, to, nonce, raw }, key) {
  const digest = hashAuthorization({ chainId, address: to, nonce });
  const { r, s, yParity } = key.sign(digest);
  const number = (value) => toBeArray(value);
  const signed = encodeRlp([number(chainId), to, number(nonce), number(yParity), number(r), number(s)]);
  return { digest, raw: signed, from: recoverAddress(digest, { r, s, yParity }).toLowerCase() };
}
