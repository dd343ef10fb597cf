//! A node that was away while others signed, and what is asked of it when it is back.

use keystead_node::{ChainConfig, EndpointConfig};
use keystead_tests::cluster::{NodeHome, Station, ether};
use keystead_tests::fixture::{CHAIN, FRIEND, name};
use keystead_tests::{Anvil, post, start_all};
use keystead_wire::RequestStage;
use serde_json::{Value, json};

/// Its vote is needed for a settlement, and it never heard of the signature that settled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d03_a_node_that_was_away_asks_for_the_signatures_that_a_settlement_is_about() {
    let anvil = Anvil::start(&["--hardfork", "osaka"]);
    let mut stations = cluster(&anvil.url()).await;
    stations[0].make_hot_key().await;
    let account = stations[0].account().await;
    rpc(&anvil, "anvil_setBalance", json!([account, "0x3635c9adc5dea00000"])).await;
    let away = stations.pop().unwrap().stop().await;
    let mut signed = Vec::new();
    for nonce in 0..3 {
        signed.push(stations[0].ask("desk", ether(FRIEND, 1, nonce)).await);
    }
    let back = away.start().await;
    votes(&back).await;
    stations.pop().unwrap().stop().await;
    for view in &signed {
        rpc(&anvil, "eth_sendRawTransaction", json!([view.signed.as_ref().unwrap().raw])).await;
    }
    for view in &signed {
        settles(&stations[0], view.request).await;
    }
    let objections: Vec<_> = back.events().into_iter().filter(|it| it.contains("fact.unknown")).collect();
    assert_eq!(objections, Vec::<String>::new());
}

/// Four nodes that look at this chain.
async fn cluster(url: &str) -> Vec<Station> {
    let mut homes = NodeHome::several(4, |_| {});
    for home in &mut homes {
        let endpoint = EndpointConfig { name: name("anvil"), url: url.to_owned(), ca: None };
        let (endpoints, confirmations) = (vec![endpoint], Some(1));
        home.config.chains = vec![ChainConfig { chain: CHAIN.0, agree: 1, endpoints, confirmations }];
        home.config.limits.settlement_seconds = 1;
    }
    start_all(homes).await
}

async fn votes(station: &Station) {
    while station.client("eve").await.status().await.unwrap().standing != "votes" {
        tokio::task::yield_now().await;
    }
}

async fn settles(station: &Station, request: keystead_base::RequestId) {
    let client = station.client("eve").await;
    while client.request(request).await.unwrap().unwrap().view.stage != RequestStage::Settled {
        tokio::task::yield_now().await;
    }
}

async fn rpc(anvil: &Anvil, method: &str, params: Value) {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let server = anvil.url().trim_start_matches("http://").parse().unwrap();
    let (_, answer) = post(server, "/", &body).await;
    assert!(!answer.contains("\"error\""), "{answer}");
}
