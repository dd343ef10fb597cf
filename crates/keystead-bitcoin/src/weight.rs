//! How heavy a transaction will be once it is signed, from its descriptors (BIP-141, "Transaction size calculations").

use bitcoin::{ScriptBuf, Transaction, TxIn};

use crate::view::{Owner, ViewInput};
use crate::{Derived, Form, Sighash};

/// The weight of a transaction with all its signatures, at most: ECDSA signatures are one or two bytes shorter now
/// and then. Inputs of others count with what is in their finished fields, and with nothing where there are none.
pub(crate) fn weight(transaction: &Transaction, inputs: &[ViewInput]) -> u64 {
    let parts: Vec<Satisfaction> = inputs.iter().map(satisfaction).collect();
    let mut bare = transaction.clone();
    for (txin, part) in bare.input.iter_mut().zip(&parts) {
        *txin = TxIn { script_sig: zeros(part.script_sig), ..txin.clone() };
    }
    let base = u64::try_from(bare.base_size()).unwrap_or(u64::MAX).saturating_mul(WITNESS_SCALE);
    let witnesses: u64 = parts.iter().map(|it| it.witness).sum();
    match witnesses {
        0 => base,
        // Marker, flag, and the count of an input that has no witness.
        _ => {
            let empty = parts.iter().filter(|it| it.witness == 0).count();
            base.saturating_add(2).saturating_add(witnesses).saturating_add(u64::try_from(empty).unwrap_or(0))
        }
    }
}

/// Weight units as virtual bytes, rounded up.
pub(crate) fn virtual_bytes(weight: u64) -> u64 {
    weight.div_ceil(WITNESS_SCALE)
}

/// Bytes of a `scriptSig`, and bytes of a witness with its count.
struct Satisfaction {
    script_sig: usize,
    witness: u64,
}

fn satisfaction(input: &ViewInput) -> Satisfaction {
    match &input.owner {
        Owner::Ours(ours) => of_form(ours.form, &ours.derived, input.sighash),
        Owner::Foreign(finished) => Satisfaction {
            script_sig: finished.script_sig.len(),
            witness: match finished.witness.is_empty() {
                true => 0,
                false => u64::try_from(finished.witness.size()).unwrap_or(u64::MAX),
            },
        },
    }
}

fn of_form(form: Form, derived: &Derived, sighash: Sighash) -> Satisfaction {
    let single = 1 + (1 + SIGNATURE) + (1 + KEY);
    match form {
        Form::Pkh => Satisfaction { script_sig: 107, witness: 0 },
        Form::Wpkh => Satisfaction { script_sig: 0, witness: single },
        Form::ShWpkh => Satisfaction { script_sig: 23, witness: single },
        Form::Tr => {
            let byte = match sighash {
                Sighash::Default => 0,
                Sighash::All => 1,
            };
            Satisfaction { script_sig: 0, witness: 1 + 1 + 64 + byte }
        }
        Form::WshSortedMulti { threshold } => {
            let script = derived.witness_script.as_ref().map_or(0, |it| it.len());
            let script = u64::try_from(bitcoin::VarInt::from(script).size() + script).unwrap_or(u64::MAX);
            let signatures = u64::from(threshold) * (1 + SIGNATURE);
            // The count, and the empty element that CHECKMULTISIG takes beside the signatures (BIP-147).
            Satisfaction { script_sig: 0, witness: 1 + 1 + signatures + script }
        }
    }
}

fn zeros(length: usize) -> ScriptBuf {
    ScriptBuf::from_bytes(vec![0; length])
}

/// A DER signature with low s and its sighash byte, at most.
const SIGNATURE: u64 = 72;
/// A compressed key.
const KEY: u64 = 33;
const WITNESS_SCALE: u64 = 4;
