//! A node votes for two blocks at one height (S3, S10).
//!
//! The double vote is the oldest lie of a replicated log, and the reason that Byzantine quorums are larger than
//! majorities (Lamport, Shostak, Pease, 1982): two majorities of three share one node, and that one may be lying.
//!
//! The thieves have one node, which leads and is the home of the key, and the network between the others. They
//! tell each side another block and vote for both. In a cluster of four no two quorums share only a liar: one
//! block is committed, the other side learns it, and whoever heard both votes names the node. The twin is the
//! cluster that withstands crashes only: three nodes, two votes.

use crate::{Loot, forking};

/// The default cluster: any two quorums share an honest node.
#[must_use]
pub fn four() -> u8 {
    4
}

/// The cluster that `init` and `status` say withstands no lying node.
#[must_use]
pub fn three() -> u8 {
    3
}

/// Plays it in a cluster of so many nodes.
pub async fn attack(nodes: u8) -> Loot {
    forking::played(nodes, 1).await
}
