//! Many signatures of one key in shares at once, through nodes that lead by turns.

use std::sync::Arc;

use keystead_intent::{AuthorityChange, KeyCeremony, KeyKind};
use keystead_tests::cluster::{NodeHome, Station, ether};
use keystead_tests::fixture::{ETHER, FRIEND, name};
use keystead_tests::start_all;
use keystead_wire::RequestStage;

/// Five nodes, any three of whom sign with the key `hot`.
async fn three_of_five() -> Arc<Vec<Station>> {
    let stations = start_all(NodeHome::several(5, |_| {})).await;
    let holders = (1..=5).map(|it| name(&format!("node-{it}"))).collect();
    let kind = KeyKind::ThresholdSecp256k1;
    let generate = KeyCeremony::Generate { key: name("hot"), kind, threshold: 3, holders };
    let view = stations[0].change(AuthorityChange::Key(generate)).await;
    assert_eq!(view.stage, RequestStage::Applied, "{view:?}");
    Arc::new(stations)
}

/// A leader whose block was durable a moment before another holder's calls to a run that the other one does not know the right
/// of yet. Nobody gives such a run up when the block comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d03_no_run_of_many_at_once_is_given_up_while_all_holders_are_there() {
    let stations = three_of_five().await;
    let client = |at: u64| {
        let stations = Arc::clone(&stations);
        tokio::spawn(async move {
            for turn in 0..PAYMENTS {
                let station = &stations[usize::try_from(at + turn).unwrap() % stations.len()];
                let payment = ether(FRIEND, ETHER / 1_000, at * PAYMENTS + turn);
                let view = station.ask("desk", payment).await;
                assert_eq!(view.stage, RequestStage::Signed, "{view:?}");
            }
        })
    };
    for client in (0..CLIENTS).map(client).collect::<Vec<_>>() {
        client.await.expect("a client that ends");
    }
    let of = |station: &Station| station.events().into_iter().filter(|it| it.starts_with("a run for"));
    let given_up: Vec<String> = stations.iter().flat_map(of).collect();
    assert!(given_up.is_empty(), "{} of {} runs: {given_up:#?}", given_up.len(), CLIENTS * PAYMENTS);
    for station in Arc::into_inner(stations).expect("no client runs") {
        station.stop().await;
    }
}

/// Few enough that no run takes as long as a try on a busy machine.
const CLIENTS: u64 = 2;
const PAYMENTS: u64 = 12;
