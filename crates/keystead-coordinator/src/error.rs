//! Why the coordinator does not start, and why a request has no signature.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use keystead_base::{Amount, Blame, Coded, KeyError, Name, RequestId, SelfTestError};
use keystead_intent::IntentError;
use keystead_policy::Reason;
use keystead_transmit::{TransmitError, Unknown};
use keystead_wire::{NodeCallError, Refused, RequestStage};

/// Why the coordinator does not start.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// The file of promised broadcasts.
    #[error("the journal of broadcasts cannot be used: {0}")]
    Journal(io::Error),
    /// The connection to the node.
    #[error(transparent)]
    Wire(#[from] keystead_wire::WireError),
    /// The address to listen on.
    #[error("{address} cannot be listened on: {error}")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        error: io::Error,
    },
    /// Everybody who reaches the port would speak for the service.
    #[error(
        "{address} is reachable from other machines, and nobody would have to log in; \
         expected a loopback address, or a token"
    )]
    Exposed {
        /// The address.
        address: String,
    },
    /// The file of tokens.
    #[error("the file of tokens cannot be used: {reason}")]
    Tokens {
        /// What is wrong with it.
        reason: String,
    },
    /// The identity provider.
    #[error("the identity provider cannot be used: {reason}")]
    Oidc {
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate, or its key.
    #[error("{}: expected a certificate and its key in PEM form: {reason}", file.display())]
    Certificate {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A secret of a webhook that could be guessed.
    #[error("the secret of a webhook has at least {min} bytes, found {found}")]
    HookSecret {
        /// The least.
        min: usize,
        /// The length found.
        found: usize,
    },
    /// This process computes wrongly.
    #[error(transparent)]
    SelfTest(#[from] SelfTestError),
    /// A token that could be guessed, or cannot stand in a header.
    #[error("a token is {min} to {max} visible ASCII characters, found {found} bytes")]
    Token {
        /// The shortest.
        min: usize,
        /// The longest.
        max: usize,
        /// The length found.
        found: usize,
    },
}

impl Coded for CoordinatorError {
    fn code(&self) -> &'static str {
        match self {
            Self::Journal(_) => "coordinator.journal",
            Self::Wire(error) => error.code(),
            Self::Listen { .. } => "coordinator.listen",
            Self::Exposed { .. } => "coordinator.exposed",
            Self::Token { .. } => "coordinator.token",
            Self::Tokens { .. } => "coordinator.tokens",
            Self::Oidc { .. } => "coordinator.oidc",
            Self::Certificate { .. } => "coordinator.certificate",
            Self::HookSecret { .. } => "coordinator.hook_secret",
            Self::SelfTest(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        Blame::Environment
    }
}

/// Why a request has no signature.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RequestError {
    /// The request itself is malformed.
    #[error(transparent)]
    Intent(#[from] IntentError),
    /// The node does not take it.
    #[error("the node refused the request: {0}")]
    Refused(Refused),
    /// The log said no.
    #[error("request {request} is denied: {}", words.join("; "))]
    Denied {
        /// The request.
        request: RequestId,
        /// The rules that say so.
        rules: Vec<Name>,
        /// Every reason.
        reasons: Vec<Reason>,
        /// The same reasons for people, with the symbols of the policy's assets.
        words: Vec<String>,
    },
    /// A key that named another call before.
    #[error(
        "this Idempotency-Key was used for another call, which became request {request}; \
         a new call needs a new key"
    )]
    KeyReused {
        /// What the key names.
        request: RequestId,
    },
    /// The log said yes, and the signing back end refused.
    #[error("request {request} is allowed, and the signing back end refused it: {refusal}")]
    Unsignable {
        /// The request.
        request: RequestId,
        /// Why.
        refusal: Refused,
    },
    /// People or a delay are waited for.
    #[error("request {request} waits for approvals or for a delay; nothing was signed within {deadline:?}")]
    Waiting {
        /// The request.
        request: RequestId,
        /// How long the caller was kept.
        deadline: Duration,
    },
    /// Allowed, and the signature is not there yet.
    #[error("request {request} is allowed, and its signature did not come within {deadline:?}")]
    Unsigned {
        /// The request.
        request: RequestId,
        /// How long the caller was kept.
        deadline: Duration,
    },
    /// The node does not know it, or it ended in another way.
    #[error("request {request} has no signature: it is {}", stage.map_or("unknown", RequestStage::word))]
    Ended {
        /// The request.
        request: RequestId,
        /// Where it stands; none where nobody knows it.
        stage: Option<RequestStage>,
    },
    /// The node cannot be reached, or does not answer.
    #[error("the node does not answer: {0}")]
    Node(#[from] NodeCallError),
    /// The endpoints do not agree on what is needed.
    #[error(transparent)]
    Chain(#[from] Unknown),
    /// No endpoint took the signed transaction.
    #[error("request {request} is signed, and no endpoint took it: {error}")]
    Broadcast {
        /// The request.
        request: RequestId,
        /// What the endpoints said.
        error: TransmitError,
    },
    /// No endpoint is configured.
    #[error("no chain endpoint is configured, which this method needs")]
    NoChain,
    /// The service key does not sign.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The machine.
    #[error("the coordinator cannot go on: {0}")]
    Environment(String),
    /// Too much at once.
    #[error("too many requests wait at the coordinator")]
    Busy,
    /// The market is above what policy lets anybody offer.
    #[error("the next block takes {market} wei per gas, and fee cap `{cap}` allows {limit}")]
    FeeCap {
        /// The cap.
        cap: Name,
        /// What it allows, in wei per gas; of a cap in all, for each gas of this transaction.
        limit: Amount,
        /// What the next block takes of everybody, in wei per gas.
        market: Amount,
    },
    /// Too much of one caller at once.
    #[error("this caller has as much under way or remembered as one token may; ask again later")]
    Share,
}

impl RequestError {
    /// Why something could not be written down.
    pub(crate) fn unkept(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::QuotaExceeded => Self::Share,
            _ => Self::Environment(error.to_string()),
        }
    }
}

impl Coded for RequestError {
    fn code(&self) -> &'static str {
        match self {
            Self::Intent(error) => error.code(),
            Self::Refused(_) => "request.refused",
            Self::Denied { .. } => "request.denied",
            Self::KeyReused { .. } => "request.key_reused",
            Self::Unsignable { .. } => "request.unsignable",
            Self::Waiting { .. } => "request.waiting",
            Self::Unsigned { .. } => "request.unsigned",
            Self::Ended { .. } => "request.ended",
            Self::Node(_) => "request.node",
            Self::Chain(_) => "request.chain",
            Self::Broadcast { .. } => "request.broadcast",
            Self::NoChain => "request.no_chain",
            Self::Key(error) => error.code(),
            Self::Environment(_) => "request.environment",
            Self::Busy => "request.busy",
            Self::FeeCap { .. } => "request.fee_cap",
            Self::Share => "request.share",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Intent(_)
            | Self::Refused(_)
            | Self::Denied { .. }
            | Self::KeyReused { .. }
            | Self::Waiting { .. }
            | Self::Share => Blame::Caller,
            Self::Node(_) | Self::Unsignable { .. } | Self::Unsigned { .. } | Self::Ended { .. } => {
                Blame::Peer
            }
            Self::Chain(_)
            | Self::Broadcast { .. }
            | Self::NoChain
            | Self::Key(_)
            | Self::Environment(_)
            | Self::FeeCap { .. }
            | Self::Busy => Blame::Environment,
        }
    }
}
