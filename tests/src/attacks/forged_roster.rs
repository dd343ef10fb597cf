//! A roster of nodes that nobody elected (S13).
//!
//! Ronin, March 2022: five of nine validator keys, four of them in one company's hands and one lent out and never
//! taken back, and the bridge believed whatever five of them signed. Here nobody loses a key: the thieves mint nodes
//! of their own, write the next policy version with a roster of these, and have the minted nodes vote for it
//! and then for nine ether to themselves. All of it verifies, if the roster is believed that it brings along.
//!
//! The light client of the product follows a change of roster by the votes of the roster before it. The twin takes the
//! votes of the new one.

use keystead_base::{Canonical as _, Digest, RequestId, Timestamp, merkle};
use keystead_chain::{Unsigned, assemble, build};
use keystead_consensus::{CommittedBlock, Message, Purpose};
use keystead_decision::{
    Certificate, Commit, Decision, Entry, Grant, Header, LightError, Outcome, Strict, Transition, leaves,
    propose, sign_vote, verify_commit, vote_for,
};
use keystead_intent::DangerClass;
use keystead_policy::PolicyVersion;

use crate::Loot;
use crate::cluster::{NodeHome, ether};
use crate::fixture::{CHAIN, Desk, ETHER, Member};
use crate::liar::{Liar, state_of};
use crate::nodes::{head_of, keys_of, start_all};
use crate::taken::Taken;
use crate::theft::THIEF;
use crate::world::{World, hot};

/// How a signer goes from one roster to the next: the last argument is what it is asked to sign.
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

/// The naive way: what the nodes of a roster signed is theirs.
///
/// # Errors
///
/// [`LightError`] where their own signatures fail.
pub fn self_signed(
    world: &mut World<Strict>,
    transition: &Transition,
    right: &Certificate,
    _: &Unsigned,
) -> Result<(), LightError> {
    let (cluster, roster) = (world.state.cluster(), &transition.policy.roster);
    verify_commit(cluster, roster, &transition.commit)?;
    verify_commit(cluster, roster, &right.commit)
}

/// Plays it, with this signer.
pub fn attack(follower: Follower) -> Loot {
    let nodes = (1..=4).map(|n| Member::new(&format!("node-{n}"), n)).collect();
    let mut world = World::of(Desk { nodes, ..Desk::default() }, Strict::default(), |_| {});
    let head = world.head().expect("a log").header;
    let version = world.state.policy().engine.version().clone();
    let unsigned = build(&world.ether(THIEF, 9 * ETHER, 0), world.account()).expect("a payload");
    let (transition, right) = forged(&head, &version, &unsigned);
    if let Err(error) = follower(&mut world, &transition, &right, &unsigned) {
        return Loot::refused_for(&error);
    }
    let (r, s, odd_y) = world.sign_digest(0, &unsigned.signing_digest());
    let signed = assemble(&unsigned, r, s, odd_y).expect("a signature of this account");
    world.chain.execute_raw(&signed.raw).expect("a transaction that the chain takes");
    Loot::stolen(world.chain.balance(THIEF), "wei that minted nodes voted for")
}

/// The same against the enclave of a real cluster, whose home of the key is taken.
pub async fn against_an_enclave() -> Loot {
    let mut taken = Taken::of(|_| {}).await;
    taken.confirm().await.expect("honest words");
    let witness = &taken.honest[0];
    let head = head_of(witness).await.header;
    let version = &witness.home.genesis.genesis.policy;
    let nine = ether(THIEF, 9 * ETHER, 0);
    let unsigned = build(&nine, witness.account().await).expect("a payload");
    let (transition, right) = forged(&head, version, &unsigned);
    match taken.enclave.follow(vec![transition], Some(right.commit.clone())) {
        Err(code) => Loot::refused(code),
        Ok(()) => taken.cash(&(right, nine), "wei that minted nodes voted for"),
    }
}

/// A node that is told of a longer log, and handed a block that is valid in all but the nodes that voted for it.
pub async fn against_a_laggard() -> Loot {
    let mut stations = start_all(NodeHome::several(4, |_| {})).await;
    let taken = stations.remove(0).stop().await;
    let laggard = &stations[0];
    let mut liar = Liar::in_place_of(&taken, keys_of(1), &[laggard]).await;
    let state = state_of(laggard).await;
    let tick = state.admit(Entry::Tick).expect("a tick");
    let block = propose(&state, laggard.now().await, liar.name(), &[tick], &Strict::default()).block;
    let (height, commit) = (block.header.height, voted(block.header, &minted()));
    liar.say(laggard, Message::Head { height, seen: None, purpose: Purpose::Tells }).await;
    liar.say(laggard, Message::Blocks(vec![CommittedBlock { commit, entries: block.entries }])).await;
    match liar.height_of(laggard).await < height {
        true => Loot::refused("certificate.voter"),
        false => Loot::harmed("a node follows what minted nodes voted for"),
    }
}

fn minted() -> Desk {
    let nodes = (201..=203).map(|n| Member::new(&format!("minted-{n}"), n)).collect();
    Desk { nodes, ..Desk::default() }
}

/// A change of roster after `head`, and a right under it, both signed by minted nodes.
fn forged(head: &Header, version: &PolicyVersion, unsigned: &Unsigned) -> (Transition, Certificate) {
    let desk = minted();
    let mut policy = version.clone();
    (policy.previous, policy.number) = (version.digest(), version.number + 1);
    policy.roster = desk.roster();
    let header = Header {
        height: head.height + 1,
        time: head.time.plus_seconds(1),
        parent: head.digest(),
        proposer: desk.nodes[0].name.clone(),
        policy: policy.reference(),
        roster: policy.roster.digest(),
        ..head.clone()
    };
    let decision = decision(&header, unsigned, header.time.plus_seconds(60));
    let right = Header {
        height: header.height + 1,
        time: header.time.plus_seconds(1),
        parent: header.digest(),
        decisions: merkle::root(&leaves(std::slice::from_ref(&decision))),
        ..header.clone()
    };
    let proof = merkle::Inclusion::prove(&leaves(std::slice::from_ref(&decision)), 0);
    let right = Certificate { commit: voted(right, &desk), decision, proof: proof.expect("its place") };
    (Transition { commit: voted(header, &desk), policy, rebuild: None }, right)
}

fn decision(before: &Header, unsigned: &Unsigned, expires: Timestamp) -> Decision {
    let grant = Grant {
        account: hot(),
        address: unsigned.account(),
        chain: CHAIN,
        epoch: 0,
        signing_digest: unsigned.signing_digest(),
        slot: None,
        class: DangerClass::Transfer,
        expires,
    };
    Decision {
        cluster: before.cluster,
        height: before.height + 1,
        subject: RequestId(Digest([7; 32])),
        policy: before.policy,
        rules: Vec::new(),
        outcome: Outcome::Allow(grant),
    }
}

fn voted(header: Header, desk: &Desk) -> Commit {
    let vote = vote_for(&header, 0, 0);
    let votes = desk.nodes.iter().map(|it| sign_vote(&vote, it.name.clone(), &it.signer).expect("a vote"));
    Commit { votes: votes.collect(), round: 0, header }
}
