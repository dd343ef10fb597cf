//! What people are shown before they sign a rebuild, and what the block that they signed may be: every word of it checked.

use keystead_base::{Canonical as _, Coded as _, Digest, MAX_DOCUMENT_BYTES, merkle};
use keystead_decision::rebuild::{Basis, CheckedRebuild, RebuildBundle, RebuildDraft};
use keystead_decision::{
    Commit, Entry, Header, Outcome, RebuildError, Strict, Transition, leaves, sign_vote, vote_for,
};
use keystead_policy::{PolicyVersion, Rule};
use keystead_tests::fixture::{ETHER, FRIEND, Member, name};
use keystead_tests::hall::contribution_to;
use keystead_tests::rebuilding::{first_block, four_approvers, new_nodes, rebuild_of, signed_by};
use keystead_tests::world::World;

fn world() -> World<Strict> {
    World::with_policy(Strict::default(), four_approvers)
}

fn basis(world: &World<Strict>) -> Basis {
    Basis {
        before: Vec::new(),
        head: world.head(),
        root: world.state.history().root(),
        remembered: world.state.height(),
        at: world.now().plus_seconds(60),
    }
}

fn assembled(world: &World<Strict>, cluster: &str) -> Result<CheckedRebuild, RebuildError> {
    let contributions = new_nodes().iter().map(|node| contribution_to(cluster, node)).collect();
    RebuildDraft::assemble(&world.genesis, world.state.cluster(), basis(world), contributions)
}

/// INVARIANT S13: nobody signs a roster that the new machines did not ask for, or a place that the log shown is not at.
#[test]
fn s13_a_draft_holds_the_nodes_that_contributed_and_the_place_where_its_log_ends() {
    let world = world();
    let good = assembled(&world, "fixture").unwrap();
    let check = |change: &dyn Fn(&mut RebuildDraft)| {
        let mut draft = good.draft().clone();
        change(&mut draft);
        draft.check(&world.genesis, world.state.cluster()).map(drop).map_err(|error| error.code())
    };
    assert_eq!(check(&|_| {}), Ok(()));
    let stranger = contribution_to("fixture", &Member::new("node-8", 99));
    let elsewhere = contribution_to("elsewhere", &new_nodes()[3]);
    for (change, expected) in [
        (
            &(|it: &mut RebuildDraft| drop(it.contributions.pop())) as &dyn Fn(&mut RebuildDraft),
            CONTRIBUTIONS,
        ),
        (&|it| it.contributions[3] = stranger.clone(), CONTRIBUTIONS),
        (&|it| it.contributions.swap(0, 1), CONTRIBUTIONS),
        (&|it| it.contributions.clear(), CONTRIBUTIONS),
        (&|it| it.contributions[3] = elsewhere.clone(), "ceremony.other"),
        (&|it| it.rebuild.height -= 1, "rebuild.place"),
        (&|it| it.rebuild.last = Digest([1; 32]), "rebuild.place"),
        (&|it| it.head = None, "rebuild.place"),
    ] {
        assert_eq!(check(change), Err(expected));
    }
    assert_eq!(assembled(&world, "elsewhere").unwrap_err().code(), "ceremony.other");
}

/// A key's home is a name: a new machine under it would be taken for the one that has the key.
#[test]
fn s03_no_new_node_has_the_name_of_a_key_s_home() {
    let mut world = world();
    world.rebuild(new_nodes());
    // The roster in force does not have `node-1`, where the key still is said to be.
    let refused = |first: &str| {
        let nodes = [first, "node-91", "node-92", "node-93"].into_iter().zip(90..);
        let nodes: Vec<Member> = nodes.map(|(name, seed)| Member::new(name, seed)).collect();
        let signed = signed_by(&world.desk, rebuild_of(&world.state, &nodes), &["ana", "ben", "cleo"]);
        world.state.awaiting(&signed).map_err(|error| error.code()).err()
    };
    assert_eq!((refused("node-1"), refused("node-90")), (Some("rebuild.reused"), None));
}

