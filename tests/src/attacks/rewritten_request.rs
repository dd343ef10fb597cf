//! The approver's screen shows another request than the one that is approved (S2, S11).
//!
//! WazirX, 18 July 2024: what the signers' interface showed and what their devices signed were two
//! transactions; 235 million dollars left. The same at Bybit half a year later.
//!
//! The coordinator owns the database. The insider's request moves nine ether; what the approvers are
//! sent is the same request with two. The product's client builds the bytes itself from what it shows,
//! and compares number and digest with what it is asked to approve; the twin believes the server's.
//!
//! The client is part of the binary, `crates/keystead/src/reading.rs`, and no test can link it:
//! [`recomputed`] repeats its two comparisons. What the log makes of a client that computes and does not
//! compare is the product's own: [`computed_only`] approves a request that nobody made.

use alloy_primitives::Address;
use keystead_base::{Digest, RequestId};
use keystead_chain::{AssetIndex, build, describe, explain};
use keystead_decision::{Outcome, Strict};
use keystead_intent::{Action, Approval, Intent};

use crate::Loot;
use crate::fixture::{ETHER, FRIEND};
use crate::theft::executed;
use crate::world::{World, outcome_of};

/// What the coordinator sends to an approver.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The request, as the screen shows it.
    pub intent: Intent,
    /// Its number, as the coordinator says.
    pub request: RequestId,
    /// The digest to approve, as the coordinator says.
    pub signing_digest: Digest,
}

/// What the approver's client puts under the signature, or the code of its refusal.
pub type Review = fn(&Sent, Address) -> Result<(RequestId, Digest), String>;

/// The product's way: number and digest are those of what is shown.
///
/// # Errors
///
/// The code of the first difference.
pub fn recomputed(sent: &Sent, account: Address) -> Result<(RequestId, Digest), String> {
    let unsigned = build(&sent.intent.action, account).map_err(|error| error.to_string())?;
    let (request, digest) = (sent.intent.id(), unsigned.signing_digest());
    match (request == sent.request, digest == sent.signing_digest) {
        (false, _) => Err("review.request".to_owned()),
        (true, false) => Err("review.digest".to_owned()),
        (true, true) => Ok((request, digest)),
    }
}

/// Half of the product's way: nothing of the server's is signed, and nothing of it is compared.
///
/// # Errors
///
/// What the builder says.
pub fn computed_only(sent: &Sent, account: Address) -> Result<(RequestId, Digest), String> {
    let unsigned = build(&sent.intent.action, account).map_err(|error| error.to_string())?;
    Ok((sent.intent.id(), unsigned.signing_digest()))
}

/// The naive way: the server knows.
///
/// # Errors
///
/// None.
pub fn believed(sent: &Sent, _: Address) -> Result<(RequestId, Digest), String> {
    Ok((sent.request, sent.signing_digest))
}

/// Plays it, with this client on the approvers' side.
pub fn attack(review: Review) -> Loot {
    let mut world = World::new(Strict::default());
    let intent = world.intent("dora", world.ether(FRIEND, 9 * ETHER, 0));
    let id = intent.id();
    world.commit(vec![world.requests(vec![intent.clone()])]);
    let request = world.state.request(&id).expect("a request that waits");
    let shown = Intent { action: world.ether(FRIEND, 2 * ETHER, 0), ..intent };
    let sent = Sent { intent: shown, request: id, signing_digest: request.signing_digest };
    assert!(reads_as(&sent.intent.action, world.account(), "2"), "the people agree to two ether");

    let mut outcome = Outcome::Priced;
    for who in ["ana", "ben"] {
        let (request, signing_digest) = match review(&sent, world.account()) {
            Ok(reviewed) => reviewed,
            Err(code) => return Loot::refused(code),
        };
        let approval = Approval { request, signing_digest, ..world.approval(who, &id) };
        outcome = outcome_of(&world.commit(vec![world.sign_approval(approval)]), &request);
    }
    match executed(&mut world, &id, &outcome) {
        Ok(_) => Loot::stolen(world.chain.balance(FRIEND), "wei, and two ether were approved"),
        Err(refused) => refused,
    }
}

/// Whether the words for an action begin an amount like this.
fn reads_as(action: &Action, account: Address, amount: &str) -> bool {
    let registry = AssetIndex::default();
    let unsigned = build(action, account).expect("a payload");
    let lines = describe(&explain(&unsigned, &registry), &registry, &|_| None);
    lines.iter().any(|line| line.text.starts_with(amount))
}
