// A permit (EIP-2612) by viem, and its use by somebody else. node permit.mjs URL ACCOUNT EXCHANGE TOKEN
import { createPublicClient, createWalletClient, http, parseSignature } from "viem";
import { foundry } from "viem/chains";

const [url, account, exchange, token] = process.argv.slice(2);
const wallet = createWalletClient({ account, chain: foundry, transport: http(url, { timeout: 120_000, retryCount: 0 }) });
const reader = createPublicClient({ chain: foundry, transport: http(url) });
const { timestamp } = await reader.getBlock();
const message = { owner: account, spender: exchange, value: 3000000n, nonce: 0n, deadline: timestamp + 3600n };
const signature = await wallet.signTypedData({
  domain: { name: "Coin", version: "1", chainId: 31337, verifyingContract: token },
  types: {
    Permit: [
      { name: "owner", type: "address" }, { name: "spender", type: "address" }, { name: "value", type: "uint256" },
      { name: "nonce", type: "uint256" }, { name: "deadline", type: "uint256" },
    ],
  },
  primaryType: "Permit",
  message,
});
const { r, s, v } = parseSignature(signature);
console.log(JSON.stringify({ deadline: message.deadline.toString(), r, s, v: v.toString() }));
process.exit(0);
