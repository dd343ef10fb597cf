//! The approver's screen shows another request than the one that is approved (S2, S11).
//!
//! WazirX, 18 July 2024: what the signers' interface showed and what their devices signed were two
//! transactions; 235 million dollars left. The same at Bybit half a year later.
//!
//! The coordinator owns the database. The insider's request moves nine ether; what the approvers are
//! sent is the same request with two. The product's client, `keystead-approver`, builds the bytes itself
//! from what it shows, and compares number and digest with what it is asked to approve; the twin believes
//! the server's. What the log makes of a client that computes and does not compare is the product's own:
//! [`computed_only`] approves a request that nobody made.

use alloy_primitives::Address;
use keystead_base::{Coded as _, Digest, RequestId};
use keystead_chain::{AddressBook, AssetIndex, build, describe, explain};
use keystead_decision::{Outcome, Strict};
use keystead_intent::{Action, Approval, Intent};
use keystead_policy::PolicyVersion;
use keystead_wire::{RequestDetail, RequestStage, RequestView};
use keystead_words::{Language, Library};

use crate::Loot;
use crate::fixture::{ETHER, FRIEND};
use crate::theft::executed;
use crate::world::{World, outcome_of};

/// What the approver's client puts under the signature, or the code of its refusal: from the number that
/// the approver was asked to approve, what the server sent about it, and the policy in force.
pub type Review = fn(RequestId, &RequestDetail, &PolicyVersion) -> Result<(RequestId, Digest), String>;

/// The product's way: number and digest are those of the bytes that are shown.
///
/// # Errors
///
/// The code of the first difference.
pub fn recomputed(
    asked: RequestId,
    sent: &RequestDetail,
    policy: &PolicyVersion,
) -> Result<(RequestId, Digest), String> {
    let library = Library::bundled(Language::English).expect("the bundled set");
    let reviewed = keystead_approver::review(asked, sent, policy.clone(), &library);
    reviewed.map(|it| (it.request, it.digest)).map_err(|error| error.code().to_owned())
}

/// Half of the product's way: nothing of the server's is signed, and nothing of it is compared.
///
/// # Errors
///
/// What the builder says.
pub fn computed_only(
    _: RequestId,
    sent: &RequestDetail,
    _: &PolicyVersion,
) -> Result<(RequestId, Digest), String> {
    let account = sent.address.ok_or_else(|| "no address".to_owned())?;
    let unsigned = build(&sent.intent.action, account).map_err(|error| error.to_string())?;
    Ok((sent.intent.id(), unsigned.signing_digest()))
}

/// The naive way: the server knows.
///
/// # Errors
///
/// `not waiting` where the server names no digest.
pub fn believed(
    _: RequestId,
    sent: &RequestDetail,
    _: &PolicyVersion,
) -> Result<(RequestId, Digest), String> {
    match &sent.view.decision.outcome {
        Outcome::Wait { signing_digest, .. } => Ok((sent.view.request, *signing_digest)),
        other => Err(format!("not waiting, but {}", other.word())),
    }
}

/// Plays it, with this client on the approvers' side.
pub fn attack(review: Review) -> Loot {
    let mut world = World::new(Strict::default());
    let intent = world.intent("dora", world.ether(FRIEND, 9 * ETHER, 0));
    let id = intent.id();
    world.commit(vec![world.requests(vec![intent.clone()])]);
    let shown = Intent { action: world.ether(FRIEND, 2 * ETHER, 0), ..intent };
    let sent = sent(&world, &id, shown);
    assert!(reads_as(&sent.intent.action, world.account(), "2"), "the people agree to two ether");

    let mut outcome = Outcome::Priced;
    for who in ["ana", "ben"] {
        let (request, signing_digest) = match review(id, &sent, world.state.policy().engine.version()) {
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

/// What the coordinator sends: number, digest and decision of the request, and another intent.
fn sent(world: &World<Strict>, id: &RequestId, intent: Intent) -> RequestDetail {
    let (_, _, decisions) = world.log.last().expect("a block");
    let decision = decisions.iter().find(|it| it.subject == *id).expect("a decision").clone();
    let view = RequestView {
        request: *id,
        stage: RequestStage::Waiting,
        decision: decision.clone(),
        signed: None,
        refusal: None,
        file: None,
    };
    RequestDetail {
        view,
        intent,
        address: Some(world.account()),
        decisions: vec![decision],
        simulation: None,
        wallet: None,
    }
}

/// Whether the words for an action begin an amount like this.
fn reads_as(action: &Action, account: Address, amount: &str) -> bool {
    let registry = AssetIndex::default();
    let unsigned = build(action, account).expect("a payload");
    let lines = describe(&explain(&unsigned, &registry), &registry, &AddressBook::default());
    lines.iter().any(|line| line.text.starts_with(amount))
}
