//! What became of signed transactions: settled, dead, or unknown, by the node's own endpoints.

use std::sync::Arc;

use alloy_primitives::U256;
use keystead_devnet::{Devnet, DevnetServer};
use keystead_node::{ChainConfig, EndpointConfig};
use keystead_tests::cluster::{NodeHome, Station, ether};
use keystead_tests::fixture::{BIRTH, CHAIN, ETHER, FRIEND, name};
use keystead_wire::{ChainWatch, RequestStage, RequestView};

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
