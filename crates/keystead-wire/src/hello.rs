//! The first frame of each end (specs/wire.md).

use std::fmt;
use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, ClusterId};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::WireError;
use crate::frame::{self, MAX_HELLO_BYTES};

/// The version that this crate speaks.
pub const PROTOCOL_VERSION: u16 = 1;

/// What an end says of itself. Who it is, its key has already proved; nothing here is trusted.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`].
    pub version: u16,
    /// The cluster that it serves or wants to talk to.
    pub cluster: ClusterId,
    /// What it is.
    pub role: Role,
    /// How often it was started: a lower number than before shows a machine restored from a snapshot.
    pub boot: u64,
}

impl Hello {
    /// A hello of this version.
    #[must_use]
    pub fn new(cluster: ClusterId, role: Role, boot: u64) -> Self {
        Self { version: PROTOCOL_VERSION, cluster, role, boot }
    }

    /// Whether the other end can be talked to.
    pub(crate) fn agrees_with(&self, theirs: &Self) -> Result<(), WireError> {
        if self.version != theirs.version {
            return Err(WireError::Version { expected: self.version, found: theirs.version });
        }
        if self.cluster != theirs.cluster {
            return Err(WireError::Cluster { expected: self.cluster, found: theirs.cluster });
        }
        Ok(())
    }
}

impl Canonical for Hello {
    const DOMAIN: &'static str = "keystead/hello/v1";
}

/// What an end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Role {
    /// A signer node.
    Node,
    /// A coordinator or another service.
    Service,
    /// A person's device.
    Person,
    /// A witness of the log.
    Witness,
}

/// The server's answer to a hello.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Greeting {
    /// It talks.
    Welcome(Hello),
    /// It does not, and hangs up.
    Refused(Refusal),
}

impl Canonical for Greeting {
    const DOMAIN: &'static str = "keystead/greeting/v1";
}

/// Why a server does not go on after a hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Refusal {
    /// It speaks another version.
    Version {
        /// The one it speaks.
        speaks: u16,
    },
    /// It serves another cluster.
    Cluster,
    /// It has no place left for this peer.
    Full,
    /// The hello did not parse.
    Garbled,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { speaks } => write!(f, "it speaks version {speaks}"),
            Self::Cluster => f.write_str("it serves another cluster"),
            Self::Full => f.write_str("it has no place left"),
            Self::Garbled => f.write_str("it could not read the hello"),
        }
    }
}

impl Refusal {
    /// What the peer is told of an error during the hello.
    pub(crate) fn of(error: &WireError, ours: &Hello) -> Self {
        match error {
            WireError::Version { .. } => Self::Version { speaks: ours.version },
            WireError::Cluster { .. } => Self::Cluster,
            WireError::Full { .. } => Self::Full,
            _ => Self::Garbled,
        }
    }
}

/// Reads one document before both ends know each other.
pub(crate) async fn receive<T: Canonical, R: AsyncRead + Unpin>(
    reader: &mut R,
    within: Duration,
) -> Result<T, WireError> {
    let length = frame::read_length(reader, MAX_HELLO_BYTES, within).await?.ok_or(WireError::Closed)?;
    let bytes = frame::read_body(reader, length, within).await?;
    Ok(T::from_document(&bytes)?)
}

/// Sends one document and pushes it out.
pub(crate) async fn send<T: Canonical, W: AsyncWrite + Unpin>(
    writer: &mut W,
    document: &T,
    within: Duration,
) -> Result<(), WireError> {
    frame::write(writer, &[&document.to_document()], within).await?;
    frame::flush(writer, within).await
}
