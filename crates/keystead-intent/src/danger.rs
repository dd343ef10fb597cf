//! How dangerous an effect is, in words that come first on every screen.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Danger classes, least first; a request has the class of its worst effect.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum DangerClass {
    /// Words without a known meaning on a chain (EIP-191 text).
    Statement,
    /// Value leaves, once, by a stated amount.
    Transfer,
    /// Somebody may take a stated amount later.
    Allowance,
    /// Somebody may take everything later.
    UnlimitedAllowance,
    /// Who controls something changes: owner, role, module, guard, upgrade, delegation, policy.
    Authority,
    /// Foreign code runs with the account's own storage and funds.
    DelegateCall,
    /// The bytes are not understood.
    Opaque,
    /// Only a hash is visible.
    BlindDigest,
    /// An earlier transaction is called off: its nonce is used up, and nothing moves. Of requests, not of effects.
    Cancel,
    /// An earlier transaction is replaced, beside what the new one does. Of requests, not of effects.
    Replacement,
}

impl DangerClass {
    /// Every class of effects, least dangerous first, and those of requests.
    pub const ALL: [Self; 10] = [
        Self::Statement,
        Self::Transfer,
        Self::Allowance,
        Self::UnlimitedAllowance,
        Self::Authority,
        Self::DelegateCall,
        Self::Opaque,
        Self::BlindDigest,
        Self::Cancel,
        Self::Replacement,
    ];

    /// The class's stable name, as JSON, Cedar and the CLI write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::Transfer => "transfer",
            Self::Allowance => "allowance",
            Self::UnlimitedAllowance => "unlimited_allowance",
            Self::Authority => "authority",
            Self::DelegateCall => "delegate_call",
            Self::Opaque => "opaque",
            Self::BlindDigest => "blind_digest",
            Self::Cancel => "cancel",
            Self::Replacement => "replacement",
        }
    }

    /// Whether it is a class of whole requests: no effect has it, so that it is the worst of none.
    #[must_use]
    pub fn is_of_requests(self) -> bool {
        matches!(self, Self::Cancel | Self::Replacement)
    }
}

impl fmt::Display for DangerClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
