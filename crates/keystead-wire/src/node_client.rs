//! A node as its clients see it: typed questions over one kept connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keystead_base::{Blame, CanonError, Canonical, Coded, Digest, Name, RequestId};
use keystead_decision::{Certificate, Entry, FreshAnswer, SignedGenesis};

use crate::messages::{MAX_LISTED_KEYS, MAX_WAIT_MILLIS};
use crate::{
    Client, DrillReport, EntryAnswer, ImportReport, KeyPage, KeyView, NodeReply, NodeRequest, NodeStatus,
    Refused, RequestDetail, RequestView, SentBlock, Target, TraceMark, WireError,
};

/// A client of one node, or of whichever of several can be reached. Clones share the connection.
#[derive(Clone, Debug)]
pub struct NodeClient {
    client: Client,
    /// A node did not understand what traces are.
    untraced: Arc<AtomicBool>,
}

impl NodeClient {
    /// A client that connects with its first question.
    ///
    /// # Errors
    ///
    /// [`WireError::Tls`] when the library refuses the configuration.
    pub fn new(target: Target) -> Result<Self, WireError> {
        Ok(Self::over(Client::new(target)?))
    }

    /// A client of several nodes of one cluster: it goes to the next when one cannot be reached. Whatever a node
    /// is asked may be asked again, of another one too: what changes something is known by its digest.
    ///
    /// # Errors
    ///
    /// [`WireError::NoServer`] without a target, [`WireError::Tls`] when the library refuses the configuration.
    pub fn among(targets: Vec<Target>) -> Result<Self, WireError> {
        Ok(Self::over(Client::among(targets)?))
    }

    /// A client that is connected already.
    ///
    /// # Errors
    ///
    /// [`WireError`] when the node cannot be reached, is not the pinned one, or refuses.
    pub async fn connect(target: Target) -> Result<Self, WireError> {
        Ok(Self::over(Client::connect(target).await?))
    }

    fn over(client: Client) -> Self {
        Self { client, untraced: Arc::default() }
    }

    /// Submits entries. Submitting again is safe: a request that the node knows is not logged twice.
    ///
    /// # Errors
    ///
    /// [`NodeCallError`].
    pub async fn submit(&self, entries: Vec<Entry>) -> Result<Vec<EntryAnswer>, NodeCallError> {
        match self.ask(&NodeRequest::Submit(entries)).await? {
            NodeReply::Submitted(answers) => Ok(answers),
            other => Err(unexpected(&other)),
        }
    }

    /// Submits entries, and says of which traces their requests are. A node that knows of no traces is asked without them,
    /// from then on.
    ///
    /// # Errors
    ///
    /// [`NodeCallError`].
    pub async fn submit_traced(
        &self,
        entries: Vec<Entry>,
        marks: Vec<TraceMark>,
    ) -> Result<Vec<EntryAnswer>, NodeCallError> {
        if marks.is_empty() || self.untraced.load(Ordering::Relaxed) {
            return self.submit(entries).await;
        }
        let traced = NodeRequest::SubmitTraced { entries: entries.clone(), marks };
        match self.ask(&traced).await {
            Ok(NodeReply::Submitted(answers)) => Ok(answers),
            Ok(other) => Err(unexpected(&other)),
            Err(NodeCallError::Refused(refused)) if refused.code == UNREAD => {
                self.untraced.store(true, Ordering::Relaxed);
                self.submit(entries).await
            }
            Err(error) => Err(error),
        }
    }

    /// Everything about one request.
    ///
    /// # Errors
    ///
    /// [`NodeCallError`].
    pub async fn request(&self, request: RequestId) -> Result<Option<RequestDetail>, NodeCallError> {
        match self.ask(&NodeRequest::Request(request)).await? {
            NodeReply::Request(detail) => Ok(detail.map(|it| *it)),
            other => Err(unexpected(&other)),
        }
    }

