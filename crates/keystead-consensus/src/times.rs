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

    /// INVARIANT D3: within so many milliseconds what one honest node has taken is decided, where the height under way
    /// is at this round: each node has its turn at that height, and once more at the next one, which takes it.
    ///
    /// It supposes a quorum of honest nodes that vote, stand at this height, hear one another and write within the
    /// limits of a round, and no more entries before it than a block takes.
    #[must_use]
    pub fn decision_millis(&self, nodes: u32, round: u32) -> u64 {
        let turns = |first: u32| (first..first.saturating_add(nodes)).map(|round| self.round_millis(round));
        let said_again = self.millis(TimeoutStep::Rebroadcast, round.saturating_add(nodes));
        turns(round).chain(turns(0)).fold(said_again, u64::saturating_add)
    }

    fn round_millis(&self, round: u32) -> u64 {
        let steps = [TimeoutStep::Propose, TimeoutStep::Prevote, TimeoutStep::Precommit];
        steps.map(|step| self.millis(step, round)).into_iter().fold(0, u64::saturating_add)
    }
}

/// After so many rounds the limits grow no more.
const MAX_LONGER_ROUNDS: u64 = 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d03_a_decision_has_the_time_that_is_stated() {
        let times = Times::default();
        // What SECURITY states, in seconds of tenths.
        for (nodes, millis) in [(1, 3_850), (3, 14_350), (4, 21_700), (7, 52_150)] {
            assert_eq!(times.decision_millis(nodes, 0), millis, "{nodes}");
        }
        // However long it had been in vain: ten times a round for each turn at the height under way.
        assert_eq!(times.decision_millis(4, 1_000), 4 * 14_000 + 9_800 + 7_000);
    }
}
