//! Why a key cannot be made or used, or a signature is none.

use keystead_base::{Blame, Coded};

use crate::Scheme;

/// What can go wrong between a seed and a verified signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantumError {
    /// The library refused a seed.
    #[error("the cryptographic library refused the seed of a key of {scheme}; make the key again elsewhere")]
    Seed {
        /// The scheme.
        scheme: Scheme,
    },
    /// The library failed to sign.
    #[error(
        "the cryptographic library failed to sign by {scheme}; try once more, then take this machine out of use"
    )]
    Sign {
        /// The scheme.
        scheme: Scheme,
    },
    /// A signature that was just made does not verify: a fault of the machine.
    #[error(
        "a signature by {scheme} that was just made does not verify, and was dropped; take this machine out of use"
    )]
    Faulty {
        /// The scheme.
        scheme: Scheme,
    },
    /// The signature is of another scheme than the key.
    #[error("expected a signature by {expected}, found one by {found}")]
    Scheme {
        /// The key's scheme.
        expected: Scheme,
        /// The signature's scheme.
        found: Scheme,
    },
    /// The signature is none of this key over this message.
    #[error("the signature by {scheme} does not verify under this key over this message")]
    Signature {
        /// The scheme.
        scheme: Scheme,
    },
    /// Bytes of another length than the scheme's.
    #[error("expected {expected} bytes for {scheme}, found {found}")]
    Length {
        /// The scheme.
        scheme: Scheme,
        /// Its standard's length.
        expected: usize,
        /// The length found.
        found: usize,
    },
}

impl Coded for QuantumError {
    fn code(&self) -> &'static str {
        match self {
            Self::Seed { .. } => "quantum.seed",
            Self::Sign { .. } => "quantum.sign",
            Self::Faulty { .. } => "quantum.faulty",
            Self::Scheme { .. } => "quantum.other_scheme",
            Self::Signature { .. } => "quantum.signature",
            Self::Length { .. } => "quantum.length",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Seed { .. } | Self::Sign { .. } | Self::Faulty { .. } => Blame::Environment,
            Self::Scheme { .. } | Self::Signature { .. } | Self::Length { .. } => Blame::Caller,
        }
    }
}
