//! Holders that others reach by a relay, or late: a key of ECDSA and one of FROST, in one cluster.

use std::time::Duration;

use keystead_coordinator::Relay;
use keystead_tests::cluster::{NodeHome, Station};
use keystead_tests::fixture::name;
use keystead_tests::{Far, free_port, get, start_all};
use keystead_wire::{Offer, PeerView};
use tokio::net::TcpStream;

use super::both::{both_born, both_pay, lists_sol};

/// The third node reaches nobody and nobody reaches it, but for the desk's coordinator, which reaches all.
async fn one_cut_off() -> Vec<Station> {
    let mut homes = NodeHome::several(4, lists_sol);
    for (at, home) in homes.iter_mut().enumerate() {
        let apart = home.config.peers.iter_mut().filter(|it| (at == 2) != (it.name == name("node-3")));
        apart.for_each(|it| it.address = NOWHERE.to_owned());
    }
    start_all(homes).await
}

/// Node-3 as this node sees it.
async fn third(station: &Station) -> PeerView {
    let status = station.client("eve").await.status().await.expect("a status");
    status.peers.into_iter().find(|it| it.name == name("node-3")).expect("a node of the roster")
}

/// Consensus and runs alike pass by a coordinator that sees bytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d03_a02_a_holder_that_only_a_relay_reaches_takes_part_in_birth_and_signing() {
    let mut stations = one_cut_off().await;
    // A person is pinned, too, and carries for nobody.
    let road = TcpStream::connect(stations[2].node.address()).await.expect("a node that listens");
    let eve = stations[2].target(stations[2].member("eve"));
    let offer = Offer::over(Box::new(road), &eve).await.expect("a pinned peer");
    assert!(offer.called().await.is_err(), "nobody calls on a line of hers");

    let reached = |it: &Station| (it.home.own().name.clone(), it.target(it.member("desk")));
    let relay = Relay::start(stations.iter().map(reached).collect());
    both_born(&stations).await;
    // Of their holders node-1 and the one that is carried to are left, and the log has no quorum without it.
    stations.remove(1).stop().await;
    both_pay(&stations, 0).await;
    let (carried, seen) = (relay.carried(), third(&stations[0]).await);
    assert!(carried >= 4, "{carried} connections: of two nodes with node-3, in both directions");
    assert_eq!((seen.reachable, seen.relay), (true, Some(name("desk"))));
    drop(relay);
    while third(&stations[0]).await.reachable {
        tokio::task::yield_now().await;
    }
    for station in stations {
        station.stop().await;
    }
}

/// The third node is an eighth of a second away from all others; each counts its runs.
async fn one_far_away() -> (Vec<Station>, Vec<Far>) {
    let (mut homes, mut roads) = (NodeHome::several(4, lists_sol), Vec::new());
    for (at, home) in homes.iter_mut().enumerate() {
        home.config.metrics = Some(format!("127.0.0.1:{}", free_port()));
        for peer in home.config.peers.iter_mut().filter(|it| (at == 2) != (it.name == name("node-3"))) {
            let road = Far::to(&peer.address, EIGHTH_OF_A_SECOND).await;
            peer.address = road.address();
            roads.push(road);
        }
    }
    (start_all(homes).await, roads)
}

/// How many runs that sign ended well in the enclave of a node.
async fn signed(station: &Station) -> u64 {
    let server = station.home.config.metrics.as_ref().expect("a port").parse().expect("an address");
    let text = get(server, "/metrics").await;
    let line = text.lines().find_map(|it| it.strip_prefix("threshold_runs_total{outcome=\"signed\"} "));
    line.map_or(0, |count| count.trim().parse().expect("a count"))
}

/// Whether a node knows what another one measured to a third.
async fn knows(station: &Station, other: &str, third: &str) -> bool {
    let status = station.client("eve").await.status().await.expect("a status");
    let link = status.peers.into_iter().find(|it| it.name == name(other)).and_then(|it| it.link);
    link.is_some_and(|it| it.round_trips.iter().any(|it| it.node == name(third)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d03_a_holder_far_away_is_seen_to_be_and_signs_where_it_is_needed() {
    let (mut stations, _roads) = one_far_away().await;
    both_born(&stations).await;
    for (at, other, third) in [
        (0, "node-2", "node-3"),
        (0, "node-3", "node-2"),
        (1, "node-1", "node-3"),
        (1, "node-3", "node-1"),
        (2, "node-1", "node-2"),
        (2, "node-2", "node-1"),
    ] {
        while !knows(&stations[at], other, third).await {
            tokio::task::yield_now().await;
        }
    }
    let far = third(&stations[0]).await.link.expect("a connection");
    assert!(far.round_trip_micros > Some(200_000) && far.boot > 0 && far.clock.is_some(), "{far:?}");
    stations.remove(1).stop().await;
    both_pay(&stations, 2).await;
    // It is one of the two that are left; its runs end when the last word has come so far.
    while signed(&stations[1]).await < 2 {
        tokio::task::yield_now().await;
    }
    for station in stations {
        station.stop().await;
    }
}

const EIGHTH_OF_A_SECOND: Duration = Duration::from_millis(125);
/// Where nobody listens.
const NOWHERE: &str = "127.0.0.1:1";
