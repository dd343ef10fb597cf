//! What became of signed transactions: settled, dead, or unknown, by the node's own endpoints.

use std::net::SocketAddr;
use std::sync::Arc;

use alloy_primitives::U256;
use keystead_decision::{Fate, Outcome};
use keystead_devnet::{Devnet, DevnetServer};
use keystead_node::{ChainConfig, EndpointConfig};
use keystead_tests::chainside::{anvil, asked, fund, head, mine, sends, steals};
use keystead_tests::cluster::{NodeHome, Station, ether};
use keystead_tests::fixture::{BIRTH, CHAIN, ETHER, FRIEND, TOKEN, name};
use keystead_tests::rehearsals::token_transfer;
use keystead_wire::{ChainWatch, NodeStatus, RequestStage, RequestView};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_a_transaction_settles_once_it_is_final_and_dies_when_its_nonce_is_gone() {
    let chain = devnet(CHAIN.0).await;
    let station = station(&[&chain], 1).await;
    let account = station.account().await;
    chain.chain().fund(account, U256::from(10 * ETHER));
    let first = station.ask("desk", ether(FRIEND, ETHER / 2, 0)).await;
    let second = station.ask("desk", ether(FRIEND, ETHER / 2, 1)).await;
    assert_eq!((first.stage, second.stage), (RequestStage::Signed, RequestStage::Signed));
    assert_eq!(station.client("eve").await.status().await.unwrap().unsettled, 2);

    // Somebody else's transaction takes the first nonce.
    chain.chain().set_nonce(account, 1);
    chain.chain().mine();
    until(&station, &first, RequestStage::Dead).await;
    assert_eq!(stage(&station, &second).await, RequestStage::Signed, "its nonce is still free");

    let payload = second.signed.clone().unwrap();
    let receipt = chain.chain().execute_raw(&payload.raw).unwrap();
    assert_eq!(receipt.hash.0, payload.transaction.unwrap().0);
    assert_eq!(until(&station, &second, RequestStage::Settled).await.signed, Some(payload));
    let status = station.client("eve").await.status().await.unwrap();
    assert_eq!(status.unsettled, 0);
    assert!(matches!(status.chains[0].watch, ChainWatch::Agreed { .. }), "{:?}", status.chains);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_nothing_settles_while_endpoints_disagree() {
    let (chain, other) = (devnet(CHAIN.0).await, devnet(CHAIN.0 + 1).await);
    let station = station(&[&chain, &other], 2).await;
    let account = station.account().await;
    chain.chain().fund(account, U256::from(10 * ETHER));
    let asked = station.ask("desk", ether(FRIEND, ETHER / 2, 0)).await;
    chain.chain().execute_raw(&asked.signed.as_ref().unwrap().raw).unwrap();
    loop {
        // The second look is over when the status is of one that began after the transaction was there.
        let status = station.client("eve").await.status().await.unwrap();
        if let ChainWatch::Unknown { text } = &status.chains[0].watch
            && text != "not looked at yet"
        {
            assert_eq!(status.unsettled, 1);
            break;
        }
    }
    assert_eq!(stage(&station, &asked).await, RequestStage::Signed);
}

/// A block is given up with two payments in it. One is sent again and settles; the other's nonce is taken by somebody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_what_a_chain_gives_up_is_reorged_and_counts_until_it_is_final_after_all() {
    let (chain, anvil) = anvil();
    let mut home = NodeHome::new();
    let endpoints = vec![EndpointConfig { name: name("anvil"), url: chain.url(), ca: None }];
    let confirmations = Some(FINAL);
    home.config.chains = vec![ChainConfig { chain: CHAIN.0, agree: 1, endpoints, confirmations }];
    home.config.limits.settlement_seconds = 1;
    let station = home.start().await;
    station.make_hot_key().await;
    let account = station.account().await;
    fund(anvil, account, 10 * ETHER).await;
    let first = station.ask("desk", ether(FRIEND, ETHER / 2, 0)).await;
    let second = station.ask("desk", ether(FRIEND, ETHER / 2, 1)).await;
    let raw = |view: &RequestView| view.signed.clone().unwrap().raw;
    let snapshot = asked(anvil, "evm_snapshot", json!([])).await;
    sends(anvil, &raw(&first)).await;
    sends(anvil, &raw(&second)).await;
    looked_twice(&station, anvil).await;
    assert_eq!(stage(&station, &first).await, RequestStage::Signed, "in a block, and not final");

    asked(anvil, "evm_revert", json!([snapshot])).await;
    until(&station, &first, RequestStage::Reorged).await;
    until(&station, &second, RequestStage::Reorged).await;
    let status = station.client("eve").await.status().await.unwrap();
    assert_eq!(status.unsettled, 2, "both count");
    let said = station.events().into_iter().filter(|it| it.contains("which had the transaction of")).count();
    assert_eq!(said, 2, "{:?}", station.events());

    sends(anvil, &raw(&first)).await;
    until(&station, &first, RequestStage::Signed).await;
    steals(anvil, account, FRIEND, 1).await;
    mine(anvil, FINAL).await;
    until(&station, &first, RequestStage::Settled).await;
    until(&station, &second, RequestStage::Dead).await;
    station.stop().await;
}

