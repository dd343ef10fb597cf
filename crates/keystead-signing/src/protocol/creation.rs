//! What parent and enclave say of a key to whose seed people bring a source of their own.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::Digest;
use keystead_decision::Certificate;
use keystead_entropy::Source;
use keystead_keys::Sealed;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use super::CreatedKey;

/// A committed ceremony, and what people brought for the seed of its key.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Creation {
    /// The ceremony.
    pub certificate: Certificate,
    /// The digest of the machine's promise that people were shown before they rolled.
    pub promise: Digest,
    /// Each source once, in their order: dice, coins, a file.
    pub brought: Vec<Brought>,
}

/// One source that people brought, or the parent from the machine's TPM.
#[derive(Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brought {
    /// A die, a coin, a file; or the TPM.
    pub source: Source,
    /// Digits 1 to 6, or `h` and `t`, as typed; of a file or a TPM its bytes in hexadecimal. Secret.
    pub text: String,
}

/// What people brought is secret: what prints a request prints none of it.
impl fmt::Debug for Brought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Brought({})", self.source)
    }
}

impl Drop for Brought {
    // INVARIANT K5: no way out of a scope leaves it behind.
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

/// A key just born of what people brought, and the machine's part of its seed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreatedFrom {
    /// The key.
    pub created: CreatedKey,
    /// What the receipt's commitments open to, sealed: without what people brought it says nothing of the seed.
    pub openings: Sealed,
}

/// A committed backup or export, and the sealed openings of the same key.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedToOpen {
    /// The ceremony: its recipients get the openings, as they get the key.
    pub certificate: Certificate,
    /// From [`CreatedFrom`].
    pub openings: Sealed,
}
