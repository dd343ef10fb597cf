//! Several running nodes of one desk: what the attacks on a cluster begin with.

use keystead_base::{Canonical as _, Digest};
use keystead_decision::Commit;

use crate::cluster::{NodeHome, Station};
use crate::fixture::Member;

/// Starts all of them at once: a node waits for nobody, and votes only when others answer.
///
/// # Panics
///
/// When one of them does not start.
pub async fn start_all(homes: Vec<NodeHome>) -> Vec<Station> {
    let starts: Vec<_> = homes.into_iter().map(|home| tokio::spawn(home.start())).collect();
    let mut stations = Vec::new();
    for start in starts {
        stations.push(start.await.expect("a node that starts"));
    }
    stations
}

/// How far a node is.
pub(crate) async fn height(station: &Station) -> u64 {
    station.client("eve").await.status().await.expect("a status").height
}

/// Waits until a node is that far.
pub(crate) async fn reaches(station: &Station, height: u64) {
    let client = station.client("eve").await;
    while client.status().await.expect("a status").height < height {
        tokio::task::yield_now().await;
    }
}

/// Waits until all are as far as the first.
pub(crate) async fn level(stations: &[Station]) -> u64 {
    let height = height(&stations[0]).await;
    for station in stations {
        reaches(station, height).await;
    }
    height
}

/// The digest of the header that a node committed at a height.
pub(crate) async fn header_at(station: &Station, height: u64) -> Digest {
    let blocks = station.client("eve").await.blocks(height, 1).await.expect("blocks");
    blocks[0].commit.header.digest()
}

/// The newest commit of a node.
pub(crate) async fn head_of(station: &Station) -> Commit {
    let blocks = station.client("eve").await.blocks(height(station).await, 1).await;
    blocks.expect("blocks").remove(0).commit
}

/// The keys of the node `node-N`, once more: whoever took its machine has them.
pub(crate) fn keys_of(number: u8) -> Member {
    Member::new(&format!("node-{number}"), number)
}
