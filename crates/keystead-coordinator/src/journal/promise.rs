//! What is promised, as it stands in the journal.

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, Bytes};
use keystead_base::{Digest, RequestId, Timestamp};
use keystead_intent::Action;
use serde::{Deserialize, Serialize};

/// A promise to send one request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Promise {
    /// When it was given.
    pub(crate) at: Timestamp,
    /// Until when the request may be decided, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Timestamp>,
    /// Whose token asked for it; empty for whoever may do everything.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) owner: String,
    /// The place in an account's sequence that the transaction takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) place: Option<Place>,
    /// By which the caller may ask again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) keyed: Option<Keyed>,
    /// The bundle that it is sent with, or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<Part>,
}

impl Promise {
    /// The document of the request, where it may be submitted again.
    pub(crate) fn intent(&self) -> Option<&Bytes> {
        let keyed = self.keyed.as_ref().map(|it| &it.intent);
        keyed.or_else(|| self.part.as_ref().map(|it| &it.intent))
    }

    /// Whether a caller may come back for it after it is over.
    pub(super) fn is_remembered(&self) -> bool {
        self.intent().is_some()
    }

    /// What remembering it takes beside its numbers.
    pub(super) fn bytes(&self) -> usize {
        let key = self.keyed.as_ref().map_or(0, |it| it.key.len());
        self.intent().map_or(0, |it| it.len()).saturating_add(key)
    }
}

/// Account and nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    pub(crate) account: Address,
    pub(crate) nonce: u64,
}

impl Place {
    /// Where a transaction of this address stands; none of what is no transaction.
    pub(crate) fn of(action: &Action, account: Address) -> Option<Self> {
        let unsigned = keystead_chain::build(action, account).ok()?;
        unsigned.transaction().map(|it| Self { account, nonce: it.nonce() })
    }
}

/// A caller's key, what it was first used for, and the very request that came of it: submitting that one
/// again is no second request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keyed {
    pub(crate) key: String,
    pub(crate) asked: Digest,
    /// The intent's document.
    pub(crate) intent: Bytes,
}

/// One call of a bundle (EIP-5792): none of them is sent before all are signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// Keccak-256 of the bundle's id.
    pub(crate) bundle: Digest,
    /// Its place, from 0.
    pub(crate) index: usize,
    /// How many calls there are.
    pub(crate) of: usize,
    /// The intent's document.
    pub(crate) intent: Bytes,
}

/// What a promise came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Promised {
    /// It is durable.
    New,
    /// Its key names an earlier request; nothing was written.
    Earlier(RequestId, Keyed),
}

#[cfg(test)]
mod tests {
    use alloy_consensus::{SignableTransaction as _, TxEip1559};
    use alloy_primitives::TxKind;
    use keystead_intent::{AccountRef, ChainId, Message, RawEthereum, Replacement};

    use super::*;

    #[test]
    fn s05_raw_bytes_and_replacements_hold_their_nonces_as_transfers_do() {
        let account = || AccountRef { key: "hot".parse().unwrap(), index: 0 };
        let (address, chain) = (Address::repeat_byte(5), ChainId(31337));
        let to = TxKind::Call(Address::repeat_byte(1));
        let transaction =
            TxEip1559 { chain_id: 31337, nonce: 41, gas_limit: 21_000, to, ..Default::default() };
        let preimage = Bytes::from(transaction.encoded_for_signing());
        let raw = || RawEthereum { account: account(), chain, preimage: preimage.clone() };
        let replaces = RequestId(Digest([1; 32]));
        let replacement = Action::Replacement(Replacement { replaces, transaction: raw() });
        for action in [Action::RawEthereum(raw()), replacement] {
            assert_eq!(
                Place::of(&action, address),
                Some(Place { account: address, nonce: 41 }),
                "{action:?}"
            );
        }
        let message = Message { account: account(), chain, bytes: preimage };
        assert_eq!(Place::of(&Action::Message(message), address), None);
    }
}
