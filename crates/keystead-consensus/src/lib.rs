//! One node's part in the decision log: the consensus engine around the state machine, without input or output.
//!
//! A [`Replica`] takes one [`Input`] after the other and gives [`Output`]s: what to make durable, what to
//! send, which block is committed. It reads no clock and opens no file; the node's shell and the simulator
//! drive the same code.
//!
//! **The order of outputs is the contract** (INVARIANT S1): whatever stands before a [`Output::Send`] or a
//! [`Output::Committed`] must be durable before the message leaves or anything rests on the block. A record that nothing
//! rests on yet may wait for the next one that something does, and [`Message::rests_on_records`] names what need not wait.

mod ahead;
mod ballot;
mod candidate;
mod catch_up;
mod engine;
mod io;
mod message;
mod objection;
mod pool;
mod record;
mod replica;
mod setup;
mod standing;
mod timers;
mod times;
mod verdict;

pub use ballot::{Abstention, Ballot, Claim, Prevote, Proposal, Step};
pub use io::{Committed, Input, Misbehavior, Output, Timer};
pub use message::{CommittedBlock, MAX_MESSAGE_BLOCKS, Message, Polka, Purpose, RoundKind, RoundProof};
pub use objection::Objection;
pub use pool::{MAX_BLOCK_BYTES, MAX_ENTRY_BYTES, MAX_POOL_ENTRIES, MAX_POOL_ENTRIES_PER_NODE};
pub use record::{Record, TimeoutStep};
pub use replica::Replica;
pub use setup::{Limits, Setup};
pub use standing::Standing;
pub use timers::Timers;
pub use times::Times;

/// How many lying nodes a log of `nodes` nodes with this quorum withstands: any two quorums share more
/// nodes than that.
#[must_use]
pub fn lying_withstood(nodes: u32, quorum: u32) -> u32 {
    (2 * quorum).saturating_sub(nodes + 1)
}

/// How many nodes may be down before the log stops.
#[must_use]
pub fn down_withstood(nodes: u32, quorum: u32) -> u32 {
    nodes.saturating_sub(quorum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cluster_withstands_is_as_the_table_says() {
        let rows = [(1, 1, 0, 0), (3, 2, 0, 1), (4, 3, 1, 1), (7, 5, 2, 2)];
        for (nodes, quorum, lying, down) in rows {
            assert_eq!((lying_withstood(nodes, quorum), down_withstood(nodes, quorum)), (lying, down));
        }
    }
}
