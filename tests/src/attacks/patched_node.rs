//! A node is patched to approve everything (S3).
//!
//! Whoever ships the program to a machine decides what it does there. Here the thieves have changed the build of
//! some of four nodes: it denies nothing, asks for nobody's approval and counts nothing. One of them leads the
//! log, and one is the home of the key. They hold the desk's key, too, and ask for a hundred ether to an address
//! that nobody knows.
//!
//! One such node is outvoted: the others compute the block themselves, object, and deny the request; it ends,
//! because the quorum commits what it finds wrong. Two of four stop the log, and that is all. Three are a quorum:
//! no control is left out of the product then, only the number of nodes that a cluster relies on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keystead_base::{Name, RequestId};
use keystead_decision::{Controls, Entry, Frozen, State, Strict as Product};
use keystead_intent::Slot;
use keystead_policy::{Charge, Engine, Question, Reason, Requirement, Ruling};
use keystead_quorum::Strict;
use keystead_wire::RequestStage;

use crate::Loot;
use crate::cluster::{NodeHome, Station, ether};
use crate::fixture::{ETHER, FRIEND};
use crate::nodes::{height, level, start_all};
use crate::theft::{STRICT_CHECKS, THIEF, cashed};

/// So many as four nodes withstand.
#[must_use]
pub fn tolerated() -> u8 {
    1
}

/// So many as make a quorum of four: the twin.
#[must_use]
pub fn quorum() -> u8 {
    3
}

/// Plays it, with so many patched nodes of four.
pub async fn attack(patched: u8) -> Loot {
    let patch = ApprovesEverything::default();
    let stations = cluster(NodeHome::several(4, |_| {}), patched, &patch).await;
    let honest = stations.last().expect("four nodes");
    patch.ship();
    let intent = honest.intent("desk", ether(THIEF, 100 * ETHER, 0), honest.now().await);
    let entry = honest.entry(vec![intent.clone()]);
    submit(&stations[0], entry.clone()).await;
    match patched {
        0..=1 => {
            let denied = honest.submit_request("desk", entry).await;
            assert_eq!(denied.stage, RequestStage::Denied, "{denied:?}");
            somebody_objected(honest).await;
            let small = honest.ask("desk", ether(FRIEND, ETHER / 10, 0)).await;
            assert_eq!(small.stage, RequestStage::Signed, "the honest ones go on: {small:?}");
            Loot::decided(&denied.decision.outcome)
        }
        2 => stalled(honest).await,
        _ => match cashed(&stations[1], &stations[1].submit_request("desk", entry).await).await {
            Ok(chain) => Loot::stolen(chain.balance(THIEF), "wei that three patched nodes agreed to"),
            Err(refused) => refused,
        },
    }
}

/// Nodes, of which the first run the patched build; the second is the home of the key, or the only one.
pub(crate) async fn cluster(
    mut homes: Vec<NodeHome>,
    patched: u8,
    patch: &ApprovesEverything,
) -> Vec<Station> {
    let honest = homes.split_off(usize::from(patched));
    let starts: Vec<_> =
        homes.into_iter().map(|home| tokio::spawn(home.start_under(patch.clone()))).collect();
    let rest = start_all(honest).await;
    let mut stations = Vec::new();
    for start in starts {
        stations.push(start.await.expect("a node that starts"));
    }
    stations.extend(rest);
    match stations.get(1) {
        Some(home) => home.make_hot_key_at("node-2").await,
        None => stations[0].make_hot_key().await,
    }
    level(&stations).await;
    stations
}

/// Hands an entry to a node, and does not wait for what comes of it.
async fn submit(station: &Station, entry: Entry) {
    let client = station.client("desk").await;
    tokio::spawn(async move { client.submit(vec![entry]).await });
}

/// `status` shows who does not vote for what, and why.
async fn somebody_objected(station: &Station) {
    let status = station.client("eve").await.status().await.expect("a status");
    let objections: Vec<_> = status.peers.iter().filter_map(|it| it.objection.as_ref()).collect();
    assert!(objections.iter().any(|it| it.refused.code == "block.header"), "{:?}", status.peers);
}

/// Each of the four has proposed, and nothing is decided: not even the denial.
async fn stalled(station: &Station) -> Loot {
    let (client, before) = (station.client("eve").await, height(station).await);
    while client.status().await.expect("a status").round.is_none_or(|round| round < 4) {
        tokio::task::yield_now().await;
    }
    assert_eq!(height(station).await, before, "two of four commit nothing");
    Loot::harmed("the log stands still until one of the two is mended or replaced")
}

/// The patched build: as the product until it is shipped, and without any control from then on.
#[derive(Clone, Debug, Default)]
pub struct ApprovesEverything(Arc<AtomicBool>);

impl ApprovesEverything {
    /// The machines load it.
    pub(crate) fn ship(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_shipped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Controls for ApprovesEverything {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn rule(&self, engine: &Engine, question: &Question<'_>) -> Ruling {
        if !self.is_shipped() {
            return engine.decide(question);
        }
        Ruling::Pass { requirement: Requirement::default(), charges: Vec::new(), rules: Vec::new() }
    }

    fn slot(
        &self,
        state: &State,
        slot: &Slot,
        asks: &RequestId,
        replaces: Option<&RequestId>,
    ) -> Result<(), Reason> {
        if self.is_shipped() { Ok(()) } else { Product::default().slot(state, slot, asks, replaces) }
    }

    fn window(&self, state: &State, charge: &Charge) -> Result<(), Reason> {
        if self.is_shipped() { Ok(()) } else { Product::default().window(state, charge) }
    }

    fn frozen(&self, frozen: &Frozen, key: &Name) -> bool {
        !self.is_shipped() && frozen.holds(key)
    }
}
