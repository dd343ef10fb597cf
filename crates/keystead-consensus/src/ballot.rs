//! What nodes sign for one another while they decide about one height (specs/consensus.md).

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, ClusterId, Digest, HybridSignature, Name, signing_message};
use keystead_decision::Vote;
use serde::{Deserialize, Serialize};

/// Which of the two votes of a round.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// "I find this block valid, or none."
    Prevote,
    /// "A quorum finds it valid, and I commit it", or nothing.
    Precommit,
}

/// The first vote of a round: for a header, or for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prevote {
    /// The cluster.
    pub cluster: ClusterId,
    /// The height.
    pub height: u64,
    /// The round.
    pub round: u32,
    /// The header's digest, or none.
    pub header: Option<Digest>,
    /// The voter's boot number in the roster.
    pub boot: u64,
}

impl Canonical for Prevote {
    const DOMAIN: &'static str = "keystead/prevote/v1";
}

/// The second vote of a round for nothing. A precommit for a header is a [`Vote`]: what certificates hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Abstention {
    /// The cluster.
    pub cluster: ClusterId,
    /// The height.
    pub height: u64,
    /// The round.
    pub round: u32,
    /// The voter's boot number in the roster.
    pub boot: u64,
}

impl Canonical for Abstention {
    const DOMAIN: &'static str = "keystead/abstention/v1";
}

/// What the proposer of a round signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The cluster.
    pub cluster: ClusterId,
    /// The height.
    pub height: u64,
    /// The round.
    pub round: u32,
    /// The earlier round in which a quorum prevoted for this header, if it is proposed again.
    pub valid_round: Option<u32>,
    /// The header's digest.
    pub header: Digest,
    /// The proposer's boot number in the roster.
    pub boot: u64,
}

impl Canonical for Claim {
    const DOMAIN: &'static str = "keystead/proposal/v1";
}

/// A vote as it travels and as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ballot {
    /// Which vote.
    pub step: Step,
    /// The height.
    pub height: u64,
    /// The round.
    pub round: u32,
    /// For which header, or for none.
    pub header: Option<Digest>,
    /// Who votes.
    pub node: Name,
    /// The voter's signature.
    pub signature: HybridSignature,
}

impl Ballot {
    /// Height and round: a later one is larger.
    #[must_use]
    pub fn place(&self) -> (u64, u32) {
        (self.height, self.round)
    }
}

/// A proposal as it travels and as it is recorded; its block travels beside it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// The height.
    pub height: u64,
    /// The round.
    pub round: u32,
    /// The earlier round in which a quorum prevoted for it.
    pub valid_round: Option<u32>,
    /// The header's digest.
    pub header: Digest,
    /// Who proposes.
    pub node: Name,
    /// The proposer's signature.
    pub signature: HybridSignature,
}

/// The bytes that a vote signs.
pub(crate) fn vote_message(
    cluster: ClusterId,
    step: Step,
    (height, round): (u64, u32),
    header: Option<Digest>,
    boot: u64,
) -> Vec<u8> {
    let digest = match (step, header) {
        (Step::Prevote, header) => Prevote { cluster, height, round, header, boot }.digest(),
        (Step::Precommit, Some(header)) => Vote { cluster, height, round, header, boot }.digest(),
        (Step::Precommit, None) => Abstention { cluster, height, round, boot }.digest(),
    };
    signing_message(&digest)
}

/// The bytes that a proposal signs.
pub(crate) fn claim_message(
    cluster: ClusterId,
    (height, round): (u64, u32),
    valid_round: Option<u32>,
    header: Digest,
    boot: u64,
) -> Vec<u8> {
    signing_message(&Claim { cluster, height, round, valid_round, header, boot }.digest())
}
