//! Changes of the rules while everybody goes on: a policy version, a freeze, a thaw.

use std::time::Instant;

use keystead_base::{Amount, Canonical as _};
use keystead_decision::Outcome;
use keystead_intent::AuthorityChange;
use keystead_policy::PolicyVersion;
use keystead_tests::fixture::{FRIEND, name};
use keystead_wire::RequestStage;

use crate::cluster::Cluster;
use crate::founded::{HOME, NARROW, NARROW_LIMIT};
use crate::load::PROBE;
use crate::people::{ANSWER, retry, transfer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s13_a_policy_changes_under_load_and_every_sum_stays_exact() {
    let cluster = Cluster::start().await;
    let load = cluster.load();
    // The narrow window fills, is widened, and fills again.
    for round in 1..=2 {
        fills(&cluster).await;
        let start = Instant::now();
        let next = next_policy(&cluster, |next| {
            let window = next.windows.iter_mut().find(|it| it.id == name("narrow")).unwrap();
            window.limit = Amount::from(NARROW_LIMIT * (round + 1));
        });
        let change = AuthorityChange::Policy { document: next.await.into() };
        let changed = cluster.people.change([1, 2, 3], change).await;
        assert_eq!(changed.stage, RequestStage::Applied, "{changed:?}");
        println!(
            "policy {round} in force after {:?}; next decision after {:?}",
            start.elapsed(),
            load.next_decision().await
        );
    }
    load.answers(15).await;
    cluster.verify("policy changed", load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s14_a_freeze_stops_the_load_and_a_thaw_lets_it_go_on() {
    let cluster = Cluster::start().await;
    let load = cluster.load();
    load.answers(15).await;
    let start = Instant::now();
    // To a node that does not hold the key.
    let frozen = cluster.people.freeze(3).await;
    assert!(matches!(frozen[0].outcome, Outcome::Frozen { .. }), "{frozen:?}");
    println!("frozen after {:?}", start.elapsed());
    let signatures = signatures_once_frozen(&cluster, frozen[0].height).await;
    let denied = cluster.people.ask("dora", 1, transfer(PROBE, FRIEND, 1, 0)).await;
    assert_eq!(denied.stage, RequestStage::Denied, "S14: {denied:?}");
    load.answers(30).await;
    // A frozen cluster whose key's home starts anew is still frozen.
    cluster.kill(HOME);
    cluster.launch(HOME);
    println!("node-1, killed while frozen, takes part after {:?}", cluster.takes_part(HOME).await);
    load.answers(15).await;
    let status = cluster.status(HOME).await;
    assert!(status.frozen.everything, "S14: {status:?}");
    assert_eq!(status.signatures, 0, "S14: the home signed since its start, after {signatures} before");
    let start = Instant::now();
    let thawed = cluster.people.change([0, 1, 2], AuthorityChange::Thaw { key: None }).await;
    assert_eq!(thawed.stage, RequestStage::Applied, "{thawed:?}");
    println!("thawed after {:?}; a payment after {:?}", start.elapsed(), cluster.pays(2, PROBE).await);
    load.answers(15).await;
    cluster.verify("freeze and thaw", load).await;
}

/// How many signatures the home made until it knew of the freeze; from then on the number stays.
async fn signatures_once_frozen(cluster: &Cluster, height: u64) -> u64 {
    let status = async || cluster.people.status(HOME).await.filter(|it| it.height >= height);
    let known = retry(status).await;
    // The signer may have been at the block before; one more decision is behind it.
    cluster.people.ask("dora", HOME, transfer(PROBE, FRIEND, 2, 0)).await;
    let before = retry(status).await.signatures;
    for wei in 3..13 {
        cluster.people.ask("dora", HOME, transfer(PROBE, FRIEND, wei, 0)).await;
    }
    assert_eq!(retry(status).await.signatures, before, "S14: the home signs after it knew of the freeze");
    assert!(known.signatures <= before);
    before
}

/// Asks for one wei at a time less than the window lets through, until nothing more fits.
async fn fills(cluster: &Cluster) {
    for wei in [NARROW_LIMIT / 4, 16, 1] {
        loop {
            let nonce = cluster.nonce(PROBE).await;
            let view = cluster.people.ask("dora", 2, transfer(PROBE, NARROW, wei, nonce)).await;
            if view.stage == RequestStage::Denied {
                break;
            }
            cluster.spends(&view).await;
        }
    }
}

/// The version after the one in force, changed.
pub(crate) async fn next_policy(cluster: &Cluster, change: impl FnOnce(&mut PolicyVersion)) -> Vec<u8> {
    let client = cluster.people.client("cleo", 1, ANSWER);
    let document = retry(async || client.policy(None).await.ok().flatten()).await;
    let mut next = PolicyVersion::from_document(&document).unwrap();
    next.previous = next.digest();
    next.number += 1;
    change(&mut next);
    next.to_document()
}
