//! Why bytes are no PSBT.

use keystead_base::{Blame, Coded};

use super::{PsbtVersion, Scope};

/// Why bytes are no PSBT. Fields have the names of the BIPs, without `PSBT_…_`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PsbtError {
    /// More than any PSBT here has.
    #[error("a PSBT has at most {limit} bytes, found {found}")]
    TooLong {
        /// The limit.
        limit: usize,
        /// The length found.
        found: usize,
    },
    /// The text is not Base64.
    #[error("the text is not Base64 of the standard alphabet, padded, without blanks and line ends")]
    Base64,
    /// The bytes are something else.
    #[error("a PSBT starts with `psbt` and the byte ff")]
    Magic,
    /// A map ends early.
    #[error("the bytes end in the middle of the map `{scope}`")]
    Truncated {
        /// The map.
        scope: Scope,
    },
    /// A length in a longer form than it needs.
    #[error("a length is not in its shortest form")]
    CompactSize,
    /// A key stands twice.
    #[error("{scope}: `{field}` stands twice with the same key")]
    Duplicate {
        /// The map.
        scope: Scope,
        /// The field.
        field: &'static str,
    },
    /// Too many pairs.
    #[error("{scope}: a map has at most {limit} pairs")]
    TooManyPairs {
        /// The map.
        scope: Scope,
        /// The limit.
        limit: usize,
    },
    /// Bytes after the last map.
    #[error("the PSBT ends, but {found} bytes follow")]
    Trailing {
        /// How many.
        found: usize,
    },
    /// An unknown version.
    #[error("expected version 0 or 2, found {found}")]
    Version {
        /// The version found.
        found: u32,
    },
    /// A field that there must be.
    #[error("{scope}: `{field}` is missing")]
    Missing {
        /// The map.
        scope: Scope,
        /// The field.
        field: &'static str,
    },
    /// A field that this version does not have.
    #[error("{scope}: `{field}` is not in version {}", match .version { PsbtVersion::Zero => 0, PsbtVersion::Two => 2 })]
    NotInVersion {
        /// The map.
        scope: Scope,
        /// The field.
        field: &'static str,
        /// The version.
        version: PsbtVersion,
    },
    /// A key that is not what its type has.
    #[error("{scope}: the key of `{field}` has other data behind its type than the BIP says")]
    KeyData {
        /// The map.
        scope: Scope,
        /// The field.
        field: &'static str,
    },
    /// A value that is not what its type has.
    #[error("{scope}: the value of `{field}` is not what the BIP says")]
    Value {
        /// The map.
        scope: Scope,
        /// The field.
        field: &'static str,
    },
    /// Too many inputs.
    #[error("at most {limit} inputs, found {found}")]
    TooManyInputs {
        /// The limit.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// Too many outputs.
    #[error("at most {limit} outputs, found {found}")]
    TooManyOutputs {
        /// The limit.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// The transaction inside is signed.
    #[error("the transaction inside is unsigned, but input {input} has a scriptSig")]
    Signed {
        /// The input.
        input: usize,
    },
    /// Inputs that cannot be spent together.
    #[error("one input needs a lock time by height, another one by time: no transaction has both")]
    LockTimes,
}

impl Coded for PsbtError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "psbt.too_long",
            Self::Base64 => "psbt.base64",
            Self::Magic => "psbt.magic",
            Self::Truncated { .. } => "psbt.truncated",
            Self::CompactSize => "psbt.compact_size",
            Self::Duplicate { .. } => "psbt.duplicate",
            Self::TooManyPairs { .. } => "psbt.too_many_pairs",
            Self::Trailing { .. } => "psbt.trailing_bytes",
            Self::Version { .. } => "psbt.version",
            Self::Missing { .. } => "psbt.missing",
            Self::NotInVersion { .. } => "psbt.not_in_version",
            Self::KeyData { .. } => "psbt.key_data",
            Self::Value { .. } => "psbt.value",
            Self::TooManyInputs { .. } => "psbt.too_many_inputs",
            Self::TooManyOutputs { .. } => "psbt.too_many_outputs",
            Self::Signed { .. } => "psbt.signed",
            Self::LockTimes => "psbt.lock_times",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}
