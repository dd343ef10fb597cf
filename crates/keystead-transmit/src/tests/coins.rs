//! Sources of coins that are broken or of another chain. What honest ones say is tested on a chain that is mined.

use bitcoin::hashes::Hash as _;
use bitcoin::{BlockHash, Network as Chain, OutPoint, Txid, constants};

use super::broken::{fake, http};
use super::*;
use crate::coins::{CoinSource, CoinView};

fn genesis(of: Chain) -> BlockHash {
    constants::genesis_block(of).block_hash()
}

fn esplora(url: &str) -> CoinSource {
    CoinSource::esplora("a".parse().unwrap(), url, Limits::default(), &Roots::System).unwrap()
}

fn core(url: &str, login: Option<std::path::PathBuf>) -> CoinSource {
    CoinSource::core("a".parse().unwrap(), url, Limits::default(), &Roots::System, login).unwrap()
}

fn view(source: CoinSource) -> CoinView {
    CoinView::new(genesis(Chain::Regtest), vec![source], 1).unwrap()
}

#[tokio::test]
async fn s08_a_source_of_another_chain_says_nothing() {
    let other = genesis(Chain::Bitcoin).to_string();
    let (plain, _task) = fake(http("200 OK", &other)).await;
    let (json, _task) = fake(http("200 OK", &format!(r#"{{"result":"{other}","error":null,"id":1}}"#))).await;
    // The second server answers the first question of a connection alone: each is asked by a view of its own.
    for open in [|plain: &str, _: &str| esplora(plain), |_: &str, json: &str| core(json, None)] {
        let view = || view(open(&plain, &json));
        let height = view().height().await.unwrap_err();
        let spent = view().is_spent(OutPoint { txid: Txid::all_zeros(), vout: 0 }).await.unwrap_err();
        for unknown in [height, spent] {
            assert_eq!(unknown.failures[0].1, EndpointError::WrongChain { found: other.clone() });
            assert_eq!(unknown.failures[0].1.code(), "endpoint.wrong_chain");
        }
    }
}

#[tokio::test]
async fn every_broken_source_has_its_error() {
    for (answer, code) in [
        (http("503 Service Unavailable", "busy"), "endpoint.status"),
        (http("404 Not Found", "Block not found"), "endpoint.malformed"),
        (http("400 Bad Request", "no"), "endpoint.rpc"),
        (http("200 OK", "<html>"), "endpoint.malformed"),
        (http("200 OK", ""), "endpoint.malformed"),
    ] {
        let (url, _task) = fake(answer.clone()).await;
        let unknown = view(esplora(&url)).height().await.unwrap_err();
        assert_eq!(unknown.failures[0].1.code(), code, "{answer}");
    }
    for (answer, code) in [
        (http("401 Unauthorized", ""), "endpoint.status"),
        (http("200 OK", r#"{"result":7,"error":null,"id":1}"#), "endpoint.malformed"),
        (
            http("500 Internal Server Error", r#"{"result":null,"error":{"code":-28,"message":"x"},"id":1}"#),
            "endpoint.rpc",
        ),
    ] {
        let (url, _task) = fake(answer.clone()).await;
        let unknown = view(core(&url, None)).height().await.unwrap_err();
        assert_eq!(unknown.failures[0].1.code(), code, "{answer}");
    }
    let nowhere = core("http://127.0.0.1:1", Some("/nowhere/.cookie".into()));
    let unknown = view(nowhere).height().await.unwrap_err();
    assert_eq!(unknown.failures[0].1.code(), "endpoint.login");
}