/// The token that is to be moved says no: the nonce is gone and the fee is paid, and nobody says that somebody was paid.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_a_transaction_that_fails_is_failed_and_not_settled() {
    let (chain, anvil) = anvil();
    let mut home = NodeHome::new();
    let endpoints = vec![EndpointConfig { name: name("anvil"), url: chain.url(), ca: None }];
    home.config.chains = vec![ChainConfig { chain: CHAIN.0, agree: 1, endpoints, confirmations: Some(1) }];
    home.config.limits.settlement_seconds = 1;
    let station = home.start().await;
    station.make_hot_key().await;
    fund(anvil, station.account().await, 10 * ETHER).await;
    asked(anvil, "anvil_setCode", json!([TOKEN, ALWAYS_REVERTS])).await;
    let failing = station.ask("desk", token_transfer(FRIEND, 1, 0)).await;
    sends(anvil, &failing.signed.clone().unwrap().raw).await;
    let ended = until(&station, &failing, RequestStage::Failed).await;
    assert_eq!(ended.signed, failing.signed);
    let transaction = failing.signed.unwrap().transaction.unwrap();
    assert_eq!(ended.decision.outcome, Outcome::Ended { fate: Fate::Reverted { transaction } });
    let status = station.client("eve").await.status().await.unwrap();
    assert_eq!(status.unsettled, 0);
    station.stop().await;
}

/// `PUSH0 PUSH0 REVERT`
const ALWAYS_REVERTS: &str = "0x5f5ffd";
/// More than the test gives up.
const FINAL: u64 = 10;

/// Until the node has looked at the chain as it is: a look begins with the head, and is over when the next one begins.
async fn looked_twice(station: &Station, anvil: SocketAddr) {
    let (client, newest) = (station.client("eve").await, head(anvil).await);
    for looks in 0..2 {
        let sees = |status: &NodeStatus| matches!(status.chains[0].watch, ChainWatch::Agreed { head } if head >= newest + looks);
        while !sees(&client.status().await.unwrap()) {}
        mine(anvil, 1).await;
    }
}

async fn devnet(chain: u64) -> DevnetServer {
    let time = BIRTH.seconds();
    let listen = "127.0.0.1:0".parse().unwrap();
    DevnetServer::start(listen, Devnet::new(chain, time), Arc::new(move || time + 1)).await.unwrap()
}

async fn station(chains: &[&DevnetServer], agree: usize) -> Station {
    let mut home = NodeHome::new();
    let endpoint = |(index, chain): (usize, &&DevnetServer)| EndpointConfig {
        name: name(&format!("endpoint-{index}")),
        url: chain.url(),
        ca: None,
    };
    let endpoints = chains.iter().enumerate().map(endpoint).collect();
    home.config.chains = vec![ChainConfig { chain: CHAIN.0, agree, endpoints, confirmations: Some(1) }];
    home.config.limits.settlement_seconds = 1;
    let station = home.start().await;
    station.make_hot_key().await;
    station
}

/// Asks until the request is there. The node looks at the chain every second.
async fn until(station: &Station, view: &RequestView, wanted: RequestStage) -> RequestView {
    let client = station.client("cleo").await;
    for _ in 0..30_000 {
        let found = client.request(view.request).await.unwrap().unwrap().view;
        if found.stage == wanted {
            return found;
        }
    }
    panic!("not {wanted:?}: {:?} {:?}", station.events(), client.status().await)
}

async fn stage(station: &Station, view: &RequestView) -> RequestStage {
    station.client("cleo").await.request(view.request).await.unwrap().unwrap().view.stage
}
