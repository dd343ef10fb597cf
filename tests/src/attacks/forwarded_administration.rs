//! An endpoint's own administration, reached through the coordinator (A1, A5).
//!
//! Nodes of chains have methods for their operators: they unlock accounts, send in somebody's name, rewrite
//! the state, fork from an address that the caller names. Operators close them to the network, and leave them open to
//! programs of the same machine; the wallet is one of those.
//!
//! The thief may speak to the coordinator and asks it for `anvil_setBalance` and its like. The product passes on
//! methods that read, by name. The twin passes on whatever is not its own: it is as good as the endpoint itself.

use std::net::SocketAddr;
use std::path::Path;

use alloy_primitives::{U256, hex};
use keystead_coordinator::{HttpLimits, HttpServer};
use keystead_transmit::{ChainView, Endpoint, Finality, Limits, Roots};
use serde_json::{Value, json};

use crate::fixture::{CHAIN, ETHER, name};
use crate::theft::THIEF;
use crate::{Anvil, Loot, edge, http};

/// What the thief speaks to.
pub struct Gate {
    address: SocketAddr,
    _server: Option<HttpServer>,
}

/// The product's coordinator before this chain.
pub async fn reads(chain: &Anvil, folder: &Path) -> Gate {
    let endpoint = Endpoint::new(name("local"), &chain.url(), Limits::default(), &Roots::System);
    let endpoints = vec![endpoint.expect("a URL")];
    let view = ChainView::new(CHAIN.0, endpoints, 1, Finality::Confirmations(1)).expect("one of one");
    let server = edge::coordinator_of(edge::nowhere(), Some(view), HttpLimits::default(), folder).await;
    Gate { address: server.address(), _server: Some(server) }
}

/// The naive one: everything that it does not know goes to the endpoint, so this is the endpoint.
#[must_use]
pub fn everything(chain: &Anvil) -> Gate {
    let address = chain.url().trim_start_matches("http://").parse().expect("an address");
    Gate { address, _server: None }
}

/// Plays it.
pub async fn attack(gate: &Gate) -> Loot {
    let thief = hex::encode_prefixed(THIEF);
    let before = balance(gate).await;
    let much = format!("{ETHER:#x}");
    let mut refusals = Vec::new();
    for (method, params) in [
        ("anvil_setBalance", json!([thief, much])),
        ("hardhat_setBalance", json!([thief, much])),
        ("anvil_impersonateAccount", json!([thief])),
        ("evm_mine", json!([])),
        ("debug_traceTransaction", json!([])),
        ("anvil_reset", json!([{"forking": {"jsonRpcUrl": "http://127.0.0.1:1/"}}])),
    ] {
        let answer = ask(gate, method, params).await;
        refusals.extend(answer["error"]["data"]["code"].as_str().map(str::to_owned));
    }
    refusals.dedup();
    match balance(gate).await.checked_sub(before).filter(|gained| !gained.is_zero()) {
        Some(gained) => Loot::stolen(gained, "wei out of nothing"),
        None => Loot::refused(refusals.join(", ")),
    }
}

/// What reads is passed on, also for a thief.
async fn balance(gate: &Gate) -> U256 {
    let answer = ask(gate, "eth_getBalance", json!([hex::encode_prefixed(THIEF), "latest"])).await;
    let digits = answer["result"].as_str().unwrap_or_else(|| panic!("{answer}"));
    U256::from_str_radix(digits.trim_start_matches("0x"), 16).expect("a quantity")
}

async fn ask(gate: &Gate, method: &str, params: Value) -> Value {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let (_, answer) = http::post(gate.address, "/", &call.to_string()).await;
    serde_json::from_str(&answer).expect("JSON")
}
