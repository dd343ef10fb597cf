//! A rebuild that the ordinary number of people signed, with nodes of a thief's own (S13, S14).
//!
//! Whoever may replace all nodes at once, without the nodes, could take everything at once. Two of four approvers are in
//! league: enough for any ordinary change of authority that a third one asks for, and for a large payment. They say that
//! all nodes are lost, sign a rebuild with four nodes of their own, and have those vote for it, for an end of the freeze,
//! and for nine ether to themselves. Every vote verifies, if the nodes are believed.
//!
//! The light client of the product counts one more of each role than a change of the roster takes. The twin counts as many.

use keystead_base::{Canonical as _, Digest, RequestId, Timestamp, merkle};
use keystead_chain::{Unsigned, assemble, build};
use keystead_decision::{
    Certificate, Commit, Decision, Entry, Grant, Header, LightError, Outcome, Rebuild, SignedRebuild, Strict,
    Transition, leaves, sign_vote, verify_commit, vote_for,
};
use keystead_intent::DangerClass;
use keystead_policy::{Candidate, assign};

use crate::Loot;
use crate::fixture::{CHAIN, ETHER, Member, name};
use crate::rebuilding::{entry, four_approvers, rebuild_of, signed_by};
use crate::theft::THIEF;
use crate::world::{World, hot};

/// How a signer goes on after a rebuild: the last argument is what it is asked to sign.
pub type Follower = fn(&mut World<Strict>, &Transition, &Certificate, &Unsigned) -> Result<(), LightError>;

/// The product's way: the signer's own light client.
///
/// # Errors
///
/// [`LightError`] where it refuses.
pub fn followed(
    world: &mut World<Strict>,
    transition: &Transition,
    right: &Certificate,
    unsigned: &Unsigned,
) -> Result<(), LightError> {
    world.light.follow(transition)?;
    let now = world.now();
    world.light.permit_signing(right, &unsigned.signing_digest(), now).map(drop)
}

/// The naive way: a rebuild is a change of the roster, and takes as many people as one.
///
/// # Errors
///
/// [`LightError`] where even those are missing, or the votes of the new nodes fail.
pub fn ordinary(
    world: &mut World<Strict>,
    transition: &Transition,
    right: &Certificate,
    _: &Unsigned,
) -> Result<(), LightError> {
    let version = world.state.policy().engine.version();
    let signed = transition.rebuild.as_ref().ok_or(LightError::Stale)?;
    let message = keystead_base::signing_message(&signed.rebuild.digest());
    let verified = signed.signatures.iter().filter_map(|it| {
        let device = version.roster.device(&it.person, &it.device)?;
        device.key.verify(&message, &it.signature).ok()?;
        Some(Candidate { person: version.roster.person(&it.person)?, factor: Some(device.factor) })
    });
    let needs = &version.quorums.iter().find(|row| row.id == name("authority-two")).expect("a row").needs;
    let found = assign(needs, &verified.collect::<Vec<_>>());
    if !found.missing.is_empty() {
        return Err(LightError::Stale);
    }
    let (cluster, roster) = (world.state.cluster(), &signed.rebuild.policy.roster);
    verify_commit(cluster, roster, &transition.commit)?;
    verify_commit(cluster, roster, &right.commit)
}

/// Plays it, with this signer.
pub fn attack(follower: Follower) -> Loot {
    let mut world = World::with_policy(Strict::default(), four_approvers);
    let unsigned = build(&world.ether(THIEF, 9 * ETHER, 0), world.account()).expect("a payload");
    let minted: Vec<Member> = (201..=204).map(|n| Member::new(&format!("minted-{n}"), n)).collect();
    let signed = signed_by(&world.desk, rebuild_of(&world.state, &minted), &["ana", "ben"]);
    let (transition, right) = forged(&world, &signed, &minted, &unsigned);
    if let Err(error) = follower(&mut world, &transition, &right, &unsigned) {
        return Loot::refused_for(&error);
    }
    let (r, s, odd_y) = world.sign_digest(0, &unsigned.signing_digest());
    let paid = assemble(&unsigned, r, s, odd_y).expect("a signature of this account");
    world.chain.execute_raw(&paid.raw).expect("a transaction that the chain takes");
    Loot::stolen(world.chain.balance(THIEF), "wei that the nodes of a forged rebuild voted for")
}

/// The block of the rebuild, and one after it that ends the freeze and allows the payment: both as the minted nodes like.
fn forged(
    world: &World<Strict>,
    signed: &SignedRebuild,
    minted: &[Member],
    unsigned: &Unsigned,
) -> (Transition, Certificate) {
    let Rebuild { policy, height, last, root, at, .. } = &signed.rebuild;
    let before = world.head().expect("a log").header;
    let mut first = Header {
        height: height + 1,
        time: at.plus_seconds(1),
        parent: *last,
        proposer: minted[0].name.clone(),
        history: *root,
        entries: merkle::root(&leaves(&[entry(signed)])),
        decisions: merkle::root(&[]),
        policy: policy.reference(),
        roster: policy.roster.digest(),
        ..before
    };
    first.frozen.everything = true;
    let decision = payment(world, signed, first.height + 1, unsigned);
    let document = decision.to_document();
    let mut second = Header {
        height: first.height + 1,
        time: first.time.plus_seconds(1),
        parent: first.digest(),
        entries: merkle::root(&leaves(&[Entry::Tick])),
        decisions: merkle::root(&[merkle::leaf_hash(&document)]),
        ..first.clone()
    };
    second.frozen.everything = false;
    let proof = merkle::Inclusion::prove(&[merkle::leaf_hash(&document)], 0).expect("a proof");
    let right = Certificate { commit: voted(second, minted), decision, proof };
    let rebuild = Some(Box::new(signed.clone()));
    (Transition { commit: voted(first, minted), policy: policy.clone(), rebuild }, right)
}

fn payment(world: &World<Strict>, signed: &SignedRebuild, height: u64, unsigned: &Unsigned) -> Decision {
    let grant = Grant {
        account: hot(),
        address: world.account(),
        epoch: 0,
        chain: CHAIN,
        signing_digest: unsigned.signing_digest(),
        slot: None,
        class: DangerClass::Transfer,
        expires: Timestamp(u64::MAX),
    };
    Decision {
        cluster: world.state.cluster(),
        height,
        subject: RequestId(Digest([7; 32])),
        policy: signed.rebuild.policy.reference(),
        rules: Vec::new(),
        outcome: Outcome::Allow(grant),
    }
}

fn voted(header: Header, minted: &[Member]) -> Commit {
    let vote = vote_for(&header, 0, 0);
    let votes = minted.iter().map(|it| sign_vote(&vote, it.name.clone(), &it.signer).expect("a vote"));
    Commit { votes: votes.collect(), header, round: 0 }
}
