//! The server that an approver asks lies about what it would sign (S2, S11).
//!
//! Bybit, 21 February 2025: the owners' screens were served by a machine of the wallet's maker that the
//! thieves had changed. The page showed the routine transfer and handed other bytes to the devices.
//!
//! Here the thieves hold a node's connections, pinned key and all, and stand in front of the real node.
//! `dora`'s nine ether wait in its log. Asked for that request they show it with two ether
//! ([`Lie::Payload`]); or the honest request for two ether is asked for, shown as it is, and the number
//! and digest beside it are those of the nine ([`Lie::Digest`]). The product's client refuses both; the
//! twin signs the server's number and digest.

use std::sync::Arc;

use keystead_base::{Digest, RequestId, Secret};
use keystead_decision::Entry;
use keystead_intent::{Action, Approval, Intent, Verdict};
use keystead_policy::PolicyVersion;
use keystead_wire::{Identity, NodeClient, NodeReply, RequestDetail, Target};

use super::rewritten_request::{self, Review};
use crate::Loot;
use crate::cluster::{Station, ether, signed};
use crate::fixture::{ETHER, FRIEND, Member, name};
use crate::impostor::Impostor;
use crate::theft::cashed;

/// What the server lies about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// The request itself: the number is the thieves', the payload looks harmless.
    Payload,
    /// Number and digest: the payload is the honest one's.
    Digest,
}

/// The naive client's way: number and digest are the server's.
///
/// # Errors
///
/// As [`rewritten_request::believed`].
pub fn believed(
    asked: RequestId,
    sent: &RequestDetail,
    policy: &PolicyVersion,
) -> Result<(RequestId, Digest), String> {
    rewritten_request::believed(asked, sent, policy)
}

/// Plays it, with this client on the approvers' side.
pub async fn attack(lie: Lie, review: Review) -> Loot {
    let station = Station::with_hot_key().await;
    let honest = station.ask("desk", ether(FRIEND, 2 * ETHER, 0)).await.request;
    let nine = station.ask("dora", ether(FRIEND, 9 * ETHER, 0)).await.request;
    let impostor = impostor(&station, lie, nine).await;
    let asked = match lie {
        Lie::Payload => nine,
        Lie::Digest => honest,
    };
    for who in ["ana", "ben"] {
        if let Err(code) = approve(&station, &impostor, who, asked, review).await {
            return Loot::refused(code);
        }
    }
    match cashed(&station, &station.wait(&nine).await).await {
        Ok(chain) => Loot::stolen(chain.balance(FRIEND), "wei, and two ether were approved"),
        Err(refused) => refused,
    }
}

async fn impostor(station: &Station, lie: Lie, nine: RequestId) -> Impostor {
    let node = &station.home.desk.nodes[0];
    let identity = Identity::from_seed(&Secret::new(node.transport_seed)).expect("a seed");
    let truth = station.client("dora").await.request(nine).await.expect("an answer").expect("a request");
    let tell = move |reply: NodeReply| match reply {
        NodeReply::Request(Some(detail)) => NodeReply::Request(Some(Box::new(told(lie, *detail, &truth)))),
        other => other,
    };
    Impostor::start(&identity, station.target(station.member("desk")), Arc::new(tell)).await
}

fn told(lie: Lie, asked: RequestDetail, nine: &RequestDetail) -> RequestDetail {
    match lie {
        Lie::Payload => {
            let intent = Intent { action: ether(FRIEND, 2 * ETHER, 0), ..asked.intent.clone() };
            RequestDetail { intent, ..asked }
        }
        Lie::Digest => RequestDetail { view: nine.view.clone(), decisions: nine.decisions.clone(), ..asked },
    }
}

/// What one approver does: asks the server, reads, and signs what the client says.
async fn approve(
    station: &Station,
    impostor: &Impostor,
    who: &str,
    asked: RequestId,
    review: Review,
) -> Result<(), String> {
    let member = station.member(who);
    let server = NodeClient::connect(target(station, member, impostor)).await.expect("a pinned server");
    let sent = server.request(asked).await.expect("an answer").expect("a request");
    assert!(reads_two(&sent.intent.action), "the people agree to two ether");
    let policy = &station.home.genesis.genesis.policy;
    let (request, signing_digest) = review(asked, &sent, policy)?;
    let approval = Approval {
        cluster: station.node.cluster(),
        request,
        signing_digest,
        policy_version: policy.number,
        verdict: Verdict::Approve,
        person: name(who),
        device: name("laptop"),
        expires: station.now().await.plus_seconds(600),
    };
    let entry = Entry::Approval(signed(approval, member));
    server.submit(vec![entry]).await.map(drop).map_err(|error| error.to_string())
}

fn target(station: &Station, member: &Member, impostor: &Impostor) -> Target {
    Target { address: impostor.address().to_owned(), ..station.target(member) }
}

fn reads_two(action: &Action) -> bool {
    matches!(action, Action::Transfer(it) if it.amount == (2 * ETHER).into())
}
