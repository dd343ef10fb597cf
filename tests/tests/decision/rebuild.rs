//! A cluster all of whose nodes are lost, as pure steps: who may rebuild it, from where, and what it may do then.

use keystead_base::{Canonical as _, Coded as _, Digest, Timestamp, merkle};
use keystead_decision::rebuild::{Basis, RebuildBundle, RebuildDraft};
use keystead_decision::{
    Block, Commit, Entry, Header, LightClient, Outcome, Rebuild, SignedRebuild, State, Strict, Transition,
    leaves, propose, sign_vote, validate, vote_for,
};
use keystead_intent::{Action, AuthorityChange, KeyCeremony};
use keystead_policy::{PolicyVersion, Reason};
use keystead_tests::fixture::{ETHER, FRIEND, Member, name};
use keystead_tests::hall::contribution_to;
use keystead_tests::rebuilding::{entry, first_block, four_approvers, new_nodes, rebuild_of, signed_by};
use keystead_tests::world::{World, hot, outcome_of};

fn world() -> World<Strict> {
    World::with_policy(Strict::default(), four_approvers)
}

fn thaw() -> Action {
    Action::Authority(AuthorityChange::Thaw { key: None })
}

fn reasons(outcome: &Outcome) -> &[Reason] {
    match outcome {
        Outcome::Deny { reasons, .. } => reasons,
        other => panic!("{other:?} is no denial"),
    }
}

/// The code with which a state refuses a rebuild; none where it goes on with it.
fn refused(state: &State, signed: &SignedRebuild) -> Option<&'static str> {
    state.awaiting(signed).map_err(|error| error.code()).err()
}

#[test]
fn s13_a_rebuild_takes_more_people_than_a_change_of_the_roster() {
    let world = world();
    let rebuild = || rebuild_of(&world.state, &new_nodes());
    for (who, expected) in [
        (vec!["ana", "ben"], Some("rebuild.missing")),
        (vec!["ana", "ben", "eve"], Some("rebuild.missing")),
        (vec![], Some("rebuild.missing")),
        (vec!["ana", "ana", "ben"], Some("rebuild.order")),
        (vec!["ana", "ben", "cleo"], None),
        (vec!["ben", "cleo", "dora"], None),
        (vec!["ana", "ben", "cleo", "dora", "eve"], None),
    ] {
        let signed = signed_by(&world.desk, rebuild(), &who);
        assert_eq!(refused(&world.state, &signed), expected, "{who:?}");
    }
    let good = signed_by(&world.desk, rebuild(), &["ana", "ben", "cleo"]);
    let changed = |change: &dyn Fn(&mut SignedRebuild)| {
        let mut it = good.clone();
        change(&mut it);
        refused(&world.state, &it)
    };
    // Somebody else's key under a person's name, a device that nobody has, a stranger, and other words than were signed.
    let forged = good.rebuild.sign(name("cleo"), name("laptop"), &Member::new("mallory", 99).signer).unwrap();
    assert_eq!(changed(&|it| it.signatures[2] = forged.clone()), Some("rebuild.signature"));
    assert_eq!(changed(&|it| it.signatures[2].device = name("phone")), Some("rebuild.not_enrolled"));
    assert_eq!(changed(&|it| it.signatures[2].person = name("mallory")), Some("rebuild.not_enrolled"));
    assert_eq!(changed(&|it| it.signatures.swap(0, 1)), Some("rebuild.order"));
    assert_eq!(changed(&|it| it.rebuild.remembered += 1), Some("rebuild.signature"));
}

