//! A transaction on the chain that takes coins of ours: whether it is one that was asked for, and whose signatures are in it.

use bitcoin::hashes::Hash as _;
use bitcoin::secp256k1::{Message, PublicKey, ecdsa};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::{Amount, Script, Transaction};
use keystead_intent::BitcoinWallet;

use crate::account::read_with_own;
use crate::derive::CURVE;
use crate::{Owned, Psbt};

/// Whether two transactions are the same but for their signatures. Whoever mines can write a signature of an old script
/// otherwise, and give what it signs another id.
#[must_use]
pub fn same_payment(one: &Transaction, other: &Transaction) -> bool {
    let unsigned = |it: &Transaction| {
        let mut unsigned = it.clone();
        for input in &mut unsigned.input {
            (input.script_sig, input.witness) = Default::default();
        }
        unsigned
    };
    unsigned(one) == unsigned(other)
}

/// Whether a transaction is the one of a PSBT, whoever signed it.
#[must_use]
pub fn is_of_psbt(transaction: &Transaction, psbt: &[u8]) -> bool {
    Psbt::parse(psbt).is_ok_and(|it| same_payment(it.transaction(), transaction))
}

/// Whether others alone signed for a coin of a shared wallet, `sat` satoshi at a place of it, in one input of a transaction:
/// each signature there verifies with a key that is not ours. What is not proven so, in another way of signing for one,
/// counts as signed by us.
#[must_use]
pub fn is_signed_by_others(
    recorded: &BitcoinWallet,
    owned: Owned,
    sat: u64,
    transaction: &Transaction,
    input: usize,
) -> bool {
    proven_of_others(recorded, owned, sat, transaction, input).unwrap_or(false)
}

fn proven_of_others(
    recorded: &BitcoinWallet,
    owned: Owned,
    sat: u64,
    transaction: &Transaction,
    input: usize,
) -> Option<bool> {
    let (wallet, own) = read_with_own(recorded).ok()?;
    let derived = wallet.derive(owned)?;
    let script = derived.witness_script.as_ref()?;
    let others: Vec<PublicKey> =
        derived.keys.iter().enumerate().filter(|(at, _)| *at != own).map(|(_, key)| key.public).collect();
    let witness: Vec<&[u8]> = transaction.input.get(input)?.witness.iter().collect();
    let (last, signatures) = witness.split_last().and_then(|(last, rest)| Some((last, rest.get(1..)?)))?;
    if *last != script.as_bytes() || signatures.is_empty() {
        return Some(false);
    }
    let mut cache = SighashCache::new(transaction);
    let mut by_one_of_them = |bytes: &&[u8]| {
        let digest = Signed { script, sat, input };
        digest.is_by(&mut cache, bytes, &others).unwrap_or(false)
    };
    Some(signatures.iter().all(&mut by_one_of_them))
}

/// What one input of a `wsh` signs (BIP-143).
struct Signed<'a> {
    script: &'a Script,
    sat: u64,
    input: usize,
}

impl Signed<'_> {
    fn is_by(
        &self,
        cache: &mut SighashCache<&Transaction>,
        bytes: &[u8],
        keys: &[PublicKey],
    ) -> Option<bool> {
        let (byte, der) = bytes.split_last()?;
        let kind = EcdsaSighashType::from_standard(u32::from(*byte)).ok()?;
        let value = Amount::from_sat(self.sat);
        let hash = cache.p2wsh_signature_hash(self.input, self.script, value, kind).ok()?;
        let message = Message::from_digest(hash.to_byte_array());
        let mut signature = ecdsa::Signature::from_der(der).ok()?;
        // The chain takes either s, the library verifies the low one.
        signature.normalize_s();
        Some(keys.iter().any(|key| CURVE.verify_ecdsa(&message, &signature, key).is_ok()))
    }
}

#[cfg(test)]
mod tests;
