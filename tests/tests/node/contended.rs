//! Four nodes, 32 clients and two coordinators at one limit and at one nonce: exact to one unit, and nobody starves.

use keystead_coordinator::Batcher;
use keystead_decision::Outcome;
use keystead_intent::Action;
use keystead_policy::Reason;
use keystead_tests::cluster::{NodeHome, Station, ether, fee};
use keystead_tests::fixture::{ETHER, FRIEND, Member, name};
use keystead_tests::start_all;
use keystead_wire::{EntryAnswer, NodeClient, RequestStage, RequestView};
use tokio::task::JoinSet;

const CLIENTS: u64 = 32;
const CALLERS: u64 = 8;
const FIT: u128 = 10;
const WEI: u128 = ETHER / 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s04_s10_two_coordinators_and_32_clients_at_four_nodes_are_exact() {
    let charge = WEI + fee();
    let homes = NodeHome::several(4, |policy| {
        let day = policy.windows.iter_mut().find(|it| it.id == name("ether-per-day")).unwrap();
        // The eleventh lacks one unit.
        day.limit = ((FIT + 1) * charge - 1).into();
    });
    let stations = start_all(homes).await;
    stations[0].make_hot_key().await;

    let views = rush(&stations, |place| ether(FRIEND, WEI, place)).await;
    let signed = views.iter().filter(|it| it.stage == RequestStage::Signed).count();
    assert_eq!(signed as u128, FIT, "{:?}", stations[0].events());
    for view in views.iter().filter(|it| it.stage != RequestStage::Signed) {
        let [Reason::LimitExceeded { used, .. }] = denied(view) else { panic!("{view:?}") };
        assert_eq!(*used, (FIT * charge).into());
    }

    // What is left is enough for any one of them, and all want the same nonce.
    let wanted = rush(&stations, |place| ether(FRIEND, u128::from(place) + 1, 1_000)).await;
    let winner: Vec<_> = wanted.iter().filter(|it| it.stage == RequestStage::Signed).collect();
    assert_eq!(winner.len(), 1, "{:?}", stations[0].events());
    for view in wanted.iter().filter(|it| it.stage != RequestStage::Signed) {
        let reasons = denied(view);
        let taken = matches!(reasons, [Reason::SlotTaken { by, .. }] if *by == winner[0].request);
        assert!(taken, "{reasons:?}");
    }
    for station in stations {
        station.stop().await;
    }
}

/// Every client with a connection of its own at one of the nodes, and the callers of two coordinators at two of
/// them, all at once; each is answered, and for good.
async fn rush(stations: &[Station], action: impl Fn(u64) -> Action) -> Vec<RequestView> {
    let now = stations[0].now().await;
    let mut running = JoinSet::new();
    for (place, station) in (0..CLIENTS).zip(stations.iter().cycle()) {
        // A peer has a limited number of connections: half of them are another's.
        let who = if place % 8 < 4 { "desk" } else { "dora" };
        let entry = station.entry(vec![stations[0].intent(who, action(place), now)]);
        let client = station.client(who).await;
        running.spawn(async move { views(client.submit(vec![entry]).await.unwrap()) });
    }
    for (place, station) in (0..).zip(&stations[1..3]) {
        let node = NodeClient::new(station.target(station.member("desk"))).unwrap();
        let coordinator = Batcher::start(node, name("desk"), Member::new("desk", 20).signer);
        for caller in 0..CALLERS {
            let asked = action(CLIENTS + place * CALLERS + caller);
            // One place counts the requests: a requester says nothing twice.
            let intent = stations[0].intent("desk", asked, now);
            let coordinator = coordinator.clone();
            running.spawn(async move { vec![coordinator.ask(intent).await.unwrap()] });
        }
    }
    let views: Vec<_> = running.join_all().await.into_iter().flatten().collect();
    assert_eq!(views.len() as u64, CLIENTS + 2 * CALLERS);
    views
}

fn views(answers: Vec<EntryAnswer>) -> Vec<RequestView> {
    let views = answers.into_iter().map(|answer| match answer {
        EntryAnswer::Requests(views) => views,
        other => panic!("{other:?}"),
    });
    views.flatten().collect()
}

fn denied(view: &RequestView) -> &[Reason] {
    match &view.decision.outcome {
        Outcome::Deny { reasons, .. } => reasons,
        other => panic!("{other:?}"),
    }
}
