//! A token is stolen from where a program keeps it (A6).
//!
//! CircleCI, 2023: what a thief took from one laptop was good anywhere. A token is bytes, and bytes are copied.
//!
//! The thief has the payout program's token, word for word, and a certificate of their own; the program's key stays where it
//! was. The token is bound to that key, and every connection has to prove it. In the twin's company the token is enough.

use std::path::Path;
use std::sync::Arc;

use keystead_base::{Secret, Timestamp};
use keystead_coordinator::{Doors, HttpLimits, Scope, Shelf, Tls, TokenFile, TokenRecord, certificate_key};
use serde_json::{Value, json};

use crate::cluster::Station;
use crate::fixture::{CHAIN, ETHER, FRIEND, name};
use crate::pki::{P256, certificate, curl};
use crate::world::gas;
use crate::{Loot, edge};

/// What the token asks for beside itself.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    bound: bool,
}

/// The product's: the key of its program's certificate.
#[must_use]
pub fn bound() -> Token {
    Token { bound: true }
}

/// The naive company's: nothing.
#[must_use]
pub fn of_whoever_has_it() -> Token {
    Token { bound: false }
}

/// Plays it.
pub async fn attack(given: Token) -> Loot {
    let station = Station::with_hot_key().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (doors, token) = doors(folder.path(), given);
    let target = station.target(station.member("desk"));
    let server = edge::coordinator_behind(doors, target, None, HttpLimits::default(), folder.path()).await;
    let pays = |who: &'static str, amount: u128| {
        let url = format!("{}/v1/requests", server.url());
        let (folder, token) = (folder.path().to_owned(), token.expose().clone());
        tokio::task::spawn_blocking(move || pay(&folder, &url, &token, who, amount))
    };
    let (status, answer) = pays("thief", ETHER / 2).await.expect("an answer");
    if status == 201 && answer["stage"] == "signed" {
        return Loot::harmed("a payment that nobody ordered, with a token that was copied");
    }
    // The program itself pays on.
    let (status, own) = pays("program", ETHER / 4).await.expect("an answer");
    assert_eq!((status, &own["stage"]), (201, &json!("signed")), "{own}");
    Loot::refused(answer["code"].as_str().unwrap_or("none"))
}

fn pay(folder: &Path, url: &str, token: &str, who: &str, amount: u128) -> (u16, Value) {
    let account = json!({"key": "hot", "index": 0});
    let payment = json!({"transfer": {
        "account": account, "chain": CHAIN, "asset": "native", "to": FRIEND, "amount": amount.to_string(), "gas": gas(0),
    }});
    let at = |name: String| folder.join(name).to_string_lossy().into_owned();
    let (status, answer) = curl(&[
        "--cacert",
        &at("server.pem".to_owned()),
        "--cert",
        &at(format!("{who}.pem")),
        "--key",
        &at(format!("{who}.key")),
        "--header",
        &format!("authorization: Bearer {token}"),
        "--header",
        "content-type: application/json",
        "--data",
        &json!({"action": payment}).to_string(),
        url,
    ]);
    (status, serde_json::from_str(&answer).unwrap_or_default())
}

fn doors(folder: &Path, given: Token) -> (Doors, Secret<String>) {
    let (server, key) = certificate(folder, "server", &P256);
    let (program, _) = certificate(folder, "program", &P256);
    certificate(folder, "thief", &P256);
    let what = (vec![Scope::Request], Vec::new());
    let (token, record) =
        TokenRecord::mint(name("payouts"), what, Timestamp(u64::MAX), &Secret::new([7; 32]));
    let record = match given.bound {
        true => record.bound_to(certificate_key(&program).expect("a certificate")),
        false => record,
    };
    let file = serde_json::to_vec(&TokenFile { tokens: vec![record] }).expect("JSON");
    let path = folder.join("tokens.json");
    std::fs::write(&path, file).expect("a folder");
    let shelf = Shelf::open(&path).expect("a file of tokens");
    let tls = Some(Tls::open(&server, &key).expect("a certificate"));
    (Doors { tokens: Some(Arc::new(shelf)), tls, ..Doors::default() }, token)
}
