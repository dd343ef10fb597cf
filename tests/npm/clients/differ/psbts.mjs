// @scure/btc-signer: what a PSBT spends and has signed, and the transaction that comes of it.
import { OutScript, Transaction, getInputType } from "@scure/btc-signer";
import { getPrevOut } from "@scure/btc-signer/transaction.js";
import { RawPSBTV2 } from "@scure/btc-signer/psbt.js";
import { answer } from "./lines.mjs";

const options = { unknown: "ignore", proprietary: "ignore", allowUnknownOutputs: true };
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const bytes = (text) => Uint8Array.from(Buffer.from(text, "hex"));

answer(({ psbt, two, keys, by_us }) => {
  const tx = read(bytes(psbt), two);
  const inputs = Array.from({ length: tx.inputsLength }, (_, at) => tx.getInput(at));
  const spent = inputs.map((input) => getPrevOut(input));
  const coins = spent.map(({ amount, script }) => `${amount}:${hex(script)}`);
  const digests = inputs.map((input, at) => hex(digest(tx, input, at, spent)));
  const word = [hex(tx.unsignedTx), ...coins, ...digests].join(" ");
  if (keys === undefined) return { word };
  // Without fresh randomness (BIP-340), so that two signers make one signature.
  keys.forEach((secrets, at) => secrets.forEach((secret) => tx.signIdx(bytes(secret), at, [getInputType(inputs[at]).sighash], new Uint8Array(32))));
  const signed = hex(tx.toPSBT());
  return { word, signed, done: finished(tx), finalized: finished(Transaction.fromPSBT(bytes(by_us), options)) };
});

// What is wrong with version 2 it says itself; the library says what version 0 would find wrong with it.
function read(psbt, two) {
  try {
    return Transaction.fromPSBT(psbt, options);
  } catch (error) {
    if (two) RawPSBTV2.decode(psbt);
    throw error;
  }
}

function finished(tx) {
  tx.finalize();
  return hex(tx.extract());
}

function digest(tx, input, at, spent) {
  const { txType, last, lastScript, sighash } = getInputType(input);
  if (![0, 1].includes(sighash)) throw new Error(`sighash type ${sighash}`);
  if (txType === "legacy") return tx.preimageLegacy(at, lastScript, sighash);
  if (txType === "taproot") return tx.preimageWitnessV1(at, spent.map((it) => it.script), sighash, spent.map((it) => it.amount));
  const script = last.type === "wpkh" ? OutScript.encode({ type: "pkh", hash: last.hash }) : lastScript;
  return tx.preimageWitnessV0(at, script, sighash, spent[at].amount);
}
