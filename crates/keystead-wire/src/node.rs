//! Typed questions to a node, and the server's side of them.

use std::sync::Arc;
use std::time::Duration;

use keystead_base::{Blame, CanonError, Canonical as _, Coded, Digest, RequestId};
use keystead_decision::{Certificate, Entry, Phase, SignedGenesis, Transition};
use keystead_policy::PolicyVersion;

use crate::{
    Client, Handler, KeyView, LoggedBlock, NodeReply, NodeRequest, NodeStatus, Peer, Problem, RequestView,
    Submitted, WireError,
};

/// Answers typed questions.
pub trait Answers: Send + Sync + 'static {
    /// Gives the answer to one question of a peer.
    fn answer(&self, peer: Arc<Peer>, request: NodeRequest) -> impl Future<Output = NodeReply> + Send;
}

/// Makes a [`Handler`] of something that [`Answers`].
#[derive(Clone, Debug)]
pub struct Serving<A>(pub Arc<A>);

impl<A: Answers> Handler for Serving<A> {
    async fn handle(&self, peer: Arc<Peer>, request: Vec<u8>) -> Vec<u8> {
        let reply = match NodeRequest::parse(&request) {
            Ok(request) => self.0.answer(peer, request).await,
            Err(error) => NodeReply::Refused(Problem::of(&error)),
        };
        reply.to_document()
    }
}

/// Why a typed call has no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CallError {
    /// The connection failed.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The reply is no document of its kind.
    #[error("the node's reply does not parse: {0}")]
    Document(#[from] CanonError),
    /// The node said no.
    #[error("the node refused: {0}")]
    Refused(Problem),
    /// An answer to another question.
    #[error("the node answered another question")]
    Mismatch,
}

impl Coded for CallError {
    fn code(&self) -> &'static str {
        match self {
            Self::Wire(error) => error.code(),
            Self::Document(error) => error.code(),
            Self::Refused(_) => "wire.refused_by_node",
            Self::Mismatch => "wire.mismatch",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Wire(error) => error.blame(),
            Self::Refused(_) => Blame::Caller,
            Self::Document(_) | Self::Mismatch => Blame::Peer,
        }
    }
}

/// A client that speaks in questions and answers. Clones share the connection.
#[derive(Clone, Debug)]
pub struct NodeClient(Client);

/// Asks, and takes the content out of the one fitting reply.
macro_rules! ask {
    ($self:ident, $request:expr, $($reply:ident)::+) => {
        match $self.ask(&$request).await? {
            $($reply)::+(content) => Ok(content),
            other => Err(unfit(other)),
        }
    };
}

impl NodeClient {
    /// Speaks over this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// Asks anything.
    ///
    /// # Errors
    ///
    /// [`CallError`] when there is no reply, or none that parses.
    pub async fn ask(&self, request: &NodeRequest) -> Result<NodeReply, CallError> {
        Ok(NodeReply::from_document(&self.0.call(request.to_document()).await?)?)
    }

    /// Enters these into the log and gives one receipt for each, in order, once they are durable.
    ///
    /// # Errors
    ///
    /// As [`NodeClient::ask`]; also when the node refuses.
    pub async fn submit(&self, entries: Vec<Entry>) -> Result<Vec<Submitted>, CallError> {
        let count = entries.len();
        let receipts: Vec<_> = ask!(self, NodeRequest::Submit(entries), NodeReply::Submitted)?;
        if receipts.len() == count { Ok(receipts) } else { Err(CallError::Mismatch) }
    }

    /// A request; `None` for one that the node never saw.
    ///
    /// # Errors
    ///
    /// As [`NodeClient::submit`].
    pub async fn request(&self, id: RequestId) -> Result<Option<Box<RequestView>>, CallError> {
        ask!(self, NodeRequest::Request(id), NodeReply::Request)
    }

