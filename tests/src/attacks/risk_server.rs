//! The servers that decide are changed, and no key leaves (S2, S3).
//!
//! BigONE, 16 July 2025, about 27 million dollars: by the exchange's and its investigators' account, attackers got into
//! the production network and changed how the servers for accounts and risk control worked, so that withdrawals were let
//! through; no private key was leaked. The keys did as they were told by the machine that was there to say no.
//!
//! Here the thieves change the server that decides and the coordinator before it, whose key they have, too. They ask
//! for a hundred ether to an address that nobody knows. Among four nodes the changed server is one, and the others
//! decide for themselves from the request. The twin has the one server.

use keystead_base::Canonical as _;
use keystead_coordinator::HttpLimits;
use keystead_wire::RequestStage;
use serde_json::json;

use super::patched_node::{self, ApprovesEverything};
use crate::cluster::{NodeHome, ether};
use crate::fixture::ETHER;
use crate::theft::{THIEF, cashed};
use crate::{Loot, edge, http};

/// The default cluster.
#[must_use]
pub fn four_nodes() -> u8 {
    4
}

/// One server that decides for all.
#[must_use]
pub fn one_server() -> u8 {
    1
}

/// Plays it, with so many nodes.
pub async fn attack(nodes: u8) -> Loot {
    let patch = ApprovesEverything::default();
    let stations = patched_node::cluster(NodeHome::several(nodes, |_| {}), 1, &patch).await;
    let journal = tempfile::tempdir().expect("a folder");
    let target = stations[0].target(stations[0].member("desk"));
    let coordinator = edge::coordinator(target, HttpLimits::default(), journal.path()).await;
    patch.ship();
    let decides = stations.last().expect("a node");
    let intent = decides.intent("desk", ether(THIEF, 100 * ETHER, 0), decides.now().await);
    let entry = decides.entry(vec![intent]);
    let body = json!({"entries": [const_hex::encode(entry.to_document())]}).to_string();
    let address = coordinator.address();
    tokio::spawn(async move { http::post(address, "/v1/entries", &body).await });
    let view = decides.submit_request("desk", entry).await;
    assert!(nodes == 1 || view.stage == RequestStage::Denied, "{view:?}");
    match cashed(decides, &view).await {
        Ok(chain) => Loot::stolen(chain.balance(THIEF), "wei that the changed server let through"),
        Err(refused) => refused,
    }
}
