//! Nodes that run transactions on the state that their own endpoints agree on, on a real chain.

use std::net::SocketAddr;

use alloy_primitives::{Address, U256};
use keystead_base::{Coded as _, Digest, RequestId};
use keystead_decision::{Entry, Outcome, Simulation};
use keystead_intent::{Ending, Run, SimulatedBlock};
use keystead_node::{ChainConfig, EndpointConfig};
use keystead_policy::PolicyVersion;
use keystead_policy::limits::MIN_RUN_WAIT_SECONDS;
use keystead_tests::Anvil;
use keystead_tests::cluster::{NodeHome, Station};
use keystead_tests::fixture::{CHAIN, FRIEND, name};
use keystead_tests::handed_over::HandedOver;
use keystead_tests::poisoned::Poisoned;
use keystead_tests::rehearsals::{coins_on, demanded, furnish, send_raw, token_transfer};
use keystead_tests::world::reasons;
use keystead_wire::RequestStage;

fn anvil() -> (Anvil, SocketAddr) {
    let chain = CHAIN.0.to_string();
    let anvil = Anvil::start(&["--hardfork", "osaka", "--chain-id", &chain, "--block-time", "1"]);
    let address = anvil.url().trim_start_matches("http://").parse().unwrap();
    (anvil, address)
}

fn chain(urls: &[String], agree: usize) -> Vec<ChainConfig> {
    let endpoint = |(index, url): (usize, &String)| EndpointConfig {
        name: name(&format!("endpoint-{index}")),
        url: url.clone(),
        ca: None,
    };
    let endpoints = urls.iter().enumerate().map(endpoint).collect();
    vec![ChainConfig { chain: CHAIN.0, agree, endpoints, confirmations: Some(1) }]
}

async fn started(homes: Vec<NodeHome>) -> Vec<Station> {
    let starts: Vec<_> = homes.into_iter().map(|home| tokio::spawn(home.start())).collect();
    let mut stations = Vec::new();
    for start in starts {
        stations.push(start.await.unwrap());
    }
    stations
}

/// Who said what of runs, in the whole log of a node.
async fn stated(station: &Station) -> Vec<(String, Entry)> {
    let client = station.client("eve").await;
    let height = client.status().await.unwrap().height;
    let mut said = Vec::new();
    for block in client.blocks(1, height).await.unwrap() {
        for entry in block.entries {
            if let Entry::Simulation(signed) = &entry {
                said.push((signed.signer.to_string(), entry));
            }
        }
    }
    said
}

/// The home of the key is shown a poisoned state. What it says of the run is not what the others find, and the run that
/// counts is theirs; what is signed then does on the chain what the run said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s02_a_node_with_a_poisoned_endpoint_is_outvoted() {
    let (anvil, address) = anvil();
    let liar = Poisoned::before(address, "0xffffffff").await;
    let mut homes = NodeHome::several(4, demanded);
    for (index, home) in homes.iter_mut().enumerate() {
        let url = if index == 0 { liar.url() } else { anvil.url() };
        home.config.chains = chain(&[url], 1);
        home.config.limits.settlement_seconds = 1;
    }
    let stations = started(homes).await;
    stations[0].make_hot_key().await;
    let account = stations[0].account().await;
    furnish(address, account).await;

    let asked = stations[1].ask("desk", token_transfer(FRIEND, 7, 0)).await;
    assert_eq!(asked.stage, RequestStage::Signed, "{asked:?} {:?}", stations[1].events());
    let said = stated(&stations[1]).await;
    assert!(!said.is_empty() && said.iter().all(|(who, _)| who != "node-1"), "{said:?}");
    let Entry::Simulation(signed) = &said[0].1 else { panic!("no run") };
    let [lost] = signed.body.run.balances[..] else { panic!("{:?}", signed.body.run) };
    assert_eq!((lost.account, lost.lost().0), (account, U256::from(7)));

    let raw = asked.signed.unwrap().raw;
    let before = coins_on(address, account).await;
    assert_eq!(before, lost.before.0);
    send_raw(address, &raw).await;
    while coins_on(address, FRIEND).await.is_zero() {}
    assert_eq!(coins_on(address, account).await, lost.after.0);
    for station in stations {
        station.stop().await;
    }
}

/// A run that is another one in any word of it, the block's number and time included, is not what a node finds; and
/// what would not count is not even looked up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s02_a_word_about_a_run_is_believed_as_a_whole_or_not_at_all() {
    let (anvil, _) = anvil();
    let mut play = HandedOver::with(|home| home.config.chains = chain(&[anvil.url()], 1)).await;
    play.request().await;
    let found = play.found().await;
    let changed = |change: fn(&mut Simulation)| {
        let mut changed = found.clone();
        change(&mut changed);
        changed
    };
    let lies = [
        changed(|it| it.block.time_seconds += 1),
        changed(|it| it.block.number += 1),
        changed(|it| it.run.gas_used += 1),
        changed(|it| it.request = RequestId(Digest([9; 32]))),
    ];
    let count = lies.len();
    play.hand_over(1, lies.into()).await;
    let said = play.not_believed(count).await;
    let of = |code: &str| said.iter().filter(|it| it.contains(code)).count();
    let counts = (of("fact.simulation_differs"), of("deny.request_unknown"));
    assert_eq!(counts, (count - 1, 1), "{said:?}");
    play.stop().await;
}

/// Honest nodes' words that a liar hands over take the liar's places, so that theirs stay free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d03_words_that_are_handed_over_take_the_places_of_whoever_does_so() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let play = HandedOver::with(|home| home.config.chains = chain(&[url], 1)).await;
    let request = play.request().await;
    let cluster = play.station.node.cluster();
    let time_seconds = play.station.now().await.seconds();
    let block = SimulatedBlock { number: 1, hash: Default::default(), time_seconds };
    let said =
        |gas| Simulation { cluster, request, block, run: Run::without_changes(Ending::Succeeded, gas, 0) };
    play.hand_over(3, (0..=16).map(said).collect()).await;
    let said = play.not_believed(1).await;
    assert!(said[0].contains("too many runs that node-1 hands over are being checked"), "{said:?}");
    play.stop().await;
}

/// One of two endpoints lies, and nobody knows which: what policy wants to be run is not allowed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s02_what_endpoints_disagree_about_is_unknown_and_denied() {
    let (anvil, address) = anvil();
    let liar = Poisoned::before(address, "0xffffffff").await;
    let soon = |policy: &mut PolicyVersion| {
        demanded(policy);
        policy.simulation.iter_mut().for_each(|rule| rule.wait_seconds = MIN_RUN_WAIT_SECONDS);
    };
    let mut home = NodeHome::with_policy(soon);
    home.config.chains = chain(&[anvil.url(), liar.url()], 2);
    let station = home.start().await;
    station.make_hot_key().await;
    let account: Address = station.account().await;
    furnish(address, account).await;
    let asked = station.ask("desk", token_transfer(FRIEND, 7, 0)).await;
    let asked = if asked.stage.is_over() { asked } else { station.wait(&asked.request).await };
    assert_eq!(asked.stage, RequestStage::Denied);
    let codes: Vec<_> = reasons(&asked.decision.outcome).iter().map(|it| it.code()).collect();
    assert_eq!(codes, ["deny.simulation_unknown"]);
    let events = station.events().join("\n");
    assert!(events.contains("fact.simulation_unknown"), "{events}");
    assert!(matches!(asked.decision.outcome, Outcome::Deny { .. }));
    station.stop().await;
}
