//! What clients ask a node, and what it answers (specs/wire.md). Every message is one document.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest, Name, RequestId, Signed};
use keystead_decision::{Certificate, Commit, Dealing, Decision, Entry, FreshAnswer, SignedGenesis};
use serde::{Deserialize, Serialize};

use crate::{KeyView, NodeStatus, Pulse, RequestDetail, RequestView, TraceMark};

/// The most entries of one [`NodeRequest::Submit`].
pub const MAX_SUBMITTED_ENTRIES: usize = 256;
/// The most blocks of one [`NodeReply::Blocks`]; fewer come when they are long.
pub const MAX_SENT_BLOCKS: u64 = 256;
/// The most keys of one [`NodeReply::Keys`]; fewer come when they are long.
pub const MAX_SENT_KEYS: usize = 1024;
/// The most keys that a client lists: of nine enclaves that are full.
pub const MAX_LISTED_KEYS: usize = 100_000;
/// The longest that a node holds a call open for a request that is not over.
pub const MAX_WAIT_MILLIS: u32 = 600_000;

/// What is asked of a node.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum NodeRequest {
    /// Requests, approvals, vetoes, freezes, prices: at most [`MAX_SUBMITTED_ENTRIES`]. Answered when all
    /// of them are durable, and every request in them is denied, waiting, or signed.
    Submit(Vec<Entry>),
    /// Everything about one request.
    Request(RequestId),
    /// One request as soon as it is over (signed, denied, carried out), or after so many milliseconds.
    Wait {
        /// The request.
        request: RequestId,
        /// At most [`MAX_WAIT_MILLIS`].
        millis: u32,
    },
    /// The requests that wait for people, oldest first.
    Open,
    /// How the node is.
    Status,
    /// The keys by name, from the first or from the one after a name on; addresses only of active ones.
    Keys {
        /// The last one of the page before.
        after: Option<Name>,
    },
    /// A policy version; the one in force when no number is named.
    Policy(Option<u64>),
    /// The genesis.
    Genesis,
    /// Blocks from a height on.
    Blocks {
        /// The first height; blocks begin with 1.
        from: u64,
        /// At most [`MAX_SENT_BLOCKS`].
        limit: u64,
    },
    /// A checkpoint of the newest block, signed by a quorum of the nodes if one can be reached.
    Checkpoint,
    /// The certificate of the latest decision about a request.
    Certificate(RequestId),
    /// A backup file by its digest.
    Backup(Digest),
    /// A scratch enclave restored a backup; the node reports it to the log.
    Drill(DrillReport),
    /// A signing back end's nonce, brought by the node that it lives on: which head is the newest here?
    FreshHead(Digest),
    /// Of another node of the cluster: at most [`MAX_PEER_MESSAGES`](crate::MAX_PEER_MESSAGES) documents of
    /// [`PeerMessage`](crate::PeerMessage)s, encoded once for all receivers.
    Peer(Vec<Vec<u8>>),
    /// A checkpoint of the first so many blocks, signed by this node alone; within moments, if it lacks the last.
    CheckpointAt(u64),
    /// A backup for the one-time key of this node's enclave: the key of a committed ceremony is to live here.
    Restore {
        /// The request of the ceremony.
        request: RequestId,
        /// The backup file.
        file: Vec<u8>,
    },
    /// As [`NodeRequest::Submit`], and of which traces its requests are; answered alike.
    SubmitTraced {
        /// The entries.
        entries: Vec<Entry>,
        /// At most [`MAX_TRACE_MARKS`](crate::MAX_TRACE_MARKS).
        marks: Vec<TraceMark>,
    },
    /// Of another node of the cluster: of which traces requests are that it was given. Answered with [`NodeReply::Heard`].
    Traces(Vec<TraceMark>),
    /// One key by its name.
    Key(Name),
    /// Of another node of the cluster: how are you?
    Pulse,
    /// A person dealt a whole key to the holders of a committed import; the node reports it to the log.
    Import(Box<ImportReport>),
}

impl Canonical for NodeRequest {
    const DOMAIN: &'static str = "keystead/node-request/v1";
}

/// A whole key that a person dealt.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportReport {
    /// The request of the ceremony.
    pub request: RequestId,
    /// The attempt that it was dealt for.
    pub attempt: u32,
    /// What was dealt.
    pub dealing: Signed<Dealing>,
}

