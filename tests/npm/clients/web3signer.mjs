// A client of web3signer's that signs a structure: the bytes, and the document beside them. node web3signer.mjs URL ACCOUNT TOKEN
import assert from "node:assert/strict";
import { TypedDataEncoder, computeAddress, verifyTypedData } from "ethers6";

const [url, account, token] = process.argv.slice(2);
const domain = { chainId: 31337, verifyingContract: token };
const types = { Note: [{ name: "text", type: "string" }] };
const message = { text: "by web3signer" };
const [key] = await (await fetch(`${url}/api/v1/eth1/publicKeys`)).json();
assert.equal(computeAddress(`0x04${key.slice(2)}`), account);

const sign = (document) =>
  fetch(`${url}/api/v1/eth1/sign/${key}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ data: TypedDataEncoder.encode(domain, types, message), typed_data: document }),
  });
const document = TypedDataEncoder.getPayload(domain, types, message);
for (const form of [document, JSON.stringify(document)]) {
  const answer = await sign(form);
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  assert.equal(verifyTypedData(domain, types, message, text), account);
}
// The document beside the bytes says something else: nothing is signed.
const other = await sign({ ...document, message: { text: "another note" } });
assert.equal(other.status, 400, await other.text());
