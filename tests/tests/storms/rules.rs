//! A change of the rules while everybody goes on: a policy version.

use std::time::Instant;

use keystead_base::{Amount, Canonical as _};
use keystead_intent::AuthorityChange;
use keystead_policy::PolicyVersion;
use keystead_tests::fixture::name;
use keystead_wire::RequestStage;

use crate::cluster::Cluster;
use crate::founded::{NARROW, NARROW_LIMIT};
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
