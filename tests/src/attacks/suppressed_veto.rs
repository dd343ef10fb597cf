//! The veto never arrives, whichever door it is brought to (S9).
//!
//! A delay protects only while somebody can say no. The thieves have the host of the coordinator and one of four
//! nodes, the one that `eve` usually talks to. `dora`'s two ether wait for approvals and a delay; `ana` and `ben` will
//! be talked into it. `eve` vetoes: the coordinator throws the veto away and says that it is committed, and so does
//! the node.
//!
//! She sends it to another node, too: every node takes vetoes and freezes from people directly. In the twin's wiring
//! she has the coordinator and that one node.

use keystead_base::{Digest, RequestId, Secret};
use keystead_coordinator::HttpLimits;
use keystead_decision::{Decision, Entry, Outcome};
use keystead_intent::Veto;
use keystead_policy::{PolicyVersion, Reason};
use keystead_wire::{EntryAnswer, Hello, Identity, NodeClient, NodeReply, RequestStage, Role, Target};
use serde_json::json;

use super::suppressed_freeze::Front;
use crate::cluster::{NodeHome, Station, ether, signed};
use crate::fixture::{ETHER, FRIEND, name};
use crate::nodes::{height, keys_of, level, reaches, start_all};
use crate::theft::cashed;
use crate::{Impostor, Loot, edge};

/// Where a vetoer's client can send an order.
#[derive(Clone, Copy, Debug)]
pub struct Ways {
    every_node: bool,
}

/// The product's: the coordinator, and every node.
#[must_use]
pub fn any_node() -> Ways {
    Ways { every_node: true }
}

/// The naive product's: the coordinator, and the node that one was given.
#[must_use]
pub fn usual_ways() -> Ways {
    Ways { every_node: false }
}

/// Plays it, with these ways open to the vetoer.
pub async fn attack(ways: Ways) -> Loot {
    let stations = start_all(NodeHome::several(4, waits)).await;
    stations[0].make_hot_key().await;
    level(&stations).await;
    let asked = stations[3].ask("dora", ether(FRIEND, 2 * ETHER, 0)).await;
    assert_eq!(asked.stage, RequestStage::Waiting, "{asked:?}");
    let order = veto(&stations[2], &asked.request).await;
    dropped(&stations[1], &order, &asked.request).await;
    if ways.every_node {
        reaches(&stations[2], height(&stations[3]).await).await;
        stations[2].submit("eve", order).await;
    } else {
        stations[3].approve("ana", &asked.request).await;
        stations[3].approve("ben", &asked.request).await;
    }
    match cashed(&stations[3], &stations[3].wait(&asked.request).await).await {
        Ok(chain) => Loot::stolen(chain.balance(FRIEND), "wei after somebody had said no"),
        Err(refused) => refused,
    }
}

fn waits(policy: &mut PolicyVersion) {
    let row = policy.quorums.iter_mut().find(|row| row.id == name("large-two"));
    row.expect("a row").delay_seconds = DELAY_SECONDS;
}

/// Long enough that nothing is signed at once.
const DELAY_SECONDS: u64 = 2;

async fn veto(station: &Station, request: &RequestId) -> Entry {
    let veto = Veto {
        cluster: station.node.cluster(),
        request: *request,
        person: name("eve"),
        device: name("laptop"),
        expires: station.now().await.plus_seconds(600),
    };
    Entry::Veto(signed(veto, station.member("eve")))
}

/// She brings it to the coordinator and to the node in the thieves' hands, and both say that it is done.
async fn dropped(node: &Station, order: &Entry, request: &RequestId) {
    let forged = vec![EntryAnswer::Decided(vec![forged(node, request)])];
    let journal = tempfile::tempdir().expect("a folder");
    let target = node.target(node.member("desk"));
    let coordinator = edge::coordinator(target, HttpLimits::default(), journal.path()).await;
    let says = json!({ "answers": forged }).to_string();
    let front = Front::before(coordinator.address(), |it| matches!(it, Entry::Veto(_)), says).await;
    assert_eq!(front.submit(order).await, forged);

    let identity = Identity::from_seed(&Secret::new(keys_of(2).transport_seed)).expect("a seed");
    let hello = Hello::new(node.node.cluster(), Role::Node, 1);
    let deaf = Impostor::deaf(&identity, hello, NodeReply::Submitted(forged.clone())).await;
    let target = Target { address: deaf.address().to_owned(), ..node.target(node.member("eve")) };
    let client = NodeClient::connect(target).await.expect("the pinned node");
    assert_eq!(client.submit(vec![order.clone()]).await.expect("an answer"), forged);
}

/// The yes that nobody voted for.
fn forged(station: &Station, request: &RequestId) -> Decision {
    let reasons = vec![Reason::Vetoed { by: name("eve") }];
    Decision {
        cluster: station.node.cluster(),
        height: 99,
        subject: RequestId(Digest(request.0.0)),
        policy: station.home.genesis.genesis.policy.reference(),
        rules: Vec::new(),
        outcome: Outcome::Deny { class: None, reasons },
    }
}
