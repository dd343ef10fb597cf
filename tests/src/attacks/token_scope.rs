//! A reporting program's token is used to pay (A4).
//!
//! Codecov, 2021: whoever changed a script that ran in thousands of pipelines had every token that lay in them. What a pipeline's token is good
//! for is what the thief gets.
//!
//! The thieves hold the token of the program that counts payments every night. They ask for a payment by every way that the coordinator has,
//! and by ways that only look like one. The token is good for looking, and the door says so before a body is read. In the twin's
//! company all programs show the one token there is, and the cluster signs a payment that nobody ordered.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use keystead_base::{Secret, Timestamp};
use keystead_coordinator::{Doors, HttpLimits, Scope, Shelf, Token, TokenFile, TokenRecord};
use serde_json::{Value, json};

use crate::cluster::Station;
use crate::fixture::{CHAIN, ETHER, FRIEND, name};
use crate::world::gas;
use crate::{Loot, edge, http};

/// Which token the program was given.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    scoped: bool,
}

/// The product's: one that is good for looking, and ends.
#[must_use]
pub fn of_its_own() -> Given {
    Given { scoped: true }
}

/// The naive company's: the one that everybody has.
#[must_use]
pub fn of_everybody() -> Given {
    Given { scoped: false }
}

/// Plays it, with the token that the program was given.
pub async fn attack(given: Given) -> Loot {
    let station = Station::with_hot_key().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (doors, own) = doors(folder.path());
    let target = station.target(station.member("desk"));
    let server = edge::coordinator_behind(doors, target, None, HttpLimits::default(), folder.path()).await;
    let token = if given.scoped { own.expose().as_str() } else { WHOLE };
    let mut refusals = Vec::new();
    for (path, body) in ways() {
        let (status, answer) = http::post_as(server.address(), path, token, &body.to_string()).await;
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        if status == 201 && answer["stage"] == "signed" {
            return Loot::harmed(format!("a payment that nobody ordered, signed by way of {path}"));
        }
        refusals.push(answer["code"].as_str().unwrap_or("none").to_owned());
    }
    looks(server.address(), token).await;
    refusals.dedup();
    Loot::refused(refusals.join(" "))
}

/// What it was given for works: the refusals are about what was asked.
async fn looks(server: SocketAddr, token: &str) {
    let answer = http::get_as(server, "/v1/requests", token).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Every way to ask, and some that only look like one.
fn ways() -> [(&'static str, Value); 8] {
    let account = json!({"key": "hot", "index": 0});
    let amount = (ETHER / 2).to_string();
    let payment = json!({"transfer": {
        "account": account, "chain": CHAIN, "asset": "native", "to": FRIEND, "amount": amount, "gas": gas(0),
    }});
    let asked = json!({"action": payment});
    let call =
        json!({"jsonrpc": "2.0", "id": 1, "method": "eth_signTransaction", "params": [{"to": FRIEND}]});
    [
        ("/", call.clone()),
        ("//", call),
        ("/v1/entries", json!({"entries": ["00"]})),
        ("/v1/approvals", json!({"document": "00"})),
        ("/api/v1/eth1/sign/00", json!({"data": "0x00"})),
        ("/v1/requests/", asked.clone()),
        ("/v1/keys/../requests", asked.clone()),
        ("/v1/requests", asked),
    ]
}

fn doors(folder: &Path) -> (Doors, Secret<String>) {
    let (own, record) = TokenRecord::mint(
        name("reporting"),
        (vec![Scope::Read], Vec::new()),
        Timestamp(u64::MAX),
        &Secret::new([7; 32]),
    );
    let file = serde_json::to_vec(&TokenFile { tokens: vec![record] }).expect("JSON");
    let path = folder.join("tokens.json");
    std::fs::write(&path, file).expect("a folder");
    let shelf = Shelf::open(&path).expect("a file of tokens");
    let token = Token::new(WHOLE.as_bytes()).expect("a token");
    (Doors { token: Some(token), tokens: Some(Arc::new(shelf)), ..Doors::default() }, own)
}

const WHOLE: &str = "0123456789abcdef0123456789abcdef";