/// Its delay ended while nobody was there: it does not slip out in the moment before the freeze.
#[test]
fn s14_a_payment_whose_delay_ended_while_all_nodes_were_lost_is_not_allowed_before_the_freeze() {
    let delayed = |policy: &mut PolicyVersion| {
        four_approvers(policy);
        let large = policy.quorums.iter_mut().find(|it| it.id == name("large-two")).unwrap();
        large.delay_seconds = 30;
    };
    let mut world = World::with_policy(Strict::default(), delayed);
    let (id, _) = world.ask("desk", world.ether(FRIEND, 2 * ETHER, 0));
    world.approve("ana", &id);
    world.approve("ben", &id);
    let phase = |world: &World<Strict>| world.state.request(&id).map(|it| it.phase.word());
    assert_eq!(phase(&world), Some("open"), "approved, and its delay runs");
    // A minute and five seconds after the last block.
    world.rebuild(new_nodes());
    let decisions = &world.log.last().unwrap().2;
    let allowed = |outcome: &Outcome| matches!(outcome, Outcome::Allow(_));
    assert!(!decisions.iter().any(|it| allowed(&it.outcome)), "{decisions:?}");
    let slots = world.state.slots().count();
    world.commit(vec![Entry::Tick]);
    assert_ne!(phase(&world), Some("allowed"));
    assert_eq!((slots, world.state.slots().count()), (0, 0));
}

/// Whoever has the keys of the new nodes makes one block of what people signed, and no other.
#[test]
fn s13_the_signer_takes_only_the_very_block_that_people_signed() {
    let world = world();
    let nodes = new_nodes();
    let signed = signed_by(&world.desk, rebuild_of(&world.state, &nodes), &["ana", "ben", "cleo"]);
    let (_, commit, good) = first_block(&world.state, &signed, &nodes, &Strict::default()).unwrap();
    let tick = merkle::root(&leaves(&[Entry::Tick]));
    let mut light = world.boot();
    light.advance(&world.head().unwrap()).unwrap();
    for change in [
        &(|it: &mut Header| it.height += 1) as &dyn Fn(&mut Header),
        &|it| it.parent = Digest([1; 32]),
        &|it| it.history = Digest([1; 32]),
        &|it| it.entries = tick,
    ] {
        let mut header = commit.header.clone();
        change(&mut header);
        let vote = vote_for(&header, 0, 0);
        let votes = nodes.iter().map(|it| sign_vote(&vote, it.name.clone(), &it.signer).unwrap()).collect();
        let other = Transition { commit: Commit { header, round: 0, votes }, ..good.clone() };
        assert_eq!(light.follow(&other).unwrap_err().code(), "certificate.not_rebuilt");
    }
    light.follow(&good).unwrap();
}

/// Nobody signs what no new node could vote for: one block holds the policy and everybody's signature.
#[test]
fn d01_a_rebuild_that_no_block_would_hold_is_not_drafted() {
    let rules = |policy: &mut PolicyVersion, rules: usize| {
        four_approvers(policy);
        let cedar = format!("{:4060}", policy.rules[0].cedar);
        let rule = |number| Rule { id: name(&format!("long-{number}")), cedar: cedar.clone() };
        policy.rules.extend((0..rules).map(rule));
        policy.rules.sort_by(|a, b| a.id.cmp(&b.id));
    };
    let drafted = |count: usize| {
        let world = World::with_policy(Strict::default(), |policy: &mut PolicyVersion| rules(policy, count));
        assembled(&world, "fixture").map(drop).map_err(|error| error.code())
    };
    assert_eq!((drafted(480), drafted(520)), (Ok(()), Err("rebuild.long")));
}

/// A cluster that changed its policy every week for years is rebuilt like any other.
#[test]
fn a_draft_leads_through_more_versions_than_a_document_usually_holds() {
    let world = world();
    let nodes = new_nodes();
    let signed = signed_by(&world.desk, rebuild_of(&world.state, &nodes), &["ana", "ben", "cleo"]);
    let (_, commit, transition) = first_block(&world.state, &signed, &nodes, &Strict::default()).unwrap();
    let draft = RebuildDraft {
        before: vec![transition; 200],
        head: Some(commit),
        rebuild: signed.rebuild,
        contributions: Vec::new(),
    };
    let document = draft.to_document();
    assert!(document.len() > 2 * MAX_DOCUMENT_BYTES);
    assert_eq!(RebuildDraft::from_document(&document).unwrap(), draft);
    let bundle = RebuildBundle { draft, signatures: signed.signatures };
    assert_eq!(RebuildBundle::from_document(&bundle.to_document()).unwrap(), bundle);
    assert_eq!(bundle.verify(&world.genesis, world.state.cluster()).unwrap_err().code(), "certificate.gap");
}

const CONTRIBUTIONS: &str = "rebuild.contributions";
