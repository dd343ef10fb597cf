// ethers 6 as its users have it: a JsonRpcSigner over HTTP and over a WebSocket. node ethers.mjs URL ACCOUNT EXCHANGE TOKEN
import assert from "node:assert/strict";
import { Contract, JsonRpcProvider, Transaction, WebSocketProvider, verifyMessage, verifyTypedData } from "ethers6";

const [url, account, exchange, token] = process.argv.slice(2);
const provider = new JsonRpcProvider(url);
const signer = await provider.getSigner(account);
assert.equal((await provider.listAccounts())[0].address, account);

const paid = await (await signer.sendTransaction({ to: exchange, value: 1000n })).wait();
assert.equal(paid.status, 1);

const coin = new Contract(token, ["function transfer(address,uint256) returns (bool)"], signer);
assert.equal((await (await coin.transfer(exchange, 2500000n)).wait()).status, 1);

const text = "I agree.";
assert.equal(verifyMessage(text, await signer.signMessage(text)), account);
assert.equal(verifyMessage(text, await signer._legacySignMessage(text)), account);

const { domain, types, note } = document(token);
assert.equal(verifyTypedData(domain, types, note, await signer.signTypedData(domain, types, note)), account);

const populated = { from: account, to: exchange, value: 1n, nonce: 1000, gasLimit: 21000n, maxFeePerGas: 9n, maxPriorityFeePerGas: 1n, type: 2 };
const raw = await provider.send("eth_signTransaction", [signer.provider.getRpcTransaction(populated)]);
assert.equal(Transaction.from(raw).from, account);

// A denial is an error of the caller's, with its reason.
await assert.rejects(signer.sendTransaction({ to: token, value: 1n, gasLimit: 100000n }), /is denied/);
await assert.rejects(coin.transfer(exchange, 8100001n), /coin-per-day/);

const socket = new WebSocketProvider(url.replace("http", "ws"));
const spoken = await socket.getSigner(account);
const hash = await spoken.sendUncheckedTransaction({ to: exchange, value: 500n });
// Not waitForTransaction: it may count from a block before, and then wait for the next one, which this chain never makes by itself.
let mined = null;
while (mined === null) mined = await provider.getTransactionReceipt(hash);
assert.equal(mined.status, 1);
assert.equal((await socket.getNetwork()).chainId, 31337n);
// eth_subscribe: a block and the log of a transfer, as they come.
const block = new Promise((told) => socket.once("block", told));
const seen = new Contract(token, ["event Transfer(address indexed,address indexed,uint256)"], socket);
const log = new Promise((told) => seen.once("Transfer", (from, to, amount) => told([from, to, amount])));
await socket.getBlockNumber();
await (await coin.transfer(exchange, 1n)).wait();
assert.ok((await block) > 0);
assert.deepEqual(await log, [account, exchange, 1n]);
const one = await socket.send("eth_subscribe", ["logs", { address: token }]);
assert.deepEqual([await socket.send("eth_unsubscribe", [one]), await socket.send("eth_unsubscribe", [one])], [true, false]);
await assert.rejects(socket.send("eth_subscribe", ["newPendingTransactions"]), /refused|not told/);
await assert.rejects(socket.send("eth_subscribe", ["logs", { fromBlock: "0x0" }]), /unknown field/);
await assert.rejects(provider.send("eth_subscribe", ["newHeads"]), /use a WebSocket/);
const open = async () => { for (;;) await socket.send("eth_subscribe", ["newHeads"]); };
await assert.rejects(open(), /at most 16/);
await socket.destroy();
provider.destroy();

function document(verifyingContract) {
  return {
    domain: { name: "Desk", version: "1", chainId: 31337, verifyingContract },
    types: {
      Note: [{ name: "text", type: "string" }, { name: "amount", type: "uint256" }, { name: "legs", type: "Leg[]" }],
      Leg: [{ name: "to", type: "address" }],
    },
    note: { text: "hello", amount: 2n ** 200n, legs: [{ to: exchange }] },
  };
}
