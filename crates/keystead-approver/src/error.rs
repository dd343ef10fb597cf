//! Why there is nothing to approve.

use keystead_base::{Blame, Coded, Digest, RequestId};
use keystead_bitcoin::SpendError;
use keystead_chain::BuildError;
use keystead_intent::AssetError;
use keystead_solana::UnsignedError;

/// Why a request is not put before its approver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// The server sent another request than the one that was asked for.
    #[error("the request is not the one asked for: asked for {asked}, the bytes sent are those of {found}")]
    Request {
        /// What the approver named.
        asked: RequestId,
        /// What the bytes are.
        found: RequestId,
    },
    /// The server says that another digest is going to be signed.
    #[error("the digest to be signed is not what the server says: computed here {computed}, said {said}")]
    Digest {
        /// Of the bytes, on this machine.
        computed: Digest,
        /// The server's word.
        said: Digest,
    },
    /// The server names no address or wallet that would sign.
    #[error("the node names no address or wallet that would sign")]
    NoAddress,
    /// The request has no bytes to sign.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A PSBT that is refused.
    #[error(transparent)]
    Spend(#[from] SpendError),
    /// A message of Solana's that is refused.
    #[error(transparent)]
    Message(#[from] UnsignedError),
    /// A transaction of NEAR's that is refused.
    #[error(transparent)]
    Near(#[from] keystead_near::Refusal),
    /// The policy's registry says two things of one address.
    #[error(transparent)]
    Registry(#[from] AssetError),
}

impl Coded for ReviewError {
    fn code(&self) -> &'static str {
        match self {
            Self::Request { .. } => "review.request",
            Self::Digest { .. } => "review.digest",
            Self::NoAddress => "review.no_address",
            Self::Build(error) => error.code(),
            Self::Spend(error) => error.code(),
            Self::Message(error) => error.code(),
            Self::Near(error) => error.code(),
            Self::Registry(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Request { .. } | Self::Digest { .. } => Blame::Peer,
            Self::NoAddress => Blame::Caller,
            Self::Build(error) => error.blame(),
            Self::Spend(error) => error.blame(),
            Self::Message(error) => error.blame(),
            Self::Near(error) => error.blame(),
            Self::Registry(error) => error.blame(),
        }
    }
}
