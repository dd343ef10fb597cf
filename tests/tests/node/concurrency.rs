//! Many clients at one limit and at one nonce: exact to one unit, and nobody starves.

use keystead_decision::Outcome;
use keystead_intent::Action;
use keystead_policy::Reason;
use keystead_tests::cluster::{Station, ether, fee};
use keystead_tests::fixture::{ETHER, FRIEND, name};
use keystead_wire::{EntryAnswer, RequestStage, RequestView};

const CLIENTS: u64 = 32;
const FIT: u128 = 10;
const WEI: u128 = ETHER / 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_32_clients_at_a_limit_are_exact_to_one_unit() {
    let charge = WEI + fee();
    let station = Station::with_hot_key_under(|policy| {
        let day = policy.windows.iter_mut().find(|it| it.id == name("ether-per-day")).unwrap();
        // The eleventh lacks one unit.
        day.limit = ((FIT + 1) * charge - 1).into();
    })
    .await;
    let views = rush(&station, |client| ether(FRIEND, WEI, client)).await;
    let signed = views.iter().filter(|it| it.stage == RequestStage::Signed).count();
    assert_eq!(signed as u128, FIT, "{:?}", station.events());
    for view in views.iter().filter(|it| it.stage != RequestStage::Signed) {
        assert_limit(view, FIT * charge);
    }
    // What is left is charge - 1: that fits, and then not one unit more.
    let nonces = CLIENTS..;
    let mut nonces = nonces.into_iter();
    let last = station.ask("desk", ether(FRIEND, WEI - 1, nonces.next().unwrap())).await;
    assert_eq!(last.stage, RequestStage::Signed, "{last:?}");
    let one_more = station.ask("desk", ether(FRIEND, 0, nonces.next().unwrap())).await;
    assert_eq!(one_more.stage, RequestStage::Denied, "{one_more:?}");
    let station = station.stop().await.start().await;
    let after = station.ask("desk", ether(FRIEND, 0, nonces.next().unwrap())).await;
    assert_eq!(after.stage, RequestStage::Denied, "a restart forgets nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s04_32_clients_at_one_nonce_have_one_winner() {
    let station = Station::with_hot_key().await;
    let views = rush(&station, |client| ether(FRIEND, u128::from(client) + 1, 7)).await;
    let signed: Vec<_> = views.iter().filter(|it| it.stage == RequestStage::Signed).collect();
    assert_eq!(signed.len(), 1);
    for view in views.iter().filter(|it| it.stage != RequestStage::Signed) {
        let Outcome::Deny { reasons, .. } = &view.decision.outcome else { panic!("{view:?}") };
        assert!(
            matches!(&reasons[..], [Reason::SlotTaken { by, .. }] if *by == signed[0].request),
            "{reasons:?}"
        );
    }
}

/// Every client with a connection of its own, all at once.
async fn rush(station: &Station, action: impl Fn(u64) -> Action) -> Vec<RequestView> {
    let now = station.now().await;
    let mut calls = Vec::new();
    for client in 0..CLIENTS {
        // A peer has a limited number of connections: half of them are another's.
        let who = if client % 2 == 0 { "desk" } else { "dora" };
        let entry = station.entry(vec![station.intent(who, action(client), now)]);
        calls.push((station.client(who).await, entry));
    }
    let mut running = tokio::task::JoinSet::new();
    for (client, entry) in calls {
        running.spawn(async move { client.submit(vec![entry]).await.unwrap() });
    }
    let answers = running.join_all().await;
    answers.into_iter().flatten().flat_map(views).collect()
}

fn views(answer: EntryAnswer) -> Vec<RequestView> {
    match answer {
        EntryAnswer::Requests(views) => views,
        other => panic!("{other:?}"),
    }
}

fn assert_limit(view: &RequestView, used: u128) {
    let Outcome::Deny { reasons, .. } = &view.decision.outcome else { panic!("{view:?}") };
    let [Reason::LimitExceeded { used: found, .. }] = &reasons[..] else { panic!("{reasons:?}") };
    assert_eq!(*found, used.into());
}
