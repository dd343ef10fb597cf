// Out of Keystead without a line of Keystead's: docs/exit.md, "A seed in shares leaves".
//
//   exit.mjs words MEMBER.key PASSPHRASE-FILE SHARE.age      the words of one share (specs/keys.md, age, Argon2id)
//   exit.mjs pay RPC TO WEI BITCOIN-NETWORK < words-of-shares, one share a line: pays, and signs a spend of a coin at bip84/0
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Decrypter } from "age-encryption";
import * as btc from "@scure/btc-signer";
import { HDNodeWallet, JsonRpcProvider, Mnemonic, sha256 } from "ethers6";

const own = (path) => import(new URL(`../node_modules/age-encryption/node_modules/${path}`, import.meta.url));
const require = createRequire(import.meta.url);
const [verb, ...rest] = process.argv.slice(2);

/** The member's age identity: the last 32 of the 128 secret bytes, sealed under the passphrase (specs/keys.md, "Seals"). */
async function identity(file, passphrase) {
  const { argon2id } = await own("@noble/hashes/argon2.js");
  const { xchacha20poly1305 } = await own("@noble/ciphers/chacha.js");
  const { bech32 } = await own("@scure/base/index.js");
  let at = 1 + file[0];
  const take = (length) => file.subarray(at, (at += length));
  const u32 = () => take(4).readUInt32LE();
  take(u32()); // the name
  take(1984 + 32 + 1216);
  const sealed = at;
  if (take(1)[0] === 1) take(32); // the label: cluster, name, purpose, epoch
  take(u32());
  take(1 + 4);
  const [m, t, p] = [u32(), u32(), u32()];
  const salt = take(16);
  const commitment = take(32);
  const domain = Buffer.from("keystead/sealed/v1");
  const head = Buffer.concat([Buffer.from([domain.length]), domain, file.subarray(sealed, at)]);
  const [nonce, tag] = [take(24), take(16)];
  const ciphertext = take(u32());
  const derived = argon2id(passphrase, salt, { m, t, p, dkLen: 64 });
  if (!Buffer.from(derived.subarray(32)).equals(commitment)) throw new Error("the passphrase is another one");
  const associated = Buffer.concat([head, Buffer.alloc(24 + 16 + 4)]);
  const cipher = xchacha20poly1305(derived.subarray(0, 32), nonce, associated);
  const secrets = cipher.decrypt(Buffer.concat([ciphertext, tag]));
  return bech32.encode("age-secret-key-pq-", bech32.toWords(secrets.subarray(96, 128)), false).toUpperCase();
}

async function words([file, passphrase, share]) {
  const decrypter = new Decrypter();
  decrypter.addIdentity(await identity(readFileSync(file), readFileSync(passphrase, "utf8").replace(/\n$/, "")));
  process.stdout.write(await decrypter.decrypt(readFileSync(share), "text"));
}

async function pay([rpc, to, wei, network]) {
  const shares = readFileSync(0, "utf8").trim().split("\n");
  const entropy = Uint8Array.from(require("slip39").recoverSecret(shares, ""));
  const root = HDNodeWallet.fromSeed(Mnemonic.fromEntropy(entropy).computeSeed());
  const provider = new JsonRpcProvider(rpc, undefined, { batchMaxCount: 1 });
  const account = root.derivePath("44'/60'/0'/0/0").connect(provider);
  const sent = await account.sendTransaction({ to, value: BigInt(wei) });
  await sent.wait();
  // A coin of the key's first segwit address, spent: the signature is made and checked by btc-signer.
  const coin = { bitcoin: "0'", test: "1'" }[network];
  const params = { bitcoin: btc.NETWORK, test: { bech32: "bcrt", pubKeyHash: 0x6f, scriptHash: 0xc4, wif: 0xef } }[network];
  const child = root.derivePath(`84'/${coin}/0'/0/0`);
  const output = btc.p2wpkh(Buffer.from(child.publicKey.slice(2), "hex"), params);
  const spend = new btc.Transaction();
  spend.addInput({ txid: "11".repeat(32), index: 0, witnessUtxo: { script: output.script, amount: 100000n } });
  spend.addOutput({ script: output.script, amount: 99000n });
  spend.sign(Buffer.from(child.privateKey.slice(2), "hex"));
  spend.finalize();
  console.log(JSON.stringify({ from: account.address, entropy: sha256(entropy), bitcoin: output.address, spend: spend.hex }));
  provider.destroy();
}

await { words, pay }[verb](rest);
