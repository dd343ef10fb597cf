//! How long a round waits.

use serde::{Deserialize, Serialize};

use crate::TimeoutStep;

/// Time limits of the steps of a round, in milliseconds. Each later round waits longer, up to ten times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Times {
    /// For a proposal.
    pub propose_millis: u64,
    /// For prevotes to agree, once a quorum has voted.
    pub prevote_millis: u64,
    /// For precommits to agree, once a quorum has voted.
    pub precommit_millis: u64,
    /// Until votes are said again.
    pub rebroadcast_millis: u64,
}

impl Default for Times {
    fn default() -> Self {
        Self { propose_millis: 800, prevote_millis: 300, precommit_millis: 300, rebroadcast_millis: 700 }
    }
}

impl Times {
    /// The limit of one step of one round.
    #[must_use]
    pub fn millis(&self, step: TimeoutStep, round: u32) -> u64 {
        let first = match step {
            TimeoutStep::Propose => self.propose_millis,
            TimeoutStep::Prevote => self.prevote_millis,
            TimeoutStep::Precommit => self.precommit_millis,
            TimeoutStep::Rebroadcast => self.rebroadcast_millis,
        };
        let halves = u64::from(round).min(MAX_LONGER_ROUNDS);
        first.saturating_add(first.saturating_mul(halves) / 2)
    }
}

/// After so many rounds the limits grow no more.
const MAX_LONGER_ROUNDS: u64 = 18;
