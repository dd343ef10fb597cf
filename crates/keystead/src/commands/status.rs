//! `keystead status`: everything on one screen.

use keystead_wire::{ChainWatch, NodeStatus, PeerView, RequestView};
use serde_json::json;

use super::{Global, Session};
use crate::asking::standing;
use crate::failure::Failure;
use crate::output::{Report, strong};
use crate::table::Table;

pub(crate) async fn run(global: &Global) -> Result<Report, Failure> {
    let session = Session::open(global).await?;
    let status = session.link.status().await?;
    let open = session.link.open().await?;
    let text =
        [strong(&headline(&status)), overview(&status), super::key::table(&status.keys), waiting(&open)]
            .join("\n");
    Ok(Report::new(json!({"status": status, "open": open}), text))
}

fn headline(status: &NodeStatus) -> String {
    let frozen = match (status.frozen.everything, status.frozen.keys.len()) {
        (true, _) => "FROZEN, nothing signs".to_owned(),
        (false, 0) => "signing".to_owned(),
        (false, keys) => format!("signing, {keys} keys frozen"),
    };
    format!("{} · node {} · {frozen}", status.name, status.node)
}

fn overview(status: &NodeStatus) -> String {
    let mut table = Table::pairs();
    table
        .pair("cluster", status.cluster)
        .pair("log", format!("height {}, {}", status.height, status.time))
        .pair("policy", format!("version {}, {}", status.policy, status.policy_digest.short()))
        .pair(
            "nodes",
            format!(
                "{} of {} votes commit; withstands {} lying, {} down",
                status.quorum, status.nodes, status.withstands.lying, status.withstands.down
            ),
        )
        .pair("this node", &status.standing)
        .pair("requests", format!("{} wait, {} allowed and not final", status.open, status.unsettled))
        .pair(
            "signatures",
            format!(
                "{} since start {}, {} refused by the enclave",
                status.signatures, status.boot, status.refusals
            ),
        );
    for peer in &status.peers {
        table.pair(peer.name.as_str(), peer_words(peer, status.height));
    }
    for chain in &status.chains {
        let watch = match &chain.watch {
            ChainWatch::NotConfigured => {
                "no endpoint: nothing settles, reservations go on counting".to_owned()
            }
            ChainWatch::Agreed { head } => format!("head {head}"),
            ChainWatch::Unknown { text } => text.clone(),
        };
        table.pair(&format!("chain {}", chain.chain), watch);
    }
    let missing: Vec<_> =
        status.protections.iter().filter(|it| it.status != "on").map(|it| it.name.as_str()).collect();
    let enclave = match missing.is_empty() {
        true => "every protection is on".to_owned(),
        false => format!("not or partly on: {} (`keystead vault` says what is lost)", missing.join(", ")),
    };
    table.pair("enclave", enclave);
    table.render()
}

/// Another node in one line: whether it is there, how far it is, what it last disagreed about.
fn peer_words(peer: &PeerView, height: u64) -> String {
    let place = match (peer.reachable, peer.height) {
        (false, _) => "cannot be reached from here".to_owned(),
        (true, theirs) if theirs >= height => format!("height {theirs}"),
        (true, theirs) => format!("height {theirs}, {} behind", height - theirs),
    };
    match &peer.objection {
        Some(it) => format!("{place}; did not vote for a block at height {}: {}", it.height, it.refused),
        None => place,
    }
}

/// The requests that wait for people.
pub(crate) fn waiting(open: &[RequestView]) -> String {
    if open.is_empty() {
        return "nothing waits for people\n".to_owned();
    }
    let mut table = Table::new(&["request", "stands"]);
    for view in open {
        table.row([view.request.to_string(), standing(view)]);
    }
    table.render()
}
