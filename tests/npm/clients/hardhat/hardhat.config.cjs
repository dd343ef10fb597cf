// A project of Hardhat's whose network is Keystead, with accounts that the network has: hardhat run SCRIPT --network keystead
module.exports = { networks: { keystead: { url: process.env.KEYSTEAD_URL ?? "http://127.0.0.1:8545" } } };
