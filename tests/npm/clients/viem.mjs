// viem as its users have it: a json-rpc account over HTTP and over a WebSocket. node viem.mjs URL ACCOUNT EXCHANGE TOKEN
import assert from "node:assert/strict";
import {
  createPublicClient, createWalletClient, erc20Abi, http, publicActions, recoverTransactionAddress, verifyMessage,
  verifyTypedData, webSocket,
} from "viem";
import { fillTransaction } from "viem/actions";
import { foundry } from "viem/chains";

const [url, account, exchange, token] = process.argv.slice(2);
const reader = createPublicClient({ chain: foundry, transport: http(url), pollingInterval: 100 });
const wallet = createWalletClient({ account, chain: foundry, transport: http(url), pollingInterval: 100 });
assert.deepEqual((await wallet.getAddresses()).map((it) => it.toLowerCase())[0], account.toLowerCase());

const settled = async (hash) => assert.equal((await reader.waitForTransactionReceipt({ hash })).status, "success");
await settled(await wallet.sendTransaction({ to: exchange, value: 1000n }));
await settled(await wallet.writeContract({ address: token, abi: erc20Abi, functionName: "transfer", args: [exchange, 2500000n] }));

const message = "I agree.";
assert.ok(await verifyMessage({ address: account, message, signature: await wallet.signMessage({ message }) }));
const note = {
  domain: { name: "Desk", version: "1", chainId: 31337, verifyingContract: token },
  types: { Note: [{ name: "text", type: "string" }, { name: "amount", type: "uint256" }] },
  primaryType: "Note",
  message: { text: "hello", amount: 2n ** 200n },
};
assert.ok(await verifyTypedData({ address: account, ...note, signature: await wallet.signTypedData(note) }));

const filled = await fillTransaction(reader, { account, to: exchange, value: 1n });
assert.equal(filled.transaction.gas, 21000n);
assert.equal(filled.transaction.chainId, 31337);
assert.ok(filled.transaction.maxFeePerGas > 0n && filled.raw.startsWith("0x02"));
const serializedTransaction = await wallet.signTransaction({ to: exchange, value: 1n, gas: 21000n, nonce: 1001 });
assert.equal(await recoverTransactionAddress({ serializedTransaction }), account);

// EIP-5792.
const capabilities = await wallet.getCapabilities();
assert.equal(capabilities[31337].atomic.status, "unsupported");
const { id } = await wallet.sendCalls({ calls: [{ to: exchange, value: 700n }, { to: token, abi: erc20Abi, functionName: "transfer", args: [exchange, 1n] }] });
const bundle = await wallet.waitForCallsStatus({ id, timeout: 60_000 });
assert.equal(bundle.statusCode, 200);
assert.equal(bundle.receipts.length, 2);
await assert.rejects(wallet.sendCalls({ forceAtomic: true, calls: [{ to: exchange }, { to: exchange }] }));

await assert.rejects(wallet.sendTransaction({ to: token, value: 1n, gas: 100000n }), /is denied/);

const spoken = createWalletClient({ account, chain: foundry, transport: webSocket(url.replace("http", "ws")) }).extend(publicActions);
const told = new Promise((tell) => spoken.watchBlockNumber({ onBlockNumber: tell }));
await spoken.getBlockNumber();
const hash = await spoken.sendTransaction({ to: exchange, value: 500n });
await settled(hash);
assert.ok((await told) > 0n);
await (await spoken.transport.getRpcClient()).close();
process.exit(0);