    /// A request as soon as there is news of it, or after so long.
    ///
    /// # Errors
    ///
    /// As [`NodeClient::submit`].
    pub async fn wait(
        &self,
        request: RequestId,
        known: Phase,
        at_most: Duration,
    ) -> Result<Option<Box<RequestView>>, CallError> {
        let wanted = u32::try_from(at_most.as_millis()).unwrap_or(u32::MAX);
        let milliseconds = wanted.min(crate::MAX_WAIT_MILLISECONDS);
        ask!(self, NodeRequest::Wait { request, known, milliseconds }, NodeReply::Request)
    }

    /// Requests that wait for people, by id, after this one.
    ///
    /// # Errors
    ///
    /// As [`NodeClient::submit`].
    pub async fn open(&self, after: Option<RequestId>, limit: u32) -> Result<Vec<RequestView>, CallError> {
        ask!(self, NodeRequest::Open { after, limit }, NodeReply::Open)
    }

    /// The certificate of a request's latest grant.
    ///
    /// # Errors
    ///
    /// As [`NodeClient::submit`].
    pub async fn certificate(&self, id: RequestId) -> Result<Option<Box<Certificate>>, CallError> {
        ask!(self, NodeRequest::Certificate(id), NodeReply::Certificate)
    }

    /// The node on one screen.
    ///
    /// # Errors
    ///
    /// As [`NodeClient::submit`].
    pub async fn status(&self) -> Result<Box<NodeStatus>, CallError> {
        ask!(self, NodeRequest::Status, NodeReply::Status)
    }

    /// The keys.
    ///
    /// # Errors
    ///
    /// As [`NodeClient::submit`].
    pub async fn keys(&self) -> Result<Vec<KeyView>, CallError> {
        ask!(self, NodeRequest::Keys, NodeReply::Keys)
    }

    /// A policy version; the one in force without a number.
    ///
    /// # Errors
    ///
    /// As [`NodeClient::submit`].
    pub async fn policy(&self, number: Option<u64>) -> Result<Option<Box<PolicyVersion>>, CallError> {
        ask!(self, NodeRequest::Policy(number), NodeReply::Policy)
    }

    /// The changes of policy after a version, each with its proof.
    ///
    /// # Errors
    ///
    /// As [`NodeClient::submit`].
    pub async fn transitions(&self, after: u64) -> Result<Vec<Transition>, CallError> {
        ask!(self, NodeRequest::Transitions { after }, NodeReply::Transitions)
    }

    /// The genesis, to be compared with the pinned cluster id.
    ///
    /// # Errors
    ///
    /// As [`NodeClient::submit`].
    pub async fn genesis(&self) -> Result<Box<SignedGenesis>, CallError> {
        ask!(self, NodeRequest::Genesis, NodeReply::Genesis)
    }

    /// Committed blocks from a height on; fewer than the limit if they fill a frame.
    ///
    /// # Errors
    ///
    /// As [`NodeClient::submit`].
    pub async fn blocks(&self, from: u64, limit: u32) -> Result<Vec<LoggedBlock>, CallError> {
        ask!(self, NodeRequest::Blocks { from, limit }, NodeReply::Blocks)
    }

    /// The latest signed checkpoint, as the text of a signed note.
    ///
    /// # Errors
    ///
    /// As [`NodeClient::submit`].
    pub async fn checkpoint(&self) -> Result<Option<String>, CallError> {
        ask!(self, NodeRequest::Checkpoint, NodeReply::Checkpoint)
    }

    /// A backup file.
    ///
    /// # Errors
    ///
    /// As [`NodeClient::submit`].
    pub async fn backup(&self, digest: Digest) -> Result<Option<Vec<u8>>, CallError> {
        ask!(self, NodeRequest::Backup(digest), NodeReply::Backup)
    }
}

fn unfit(reply: NodeReply) -> CallError {
    match reply {
        NodeReply::Refused(problem) => CallError::Refused(problem),
        _ => CallError::Mismatch,
    }
}