#[test]
fn s13_a_rebuild_changes_the_nodes_and_nothing_else() {
    let world = world();
    let everybody = ["ana", "ben", "cleo", "dora"];
    let code = |change: &dyn Fn(&mut Rebuild)| {
        let mut rebuild = rebuild_of(&world.state, &new_nodes());
        change(&mut rebuild);
        refused(&world.state, &signed_by(&world.desk, rebuild, &everybody))
    };
    let old = world.state.roster().nodes[0].clone();
    assert_eq!(code(&|_| {}), None);
    for (change, expected) in [
        (&(|it: &mut Rebuild| it.policy.windows.clear()) as &dyn Fn(&mut Rebuild), "rebuild.section"),
        (&|it| it.policy.quorums[1].needs[0].count = 3, "rebuild.section"),
        (&|it| drop(it.policy.roster.people.pop()), "rebuild.section"),
        (&|it| it.policy.roster.services.clear(), "rebuild.section"),
        (&|it| it.policy.roster.quorum = 4, "rebuild.nodes"),
        (&|it| it.policy.roster.quorum = 2, "rebuild.nodes"),
        (&|it| drop(it.policy.roster.nodes.pop()), "rebuild.nodes"),
        (&|it| it.policy.roster.nodes[0].name = name("node-1"), "rebuild.reused"),
        (&|it| it.policy.roster.nodes[0].key = old.key.clone(), "rebuild.reused"),
        (&|it| it.policy.roster.nodes[0].transport = old.transport, "rebuild.reused"),
        (&|it| it.policy.roster.nodes[0].boot = 1, "rebuild.reused"),
        (&|it| it.policy.roster.nodes[0].key = it.policy.roster.nodes[1].key.clone(), "policy.shared"),
        (&|it| it.policy.number += 1, "policy.gap"),
        (&|it| it.policy.previous = Digest([1; 32]), "policy.previous"),
        (&|it| it.cluster.0 = Digest([1; 32]), "rebuild.cluster"),
    ] {
        assert_eq!(code(change), Some(expected));
    }
}

#[test]
fn l2_a_rebuild_goes_on_from_the_last_block_and_never_shortens_a_log() {
    let mut world = world();
    let everybody = ["ana", "ben", "cleo", "dora"];
    let (old, state) =
        (signed_by(&world.desk, rebuild_of(&world.state, &new_nodes()), &everybody), world.state.clone());
    assert_eq!(refused(&state, &old), None);
    world.commit(vec![Entry::Tick]);
    assert_eq!(refused(&world.state, &old), Some("rebuild.place"));
    for (change, expected) in [
        (&(|it: &mut Rebuild| it.height -= 1) as &dyn Fn(&mut Rebuild), "rebuild.place"),
        (&|it| it.last = Digest([1; 32]), "rebuild.place"),
        (&|it| it.root = Digest([1; 32]), "rebuild.root"),
        (&|it| it.remembered -= 1, "rebuild.remembered"),
        (&|it| it.at = Timestamp(it.at.0 - 60_000), "rebuild.time"),
    ] {
        let mut rebuild = rebuild_of(&world.state, &new_nodes());
        change(&mut rebuild);
        assert_eq!(refused(&world.state, &signed_by(&world.desk, rebuild, &everybody)), Some(expected));
    }
    // Known losses are part of what is signed.
    let mut rebuild = rebuild_of(&world.state, &new_nodes());
    rebuild.remembered += 7;
    assert_eq!(rebuild.lost(), 7);
    assert_eq!(refused(&world.state, &signed_by(&world.desk, rebuild, &everybody)), None);
}

#[test]
fn s14_a_rebuilt_cluster_is_frozen_and_thaws_by_more_people() {
    let mut world = world();
    let (spent, allowed) = world.ask("desk", world.ether(FRIEND, ETHER, 0));
    assert!(matches!(allowed, Outcome::Allow(_)), "{allowed:?}");
    // What was half approved before the loss is asked again.
    let (waits, _) = world.ask("desk", world.ether(FRIEND, 2 * ETHER, 1));
    let (policy, _) = world.ask("cleo", thaw());
    world.approve("ana", &waits);
    world.approve("ana", &policy);
    world.rebuild(new_nodes());
    assert!(world.state.frozen().everything && world.state.is_rebuilt());
    assert_eq!(world.log.last().unwrap().2[0].outcome.word(), "activated");
    let stands =
        |world: &World<Strict>, id| world.state.request(id).map(|it| (it.phase.word(), it.approvals.len()));
    assert_eq!(stands(&world, &spent), Some(("allowed", 0)), "it counts on");
    assert_eq!(stands(&world, &policy), Some(("open", 0)));
    assert!(!matches!(stands(&world, &waits), Some(("open" | "allowed", _))), "{:?}", stands(&world, &waits));

    let (_, refused) = world.ask("desk", world.ether(FRIEND, 1, 2));
    assert!(matches!(reasons(&refused), [Reason::Frozen { .. }]), "{refused:?}");
    let (id, asked) = world.ask("cleo", thaw());
    let Outcome::Wait { requirement, .. } = asked else { panic!("{asked:?}") };
    assert_eq!(requirement.people(), 3, "one more than usual");
    world.approve("ana", &id);
    world.approve("ben", &id);
    assert!(world.state.frozen().everything, "the ordinary quorum is not enough");
    world.approve("dora", &id);
    assert!(!world.state.frozen().everything && !world.state.is_rebuilt());

    // S10: what was spent before the loss still counts, to the wei.
    let fee = 400_000 * 2_000_000_000_u128;
    let (_, over) = world.ask("desk", world.ether(FRIEND, ETHER, 3));
    assert!(matches!(over, Outcome::Allow(_)), "{over:?}");
    let left = 8 * ETHER - 3 * fee;
    let (_, denied) = world.ask("desk", world.ether(FRIEND, left + 1, 4));
    assert!(matches!(reasons(&denied), [Reason::LimitExceeded { .. }]), "{denied:?}");
    let (exact, _) = world.ask("desk", world.ether(FRIEND, left, 5));
    world.approve("ana", &exact);
    let allowed = outcome_of(&world.approve("ben", &exact), &exact);
    assert!(matches!(allowed, Outcome::Allow(_)), "{allowed:?}");
    // From here on two are enough again.
    world.freeze("eve", None);
    let (again, _) = world.ask("cleo", thaw());
    world.approve("ana", &again);
    world.approve("ben", &again);
    assert!(!world.state.frozen().everything);
}