    /// One request as soon as it is over, or as it is after `limit`.
    ///
    /// # Errors
    ///
    /// [`NodeCallError`].
    pub async fn wait(
        &self,
        request: RequestId,
        limit: Duration,
    ) -> Result<Option<RequestView>, NodeCallError> {
        let millis = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX).min(MAX_WAIT_MILLIS);
        let question = NodeRequest::Wait { request, millis }.to_document();
        let limit = Duration::from_millis(millis.into()) + ANSWER_TIME;
        match read(&self.client.call_within(question, limit).await?)? {
            NodeReply::Waited(view) => Ok(view.map(|it| *it)),
            other => Err(unexpected(&other)),
        }
    }

    /// The requests that wait for people.
    ///
    /// # Errors
    ///
    /// [`NodeCallError`].
    pub async fn open(&self) -> Result<Vec<RequestView>, NodeCallError> {
        match self.ask(&NodeRequest::Open).await? {
            NodeReply::Open(views) => Ok(views),
            other => Err(unexpected(&other)),
        }
    }

    /// How the node is.
    ///
    /// # Errors
    ///
    /// [`NodeCallError`].
    pub async fn status(&self) -> Result<NodeStatus, NodeCallError> {
        match self.ask(&NodeRequest::Status).await? {
            NodeReply::Status(status) => Ok(*status),
            other => Err(unexpected(&other)),
        }
    }

    /// All keys by name, a page after the other.
    ///
    /// # Errors
    ///
    /// [`NodeCallError`], also of a node that lists more than [`MAX_LISTED_KEYS`](crate::MAX_LISTED_KEYS).
    pub async fn keys(&self) -> Result<Vec<KeyView>, NodeCallError> {
        let mut keys = Vec::new();
        loop {
            let after = keys.last().map(|key: &KeyView| key.name.clone());
            let page = self.keys_after(after).await?;
            keys.extend(page.keys);
            match page.more {
                false => return Ok(keys),
                true if keys.len() >= MAX_LISTED_KEYS => {
                    return Err(NodeCallError::Unexpected { found: "keys without end" });
                }
                true => {}
            }
        }
    }

    /// The keys by name, from the one after `after` on.
    ///
    /// # Errors
    ///
    /// [`NodeCallError`], also where the names of the page do not ascend from there.
    pub async fn keys_after(&self, after: Option<Name>) -> Result<KeyPage, NodeCallError> {
        match self.ask(&NodeRequest::Keys { after: after.clone() }).await? {
            NodeReply::Keys(page) if page.goes_on(after.as_ref()) => Ok(page),
            other => Err(unexpected(&other)),
        }
    }

    /// One key.
    ///
    /// # Errors
    ///
    /// [`NodeCallError`], also where the node shows another key than the one that was asked for.
    pub async fn key(&self, name: &Name) -> Result<Option<KeyView>, NodeCallError> {
        match self.ask(&NodeRequest::Key(name.clone())).await? {
            NodeReply::Key(found) if found.as_ref().is_none_or(|it| it.name == *name) => {
                Ok(found.map(|it| *it))
            }
            other => Err(unexpected(&other)),
        }
    }

    /// A policy version's document; of the one in force when no number is named.
    ///
    /// # Errors
    ///
    /// [`NodeCallError`].
    pub async fn policy(&self, number: Option<u64>) -> Result<Option<Vec<u8>>, NodeCallError> {
        match self.ask(&NodeRequest::Policy(number)).await? {
            NodeReply::Policy(document) => Ok(document),
            other => Err(unexpected(&other)),
        }
    }

    /// The genesis. The caller checks that it is the pinned one.
    ///
    /// # Errors
    ///
    /// [`NodeCallError`].
    pub async fn genesis(&self) -> Result<SignedGenesis, NodeCallError> {
        match self.ask(&NodeRequest::Genesis).await? {
            NodeReply::Genesis(genesis) => Ok(*genesis),
            other => Err(unexpected(&other)),
        }
    }

    /// Blocks from a height on; none when there are none so far.
    ///
    /// # Errors
    ///
    /// [`NodeCallError`].
    pub async fn blocks(&self, from: u64, limit: u64) -> Result<Vec<SentBlock>, NodeCallError> {
        match self.ask(&NodeRequest::Blocks { from, limit }).await? {
            NodeReply::Blocks(blocks) => Ok(blocks),
            other => Err(unexpected(&other)),
        }
    }

    /// A signed checkpoint of the newest block, as a note.
    ///
    /// # Errors
    ///
    /// [`NodeCallError`].
    pub async fn checkpoint(&self) -> Result<Option<String>, NodeCallError> {
        match self.ask(&NodeRequest::Checkpoint).await? {
            NodeReply::Checkpoint(note) => Ok(note),
            other => Err(unexpected(&other)),
        }
    }

    /// The certificate of the latest decision about a request.
    ///
    /// # Errors
    ///
    /// [`NodeCallError`].
    pub async fn certificate(&self, request: RequestId) -> Result<Option<Certificate>, NodeCallError> {
        match self.ask(&NodeRequest::Certificate(request)).await? {
            NodeReply::Certificate(certificate) => Ok(certificate.map(|it| *it)),
            other => Err(unexpected(&other)),
        }
    }

    /// A backup file by its digest.
    ///
    /// # Errors
    ///
    /// [`NodeCallError`].
    pub async fn backup(&self, digest: Digest) -> Result<Option<Vec<u8>>, NodeCallError> {
        match self.ask(&NodeRequest::Backup(digest)).await? {
            NodeReply::Backup(file) => Ok(file),
            other => Err(unexpected(&other)),
        }
    }

    /// Reports a drill.
    ///
    /// # Errors
    ///
    /// [`NodeCallError`].
    pub async fn drill(&self, report: DrillReport) -> Result<EntryAnswer, NodeCallError> {
        match self.ask(&NodeRequest::Drill(report)).await? {
            NodeReply::Drilled(answer) => Ok(answer),
            other => Err(unexpected(&other)),
        }
    }

    /// Hands a backup over to the one-time key of the node's enclave; gives what the log decided.
    ///
    /// # Errors
    ///
    /// [`NodeCallError`].
    pub async fn restore(&self, request: RequestId, file: Vec<u8>) -> Result<EntryAnswer, NodeCallError> {
        match self.ask(&NodeRequest::Restore { request, file }).await? {
            NodeReply::Restored(answer) => Ok(answer),
            other => Err(unexpected(&other)),
        }
    }

    /// Brings what a person dealt of a whole key; gives what the log decided.
    ///
    /// # Errors
    ///
    /// [`NodeCallError`].
    pub async fn import(&self, report: ImportReport) -> Result<EntryAnswer, NodeCallError> {
        match self.ask(&NodeRequest::Import(Box::new(report))).await? {
            NodeReply::Imported(answer) => Ok(answer),
            other => Err(unexpected(&other)),
        }
    }

    /// What the node's last durable head is, signed with a back end's nonce.
    ///
    /// # Errors
    ///
    /// [`NodeCallError`].
    pub async fn fresh_head(&self, nonce: Digest) -> Result<FreshAnswer, NodeCallError> {
        match self.ask(&NodeRequest::FreshHead(nonce)).await? {
            NodeReply::FreshHead(answer) => Ok(*answer),
            other => Err(unexpected(&other)),
        }
    }

    async fn ask(&self, question: &NodeRequest) -> Result<NodeReply, NodeCallError> {
        read(&self.client.call(question.to_document()).await?)
    }
}

