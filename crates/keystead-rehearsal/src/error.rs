//! Why a run says nothing.

use keystead_base::{Blame, Coded};

/// A piece of the state that is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// Whoever reads it does not know it, or not for certain.
    #[error("{reason}")]
    Unknown {
        /// What the reader says.
        reason: String,
    },
    /// More than a run may read.
    #[error("a run reads at most {limit} pieces of state")]
    TooMany {
        /// The limit.
        limit: usize,
    },
}

impl revm::database_interface::DBErrorMarker for Unread {}

/// Why nothing is known of what a transaction would do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RehearsalError {
    /// The state.
    #[error("the state is not known: {0}")]
    Unread(#[from] Unread),
    /// The machine itself.
    #[error("the machine stopped: {reason}")]
    Machine {
        /// What it says.
        reason: String,
    },
}

impl Coded for RehearsalError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unread(Unread::Unknown { .. }) => "rehearsal.state_unknown",
            Self::Unread(Unread::TooMany { .. }) => "rehearsal.too_many_reads",
            Self::Machine { .. } => "rehearsal.machine",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Environment
    }
}