/// The larger quorum is not walked around by making the ordinary one smaller first.
#[test]
fn s14_before_the_thaw_every_way_to_it_takes_more_people_and_keys_come_back_by_the_usual() {
    let mut world = world();
    world.rebuild(new_nodes());
    let next = |change: &dyn Fn(&mut PolicyVersion)| {
        let mut next = world.state.policy().engine.version().clone();
        (next.previous, next.number) = (next.digest(), next.number + 1);
        change(&mut next);
        next.to_document().into()
    };
    let policy = AuthorityChange::Policy { document: next(&|it| it.windows.clear()) };
    let roster = AuthorityChange::Roster { document: next(&|it| it.roster.nodes[0].boot = 1) };
    let book = AuthorityChange::AddressBook { document: next(&|it| it.address_book.clear()) };
    let hot = hot().key;
    let backup = KeyCeremony::Backup { key: hot.clone(), recipients: vec![name("ana")] };
    let export = KeyCeremony::Export { key: hot.clone(), recipient: name("ana") };
    let restore = KeyCeremony::Restore { key: hot.clone(), home: name("node-6") };
    let suspend = KeyCeremony::Suspend { key: hot };
    let needed = |world: &mut World<Strict>, change| match world.ask("cleo", Action::Authority(change)).1 {
        Outcome::Wait { requirement, .. } => requirement.people(),
        other => panic!("{other:?}"),
    };
    for (change, people) in [
        (policy, 3),
        (roster, 3),
        (book, 3),
        (AuthorityChange::Thaw { key: None }, 3),
        // The same file as an export, to whoever may receive it.
        (AuthorityChange::Key(backup), 3),
        (AuthorityChange::Key(export), 3),
        (AuthorityChange::Key(restore), 2),
        (AuthorityChange::Key(suspend), 2),
    ] {
        assert_eq!(needed(&mut world, change.clone()), people, "{change:?}");
    }
}

#[test]
fn s13_a_log_that_goes_on_takes_no_rebuild_and_one_that_awaits_it_takes_nothing_else() {
    let mut world = world();
    let nodes = new_nodes();
    let signed = signed_by(&world.desk, rebuild_of(&world.state, &nodes), &["ana", "ben", "cleo"]);
    assert_eq!(world.state.admit(entry(&signed)).unwrap_err().code(), "admission.rebuild");
    let (_, commit, transition) = first_block(&world.state, &signed, &nodes, &Strict::default()).unwrap();
    let block = Block { header: commit.header.clone(), entries: vec![entry(&signed)] };
    // INVARIANT S13: the lost nodes' machines, if they run, do not vote for it.
    assert_eq!(
        validate(&world.state, block.clone(), &Strict::default()).unwrap_err().code(),
        "block.proposer"
    );
    let mut theirs = block.clone();
    theirs.header.proposer = name("node-1");
    assert_eq!(validate(&world.state, theirs, &Strict::default()).unwrap_err().code(), "block.entry");

    let awaiting = world.state.awaiting(&signed).unwrap();
    assert!(awaiting.awaits_rebuild() && awaiting.frozen().everything);
    let applied = validate(&awaiting, block.clone(), &Strict::default()).unwrap();
    assert_eq!(applied.block.header, commit.header);
    assert!(!applied.state.awaits_rebuild());
    // Other signatures of enough people on the same document are as good; fewer are not; and another document is another.
    let resigned = signed_by(&world.desk, signed.rebuild.clone(), &["ana", "ben", "dora"]);
    let with = |signed: &SignedRebuild| {
        let applied = first_block(&world.state, signed, &nodes, &Strict::default());
        let header = applied.map_or(commit.header.clone(), |(_, commit, _)| commit.header);
        validate(&awaiting, Block { header, entries: vec![entry(signed)] }, &Strict::default())
            .map(drop)
            .map_err(|error| error.code())
    };
    assert_eq!(with(&resigned), Ok(()));
    let few = SignedRebuild { signatures: signed.signatures[..2].to_vec(), ..signed.clone() };
    assert_eq!(with(&few), Err("rebuild.missing"));
    let mut other = signed.rebuild.clone();
    other.remembered += 1;
    assert_eq!(with(&signed_by(&world.desk, other, &["ana", "ben", "cleo"])), Err("block.not_rebuilt"));
    let tick = Block { entries: vec![Entry::Tick], ..block };
    assert_eq!(validate(&awaiting, tick, &Strict::default()).unwrap_err().code(), "block.not_rebuilt");
    assert_eq!(transition.policy.number, 1);
    world.commit(vec![Entry::Tick]);
}

