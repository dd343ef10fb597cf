//! What can go wrong between two ends.

use std::io;
use std::time::Duration;

use keystead_base::{Blame, CanonError, ClusterId, Coded, Name};

use crate::{LineRefusal, Refusal};

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Connecting, the TLS handshake and the hello.
    Handshake,
    /// The start of the peer's next frame.
    Idle,
    /// One frame from the peer.
    Reading,
    /// One frame to the peer.
    Writing,
    /// The reply to a call.
    Call,
}

/// Why a connection was not made, or ended, or a call got no reply.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WireError {
    /// The library refused the seed of a transport key.
    #[error("the seed of the transport key was refused")]
    Identity,
    /// The operating system failed, or the other end vanished.
    #[error("the network failed: {0}")]
    Io(io::ErrorKind),
    /// The handshake failed: an unpinned key, an old version of TLS, a classical key exchange, garbage.
    #[error("the handshake failed: {0}")]
    Tls(rustls::Error),
    /// The other end did not agree to speak this protocol.
    #[error("the peer does not speak keystead/1")]
    Protocol,
    /// Something took too long.
    #[error("{stage:?} took longer than {limit:?}")]
    Late {
        /// What.
        stage: Stage,
        /// The limit.
        limit: Duration,
    },
    /// A newer handshake took the place of this one, which was the oldest unfinished.
    #[error("too many unfinished handshakes; this was the oldest")]
    PushedOut,
    /// A frame that is too long.
    #[error("a frame has at most {limit} bytes, found {found}")]
    FrameTooLong {
        /// The limit.
        limit: usize,
        /// The length announced, or of the message to be sent.
        found: usize,
    },
    /// A frame too short to name its call.
    #[error("a frame names its call in 8 bytes, found {found}")]
    FrameTooShort {
        /// The length.
        found: usize,
    },
    /// The hello is not one.
    #[error("the hello does not parse: {0}")]
    Hello(#[from] CanonError),
    /// The other end speaks another version.
    #[error("expected protocol version {expected}, found {found}")]
    Version {
        /// Ours.
        expected: u16,
        /// Theirs.
        found: u16,
    },
    /// The other end belongs to another cluster.
    #[error("expected cluster {expected}, found {found}")]
    Cluster {
        /// Ours.
        expected: ClusterId,
        /// Theirs.
        found: ClusterId,
    },
    /// The server refused, and said why.
    #[error("the server refused the connection: {0}")]
    Refused(Refusal),
    /// Too many connections, of this peer or of all.
    #[error("{peer} finds no free place among {limit} connections")]
    Full {
        /// The peer.
        peer: Name,
        /// The limit that was reached.
        limit: usize,
    },
    /// The peer's key is no longer pinned.
    #[error("the key of {peer} is no longer pinned")]
    Unpinned {
        /// The name that it had.
        peer: Name,
    },
    /// A reply to a call that was never made.
    #[error("a reply names call {found}, which was never made")]
    UnknownCall {
        /// The number.
        found: u64,
    },
    /// The other end closed the connection.
    #[error("the connection was closed")]
    Closed,
    /// A client that was told of no server.
    #[error("no server is named")]
    NoServer,
    /// Nobody offers a line.
    #[error("nobody offers a line to carry the connection")]
    NoLine,
    /// Whoever offered a line does not carry it on.
    #[error("the connection is not carried: {0}")]
    Line(LineRefusal),
}

impl Coded for WireError {
    fn code(&self) -> &'static str {
        match self {
            Self::Identity => "wire.identity",
            Self::Io(_) => "wire.io",
            Self::Tls(_) => "wire.tls",
            Self::Protocol => "wire.protocol",
            Self::Late { .. } => "wire.late",
            Self::PushedOut => "wire.pushed_out",
            Self::FrameTooLong { .. } => "wire.frame_too_long",
            Self::FrameTooShort { .. } => "wire.frame_too_short",
            Self::Hello(_) => "wire.hello",
            Self::Version { .. } => "wire.version",
            Self::Cluster { .. } => "wire.cluster",
            Self::Refused(_) => "wire.refused",
            Self::Full { .. } => "wire.full",
            Self::Unpinned { .. } => "wire.unpinned",
            Self::UnknownCall { .. } => "wire.unknown_call",
            Self::Closed => "wire.closed",
            Self::NoServer => "wire.no_server",
            Self::NoLine => "wire.no_line",
            Self::Line(_) => "wire.line",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Identity | Self::Io(_) | Self::Closed | Self::NoServer | Self::NoLine | Self::Line(_) => {
                Blame::Environment
            }
            Self::Tls(_)
            | Self::Protocol
            | Self::Late { .. }
            | Self::PushedOut
            | Self::FrameTooLong { .. }
            | Self::FrameTooShort { .. }
            | Self::Hello(_)
            | Self::Version { .. }
            | Self::Cluster { .. }
            | Self::Refused(_)
            | Self::Full { .. }
            | Self::Unpinned { .. }
            | Self::UnknownCall { .. } => Blame::Peer,
        }
    }
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match (inner, error.kind()) {
            (Some(tls), _) => Self::Tls(tls.clone()),
            (None, io::ErrorKind::UnexpectedEof) => Self::Closed,
            (None, kind) => Self::Io(kind),
        }
    }
}