fn read(reply: &[u8]) -> Result<NodeReply, NodeCallError> {
    match NodeReply::from_document(reply)? {
        NodeReply::Refused(refused) => Err(NodeCallError::Refused(refused)),
        reply => Ok(reply),
    }
}

fn unexpected(reply: &NodeReply) -> NodeCallError {
    let found = match reply {
        NodeReply::Submitted(_) => "submitted",
        NodeReply::Request(_) => "request",
        NodeReply::Waited(_) => "waited",
        NodeReply::Open(_) => "open",
        NodeReply::Status(_) => "status",
        NodeReply::Keys(_) => "keys",
        NodeReply::Policy(_) => "policy",
        NodeReply::Genesis(_) => "genesis",
        NodeReply::Blocks(_) => "blocks",
        NodeReply::Checkpoint(_) => "checkpoint",
        NodeReply::Certificate(_) => "certificate",
        NodeReply::Backup(_) => "backup",
        NodeReply::Drilled(_) => "drilled",
        NodeReply::Heard => "heard",
        NodeReply::Refused(_) => "refused",
        NodeReply::FreshHead(_) => "fresh head",
        NodeReply::Restored(_) => "restored",
        NodeReply::Key(_) => "key",
        NodeReply::Pulse(_) => "pulse",
        NodeReply::Imported(_) => "imported",
    };
    NodeCallError::Unexpected { found }
}

/// Why a question to a node has no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NodeCallError {
    /// The connection.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The reply does not parse.
    #[error("the node's reply does not parse: {0}")]
    Reply(#[from] CanonError),
    /// A reply to another question.
    #[error("the node answered `{found}` to another question")]
    Unexpected {
        /// What it answered.
        found: &'static str,
    },
    /// The node refused.
    #[error(transparent)]
    Refused(Refused),
}

impl Coded for NodeCallError {
    fn code(&self) -> &'static str {
        match self {
            Self::Wire(error) => error.code(),
            Self::Reply(_) => "node_call.reply",
            Self::Unexpected { .. } => "node_call.unexpected",
            Self::Refused(_) => "node_call.refused",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Wire(error) => error.blame(),
            Self::Reply(_) | Self::Unexpected { .. } => Blame::Peer,
            Self::Refused(_) => Blame::Caller,
        }
    }
}

/// What a node says of a question that it does not know.
const UNREAD: &str = "node.message";
/// How long an answer may take beyond the time that was asked for.
const ANSWER_TIME: Duration = Duration::from_secs(10);
