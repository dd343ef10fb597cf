//! Nodes that are not what they were: put back to an older disk, and replaced by another machine.

use std::collections::BTreeMap;

use keystead_base::Name;
use keystead_intent::AuthorityChange;
use keystead_ledger::Ledger;
use keystead_tests::fixture::{Member, name};
use keystead_wire::RequestStage;

use crate::cluster::Cluster;
use crate::people::{PATIENCE, retry};
use crate::process::copy;
use crate::rules::next_policy;

/// The node that is put back: not the key's home.
const BACK: usize = 2;
/// The node that is lost.
const LOST: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s03_a_node_put_back_to_an_old_snapshot_is_silent_until_it_is_readmitted() {
    let cluster = Cluster::start().await;
    let load = cluster.load();
    load.answers(15).await;
    let (old, height) = snapshot(&cluster).await;
    cluster.launch(BACK);
    cluster.takes_part(BACK).await;
    load.answers(40).await;

    cluster.kill(BACK);
    std::fs::remove_dir_all(cluster.data(BACK)).unwrap();
    copy(&old, &cluster.data(BACK));
    cluster.launch(BACK);
    retry(async || {
        let status = cluster.people.status(BACK).await?;
        status.standing.contains("was rolled back").then_some(())
    })
    .await;
    println!("node-3 is put back to height {height}, learns what it lacks, and says nothing");
    let silent_from = cluster.height().await;
    load.answers(40).await;
    let lags = cluster.height().await;
    retry(async || cluster.people.status(BACK).await.filter(|it| it.height >= lags).map(drop)).await;
    let votes = votes(&cluster, silent_from + 1).await;
    assert_eq!(votes.get(&name("node-3")), None, "S3: it voted before it was readmitted: {votes:?}");

    let next = next_policy(&cluster, |next| {
        next.roster.nodes.iter_mut().find(|it| it.name == name("node-3")).unwrap().boot = 1;
    });
    let changed =
        cluster.people.change([0, 1, 3], AuthorityChange::Roster { document: next.await.into() }).await;
    assert_eq!(changed.stage, RequestStage::Applied, "{changed:?}");
    println!("readmitted: node-3 takes part after {:?}", cluster.takes_part(BACK).await);
    // With another one gone, nothing is decided without its vote.
    cluster.kill(1);
    println!("and needed: next decision after {:?}", load.next_decision().await);
    load.answers(15).await;
    cluster.launch(1);
    cluster.takes_part(1).await;
    cluster.verify("an old snapshot", load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d01_a_node_that_is_lost_for_ever_is_replaced_under_load() {
    let mut cluster = Cluster::start().await;
    let load = cluster.load();
    load.answers(15).await;
    cluster.kill(LOST);
    println!("node-4 is lost: next decision after {:?}", load.next_decision().await);

    // The new machine knows where the others listen; they need neither its address nor a restart.
    let fifth = Member::new("node-5", 5);
    cluster.replace(LOST, &fifth);
    let next = next_policy(&cluster, |next| {
        let nodes = &mut next.roster.nodes;
        let place = nodes.iter_mut().find(|it| it.name == name("node-4")).unwrap();
        place.name = fifth.name.clone();
        place.key = fifth.signer.public().clone();
        place.transport = fifth.transport();
    });
    let changed =
        cluster.people.change([0, 1, 2], AuthorityChange::Roster { document: next.await.into() }).await;
    assert_eq!(changed.stage, RequestStage::Applied, "{changed:?}");
    println!("node-4 is out: next decision after {:?}", load.next_decision().await);
    cluster.launch(LOST);
    println!("node-5 learns the whole log and takes part after {:?}", cluster.takes_part(LOST).await);
    // With another one gone, nothing is decided without its vote.
    cluster.kill(1);
    println!("and needed: next decision after {:?}", load.next_decision().await);
    load.answers(15).await;
    cluster.launch(1);
    cluster.takes_part(1).await;
    cluster.verify("a node replaced", load).await;
}

/// Stops the node for a copy of its disk, and says how far that disk is.
async fn snapshot(cluster: &Cluster) -> (std::path::PathBuf, u64) {
    cluster.kill(BACK);
    let old = cluster.folder().join("old");
    copy(&cluster.data(BACK), &old);
    let ledger = Ledger::open(&format!("sqlite:{}", old.join("ledger.sqlite").display())).await.unwrap();
    let (height, _) = ledger.tip().await.unwrap();
    ledger.close().await;
    (old, height)
}

/// How often each node stands under a block from this height on.
async fn votes(cluster: &Cluster, from: u64) -> BTreeMap<Name, usize> {
    let client = cluster.people.client("eve", 0, PATIENCE);
    let mut votes = BTreeMap::new();
    for block in client.blocks(from, 500).await.unwrap() {
        for vote in block.commit.votes {
            *votes.entry(vote.node).or_default() += 1;
        }
    }
    votes
}
