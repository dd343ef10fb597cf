// A bundle of calls (EIP-5792) by viem, one of which needs people. node bundle.mjs URL ACCOUNT EXCHANGE TOKEN
import assert from "node:assert/strict";
import { createWalletClient, erc20Abi, http } from "viem";
import { foundry } from "viem/chains";

const [url, account, exchange, token] = process.argv.slice(2);
const wallet = createWalletClient({ account, chain: foundry, transport: http(url), pollingInterval: 100 });
const { id } = await wallet.sendCalls({
  calls: [
    { to: exchange, value: 42n },
    { to: token, abi: erc20Abi, functionName: "approve", args: [exchange, 1000000n] },
  ],
});
assert.equal((await wallet.getCallsStatus({ id })).statusCode, 100);
const done = await wallet.waitForCallsStatus({ id, timeout: 120_000 });
assert.equal(done.statusCode, 200);
process.exit(0);
