// One owner's word for a transaction of a Safe, by ethers 6. node safe.mjs URL ACCOUNT SAFE TO
import { JsonRpcProvider, ZeroAddress } from "ethers6";

const [url, account, safe, to] = process.argv.slice(2);
const provider = new JsonRpcProvider(url);
const signer = await provider.getSigner(account);
const types = {
  SafeTx: [
    { type: "address", name: "to" }, { type: "uint256", name: "value" }, { type: "bytes", name: "data" },
    { type: "uint8", name: "operation" }, { type: "uint256", name: "safeTxGas" }, { type: "uint256", name: "baseGas" },
    { type: "uint256", name: "gasPrice" }, { type: "address", name: "gasToken" }, { type: "address", name: "refundReceiver" },
    { type: "uint256", name: "nonce" },
  ],
};
const message = {
  to, value: 500000000000000000n, data: "0x", operation: 0, safeTxGas: 0n, baseGas: 0n, gasPrice: 0n,
  gasToken: ZeroAddress, refundReceiver: ZeroAddress, nonce: 0n,
};
console.log(await signer.signTypedData({ chainId: 31337, verifyingContract: safe }, types, message));
provider.destroy();
