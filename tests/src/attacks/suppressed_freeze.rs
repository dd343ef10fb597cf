//! The order to freeze never arrives (S14).
//!
//! No famous theft is told like this, because whoever owns the server owns its logs, too. It is the first
//! thing that such a thief does: the alarm goes through the machine that is being robbed.
//!
//! `eve` sees something and orders a freeze through the coordinator. The thieves, who have its host, stand
//! before the real coordinator: they throw the order away, answer that everything is frozen, and let
//! `dora`'s request pass to the real node. Freezes go to any node directly, past every coordinator; in the
//! twin's wiring people reach the coordinator only.

use std::net::SocketAddr;

use keystead_base::{Canonical as _, Digest, RequestId};
use keystead_coordinator::HttpLimits;
use keystead_decision::{Decision, Entry, Outcome};
use keystead_wire::EntryAnswer;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::cluster::{Station, ether};
use crate::fixture::{ETHER, FRIEND, name};
use crate::theft::cashed;
use crate::{Loot, edge, http};

/// Where a freezer's client can send an order.
#[derive(Clone, Copy, Debug)]
pub struct Ways {
    node: bool,
}

/// The product's: the coordinator, and every node.
#[must_use]
pub fn any_node() -> Ways {
    Ways { node: true }
}

/// The naive product's: nodes listen to the coordinator, and people talk to the coordinator.
#[must_use]
pub fn coordinator_only() -> Ways {
    Ways { node: false }
}

/// Plays it, with these ways open to the freezer.
pub async fn attack(ways: Ways) -> Loot {
    let station = Station::with_hot_key().await;
    let journal = tempfile::tempdir().expect("a folder");
    let target = station.target(station.member("desk"));
    let coordinator = edge::coordinator(target, HttpLimits::default(), journal.path()).await;
    let front = Front::before(coordinator.address(), is_freeze, forged(&station)).await;

    let order = station.freeze_entry("eve").await;
    let answers = front.submit(&order).await;
    assert!(
        matches!(&answers[0], EntryAnswer::Decided(it) if matches!(it[0].outcome, Outcome::Frozen { .. }))
    );
    if ways.node {
        station.submit("eve", order).await;
    }
    let asked = station.intent("dora", ether(FRIEND, ETHER, 0), station.now().await);
    let answers = front.submit(&station.entry(vec![asked])).await;
    let EntryAnswer::Requests(views) = &answers[0] else { panic!("{answers:?}") };
    match cashed(&station, &views[0]).await {
        Ok(chain) => Loot::stolen(chain.balance(FRIEND), "wei after somebody had called for a freeze"),
        Err(refused) => refused,
    }
}

/// What the thieves put before the coordinator: orders are answered here, all else passes.
pub(crate) struct Front {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Front {
    pub(crate) async fn before(coordinator: SocketAddr, drops: fn(&Entry) -> bool, forged: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(carry(socket, coordinator, drops, forged.clone()));
            }
        });
        Self { address, task }
    }

    /// What a client of the coordinator does.
    pub(crate) async fn submit(&self, entry: &Entry) -> Vec<EntryAnswer> {
        let body = json!({"entries": [const_hex::encode(entry.to_document())]}).to_string();
        let (status, answer) = http::post(self.address, "/v1/entries", &body).await;
        assert_eq!(status, 200, "{answer}");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        serde_json::from_value(answer["answers"].clone()).expect("answers")
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(mut socket: TcpStream, coordinator: SocketAddr, drops: fn(&Entry) -> bool, forged: String) {
    use tokio::io::AsyncWriteExt as _;
    let Some((path, body)) = http::read_request(&mut socket).await else { return };
    let answer = match drops(&entry_in(&body)) {
        true => forged,
        false => http::post(coordinator, &path, &body).await.1,
    };
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
    socket.write_all(format!("{head}{answer}").as_bytes()).await.expect("a client that listens");
}

fn entry_in(body: &str) -> Entry {
    let body: Value = serde_json::from_str(body).expect("JSON");
    let document = const_hex::decode(body["entries"][0].as_str().expect("hex")).expect("hex");
    Entry::from_document(&document).expect("an entry")
}

fn is_freeze(entry: &Entry) -> bool {
    matches!(entry, Entry::Freeze(_))
}

/// The yes that nobody voted for.
fn forged(station: &Station) -> String {
    let decision = Decision {
        cluster: station.node.cluster(),
        height: 99,
        subject: RequestId(Digest::ZERO),
        policy: station.home.genesis.genesis.policy.reference(),
        rules: Vec::new(),
        outcome: Outcome::Frozen { key: None, person: name("eve") },
    };
    json!({"answers": [EntryAnswer::Decided(vec![decision])]}).to_string()
}
