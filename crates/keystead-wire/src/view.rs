//! What a node shows of itself. None of it is proof: proof is a certificate, a block, a checkpoint.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Blame, Coded, Digest, Name, RequestId, Timestamp};
use keystead_decision::{Commit, Decision, Entry, Frozen, KeyState, PublicAccount, Request};
use keystead_intent::KeyKind;
use keystead_policy::{AssuranceLevel, PolicyRef};

/// The longest text of a [`Problem`].
const MAX_PROBLEM_CHARS: usize = 1024;

/// An error as it travels: its stable code, its words, and who has to act.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, thiserror::Error)]
#[error("{message} [{code}]")]
pub struct Problem {
    /// The stable code.
    pub code: String,
    /// What people read.
    pub message: String,
    /// Who has to act.
    pub blame: ProblemBlame,
}

/// [`Blame`], as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ProblemBlame {
    /// The sender of the request.
    Caller,
    /// Another process that broke a protocol.
    Peer,
    /// Machine, disk, network or configuration.
    Environment,
}

impl Problem {
    /// The travelling form of an error.
    pub fn of(error: &impl Coded) -> Self {
        let blame = match error.blame() {
            Blame::Caller => ProblemBlame::Caller,
            Blame::Peer => ProblemBlame::Peer,
            Blame::Environment => ProblemBlame::Environment,
        };
        let message = error.to_string().chars().take(MAX_PROBLEM_CHARS).collect();
        Self { code: error.code().to_owned(), message, blame }
    }
}

/// What became of one submitted entry: the receipt of its sender.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Submitted {
    /// It stands in a committed, durable block.
    Logged {
        /// The digest of the entry's document.
        entry: Digest,
        /// The block's height.
        height: u64,
        /// The decisions about it, in order.
        decisions: Vec<Decision>,
    },
    /// Its sender has no right to send it, or it is malformed: it leaves no trace in the log.
    Refused(Problem),
}

/// A request with all that the node remembers of it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RequestView {
    /// Its id: the digest of its intent.
    pub id: RequestId,
    /// Intent, phase and approvals; `None` once the state has forgotten it.
    pub request: Option<Request>,
    /// Every decision about it, oldest first.
    pub decisions: Vec<Decision>,
    /// What was signed, once it was.
    pub signature: Option<SignatureView>,
}

/// What a signing back end released.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignatureView {
    /// The digest that was signed.
    pub digest: Digest,
    /// A signed transaction (EIP-2718), a signed authorization, or 65 bytes r, s, v.
    pub raw: Vec<u8>,
    /// The transaction's hash; none for the other forms.
    pub hash: Option<Digest>,
    /// The block whose certificate allowed it.
    pub height: u64,
}

/// A key and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct KeyView {
    /// Its name.
    pub name: Name,
    /// What kind.
    pub kind: KeyKind,
    /// Where it stands in its life.
    pub state: KeyState,
    /// Counts changes of the secret.
    pub epoch: u32,
    /// What kind of home it has.
    pub assurance: AssuranceLevel,
    /// What its addresses derive from; only once a backup was drilled.
    pub account: Option<PublicAccount>,
    /// The latest backup file.
    pub backup: Option<Digest>,
}

/// A committed block, complete.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct LoggedBlock {
    /// The header with its votes.
    pub commit: Commit,
    /// What happened.
    pub entries: Vec<Entry>,
}

/// A node on one screen.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NodeStatus {
    /// Its name.
    pub node: Name,
    /// The version of its program.
    pub version: String,
    /// How often it was started.
    pub boot: u64,
    /// The last block's height.
    pub height: u64,
    /// The last block's time.
    pub time: Timestamp,
    /// The digest of the last block's header.
    pub head: Digest,
    /// The policy in force.
    pub policy: PolicyRef,
    /// How many nodes there are.
    pub nodes: u32,
    /// How many votes make a certificate.
    pub quorum: u32,
    /// What is frozen.
    pub frozen: Frozen,
    /// Requests that wait for approvals or a delay.
    pub open: u64,
    /// Requests that were allowed and wait for their signature or settlement.
    pub allowed: u64,
    /// Keys that may sign.
    pub keys: u32,
    /// What protects keys on this machine, and what this kernel lacks.
    pub features: Vec<Feature>,
    /// What people should know: a cluster of one, a wide clock, endpoints that disagree.
    pub warnings: Vec<String>,
}

/// A protection of the enclave.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// Whether it holds here.
    pub holds: bool,
    /// If not: what is lost.
    pub lost: String,
}
