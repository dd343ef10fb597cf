//! What clients ask a node and what it answers (specs/wire.md).

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Blame, CanonError, Canonical, Coded, Digest, RequestId};
use keystead_decision::{Certificate, Entry, Phase, SignedGenesis, Transition};
use keystead_policy::PolicyVersion;

use crate::{KeyView, LoggedBlock, NodeStatus, Problem, RequestView, Submitted};

/// The most entries of one submission.
pub const MAX_ENTRIES: usize = 256;
/// The most blocks of one answer.
pub const MAX_BLOCKS: u32 = 256;
/// The most open requests of one answer.
pub const MAX_OPEN: u32 = 256;
/// The longest wait for news of a request.
pub const MAX_WAIT_MILLISECONDS: u32 = 55_000;

/// A question to a node. Which peer may ask what is for the node to say.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum NodeRequest {
    /// Enter these into the log. Answered once they are durable.
    Submit(Vec<Entry>),
    /// Show a request.
    Request(RequestId),
    /// Show a request as soon as its phase is another than this one or it is signed, or time is up.
    Wait {
        /// Which request.
        request: RequestId,
        /// The phase that the caller knows.
        known: Phase,
        /// At most so long.
        milliseconds: u32,
    },
    /// Show requests that wait for people, by id.
    Open {
        /// Begin after this one.
        after: Option<RequestId>,
        /// At most so many.
        limit: u32,
    },
    /// Show the certificate of a request's latest grant.
    Certificate(RequestId),
    /// Show the node.
    Status,
    /// Show the keys.
    Keys,
    /// Show a policy version; the one in force without a number.
    Policy(Option<u64>),
    /// Show every change of policy after this version, each with the commit that proves it.
    Transitions {
        /// The last version that the caller knows.
        after: u64,
    },
    /// Show the genesis.
    Genesis,
    /// Show committed blocks.
    Blocks {
        /// The first height.
        from: u64,
        /// At most so many; the answer may be cut to fit a frame.
        limit: u32,
    },
    /// Show the latest signed checkpoint.
    Checkpoint,
    /// Show a backup file, which is encrypted to its recipients.
    Backup(Digest),
}

impl Canonical for NodeRequest {
    const DOMAIN: &'static str = "keystead/wire-request/v1";
}

/// A node's answer, of the kind that its question names.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum NodeReply {
    /// To `Submit`: one receipt for each entry, in order.
    Submitted(Vec<Submitted>),
    /// To `Request` and `Wait`; `None` for one that was never seen.
    Request(Option<Box<RequestView>>),
    /// To `Open`.
    Open(Vec<RequestView>),
    /// To `Certificate`; `None` while nothing is granted.
    Certificate(Option<Box<Certificate>>),
    /// To `Status`.
    Status(Box<NodeStatus>),
    /// To `Keys`.
    Keys(Vec<KeyView>),
    /// To `Policy`.
    Policy(Option<Box<PolicyVersion>>),
    /// To `Transitions`, oldest first.
    Transitions(Vec<Transition>),
    /// To `Genesis`.
    Genesis(Box<SignedGenesis>),
    /// To `Blocks`, by height ascending.
    Blocks(Vec<LoggedBlock>),
    /// To `Checkpoint`: a signed note (C2SP), as text.
    Checkpoint(Option<String>),
    /// To `Backup`.
    Backup(Option<Vec<u8>>),
    /// To anything: no.
    Refused(Problem),
}

impl Canonical for NodeReply {
    const DOMAIN: &'static str = "keystead/wire-reply/v1";
}

impl NodeRequest {
    /// Parses a request and checks its limits.
    ///
    /// # Errors
    ///
    /// [`MessageError`] names the limit, or the reason of the parser.
    pub fn parse(bytes: &[u8]) -> Result<Self, MessageError> {
        let request = Self::from_document(bytes)?;
        let (what, limit, found) = match &request {
            Self::Submit(entries) => ("entries", MAX_ENTRIES, entries.len()),
            Self::Wait { milliseconds, .. } => {
                ("milliseconds", size(MAX_WAIT_MILLISECONDS), size(*milliseconds))
            }
            Self::Open { limit, .. } => ("requests", size(MAX_OPEN), size(*limit)),
            Self::Blocks { limit, .. } => ("blocks", size(MAX_BLOCKS), size(*limit)),
            Self::Request(_)
            | Self::Certificate(_)
            | Self::Status
            | Self::Keys
            | Self::Policy(_)
            | Self::Transitions { .. }
            | Self::Genesis
            | Self::Checkpoint
            | Self::Backup(_) => return Ok(request),
        };
        match found > limit {
            true => Err(MessageError::Limit { what, limit, found }),
            false => Ok(request),
        }
    }
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Why a message is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It is no document of its kind.
    #[error(transparent)]
    Document(#[from] CanonError),
    /// It asks for too much at once.
    #[error("one message asks for at most {limit} {what}, found {found}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// The number found.
        found: usize,
    },
}

impl Coded for MessageError {
    fn code(&self) -> &'static str {
        match self {
            Self::Document(error) => error.code(),
            Self::Limit { .. } => "wire.message_limit",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}
