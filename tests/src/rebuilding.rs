//! A world all of whose nodes are lost, and what people sign so that it goes on with others.

use keystead_base::Canonical as _;
use keystead_decision::{
    Applied, Commit, Controls, Entry, Rebuild, RebuildError, SignedRebuild, State, Transition, propose,
    sign_vote, vote_for,
};
use keystead_policy::{PolicyVersion, Roster};

use crate::fixture::{Desk, Member, name};
use crate::world::World;

/// A desk in which `dora` approves, too: four people of whom an ordinary change of authority takes two.
pub fn four_approvers(policy: &mut PolicyVersion) {
    let dora = policy.roster.people.iter_mut().find(|it| it.name == name("dora")).expect("dora");
    dora.roles = ["approver", "founder", "trader"].map(name).to_vec();
}

/// Four machines that were not there before.
pub fn new_nodes() -> Vec<Member> {
    (5..=8_u8).map(|n| Member::new(&format!("node-{n}"), n)).collect()
}

/// The rebuild of this state, drafted a minute after its last block.
pub fn rebuild_of(state: &State, nodes: &[Member]) -> Rebuild {
    let in_force = state.policy().engine.version().clone();
    let desk = Desk { nodes: nodes.iter().map(copy).collect(), ..Desk::default() };
    let Roster { quorum, nodes, .. } = desk.roster();
    let roster = Roster { quorum, nodes, ..in_force.roster.clone() };
    let (number, previous) = (in_force.number + 1, in_force.digest());
    Rebuild {
        cluster: state.cluster(),
        height: state.height(),
        last: state.parent(),
        root: state.history().root(),
        remembered: state.height(),
        at: state.time().plus_seconds(60),
        policy: PolicyVersion { number, previous, roster, ..in_force },
    }
}

/// The same with the signatures of these people, each with the own laptop.
pub fn signed_by(desk: &Desk, rebuild: Rebuild, who: &[&str]) -> SignedRebuild {
    let sign =
        |who: &&str| rebuild.sign(name(who), name("laptop"), &desk.person(who).signer).expect("a signature");
    let mut signatures: Vec<_> = who.iter().map(sign).collect();
    signatures.sort_by(|a, b| a.person.cmp(&b.person));
    SignedRebuild { rebuild, signatures }
}

/// Votes of these nodes, all of them, for the block that a state makes of a rebuild.
///
/// # Errors
///
/// [`RebuildError`] where the state does not go on with it.
pub fn first_block<C: Controls>(
    state: &State,
    signed: &SignedRebuild,
    nodes: &[Member],
    controls: &C,
) -> Result<(State, Commit, Transition), RebuildError> {
    first(state, signed, nodes, controls)
        .map(|(applied, commit, transition)| (applied.state, commit, transition))
}

fn first<C: Controls>(
    state: &State,
    signed: &SignedRebuild,
    nodes: &[Member],
    controls: &C,
) -> Result<(Applied, Commit, Transition), RebuildError> {
    let awaiting = state.awaiting(signed)?;
    let time = signed.rebuild.at.plus_seconds(5);
    let applied = propose(&awaiting, time, &nodes[0].name, &[], controls);
    let vote = vote_for(&applied.block.header, 0, 0);
    let votes = nodes.iter().map(|it| sign_vote(&vote, it.name.clone(), &it.signer).expect("a vote"));
    let commit = Commit { header: applied.block.header.clone(), round: 0, votes: votes.collect() };
    let policy = applied.state.policy().engine.version().clone();
    let transition = Transition::of(commit.clone(), policy, &applied.block.entries);
    Ok((applied, commit, transition))
}

impl<C: Controls> World<C> {
    /// All nodes are lost; these come in their place, as `ana`, `ben` and `cleo` signed.
    pub fn rebuild(&mut self, nodes: Vec<Member>) -> SignedRebuild {
        let rebuild = rebuild_of(&self.state, &nodes);
        let signed = signed_by(&self.desk, rebuild, &["ana", "ben", "cleo"]);
        self.go_on(nodes, &signed);
        signed
    }

    /// The same with what people signed; everybody follows.
    pub fn go_on(&mut self, nodes: Vec<Member>, signed: &SignedRebuild) {
        let (applied, commit, transition) =
            first(&self.state, signed, &nodes, self.controls()).expect("a rebuild that goes on from here");
        self.desk.nodes = nodes;
        self.state = applied.state;
        self.light.follow(&transition).expect("a rebuild that verifies");
        self.log.push((commit, applied.block, applied.decisions));
    }
}

/// The entry of the one block that a rebuild makes.
pub fn entry(signed: &SignedRebuild) -> Entry {
    Entry::Rebuild(Box::new(signed.clone()))
}

fn copy(member: &Member) -> Member {
    let byte = member.transport_seed[0] ^ 0x80;
    Member::new(member.name.as_str(), byte)
}
