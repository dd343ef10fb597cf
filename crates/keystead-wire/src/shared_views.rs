//! How keys in shares, and their ceremonies, look from outside.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Name, RequestId, Timestamp};
use keystead_intent::ChangeKind;
use serde::{Deserialize, Serialize};

/// Who holds the shares of a key.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharingView {
    /// How many of the holders sign.
    pub threshold: u8,
    /// The nodes that hold a share each, in the order of the shares' indices.
    pub holders: Vec<Name>,
    /// Those whose shares are gone: they sign nothing until a ceremony gives them new ones.
    pub lost: Vec<Name>,
}

/// The ceremony of a shared key that is under way.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConveningView {
    /// The key, which there is none of yet while it is being born.
    pub key: Name,
    /// The request that allowed it.
    pub request: RequestId,
    /// What is to be done.
    pub change: ChangeKind,
    /// The epoch of the shares that it makes.
    pub epoch: u32,
    /// What the sharing will be.
    pub next: SharingView,
    /// How often it was begun.
    pub attempt: u32,
    /// Everyone who takes part, by name ascending.
    pub parts: Vec<PartView>,
    /// Whether all next holders say the same about the new shares.
    pub agreed: bool,
    /// When it ends by itself.
    pub expires: Timestamp,
}

/// How far one node is in a ceremony.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartView {
    /// The node.
    pub node: Name,
    /// Its enclave has its keys for the ceremony.
    pub seated: bool,
    /// Its new share is sealed and durable.
    pub dealt: bool,
    /// Its new share signed with those of others.
    pub proven: bool,
}

impl PartView {
    /// How far, in a word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match (self.seated, self.dealt, self.proven) {
            (_, _, true) => "proven",
            (_, true, false) => "dealt",
            (true, false, false) => "seated",
            (false, false, false) => "not there yet",
        }
    }
}
