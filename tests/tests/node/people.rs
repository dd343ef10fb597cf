//! People at a node: approvals, vetoes, freezes, thaws, straight to the node.

use keystead_decision::Outcome;
use keystead_intent::AuthorityChange;
use keystead_policy::Reason;
use keystead_tests::cluster::{Station, ether};
use keystead_tests::fixture::{ETHER, FRIEND, STRANGER, name};
use keystead_wire::{RequestStage, RequestView};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s11_a_large_transfer_needs_two_people_and_the_same_one_counts_once() {
    let station = Station::with_hot_key().await;
    let asked = station.ask("desk", ether(FRIEND, 2 * ETHER, 0)).await;
    assert_eq!(asked.stage, RequestStage::Waiting);
    let open = station.client("ana").await.open().await.unwrap();
    assert_eq!(open, std::slice::from_ref(&asked));

    let first = station.approve("ana", &asked.request).await;
    assert!(matches!(first[0].outcome, Outcome::Counted { .. }), "{first:?}");
    let again = station.approve("ana", &asked.request).await;
    assert!(matches!(again[0].outcome, Outcome::Refused { .. }), "{again:?}");
    let trader = station.approve("dora", &asked.request).await;
    assert!(trader.iter().all(|it| !matches!(it.outcome, Outcome::Allow(_))), "{trader:?}");
    let second = station.approve("ben", &asked.request).await;
    assert!(second.iter().any(|it| matches!(it.outcome, Outcome::Allow(_))), "{second:?}");
    let over = station.wait(&asked.request).await;
    assert_eq!(over.stage, RequestStage::Signed);
    let detail = station.client("ana").await.request(asked.request).await.unwrap().unwrap();
    assert_eq!(detail.address, station.hot().await.address);
    assert_eq!(detail.decisions.len(), 6, "wait, two that count, two that do not, allow");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s09_a_veto_during_the_delay_ends_a_request() {
    let station = Station::with_hot_key_under(|policy| {
        let large = policy.quorums.iter_mut().find(|row| row.id == name("large-two")).unwrap();
        large.delay_seconds = 3000;
    })
    .await;
    let asked = station.ask("desk", ether(FRIEND, 2 * ETHER, 0)).await;
    station.approve("ana", &asked.request).await;
    let second = station.approve("ben", &asked.request).await;
    assert!(second.iter().all(|it| !matches!(it.outcome, Outcome::Allow(_))), "{second:?}");
    station.veto("eve", &asked.request).await;
    let over = station.wait(&asked.request).await;
    assert!(matches!(reason(&over), Reason::Vetoed { .. }), "{over:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s14_a_freeze_stops_signing_and_survives_a_restart_until_the_thaw() {
    let station = Station::with_hot_key().await;
    let waiting = station.ask("desk", ether(FRIEND, 2 * ETHER, 0)).await;
    station.approve("ana", &waiting.request).await;
    let frozen = station.freeze("eve").await;
    assert!(matches!(frozen[0].outcome, Outcome::Frozen { .. }), "{frozen:?}");
    let refused = station.ask("desk", ether(FRIEND, ETHER / 2, 1)).await;
    assert!(matches!(reason(&refused), Reason::Frozen { .. }), "{refused:?}");

    let station = station.stop().await.start().await;
    let status = station.client("eve").await.status().await.unwrap();
    assert!(status.frozen.everything && status.keys[0].frozen);
    let refused = station.ask("desk", ether(FRIEND, ETHER / 2, 2)).await;
    assert!(matches!(reason(&refused), Reason::Frozen { .. }), "{refused:?}");
    let trader = station.freeze("dora").await;
    assert!(matches!(trader[0].outcome, Outcome::Refused { .. }), "{trader:?}");

    let thawed = station.change(AuthorityChange::Thaw { key: None }).await;
    assert_eq!(thawed.stage, RequestStage::Applied);
    let signed = station.ask("desk", ether(FRIEND, ETHER / 2, 3)).await;
    assert_eq!(signed.stage, RequestStage::Signed, "{signed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s13_a_policy_change_reaches_the_enclave_and_the_next_start() {
    use keystead_base::Canonical;
    let station = Station::with_hot_key_under(|policy| policy.timing.cool_off_seconds = 0).await;
    let refused = station.ask("desk", ether(STRANGER, ETHER / 2, 0)).await;
    assert!(matches!(reason(&refused), Reason::DestinationUnknown { .. }), "{refused:?}");
    let now = station.now().await;
    let client = station.client("cleo").await;
    let current = client.policy(None).await.unwrap().unwrap();
    let mut next = keystead_policy::PolicyVersion::from_document(&current).unwrap();
    next.previous = next.digest();
    next.number += 1;
    next.address_book.push(keystead_policy::AddressEntry {
        chain: keystead_tests::fixture::CHAIN,
        address: STRANGER,
        name: name("stranger"),
        usable_from: now.minus_seconds(60),
    });
    next.address_book.sort_by_key(|entry| (entry.chain, entry.address));
    let document = next.to_document().into();
    let changed = station.change(AuthorityChange::AddressBook { document }).await;
    assert_eq!(changed.stage, RequestStage::Applied, "{changed:?}");
    let signed = station.ask("desk", ether(STRANGER, ETHER / 2, 1)).await;
    assert_eq!(signed.stage, RequestStage::Signed, "{signed:?}");
    let station = station.stop().await.start().await;
    let signed = station.ask("desk", ether(STRANGER, ETHER / 2, 2)).await;
    assert_eq!(signed.stage, RequestStage::Signed, "{signed:?}");
    assert_eq!(station.client("cleo").await.status().await.unwrap().policy, 1);
}

fn reason(view: &RequestView) -> Reason {
    match &view.decision.outcome {
        Outcome::Deny { reasons, .. } => reasons[0].clone(),
        other => panic!("not a denial: {other:?}"),
    }
}
