// What ethers 6 sends waits for people where it is large. node large.mjs URL ACCOUNT EXCHANGE WEI
import assert from "node:assert/strict";
import { JsonRpcProvider } from "ethers6";

const [url, account, exchange, wei] = process.argv.slice(2);
const provider = new JsonRpcProvider(url);
const signer = await provider.getSigner(account);
const receipt = await (await signer.sendTransaction({ to: exchange, value: BigInt(wei) })).wait();
assert.equal(receipt.status, 1);
provider.destroy();
