// A script of Hardhat's as its users write it: KEYSTEAD_URL=… ACCOUNT=… hardhat run pay.cjs --network keystead
const assert = require("node:assert/strict");
const hre = require("hardhat");
const { BrowserProvider, Contract, verifyMessage, verifyTypedData } = require("ethers6");

async function main() {
  const { ACCOUNT: account, EXCHANGE: exchange, TOKEN: token } = process.env;
  const provider = new BrowserProvider(hre.network.provider);
  const signer = await provider.getSigner(account);
  assert.equal(await hre.network.provider.send("eth_chainId"), "0x7a69");

  // Through Hardhat's own provider, which fills in gas and fees for accounts of the network.
  const hash = await hre.network.provider.send("eth_sendTransaction", [{ from: account, to: exchange, value: "0x258" }]);
  assert.equal((await provider.waitForTransaction(hash)).status, 1);

  // And as ethers does it on top of that.
  assert.equal((await (await signer.sendTransaction({ to: exchange, value: 400n })).wait()).status, 1);
  const coin = new Contract(token, ["function transfer(address,uint256) returns (bool)"], signer);
  assert.equal((await (await coin.transfer(exchange, 500000n)).wait()).status, 1);
  assert.equal(verifyMessage("I agree.", await signer.signMessage("I agree.")), account);
  const domain = { name: "Desk", version: "1", chainId: 31337, verifyingContract: token };
  const types = { Note: [{ name: "text", type: "string" }] };
  assert.equal(verifyTypedData(domain, types, { text: "hello" }, await signer.signTypedData(domain, types, { text: "hello" })), account);
  await assert.rejects(signer.sendTransaction({ to: token, value: 1n, gasLimit: 100000n }), /is denied/);
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
