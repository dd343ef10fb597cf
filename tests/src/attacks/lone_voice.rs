//! A liar answers a shop's question about a payment, while the others are silent (A1).
//!
//! Kelp's lesson for whoever only reads: a shop asks the wallet's JSON-RPC whether it was paid, and hands over the goods.
//! The thief never paid. Two of the coordinator's three endpoints are made silent, and the third, the thief's, has a
//! receipt, a transaction and a balance that nobody else has.
//!
//! Nothing was signed, so nothing of the log's stands in the way: what is read has to be agreed by itself. The twin goes on
//! with whoever still answers.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use alloy_primitives::{B256, U256, hex};
use keystead_coordinator::HttpLimits;
use keystead_transmit::{ChainView, Endpoint, Finality, Limits, Roots};
use serde_json::{Value, json};

use crate::chainside::anvil;
use crate::fixture::{CHAIN, ETHER, FRIEND, name};
use crate::twisted::Twisted;
use crate::{Loot, edge, http};

/// How the coordinator asks its endpoints.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    agree: usize,
    of: usize,
}

/// The product's: two of three.
#[must_use]
pub fn two_of_three() -> Asked {
    Asked { agree: 2, of: 3 }
}

/// The naive product's, once two of its endpoints are down: whoever still answers.
#[must_use]
pub fn failover() -> Asked {
    Asked { agree: 1, of: 1 }
}

/// Plays it: the shop looks for the receipt of a transaction that never was, and at its balance.
///
/// # Panics
///
/// When a service of the test fails.
pub async fn attack(asked: Asked, folder: &Path) -> Loot {
    let (_chain, anvil) = anvil();
    let liar = Twisted::before(anvil, Arc::new(lie)).await;
    let others = [Twisted::honest(anvil).await, Twisted::honest(anvil).await];
    let urls = [liar.url(), others[0].url(), others[1].url()];
    let endpoint = |(index, url): (usize, &String)| {
        let name = name(&format!("endpoint-{index}"));
        Endpoint::new(name, url, Limits::default(), &Roots::System).expect("a URL")
    };
    let endpoints = urls.iter().enumerate().map(endpoint).take(asked.of).collect();
    let view = ChainView::new(CHAIN.0, endpoints, asked.agree, Finality::Confirmations(1)).expect("a quorum");
    let server = edge::coordinator_of(edge::nowhere(), Some(view), HttpLimits::default(), folder).await;
    others.iter().for_each(|it| it.silence(true));
    let receipt = ask(server.address(), "eth_getTransactionReceipt", json!([PAYMENT])).await;
    let balance =
        ask(server.address(), "eth_getBalance", json!([hex::encode_prefixed(FRIEND), "latest"])).await;
    match (receipt["result"]["status"] == "0x1", balance["result"] == json!(PRICE)) {
        (false, false) if code(&receipt) == code(&balance) => Loot::refused(code(&receipt)),
        (false, false) => Loot::refused(format!("{receipt}, {balance}")),
        (_, _) => Loot::stolen(U256::from(ETHER), "wei of goods that nobody paid for"),
    }
}

/// The liar's chain: the payment is in a block.
fn lie(method: &str, result: &mut Value) {
    match method {
        "eth_getTransactionReceipt" => {
            *result = json!({"transactionHash": PAYMENT, "status": "0x1", "blockNumber": "0x0"});
        }
        "eth_getBalance" => *result = json!(PRICE),
        _ => {}
    }
}

fn code(answer: &Value) -> &str {
    answer["error"]["data"]["code"].as_str().unwrap_or_default()
}

async fn ask(address: SocketAddr, method: &str, params: Value) -> Value {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let (_, answer) = http::post(address, "/", &call.to_string()).await;
    serde_json::from_str(&answer).expect("JSON")
}

/// The hash of a transaction that is in no block.
const PAYMENT: B256 = B256::repeat_byte(0x5a);
/// An ether, as a quantity.
const PRICE: &str = "0xde0b6b3a7640000";
