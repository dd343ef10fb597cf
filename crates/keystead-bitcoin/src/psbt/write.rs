//! A PSBT as bytes of either version.

use bitcoin::consensus::serialize;
use bitcoin::{Transaction, TxIn, TxOut};

use super::field;
use super::map::{Map, write_compact};
use super::{MAGIC, Psbt, PsbtVersion};

pub(super) fn write(psbt: &Psbt, version: PsbtVersion) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    let transaction = &psbt.transaction;
    global(&psbt.global, transaction, version).write(&mut bytes);
    for (it, txin) in psbt.inputs.iter().zip(&transaction.input) {
        input(it.map(), txin, version).write(&mut bytes);
    }
    for (it, txout) in psbt.outputs.iter().zip(&transaction.output) {
        output(it.map(), txout, version).write(&mut bytes);
    }
    bytes
}

fn global(rest: &Map, transaction: &Transaction, version: PsbtVersion) -> Map {
    let mut map = rest.clone();
    match version {
        PsbtVersion::Zero => map.put(field::UNSIGNED_TX, &[], unsigned(transaction)),
        PsbtVersion::Two => {
            map.put(field::TX_VERSION, &[], serialize(&transaction.version));
            map.put(field::FALLBACK_LOCKTIME, &[], serialize(&transaction.lock_time));
            map.put(field::INPUT_COUNT, &[], compact(transaction.input.len()));
            map.put(field::OUTPUT_COUNT, &[], compact(transaction.output.len()));
            map.put(field::VERSION, &[], serialize(&2_u32));
        }
    }
    map
}

fn input(rest: &Map, txin: &TxIn, version: PsbtVersion) -> Map {
    let mut map = rest.clone();
    if version == PsbtVersion::Two {
        map.put(field::PREVIOUS_TXID, &[], serialize(&txin.previous_output.txid));
        map.put(field::OUTPUT_INDEX, &[], serialize(&txin.previous_output.vout));
        map.put(field::SEQUENCE, &[], serialize(&txin.sequence));
    }
    map
}

fn output(rest: &Map, txout: &TxOut, version: PsbtVersion) -> Map {
    let mut map = rest.clone();
    if version == PsbtVersion::Two {
        map.put(field::AMOUNT, &[], serialize(&txout.value.to_sat()));
        map.put(field::SCRIPT, &[], txout.script_pubkey.to_bytes());
    }
    map
}

/// Without witnesses, whatever there is (BIP-174, `UNSIGNED_TX`).
fn unsigned(transaction: &Transaction) -> Vec<u8> {
    let parts = [
        serialize(&transaction.version),
        serialize(&transaction.input),
        serialize(&transaction.output),
        serialize(&transaction.lock_time),
    ];
    parts.concat()
}

fn compact(value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_compact(&mut bytes, value);
    bytes
}
