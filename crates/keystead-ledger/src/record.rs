//! What is written: blocks with their rows, votes, signatures. The caller makes them; SQL only stores them.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest, RequestId, Timestamp, merkle};
use keystead_decision::{Applied, Commit, Header, Outcome, Vote, VoteSignature};
use serde::{Deserialize, Serialize};

/// Everything that becomes durable together, in one transaction: all of it or nothing.
#[derive(Debug, Default)]
pub struct Batch {
    /// This node's votes. They are written before the blocks, so a vote for a block may stand beside it.
    pub votes: Vec<Vote>,
    /// The next blocks, in order.
    pub blocks: Vec<Appended>,
    /// Signatures that were made under decisions in the log.
    pub signatures: Vec<SignatureRecord>,
    /// What was said and heard about heights under way. Rows of committed heights are not kept.
    pub records: Vec<RecordRow>,
}

impl Batch {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.votes.is_empty()
            && self.blocks.is_empty()
            && self.signatures.is_empty()
            && self.records.is_empty()
    }
}

/// A line of the consensus record: the document says what, the ledger only keeps it in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRow {
    /// Its place among all lines ever written; the caller counts on.
    pub position: u64,
    /// The height that it is about.
    pub height: u64,
    /// The line.
    pub document: Vec<u8>,
}

/// A committed block with all its rows, ready to be written.
#[derive(Debug)]
pub struct Appended {
    pub(crate) header: Header,
    pub(crate) header_document: Vec<u8>,
    pub(crate) digest: Digest,
    pub(crate) leaf: Digest,
    pub(crate) entries: Vec<u8>,
    pub(crate) votes: Vec<u8>,
    pub(crate) decisions: Vec<DecisionRow>,
    /// The number and document of the policy version that this block activates.
    pub(crate) policy: Option<(u64, Vec<u8>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DecisionRow {
    pub(crate) subject: RequestId,
    pub(crate) word: &'static str,
    pub(crate) document: Vec<u8>,
}

impl Appended {
    /// The rows of a block with the votes that commit it.
    #[must_use]
    pub fn new(applied: &Applied, round: u32, votes: Vec<VoteSignature>) -> Self {
        let header = applied.block.header.clone();
        let header_document = header.to_document();
        let entries: Vec<_> = applied.block.entries.iter().map(Canonical::to_document).collect();
        let activates = applied.decisions.iter().any(|it| matches!(it.outcome, Outcome::Activated { .. }));
        let version = applied.state.policy().engine.version();
        Self {
            digest: header.digest(),
            leaf: merkle::leaf_hash(&header_document),
            header_document,
            entries: Documents(entries).to_document(),
            votes: Votes { round, votes }.to_document(),
            decisions: applied.decisions.iter().map(DecisionRow::new).collect(),
            policy: activates.then(|| (version.number, version.to_document())),
            header,
        }
    }

    /// The block's height.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.header.height
    }

    /// The digest of its header.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The block's time.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.header.time
    }
}

impl DecisionRow {
    pub(crate) fn new(decision: &keystead_decision::Decision) -> Self {
        Self { subject: decision.subject, word: decision.outcome.word(), document: decision.to_document() }
    }
}

/// The round and the votes that commit a block; the header beside them says for what.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Votes {
    pub(crate) round: u32,
    pub(crate) votes: Vec<VoteSignature>,
}

impl Canonical for Votes {
    const DOMAIN: &'static str = "keystead/votes/v1";
}

impl Votes {
    pub(crate) fn commit(self, header: Header) -> Commit {
        Commit { header, round: self.round, votes: self.votes }
    }
}

/// The documents of a block's entries, in order.
///
/// Each of them obeys the limit on documents; all together may exceed it, so a reader of this one
/// checks [`MAX_ENTRIES_BYTES`] and then each entry by itself.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Documents(pub(crate) Vec<Vec<u8>>);

impl Canonical for Documents {
    const DOMAIN: &'static str = "keystead/entries/v1";
}

/// The most bytes of all entries of one block.
pub const MAX_ENTRIES_BYTES: usize = 256 * 1024 * 1024;

/// A signature that was made: what was signed under which right, and the bytes that may be sent.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureRecord {
    /// The request.
    pub request: RequestId,
    /// The block whose decision allowed it.
    pub height: u64,
    /// The place of that decision in its block.
    pub position: u64,
    /// The 32 bytes that were signed.
    pub signing_digest: Digest,
    /// The signature: 65 bytes r ‖ s ‖ y-parity; for other chains as `SignedPayload` has it.
    pub signature: Vec<u8>,
    /// The signed transaction as it is sent, or empty where there is none.
    pub signed: Vec<u8>,
    /// The transaction's hash, where there is one.
    pub transaction: Option<Digest>,
}

impl Canonical for SignatureRecord {
    const DOMAIN: &'static str = "keystead/signature-record/v1";
}
