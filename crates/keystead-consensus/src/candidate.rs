//! The blocks proposed at one height, and what this node finds of each.

use std::collections::BTreeMap;

use keystead_base::{Canonical as _, Digest, Name};
use keystead_decision::{Applied, Block, Decision, Entry, Outcome};

/// A proposed block and this node's verdict.
#[derive(Debug)]
pub(crate) enum Candidate {
    /// Valid by this node's own decoding, policy, count, and view of the facts.
    Valid(Box<Applied>),
    /// Recomputed, and the node's endpoints are asked about its facts.
    Checking { applied: Box<Applied>, rounds: (u32, Option<u32>), proposer: Name },
    /// Not voted for.
    Invalid,
}

/// The candidates of one height.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    blocks: BTreeMap<Digest, Candidate>,
}

impl Candidates {
    pub(crate) fn knows(&self, header: &Digest) -> bool {
        self.blocks.contains_key(header)
    }

    /// Who built a block that this node found valid.
    pub(crate) fn builder(&self, header: &Digest) -> Option<&Name> {
        match self.blocks.get(header)? {
            Candidate::Valid(applied) => Some(&applied.block.header.proposer),
            Candidate::Checking { .. } | Candidate::Invalid => None,
        }
    }

    /// Whether this node objects to it.
    pub(crate) fn refused(&self, header: &Digest) -> bool {
        matches!(self.blocks.get(header), Some(Candidate::Invalid))
    }

    /// Whether one more block can be looked at: a round has one proposer, and a lying one could send many.
    pub(crate) fn has_room(&self, round: u32) -> bool {
        let rounds = usize::try_from(round).unwrap_or(usize::MAX).saturating_add(1);
        self.blocks.len() < rounds.saturating_mul(BLOCKS_PER_ROUND)
    }

    pub(crate) fn insert(&mut self, header: Digest, candidate: Candidate) {
        self.blocks.insert(header, candidate);
    }

    pub(crate) fn remove(&mut self, header: &Digest) -> Option<Candidate> {
        self.blocks.remove(header)
    }

    /// A block to send along with its proposal.
    pub(crate) fn block(&self, header: &Digest) -> Option<&Block> {
        match self.blocks.get(header)? {
            Candidate::Valid(applied) | Candidate::Checking { applied, .. } => Some(&applied.block),
            Candidate::Invalid => None,
        }
    }
}

/// Whether an entry states a fact that the state machine cannot recompute.
pub(crate) fn states_a_fact(entry: &Entry) -> bool {
    match entry {
        Entry::Settlement(_) | Entry::Simulation(_) | Entry::Finding(_) => true,
        Entry::Requests(_)
        | Entry::Approval(_)
        | Entry::Veto(_)
        | Entry::Freeze(_)
        | Entry::Price(_)
        | Entry::Key(_)
        | Entry::Renew(_)
        | Entry::Tick
        | Entry::Rebuild(_)
        | Entry::Witness(_) => false,
    }
}

/// Whether a block rests on what an entry says of the world outside. What it refuses, nobody needs to look up.
pub(crate) fn rests_on(entry: &Entry, decisions: &[Decision]) -> bool {
    match entry {
        Entry::Simulation(signed) => {
            let subject = signed.body.digest();
            decisions.iter().any(|it| it.subject.0 == subject && it.outcome == Outcome::Simulated)
        }
        Entry::Finding(signed) => {
            let subject = signed.body.digest();
            let found = |it: &Decision| matches!(it.outcome, Outcome::Found { .. });
            decisions.iter().any(|it| it.subject.0 == subject && found(it))
        }
        other => states_a_fact(other),
    }
}

/// Two: enough to prove that a proposer said two things.
const BLOCKS_PER_ROUND: usize = 2;
