//! What would be signed, on either kind of chain.

use keystead_base::Digest;
use keystead_bitcoin::Spend;
use keystead_chain::{Transaction, Unsigned};

use crate::Controls;

/// A payload, read from its bytes.
pub(crate) enum ToSign {
    Ethereum(Unsigned),
    Bitcoin(Box<Spend>),
}

impl ToSign {
    /// The digest that a grant names.
    pub(crate) fn granted<C: Controls>(&self, controls: &C) -> Digest {
        match self {
            Self::Ethereum(unsigned) => controls.granted_digest(unsigned),
            Self::Bitcoin(spend) => spend.signing_digest(),
        }
    }

    /// The transaction that an EVM would run, where it is one.
    pub(crate) fn transaction(&self) -> Option<&Transaction> {
        match self {
            Self::Ethereum(unsigned) => unsigned.transaction(),
            Self::Bitcoin(_) => None,
        }
    }
}
