//! What goes wrong with one endpoint, and with all of them.

use std::time::Duration;

use keystead_base::{Blame, Coded, Name};

use crate::Unknown;

/// Why one endpoint gave no usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// It could not be reached, or broke off.
    #[error("it cannot be reached: {reason}")]
    Unreachable {
        /// What the HTTP client says.
        reason: String,
    },
    /// Its TLS certificate does not prove that it is the one in the URL.
    #[error("its certificate is not trusted: {reason}")]
    Distrusted {
        /// What is wrong with it.
        reason: Distrust,
    },
    /// It took too long.
    #[error("it did not answer within {limit:?}")]
    Late {
        /// The limit.
        limit: Duration,
    },
    /// Its answer is too long.
    #[error("its answer has more than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// An HTTP status other than 200.
    #[error("it answered with HTTP status {found}")]
    Status {
        /// The status.
        found: u16,
    },
    /// Not an answer of JSON-RPC 2.0 to what was asked, or not of the expected shape.
    #[error("its answer does not parse: expected {expected}")]
    Malformed {
        /// What was expected.
        expected: &'static str,
    },
    /// The file with its login cannot be used.
    #[error("the file with its login cannot be used: {reason}")]
    Login {
        /// What is wrong with it.
        reason: String,
    },
    /// It shows another chain than the configured one.
    #[error("it shows another chain: its first block is {found}")]
    WrongChain {
        /// The hash of its first block.
        found: String,
    },
    /// There is more of something than is looked at.
    #[error("there are more than {limit} {what}")]
    TooMany {
        /// The limit.
        limit: usize,
        /// What there are so many of.
        what: &'static str,
    },
    /// An error object.
    #[error("it answered with error {code}: {message}")]
    Rpc {
        /// The code.
        code: i64,
        /// The message, cut to [`MAX_MESSAGE_CHARS`].
        message: String,
        /// Revert data and the like, as sent.
        data: Option<Box<str>>,
    },
}

/// What is wrong with a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// Nobody whom we trust signed it.
    #[error(
        "no trusted authority signed it; is it the right `ca` file, or is the authority missing in the \
         system's store?"
    )]
    Authority,
    /// It is for another name.
    #[error("it is for another name than the one in the URL")]
    Name,
    /// Its time is over.
    #[error("it has expired; if not, this machine's clock is wrong")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet; if it is, this machine's clock is wrong")]
    NotYetValid,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// How much of an endpoint's own words is kept.
pub const MAX_MESSAGE_CHARS: usize = 200;

impl Coded for EndpointError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "endpoint.unreachable",
            Self::Distrusted { .. } => "endpoint.distrusted",
            Self::Late { .. } => "endpoint.late",
            Self::TooLong { .. } => "endpoint.too_long",
            Self::Status { .. } => "endpoint.status",
            Self::Malformed { .. } => "endpoint.malformed",
            Self::Login { .. } => "endpoint.login",
            Self::WrongChain { .. } => "endpoint.wrong_chain",
            Self::TooMany { .. } => "endpoint.too_many",
            Self::Rpc { .. } => "endpoint.rpc",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Unreachable { .. } | Self::Login { .. } => Blame::Environment,
            Self::Rpc { .. } | Self::TooMany { .. } => Blame::Caller,
            Self::Distrusted { .. }
            | Self::Late { .. }
            | Self::TooLong { .. }
            | Self::Status { .. }
            | Self::Malformed { .. }
            | Self::WrongChain { .. } => Blame::Peer,
        }
    }
}

/// Why somebody's question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The only endpoint's error, or the one that enough of them answered with.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Too few of several endpoints agree.
    #[error(transparent)]
    Unknown(#[from] Unknown),
}

impl Coded for ReadError {
    fn code(&self) -> &'static str {
        match self {
            Self::Endpoint(error) => error.code(),
            Self::Unknown(unknown) => unknown.code(),
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Endpoint(error) => error.blame(),
            Self::Unknown(unknown) => unknown.blame(),
        }
    }
}

/// Why a set of endpoints cannot be used, or a transaction was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransmitError {
    /// Neither `http://host[:port][/path]` nor `https://…`.
    #[error("an endpoint is written http://host:port/path or https://host:port/path, found {found:?}")]
    Url {
        /// The text.
        found: String,
    },
    /// Nobody could vouch for an endpoint behind TLS.
    #[error("there is no certificate authority to trust: {reason}")]
    Roots {
        /// What is wrong with the file or the system's store.
        reason: String,
    },
    /// A network that is written in another way.
    #[error("expected a network as 10.0.0.0/8, found {found:?}")]
    Network {
        /// What was found, shortened.
        found: String,
    },
    /// A token that cannot stand in an HTTP header.
    #[error("the token has characters that cannot stand in an HTTP header")]
    Token,
    /// `k` must be more than half of `m`, so that two answers can never both be believed.
    #[error("{agree} of {of} endpoints cannot decide: more than half and at most all must agree")]
    Quorum {
        /// How many must agree.
        agree: usize,
        /// How many there are.
        of: usize,
    },
    /// No endpoint took the transaction.
    #[error("no endpoint took the transaction: {}", listed(refusals))]
    Refused {
        /// What each said.
        refusals: Vec<(Name, EndpointError)>,
    },
}

impl Coded for TransmitError {
    fn code(&self) -> &'static str {
        match self {
            Self::Url { .. } => "transmit.url",
            Self::Roots { .. } => "transmit.roots",
            Self::Network { .. } => "transmit.network",
            Self::Token => "transmit.token",
            Self::Quorum { .. } => "transmit.quorum",
            Self::Refused { .. } => "transmit.refused",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Url { .. } | Self::Network { .. } | Self::Token | Self::Quorum { .. } => Blame::Caller,
            Self::Roots { .. } => Blame::Environment,
            Self::Refused { refusals } => {
                refusals.first().map_or(Blame::Environment, |(_, error)| error.blame())
            }
        }
    }
}

pub(crate) fn listed(errors: &[(Name, EndpointError)]) -> String {
    let each = errors.iter().map(|(name, error)| format!("{name}: {error}"));
    each.collect::<Vec<_>>().join("; ")
}
