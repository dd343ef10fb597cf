//! What would be signed, on each kind of chain.

use keystead_base::Digest;
use keystead_chain::{Transaction, Unsigned};

use crate::Controls;

/// A payload, read from its bytes.
pub(crate) enum ToSign {
    Ethereum(Unsigned),
    /// What was read of a PSBT: the digest over what its inputs sign.
    Bitcoin(Digest),
    /// The SHA-256 of a message, which Ed25519 signs itself.
    Solana(Digest),
    /// The SHA-256 of a transaction of NEAR's, which ML-DSA-65 signs.
    Near(Digest),
}

impl ToSign {
    /// The digest that a grant names.
    pub(crate) fn granted<C: Controls>(&self, controls: &C) -> Digest {
        match self {
            Self::Ethereum(unsigned) => controls.granted_digest(unsigned),
            Self::Bitcoin(digest) | Self::Solana(digest) | Self::Near(digest) => *digest,
        }
    }

    /// The transaction that an EVM would run, where it is one.
    pub(crate) fn transaction(&self) -> Option<&Transaction> {
        match self {
            Self::Ethereum(unsigned) => unsigned.transaction(),
            Self::Bitcoin(_) | Self::Solana(_) | Self::Near(_) => None,
        }
    }
}
