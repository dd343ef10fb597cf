//! What can go wrong between a node and its broker.

use keystead_base::{Blame, Coded};

/// Why a broker is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NatsError {
    /// The URL, or what it names, does not do.
    #[error("the broker cannot be used: {reason}")]
    Broker {
        /// In the client's words.
        reason: String,
    },
    /// What is to say who this node is does not.
    #[error("expected a file with `user:password` on one line, as the broker knows this node")]
    Login,
}

impl Coded for NatsError {
    fn code(&self) -> &'static str {
        match self {
            Self::Broker { .. } => "nats.broker",
            Self::Login => "nats.login",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Broker { .. } | Self::Login => Blame::Environment,
        }
    }
}
