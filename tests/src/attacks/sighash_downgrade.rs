//! A signature that covers one output of two (S2).
//!
//! A PSBT names the type of signature that it wants. With `SINGLE|ANYONECANPAY` the payment is signed and the change is not: whoever
//! holds the signed PSBT sends the change to himself.
//!
//! The twin signs with the type that the PSBT asks for.

use alloy_primitives::U256;
use bitcoin::psbt::PsbtSighashType;
use bitcoin::{Psbt, ScriptBuf};
use keystead_base::Coded as _;
use keystead_bitcoin::Spend;

use crate::Loot;
use crate::purse::{Purse, Secrets, WPKH, consensus_takes, pay, payee};

/// Whether a signer signs what a PSBT asks for.
pub type Reader = fn(&Purse, &Psbt) -> Result<(), String>;

/// Plays it.
///
/// # Panics
///
/// When the network would not take what was signed.
pub fn attack(reader: Reader) -> Loot {
    let (purse, secrets) = (Purse::of_seed(7), Secrets::of_seed(7));
    let outputs = vec![pay(100_000, payee()), purse.change(WPKH, CHANGE)];
    let coin = purse.coin(WPKH, 1_000_000, 1);
    let spent = [coin.previous.output[0].clone()];
    let mut psbt = Psbt::deserialize(&purse.psbt(vec![coin], outputs)).expect("a PSBT");
    psbt.inputs[0].sighash_type = Some(PsbtSighashType::from_u32(SINGLE_ANYONE_CAN_PAY));
    if let Err(by) = reader(&purse, &psbt) {
        return Loot::refused(by);
    }
    let mut transaction = psbt.unsigned_tx.clone();
    transaction.input[0].witness = secrets.sign_as_said(&psbt, 0);
    transaction.output[1].script_pubkey = ScriptBuf::from_bytes(vec![0x51]);
    assert!(consensus_takes(&transaction, &spent), "what the signature left open");
    Loot::stolen(U256::from(CHANGE), "sat of change")
}

/// The product's reading.
///
/// # Errors
///
/// The code of the refusal.
pub fn whole(purse: &Purse, psbt: &Psbt) -> Result<(), String> {
    let spend = Spend::read(&purse.recorded, &psbt.serialize());
    spend.map(drop).map_err(|error| error.code().to_owned())
}

/// The twin: signs as it is asked.
///
/// # Errors
///
/// None.
pub fn obeyed(_: &Purse, _: &Psbt) -> Result<(), String> {
    Ok(())
}

const CHANGE: u64 = 899_000;
const SINGLE_ANYONE_CAN_PAY: u32 = 0x83;