/// A restored backup's proof of control.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillReport {
    /// The key.
    pub key: Name,
    /// The digest of the backup file.
    pub backup: Digest,
    /// 64 bytes `r || s` over [`keystead_decision::drill_challenge`].
    pub proof: Vec<u8>,
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum NodeReply {
    /// To [`NodeRequest::Submit`]: one answer for each entry, in their order.
    Submitted(Vec<EntryAnswer>),
    /// To [`NodeRequest::Request`].
    Request(Option<Box<RequestDetail>>),
    /// To [`NodeRequest::Wait`].
    Waited(Option<Box<RequestView>>),
    /// To [`NodeRequest::Open`].
    Open(Vec<RequestView>),
    /// To [`NodeRequest::Status`].
    Status(Box<NodeStatus>),
    /// To [`NodeRequest::Keys`].
    Keys(KeyPage),
    /// To [`NodeRequest::Policy`]: the version's document.
    Policy(Option<Vec<u8>>),
    /// To [`NodeRequest::Genesis`].
    Genesis(Box<SignedGenesis>),
    /// To [`NodeRequest::Blocks`].
    Blocks(Vec<SentBlock>),
    /// To [`NodeRequest::Checkpoint`] and [`NodeRequest::CheckpointAt`]: a signed note; none without that block.
    Checkpoint(Option<String>),
    /// To [`NodeRequest::Certificate`].
    Certificate(Option<Box<Certificate>>),
    /// To [`NodeRequest::Backup`].
    Backup(Option<Vec<u8>>),
    /// To [`NodeRequest::Drill`]: what the log decided about it.
    Drilled(EntryAnswer),
    /// To [`NodeRequest::Peer`]: taken.
    Heard,
    /// Not answered, and why.
    Refused(Refused),
    /// To [`NodeRequest::FreshHead`]: the node's last durable head, and its word on it.
    FreshHead(Box<FreshAnswer>),
    /// To [`NodeRequest::Restore`]: what the log decided about it.
    Restored(EntryAnswer),
    /// To [`NodeRequest::Key`].
    Key(Option<Box<KeyView>>),
    /// To [`NodeRequest::Pulse`].
    Pulse(Pulse),
    /// To [`NodeRequest::Import`]: what the log decided about it.
    Imported(EntryAnswer),
}

impl Canonical for NodeReply {
    const DOMAIN: &'static str = "keystead/node-reply/v1";
}

/// Some of the keys.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPage {
    /// By name: at most [`MAX_SENT_KEYS`], fewer where they are long.
    pub keys: Vec<KeyView>,
    /// Whether others follow.
    pub more: bool,
}

impl KeyPage {
    /// Whether its names ascend, from after `after` on, and it brings at least one where others are to follow: whoever
    /// reads page after page comes to an end.
    #[must_use]
    pub fn goes_on(&self, after: Option<&Name>) -> bool {
        let names = after.into_iter().chain(self.keys.iter().map(|key| &key.name));
        names.is_sorted_by(|a, b| a < b) && !(self.keys.is_empty() && self.more)
    }
}

/// What became of one submitted entry.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum EntryAnswer {
    /// Of a batch of requests: one view for each, in their order. A request that the node knew is
    /// shown as it stands, and is not logged again.
    Requests(Vec<RequestView>),
    /// Of anything else: what its block decided about it.
    Decided(Vec<Decision>),
    /// It did not enter the log.
    Refused(Refused),
}

/// Why something was not done: a stable code and a sentence.
#[derive(
    Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize, thiserror::Error,
)]
#[serde(deny_unknown_fields)]
#[error("{text} ({code})")]
pub struct Refused {
    /// The stable code.
    pub code: String,
    /// The sentence.
    pub text: String,
}

impl Refused {
    /// An error as it travels.
    #[must_use]
    pub fn of(error: &impl keystead_base::Coded) -> Self {
        Self { code: error.code().to_owned(), text: error.to_string() }
    }
}

/// A committed block as it travels.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SentBlock {
    /// The header with its votes.
    pub commit: Commit,
    /// What happened.
    pub entries: Vec<Entry>,
}

impl Canonical for SentBlock {
    const DOMAIN: &'static str = "keystead/sent-block/v1";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_back_and_nothing_follows_them() {
        let request = NodeRequest::Wait { request: RequestId(Digest([3; 32])), millis: 250 };
        let document = request.to_document();
        assert_eq!(NodeRequest::from_document(&document), Ok(request));
        assert!(NodeRequest::from_document(&[document.as_slice(), &[0]].concat()).is_err());
        let refused = Refused { code: "node.busy".to_owned(), text: "later".to_owned() };
        let reply = NodeReply::Refused(refused);
        assert_eq!(NodeReply::from_document(&reply.to_document()), Ok(reply));
    }
}
