//! What parent and enclave say of a key for whose seed people rolled a die or flipped a coin.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_decision::Certificate;
use keystead_entropy::Source;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

/// A committed ceremony, and what people brought for the seed of its key.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolledCreation {
    /// The ceremony.
    pub certificate: Certificate,
    /// Each source once, in their order: dice, then coins.
    pub rolls: Vec<Rolls>,
}

/// What a person typed: digits 1 to 6, or `h` and `t`.
#[derive(Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rolls {
    /// A die or a coin.
    pub source: Source,
    /// Their text. Secret.
    pub text: String,
}

/// Rolls are secrets: what prints a request prints none.
impl fmt::Debug for Rolls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rolls({})", self.source)
    }
}

impl Drop for Rolls {
    // INVARIANT K5: no way out of a scope leaves them behind.
    fn drop(&mut self) {
        self.text.zeroize();
    }
}