/// A signer that was shown the newest head.
fn signer(world: &World<Strict>) -> LightClient {
    let mut light = world.boot();
    light.advance(&world.log.last().unwrap().0).unwrap();
    light
}

fn votes(header: &Header, voters: &[Member]) -> Commit {
    let vote = vote_for(header, 0, 0);
    let votes = voters.iter().map(|it| sign_vote(&vote, it.name.clone(), &it.signer).unwrap()).collect();
    Commit { header: header.clone(), round: 0, votes }
}

/// The code with which a signer refuses to follow; none where it follows.
fn unfollowed(light: &mut LightClient, transition: &Transition) -> Option<&'static str> {
    light.follow(transition).map_err(|error| error.code()).err()
}

#[test]
fn s13_the_signer_follows_a_rebuild_as_people_signed_it_and_no_lost_node_after_it() {
    let mut world = world();
    let (old, nodes, mut light) = (world.state.clone(), new_nodes(), signer(&world));
    let signed = signed_by(&world.desk, rebuild_of(&old, &nodes), &["ana", "ben", "cleo"]);
    let (state, commit, good) = first_block(&old, &signed, &nodes, &Strict::default()).unwrap();
    let changed = |change: &dyn Fn(&mut Transition)| {
        let mut it = good.clone();
        change(&mut it);
        it
    };
    let mut thawed = commit.header.clone();
    thawed.frozen.everything = false;
    let few = SignedRebuild { signatures: signed.signatures[..2].to_vec(), ..signed.clone() };
    // What the new nodes would never vote for, and somebody with their keys would.
    let unsigned = changed(&|it| {
        it.commit.header.entries = merkle::root(&leaves(&[entry(&few)]));
        it.commit = votes(&it.commit.header, &nodes);
        it.rebuild = Some(Box::new(few.clone()));
    });
    for (transition, expected) in [
        (changed(&|it| it.rebuild = None), "certificate.voter"),
        (changed(&|it| it.commit = votes(&commit.header, &world.desk.nodes)), "certificate.voter"),
        (changed(&|it| it.commit = votes(&commit.header, &nodes[..2])), "certificate.quorum"),
        (changed(&|it| it.commit = votes(&thawed, &nodes)), "certificate.not_rebuilt"),
        (changed(&|it| it.policy.number += 1), "certificate.gap"),
        (unsigned, "rebuild.missing"),
    ] {
        assert_eq!(unfollowed(&mut light, &transition), Some(expected));
        assert_eq!((light.policy().number, light.height()), (0, old.height()));
    }
    assert_eq!(unfollowed(&mut light, &good), None);
    assert!(light.frozen().everything);
    assert_eq!((light.policy().number, light.height()), (1, old.height() + 1));
    assert_eq!(light.roster(), state.roster());

    // INVARIANT S3: whatever the lost machines still commit is not believed, by whoever knows of the rebuild.
    world.commit(vec![Entry::Tick]);
    world.commit(vec![Entry::Tick]);
    let theirs = world.log.last().unwrap().0.clone();
    assert_eq!(light.advance(&theirs).unwrap_err().code(), "certificate.policy");
    let next = propose(&state, state.time().plus_seconds(1), &nodes[0].name, &[], &Strict::default());
    light.advance(&votes(&next.block.header, &nodes)).unwrap();
}

