//! What a decision costs in syncs of the disk, counted by strace: in a pass of its own, because a traced process is
//! several times slower.

use std::collections::BTreeMap;
use std::sync::Arc;

use keystead_tests::tracer::{calls_of, has_strace, threads};
use serde::Serialize;

use super::clients::{self, Until};
use super::proxy::Road;
use super::site::Site;

/// What was counted.
#[derive(Debug, Serialize)]
pub(crate) struct CountRow {
    /// How many clients asked.
    pub(crate) clients: usize,
    /// How many decisions were counted.
    pub(crate) decisions: u64,
    /// And the blocks that they stood in.
    pub(crate) blocks: u64,
    /// `fsync` and `fdatasync` of all nodes together, for each decision.
    pub(crate) fsyncs_per_decision: f64,
    /// The same for each block and node.
    pub(crate) fsyncs_per_block_and_node: f64,
    /// Bytes between nodes for each decision, TLS and answers included; none where there are no other nodes.
    pub(crate) peer_bytes_per_decision: Option<f64>,
}

/// Counts while so many clients have `decisions` made; none without strace.
pub(crate) async fn count(site: &Arc<Site>, road: &Road, clients: usize, decisions: u64) -> Option<CountRow> {
    if !has_strace() {
        return None;
    }
    let (height, bytes) = (site.height(0).await, road.bytes());
    let mut all = BTreeMap::new();
    for (who, node) in NODES.into_iter().zip(site.nodes()) {
        all.extend(threads(who, node));
    }
    let mut asked = 0;
    let calls = calls_of(&all, async {
        asked = clients::run(site, clients, Until::Decisions(decisions)).await.times.len() as u64;
    });
    let calls = calls.await;
    let syncs = calls.iter().filter(|((_, call), _)| ["fsync", "fdatasync"].contains(&call.as_str()));
    let fsyncs: usize = syncs.map(|(_, count)| count).sum();
    let blocks = site.height(0).await - height;
    let each = |count: f64| count / asked as f64;
    let nodes = site.homes.len();
    Some(CountRow {
        clients,
        decisions: asked,
        blocks,
        fsyncs_per_decision: each(fsyncs as f64),
        fsyncs_per_block_and_node: fsyncs as f64 / (blocks.max(1) * nodes as u64) as f64,
        peer_bytes_per_decision: (nodes > 1).then(|| each((road.bytes() - bytes) as f64)),
    })
}

/// The processes in the tracer's words.
const NODES: [&str; 4] = ["node-1", "node-2", "node-3", "node-4"];
