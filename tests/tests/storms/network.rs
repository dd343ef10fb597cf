//! Networks that part, and networks that lose.

use std::time::Instant;

use crate::cluster::Cluster;
use crate::founded::NODES;
use crate::ground::{Ground, Net};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d03_a_partition_decides_on_one_side_at_most_and_heals() {
    let Some(net) = apart() else { return };
    let cluster = Cluster::start_on(Ground::Apart(net)).await;
    let Ground::Apart(net) = &cluster.ground else { return };
    let load = cluster.load();
    load.answers(15).await;

    // The key's home is among the three.
    net.part(&[0, 1, 2], &[3]);
    println!("three and one: next decision after {:?}", load.next_decision().await);
    load.answers(15).await;
    net.heal();
    println!("healed: node-4 takes part after {:?}", cluster.takes_part(3).await);

    net.part(&[0, 1], &[2, 3]);
    load.silences(SOME_ROUNDS).await;
    let all: Vec<usize> = (0..NODES).collect();
    let before = cluster.reached(&all).await;
    load.silences(2 * SOME_ROUNDS).await;
    assert_eq!(cluster.reached(&all).await, before, "neither half decides anything");
    net.heal();
    println!("two and two, healed: next decision after {:?}", load.next_decision().await);
    for node in 0..NODES {
        println!("node-{} takes part after {:?}", node + 1, cluster.takes_part(node).await);
    }
    cluster.verify("partitions", load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d03_a_network_that_loses_three_of_ten_packets_still_decides() {
    let Some(net) = apart() else { return };
    if let Err(reason) = net.lose(30) {
        return println!("SKIPPED: nftables loses no packets at random here: {reason}");
    }
    net.heal();
    let cluster = Cluster::start_on(Ground::Apart(net)).await;
    let Ground::Apart(net) = &cluster.ground else { return };
    let load = cluster.load();
    load.answers(15).await;
    net.lose(30).expect("as before");
    println!("30 % lost: next decision after {:?}", load.next_decision().await);
    let start = Instant::now();
    load.answers(ANSWERS).await;
    println!("30 % lost: {ANSWERS} more answers after {:?}", start.elapsed());
    net.heal();
    println!("nothing lost: next decision after {:?}", load.next_decision().await);
    load.answers(15).await;
    cluster.verify("30 % packet loss", load).await;
}

/// Four namespaces; none, and the reason, where this machine gives us none.
pub(crate) fn apart() -> Option<Net> {
    let net = Net::new(NODES);
    net.map_err(|reason| println!("SKIPPED: no network namespaces with nftables here: {reason}")).ok()
}

/// Questions that nobody answers: each client has asked every node.
const SOME_ROUNDS: u64 = 8;
/// So many while packets are lost.
const ANSWERS: usize = 8;
