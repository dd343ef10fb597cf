//! Why a node does not vote for a block: told to the others, shown in `status`.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Coded, Digest};
use serde::{Deserialize, Serialize};

/// A node's reason to vote for nothing.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objection {
    /// The height.
    pub height: u64,
    /// The digest of the header that it objects to.
    pub header: Digest,
    /// A stable code.
    pub code: String,
    /// A sentence of at most 512 bytes.
    pub text: String,
}

impl Objection {
    /// An error as an objection.
    #[must_use]
    pub fn of(height: u64, header: Digest, error: &impl Coded) -> Self {
        let mut text = error.to_string();
        let mut end = text.len().min(MAX_TEXT_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        Self { height, header, code: error.code().to_owned(), text }
    }

    /// Whether it is within its limits.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.text.len() <= MAX_TEXT_BYTES && self.code.len() <= MAX_TEXT_BYTES
    }
}

/// The longest sentence.
const MAX_TEXT_BYTES: usize = 512;
