//! Four nodes, each with its own ledger, enclave and sockets: one log, and no node that decides alone.

use std::time::Duration;

use keystead_base::Signed;
use keystead_decision::{Entry, KeyState, Outcome};
use keystead_intent::Asset;
use keystead_policy::{PolicyVersion, Price, PriceRule, PriceSource};
use keystead_tests::cluster::{NodeHome, Station, ether};
use keystead_tests::fixture::{CHAIN, ETHER, FRIEND, Member, name};
use keystead_tests::start_all;
use keystead_wire::{EntryAnswer, RequestStage};
use tokio::time::timeout;

async fn cluster(nodes: u8) -> Vec<Station> {
    cluster_under(nodes, |_| {}).await
}

async fn cluster_under(nodes: u8, change: impl Fn(&mut PolicyVersion)) -> Vec<Station> {
    start_all(NodeHome::several(nodes, change)).await
}

/// Waits until a node has reached a height: a request that it decides last is later than any before it.
async fn reaches(station: &Station, height: u64) {
    while station.client("eve").await.status().await.unwrap().height < height {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s03_four_nodes_decide_and_the_home_of_the_key_signs() {
    let mut stations = cluster(4).await;
    stations[0].make_hot_key().await;
    // Asked at a node that does not hold the key: it answers with the signature all the same.
    let view = stations[2].ask("desk", ether(FRIEND, ETHER / 10, 0)).await;
    assert_eq!(view.stage, RequestStage::Signed, "{view:?} {:?}", stations[2].events());
    // Another node may be a block behind the one that answered.
    reaches(&stations[3], view.decision.height).await;
    let certificate = stations[3].client("ana").await.certificate(view.request).await.unwrap().unwrap();
    assert!(certificate.commit.votes.len() >= 3, "{:?}", certificate.commit.votes.len());
    assert!(matches!(certificate.decision.outcome, Outcome::Allow(_)));

    // The home's backup is at every node that is asked for it.
    let backup = stations[0].hot().await.backup.unwrap();
    assert!(stations[3].client("ana").await.backup(backup).await.unwrap().is_some());

    // Approvals at different nodes meet in one log.
    let large = stations[1].ask("desk", ether(FRIEND, 2 * ETHER, 1)).await;
    assert_eq!(large.stage, RequestStage::Waiting, "{large:?}");
    let height = stations[1].client("eve").await.status().await.unwrap().height;
    reaches(&stations[2], height).await;
    stations[2].approve("ana", &large.request).await;
    stations[1].approve("ben", &large.request).await;
    reaches(&stations[3], height).await;
    assert_eq!(stations[3].wait(&large.request).await.stage, RequestStage::Signed);

    // One is gone, and nobody misses it; it comes back and catches up.
    let gone = stations.remove(3).stop().await;
    let view = stations[1].ask("desk", ether(FRIEND, ETHER / 10, 2)).await;
    assert_eq!(view.stage, RequestStage::Signed, "{view:?}");
    let height = stations[1].client("eve").await.status().await.unwrap().height;
    let back = gone.start().await;
    reaches(&back, height).await;
    let keys = back.client("eve").await.keys().await.unwrap();
    assert_eq!(keys[0].state, KeyState::Active);
    stations.push(back);

    // Two are gone: nothing is decided, and nothing is wrong.
    let first = stations.pop().unwrap().stop().await;
    let second = stations.pop().unwrap().stop().await;
    let intent = stations[0].intent("desk", ether(FRIEND, ETHER / 10, 3), stations[0].now().await);
    let entry = stations[0].entry(vec![intent.clone()]);
    let client = stations[0].client("desk").await;
    let asked = tokio::spawn(async move { client.submit(vec![entry]).await });
    let alone = timeout(A_FEW_ROUNDS, stations[0].client("eve").await.wait(intent.id(), PATIENCE)).await;
    assert!(alone.is_err() || matches!(alone, Ok(Ok(None))), "two of four decide nothing: {alone:?}");
    let (first, second) = (first.start().await, second.start().await);
    let answer = asked.await.unwrap().unwrap();
    assert!(matches!(answer[0], EntryAnswer::Requests(_)), "{answer:?}");
    assert_eq!(stations[0].wait(&intent.id()).await.stage, RequestStage::Signed);
    for station in [first, second].into_iter().chain(stations) {
        station.stop().await;
    }
}

/// A price that jumps is news and no lie: it passes at whatever node it arrives, and nobody objects.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_honest_prices_pass_however_far_they_jump() {
    let oracle = Member::new("oracle", 70);
    let key = oracle.signer.public().clone();
    let stations = cluster_under(4, |policy| {
        policy.prices = Some(PriceRule {
            currency: "USD".to_owned(),
            sources: vec![PriceSource { name: name("oracle"), key: key.clone() }],
            agree: 1,
            max_age_seconds: 60,
            max_spread_bps: 100,
            tolerance_bps: 200,
        });
    })
    .await;
    for (station, dollars) in stations.iter().zip([2_000, 3_000, 1_000, 2_000]) {
        let price = Price {
            chain: CHAIN,
            asset: Asset::Native,
            currency: "USD".to_owned(),
            micro_per_unit: dollars * 1_000_000,
            decimals: 18,
            at: station.now().await,
        };
        let signed = Signed::new(price, name("oracle"), &oracle.signer).unwrap();
        let EntryAnswer::Decided(decided) = station.submit("desk", Entry::Price(signed)).await else {
            panic!("{dollars} dollars are not decided about")
        };
        assert_eq!(decided[0].outcome, Outcome::Priced, "{dollars} dollars: {decided:?}");
    }
    let status = stations[0].client("eve").await.status().await.unwrap();
    let objections: Vec<_> = status.peers.iter().filter_map(|it| it.objection.as_ref()).collect();
    assert!(objections.is_empty(), "{objections:?}");
    for station in stations {
        station.stop().await;
    }
}

/// Longer than a quorum needs, and than several rounds of a minority.
const A_FEW_ROUNDS: Duration = Duration::from_secs(3);
/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
