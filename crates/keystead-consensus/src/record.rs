//! What a node has to have on its disk before it speaks, to say the same again after a crash.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest, Name};
use keystead_decision::Block;
use serde::{Deserialize, Serialize};

use crate::{Ballot, Polka, Proposal};

/// One line of the record of a height that is not decided yet. Records of decided heights are forgotten.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// A block that was proposed, by whomever.
    Block(Box<Block>),
    /// The verdict on a block: handed to the engine.
    Judged {
        /// The round it was proposed in.
        round: u32,
        /// The earlier round in which a quorum prevoted for it.
        valid_round: Option<u32>,
        /// Who proposed it.
        proposer: Name,
        /// Its header's digest.
        header: Digest,
        /// Whether this node finds it valid.
        valid: bool,
    },
    /// A proposal that counted.
    Proposal(Box<Proposal>),
    /// A vote that counted: of another node, or this node's own.
    Ballot(Ballot),
    /// A quorum's prevotes.
    Polka(Polka),
    /// A time that ran out.
    Timeout {
        /// Of which step.
        step: TimeoutStep,
        /// Of which round.
        round: u32,
    },
}

impl Canonical for Record {
    const DOMAIN: &'static str = "keystead/consensus-record/v1";
}

/// The steps that have a time limit.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum TimeoutStep {
    /// Waiting for a proposal.
    Propose,
    /// Waiting for prevotes to agree.
    Prevote,
    /// Waiting for precommits to agree.
    Precommit,
    /// Saying again what may have been lost.
    Rebroadcast,
}