/// Who saw more than the backup has does not go back, whatever people signed; nor to another block of that height.
#[test]
fn l2_the_signer_goes_on_from_what_it_saw_and_never_from_before_it() {
    let mut world = world();
    let (old, nodes) = (world.state.clone(), new_nodes());
    let (mut at_the_end, mut confirmed) = (signer(&world), world.boot());
    let signed = signed_by(&world.desk, rebuild_of(&old, &nodes), &["ana", "ben", "cleo"]);
    let (_, commit, good) = first_block(&old, &signed, &nodes, &Strict::default()).unwrap();
    let mut elsewhere = signed.rebuild.clone();
    elsewhere.last = Digest([1; 32]);
    let elsewhere = signed_by(&world.desk, elsewhere, &["ana", "ben", "cleo"]);
    let mut header = commit.header.clone();
    (header.parent, header.entries) = (Digest([1; 32]), merkle::root(&leaves(&[entry(&elsewhere)])));
    let other =
        Transition { commit: votes(&header, &nodes), rebuild: Some(Box::new(elsewhere)), ..good.clone() };
    assert_eq!(unfollowed(&mut at_the_end, &other), Some("certificate.not_rebuilt"));

    world.commit(vec![Entry::Tick]);
    assert_eq!(unfollowed(&mut signer(&world), &good), Some("certificate.old"));
    // A head that a quorum called its newest counts like one that was shown.
    world.confirm(&mut confirmed, Digest([9; 32])).unwrap();
    assert_eq!(unfollowed(&mut confirmed, &good), Some("certificate.old"));
    assert_eq!(unfollowed(&mut at_the_end, &good), None);
    assert_eq!(unfollowed(&mut world.boot(), &good), None, "who knows the genesis alone follows, too");
}

/// What was lost once can be lost again; the second draft leads through the first rebuild, from the same genesis.
#[test]
fn d01_a_rebuilt_cluster_is_rebuilt_again_from_the_genesis_that_everybody_has() {
    let mut world = world();
    let mut before = Vec::new();
    for (first, count) in [(5_u8, 4_u8), (9, 1)] {
        let nodes =
            || (first..first + count).map(|n| Member::new(&format!("node-{n}"), n)).collect::<Vec<_>>();
        let (genesis, cluster) = (world.genesis.clone(), world.state.cluster());
        let basis = Basis {
            before: before.clone(),
            head: world.head(),
            root: world.state.history().root(),
            remembered: world.state.height(),
            at: world.now().plus_seconds(60),
        };
        let contributions = nodes().iter().map(|node| contribution_to("fixture", node)).collect();
        let draft = RebuildDraft::assemble(&genesis, cluster, basis, contributions).unwrap();
        let sign = |who| draft.sign(&name(who), draft.fingerprint(), &world.desk.person(who).signer).unwrap();
        let assents = ["ana", "cleo", "dora"].map(sign).to_vec();
        let finished = draft.finish(assents).unwrap();
        let (state, _, transition) =
            first_block(&world.state, finished.signed(), &nodes(), &Strict::default()).unwrap();
        assert_eq!(state.roster(), finished.roster());
        let bundle = RebuildBundle::from_document(&finished.bundle().to_document()).unwrap();
        assert_eq!(bundle.verify(&genesis, cluster).unwrap().roster(), state.roster());
        world.go_on(nodes(), finished.signed());
        assert_eq!(world.head().unwrap().header, transition.commit.header);
        before.push(transition);
    }
    assert_eq!((world.state.policy().engine.version().number, world.state.roster().quorum), (2, 1));
    before.remove(0);
    let mut light = world.boot();
    assert_eq!(unfollowed(&mut light, &before[0]), Some("certificate.gap"));
}

/// Freshness begins anew: what lost nodes called the newest head is over with them.
#[test]
fn s14_after_a_rebuild_the_new_nodes_confirm_the_head_before_anything_is_signed() {
    let mut world = world();
    world.rebuild(new_nodes());
    let (id, _) = world.ask("cleo", thaw());
    for who in ["ana", "ben", "dora"] {
        world.approve(who, &id);
    }
    let (paid, _) = world.ask("desk", world.ether(FRIEND, 1, 0));
    let (certificate, unsigned) = (world.certificate(&paid).unwrap(), world.unsigned(&paid));
    assert_eq!(world.sign(&certificate, &unsigned).unwrap_err().code(), "certificate.stale_head");
    let mut light = world.boot();
    std::mem::swap(&mut light, &mut world.light);
    world.confirm(&mut light, Digest([9; 32])).unwrap();
    world.light = light;
    world.sign(&certificate, &unsigned).unwrap();
}
