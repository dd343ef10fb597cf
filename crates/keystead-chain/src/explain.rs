//! From the exact bytes to everything that a signature over them would do.

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use keystead_intent::{AssetIndex, ChainId, EffectKind, Effects, Fee, OpaqueReason, Slot, is_plain};

use crate::call::{Frame, Walk, opaque};
use crate::transaction::{self, Authorization, Transaction};
use crate::typed_data::known;
use crate::unsigned::Form;
use crate::{Payload, Unsigned};

/// Explains a payload; what it does not understand it says is opaque.
///
/// INVARIANT S2: the effects are read from the very bytes that are signed, and from the signed
/// registry; nothing that anybody says about them counts.
#[must_use]
pub fn explain(unsigned: &Unsigned, registry: &AssetIndex) -> Effects {
    let (account, chain) = (unsigned.account(), unsigned.chain());
    let mut walk = Walk::new(chain, registry);
    let mut typed = None;
    let (nonce, fee) = match (unsigned.form(), unsigned.payload()) {
        (Form::Transaction(it), _) => {
            transact(&mut walk, it, account);
            (Some(it.nonce()), transaction::fee(it))
        }
        (Form::Authorization(it), _) => {
            delegate(&mut walk, *it, Some(account));
            (Some(it.nonce), Fee::default())
        }
        (Form::TypedData(document), _) => {
            known::explain(&mut walk, document, account);
            typed = Some(document.form());
            (None, Fee::default())
        }
        (Form::Message, Payload::Message(message)) => {
            walk.note(Vec::new(), None, None, statement(message));
            (None, Fee::default())
        }
        (Form::Message, _) => (None, Fee::default()),
    };
    let slot = nonce.map(|nonce| Slot { chain, account, nonce });
    let (signing_digest, items) = (unsigned.signing_digest(), walk.into_effects());
    Effects { signing_digest, chain, slot, fee, items, typed, coins: None }
}

/// Delegations take hold before the call runs (EIP-7702).
fn transact(walk: &mut Walk<'_>, transaction: &Transaction, account: Address) {
    for signed in transaction.authorization_list().unwrap_or_default() {
        let chain = ChainId(u64::try_from(signed.chain_id).unwrap_or(u64::MAX));
        let tuple = Authorization { chain, delegate: signed.address, nonce: signed.nonce };
        delegate(walk, tuple, transaction::authority(signed));
    }
    match transaction.kind() {
        TxKind::Call(to) => {
            walk.call(&Frame::call(account, to, transaction.value(), transaction.input(), Vec::new()));
        }
        TxKind::Create => create(walk, transaction, account),
    }
}

fn delegate(walk: &mut Walk<'_>, tuple: Authorization, authority: Option<Address>) {
    let Authorization { chain, delegate, nonce } = tuple;
    walk.note(Vec::new(), None, None, EffectKind::Delegation { authority, delegate, chain, nonce });
}

fn create(walk: &mut Walk<'_>, transaction: &Transaction, account: Address) {
    if !transaction.value().is_zero() {
        walk.coins(Vec::new(), account, account.create(transaction.nonce()), transaction.value());
    }
    let init_code_hash = keccak256(transaction.input());
    walk.note(Vec::new(), None, None, EffectKind::Creation { init_code_hash });
}

/// Thirty-two bytes are a hash of something, whatever they look like: a Safe, for one, takes a
/// message of that length as an owner's signature of a transaction with that hash.
fn statement(message: &Bytes) -> EffectKind {
    if let Ok(digest) = B256::try_from(message.as_ref()) {
        return EffectKind::BlindDigest { digest };
    }
    match std::str::from_utf8(message) {
        Ok(text) if text.chars().all(is_plain) => EffectKind::Statement { message: message.clone() },
        _ => opaque(None, U256::ZERO, keccak256(message), OpaqueReason::NotText),
    }
}

#[cfg(test)]
mod tests {
    use keystead_intent::DangerClass;

    use super::*;

    #[test]
    fn s02_a_message_is_text_or_it_is_not_understood() {
        for (message, class) in [
            ("I agree.\nReally.".as_bytes(), DangerClass::Statement),
            ("Grüße 👋".as_bytes(), DangerClass::Statement),
            (b"", DangerClass::Statement),
            (b"exactly thirty-two letters long.", DangerClass::BlindDigest),
            (&[7; 32], DangerClass::BlindDigest),
            (&[7; 31], DangerClass::Opaque),
            (b"\xff\xfe", DangerClass::Opaque),
            ("pay \u{202e}ecila".as_bytes(), DangerClass::Opaque),
        ] {
            let payload = Payload::Message(Bytes::copy_from_slice(message));
            let unsigned = Unsigned::parse(Address::ZERO, ChainId(1), payload).unwrap();
            assert_eq!(explain(&unsigned, &AssetIndex::default()).class(), class, "{message:?}");
        }
    }
}
