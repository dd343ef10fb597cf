//! Every reason for which a run of a shared key does not begin here.

use keystead_base::{Blame, Coded, Name, SelfTestError};
use keystead_threshold::{BeginError, HoldersError};

/// Why the enclave takes no part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// No seat of this enclave's life is among those that the log convened.
    #[error("this enclave has no seat in the ceremony; its node says a new one")]
    NoSeat,
    /// Keys that are no keys.
    #[error("a seat whose keys do not parse")]
    Seat,
    /// Shares that do not parse, or of another engine.
    #[error("a share that this enclave cannot use")]
    Share,
    /// INVARIANT K3: no share of that key and epoch is here.
    #[error("this enclave holds no share of `{key}` in epoch {epoch}")]
    Unknown {
        /// The key.
        key: Name,
        /// The epoch.
        epoch: u32,
    },
    /// The same epoch of a key, shared among others than the log says.
    #[error("the share of `{key}` belongs to other holders than the log names")]
    Holders {
        /// The key.
        key: Name,
    },
    /// No room for secrets.
    #[error("the secret pages for shares are full")]
    Full,
    /// No certificate was admitted for what is to be signed.
    #[error("nothing was admitted that this run could sign")]
    NotAdmitted,
    /// Nodes that cannot hold a key together.
    #[error(transparent)]
    Shape(#[from] HoldersError),
    /// The run cannot begin.
    #[error(transparent)]
    Begin(#[from] BeginError),
    /// Fresh keys whose halves do not belong together.
    #[error(transparent)]
    SelfTest(#[from] SelfTestError),
}

impl Coded for ThresholdError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoSeat => "threshold.no_seat",
            Self::Seat => "threshold.seat",
            Self::Share => "threshold.unusable_share",
            Self::Unknown { .. } => "threshold.no_share",
            Self::Holders { .. } => "threshold.other_holders",
            Self::Full => "threshold.full",
            Self::NotAdmitted => "threshold.not_admitted",
            Self::Shape(error) => error.code(),
            Self::Begin(error) => error.code(),
            Self::SelfTest(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::NoSeat | Self::Unknown { .. } | Self::Holders { .. } | Self::NotAdmitted | Self::Seat => {
                Blame::Peer
            }
            Self::Share | Self::Full => Blame::Environment,
            Self::Shape(error) => error.blame(),
            Self::Begin(error) => error.blame(),
            Self::SelfTest(error) => error.blame(),
        }
    }
}
