//! What nodes tell one another (specs/consensus.md).

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest};
use keystead_decision::{Block, Commit, Entry, VoteSignature};
use serde::{Deserialize, Serialize};

use crate::{Ballot, Objection, Proposal};

/// The most blocks of one [`Message::Blocks`].
pub const MAX_MESSAGE_BLOCKS: usize = 64;

/// One message between nodes. Who sent it, the pinned connection says.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Message {
    /// What clients submitted to the sender, for whoever proposes next.
    Entries(Vec<Entry>),
    /// A proposal, and its block.
    Proposal {
        /// What the proposer signed.
        proposal: Box<Proposal>,
        /// What it is about.
        block: Box<Block>,
    },
    /// A vote.
    Ballot(Ballot),
    /// The prevotes of a quorum for one header.
    Polka(Polka),
    /// The votes that justify a later round.
    Round(RoundProof),
    /// How far the sender is, and the latest vote of the receiver's that it knows.
    Head {
        /// The sender's last committed height.
        height: u64,
        /// The receiver's own word, so that a node that was rolled back learns of it.
        seen: Option<Box<Ballot>>,
        /// What it is said for.
        purpose: Purpose,
    },
    /// The sender wants committed blocks from this height on.
    Want(u64),
    /// Committed blocks in order, at most [`MAX_MESSAGE_BLOCKS`].
    Blocks(Vec<CommittedBlock>),
    /// The sender does not vote for a block, and why.
    Objection(Objection),
}

impl Message {
    /// Whether it may leave only when all that the replica put out before it is durable. Entries are somebody's own
    /// signed words: what this node has recorded, or forgets in a crash, contradicts nothing in them.
    #[must_use]
    pub fn rests_on_records(&self) -> bool {
        match self {
            Self::Entries(_) => false,
            Self::Proposal { .. }
            | Self::Ballot(_)
            | Self::Polka(_)
            | Self::Round(_)
            | Self::Head { .. }
            | Self::Want(_)
            | Self::Blocks(_)
            | Self::Objection(_) => true,
        }
    }
}

impl Canonical for Message {
    const DOMAIN: &'static str = "keystead/peer-message/v1";
}

/// A committed block as it travels.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommittedBlock {
    /// The header with its votes.
    pub commit: Commit,
    /// What happened.
    pub entries: Vec<Entry>,
}

/// What a [`Message::Head`] is said for. Only an answer ends a question: what is told in passing holds no vote, and
/// its silence means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// In passing.
    Tells,
    /// The sender wants to hear the same of the receiver.
    Asks,
    /// The receiver asked.
    Answers,
}

/// The prevotes of a quorum for one header in one round.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Polka {
    /// The height.
    pub height: u64,
    /// The round.
    pub round: u32,
    /// The header's digest.
    pub header: Digest,
    /// The prevotes' signatures.
    pub votes: Vec<VoteSignature>,
}

/// What justifies a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundKind {
    /// Enough votes of the round itself that one of the voters is honest.
    Skip,
    /// A quorum's precommits of the round before.
    Precommit,
}

/// The votes that justify entering a round.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundProof {
    /// The height.
    pub height: u64,
    /// The round of the votes.
    pub round: u32,
    /// What they justify.
    pub kind: RoundKind,
    /// The votes, all of this height and round.
    pub ballots: Vec<Ballot>,
}
