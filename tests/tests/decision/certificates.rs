//! Each check of the light client by itself: written for mutants that no other test noticed.

use keystead_base::{ClusterId, Coded, Digest, Name};
use keystead_decision::{
    Certificate, Commit, Entry, Frozen, LightClient, LightError, SignedGenesis, Strict, Transition,
    sign_vote, verify_commit, vote_for,
};
use keystead_intent::{Action, AuthorityChange, KeyCeremony, KeyKind};
use keystead_tests::fixture::{Desk, ETHER, FRIEND, Member, name};
use keystead_tests::world::World;

fn world() -> World<Strict> {
    World::new(Strict::default())
}

/// A world with an allowed transfer, its certificate and the digest of its bytes.
fn allowed() -> (World<Strict>, Certificate, Digest) {
    let mut world = world();
    let (id, _) = world.ask("desk", world.ether(FRIEND, 1, 0));
    let (certificate, digest) = (world.certificate(&id).unwrap(), world.unsigned(&id).signing_digest());
    (world, certificate, digest)
}

fn votes(commit: &Commit, nodes: &[&Member]) -> Commit {
    let vote = vote_for(&commit.header, commit.round, 0);
    let votes = nodes.iter().map(|it| sign_vote(&vote, it.name.clone(), &it.signer).unwrap()).collect();
    Commit { votes, ..commit.clone() }
}

#[test]
fn s03_a_commit_needs_a_quorum_of_the_roster_each_once_and_in_order() {
    let nodes: Vec<Member> = (1..=4_u8).map(|n| Member::new(&format!("node-{n}"), n)).collect();
    let [a, b, c, d] = &nodes[..] else { panic!("four nodes") };
    let (stranger, forger) = (Member::new("node-9", 9), Member::new("node-3", 9));
    let (_, certificate, _) = allowed();
    let (cluster, commit) = (certificate.commit.header.cluster, &certificate.commit);
    let desk = Desk {
        nodes: nodes.iter().zip(1..).map(|(it, n)| Member::new(it.name.as_str(), n)).collect(),
        ..Desk::default()
    };
    let roster = desk.roster();
    assert_eq!(roster.quorum, 3);
    let code = |commit: &Commit| verify_commit(cluster, &roster, commit).map_err(|it| it.code()).err();
    for (voters, expected) in [
        (vec![a, b, c], None),
        (vec![a, b, c, d], None),
        (vec![b, c, d], None),
        (vec![a, b], Some("certificate.quorum")),
        (vec![], Some("certificate.quorum")),
        (vec![a, a, b], Some("certificate.vote_order")),
        (vec![b, a, c], Some("certificate.vote_order")),
        (vec![a, b, &stranger], Some("certificate.voter")),
        (vec![a, b, &forger], Some("certificate.vote")),
    ] {
        assert_eq!(
            code(&votes(commit, &voters)),
            expected,
            "{:?}",
            voters.iter().map(|it| &it.name).collect::<Vec<_>>()
        );
    }
    // Votes of another round, or for another header, are votes for something else.
    let good = votes(commit, &[a, b, c]);
    assert_eq!(code(&Commit { round: good.round + 1, ..good.clone() }), Some("certificate.vote"));
    let mut other = good.clone();
    other.header.height += 1;
    assert_eq!(code(&other), Some("certificate.vote"));
    let elsewhere = ClusterId(Digest([0xee; 32]));
    assert_eq!(verify_commit(elsewhere, &roster, &good).unwrap_err().code(), "certificate.cluster");
    // A roster that asks for nobody is asked for somebody.
    let mut nobody = roster.clone();
    nobody.quorum = 0;
    let lacks =
        |roster, voters: &[&Member]| verify_commit(cluster, roster, &votes(commit, voters)).unwrap_err();
    assert_eq!(lacks(&nobody, &[]), LightError::Quorum { expected: 1, found: 0 });
    assert_eq!(lacks(&roster, &[a, b]), LightError::Quorum { expected: 3, found: 2 });
}

#[test]
fn s03_a_permit_is_for_these_bytes_in_this_head_and_in_time() {
    let (mut world, good, digest) = allowed();
    let now = world.now();
    let code = |world: &mut World<Strict>, certificate: &Certificate, digest: &Digest, now| {
        world
            .light
            .permit_signing(certificate, digest, now)
            .map(|_| "permitted")
            .unwrap_or_else(|it| it.code())
    };
    assert_eq!(code(&mut world, &good, &digest, now), "permitted");
    assert_eq!(code(&mut world, &good, &Digest([1; 32]), now), "certificate.digest");
    for (seconds, expected) in [(59, "permitted"), (60, "certificate.expired"), (61, "certificate.expired")] {
        assert_eq!(code(&mut world, &good, &digest, now.plus_seconds(seconds)), expected, "{seconds}");
    }
    let mut height = good.clone();
    height.decision.height += 1;
    assert_eq!(code(&mut world, &height, &digest, now), "certificate.not_included");
    let mut policy = good.clone();
    policy.decision.policy.number += 1;
    assert_eq!(code(&mut world, &policy, &digest, now), "certificate.policy");
    let mut rules = good.clone();
    rules.decision.rules.push(name("invented"));
    assert_eq!(code(&mut world, &rules, &digest, now), "certificate.not_included");
}

/// A clock that somebody set back does not make a right younger than the log's own time.
#[test]
fn s03_the_log_s_time_bounds_the_clock() {
    let (mut world, good, digest) = allowed();
    let early = world.now();
    let later = world.now().plus_seconds(61);
    world.commit_at(later, vec![Entry::Tick]);
    let old = world.light.permit_signing(&good, &digest, early);
    assert_eq!(old.unwrap_err().code(), "certificate.old");
    let id = good.decision.subject;
    world.commit(vec![]);
    let decision = &world.certificate(&id).unwrap().decision;
    let head = world.log.last().unwrap().0.header.clone();
    let stale = world.light.permit_decided(&head, decision, &good.proof, &digest, early);
    assert_eq!(stale.unwrap_err().code(), "certificate.not_included");
}

#[test]
fn s03_a_denial_and_a_ceremony_are_no_right_to_sign() {
    let mut world = world();
    let (denied, _) = world.ask("desk", world.ether(keystead_tests::fixture::STRANGER, 1, 0));
    let certificate = world.certificate(&denied).unwrap();
    let now = world.now();
    let code = world.light.permit_signing(&certificate, &Digest([1; 32]), now).unwrap_err().code();
    assert_eq!(code, "certificate.not_allowed");
    assert_eq!(world.light.permit_ceremony(&certificate, now).unwrap_err().code(), "certificate.not_allowed");

    let create = KeyCeremony::Create { key: name("cold"), kind: KeyKind::HdSecp256k1, home: name("node-1") };
    let (id, _) = world.ask("cleo", Action::Authority(AuthorityChange::Key(create.clone())));
    world.approve("ana", &id);
    world.approve("ben", &id);
    let (certificate, now) = (world.certificate(&id).unwrap(), world.now());
    let code = world.light.permit_signing(&certificate, &Digest([1; 32]), now).unwrap_err().code();
    assert_eq!(code, "certificate.not_allowed");
    let permit = world.light.permit_ceremony(&certificate, now.plus_seconds(59)).unwrap();
    assert_eq!(permit.into_parts(), (create, 0));
    let late = world.light.permit_ceremony(&certificate, now.plus_seconds(60));
    assert_eq!(late.unwrap_err().code(), "certificate.expired");
}

#[test]
fn s14_a_frozen_key_gets_no_permit_by_its_name_alone() {
    let (mut world, good, digest) = allowed();
    assert!(world.light.permit_signing(&good, &digest, world.state.time()).is_ok());
    let entry = world.freeze_entry("eve", Some("hot"));
    let entries = vec![entry, {
        let intent = world.intent("desk", world.ether(FRIEND, 1, 0));
        world.requests(vec![intent])
    }];
    world.commit(entries);
    let head = world.log.last().unwrap().0.header.clone();
    let frozen = Frozen { keys: [name("hot")].into_iter().collect(), ..Frozen::default() };
    assert_eq!((&head.frozen, world.light.frozen()), (&frozen, &frozen));
    assert!(frozen.holds(&name("hot")) && !frozen.holds(&name("cold")));
    let old = world.light.permit_signing(&good, &digest, world.state.time());
    assert_eq!(old.unwrap_err().code(), "certificate.old");
}

#[test]
fn s13_the_signer_follows_versions_without_gaps_and_only_as_they_were_voted_for() {
    let mut world = world();
    let fresh = || LightClient::new(&world.genesis, world.state.cluster()).unwrap();
    let (mut start, pinned) = (fresh(), ClusterId(Digest([0xee; 32])));
    let elsewhere = LightClient::new(&world.genesis, pinned).map(|_| ()).unwrap_err();
    assert_eq!(elsewhere.code(), "certificate.cluster");
    let before = world.log.last().unwrap().0.clone();
    start.advance(&before).unwrap();

    world.adopt(|policy| policy.timing.certificate_seconds = 30);
    let commit = world.log.last().unwrap().0.clone();
    let policy = world.state.policy().engine.version().clone();
    let good = Transition { commit, policy, rebuild: None };
    let code =
        |client: &mut LightClient, it: &Transition| client.follow(it).map_err(|error| error.code()).err();
    let changed = |change: &dyn Fn(&mut Transition)| {
        let mut it = good.clone();
        change(&mut it);
        it
    };
    for (transition, expected) in [
        (changed(&|it| it.policy.number = 2), "certificate.gap"),
        (changed(&|it| it.policy.number = 0), "certificate.gap"),
        (changed(&|it| it.policy.previous = Digest([1; 32])), "certificate.gap"),
        (changed(&|it| it.policy.timing.certificate_seconds = 31), "certificate.policy"),
        (changed(&|it| it.commit.header.roster = Digest([1; 32])), "certificate.policy"),
        (changed(&|it| it.commit.votes.clear()), "certificate.quorum"),
        (changed(&|it| it.commit.header.height += 1), "certificate.vote"),
    ] {
        assert_eq!(code(&mut start, &transition), Some(expected));
        assert_eq!((start.policy().number, start.height()), (0, before.header.height));
    }
    // The next head names a version that this client was not shown.
    assert_eq!(start.advance(&good.commit).unwrap_err().code(), "certificate.policy");
    assert_eq!(code(&mut start, &good), None);
    assert_eq!((start.policy().number, start.height()), (1, good.commit.header.height));
    assert_eq!(start.advance(&before).unwrap_err().code(), "certificate.old");
    assert_eq!(code(&mut start, &good), Some("certificate.gap"));
    start.advance(&good.commit).unwrap();
}

#[test]
fn s11_approvals_end_a_right_as_early_as_the_first_of_them_ends() {
    let mut world = world();
    let (id, _) = world.ask("desk", world.ether(FRIEND, 2 * ETHER, 0));
    let until = |world: &World<Strict>, who: &str, seconds| {
        let mut approval = world.approval(who, &id);
        approval.expires = world.now().plus_seconds(seconds);
        (approval.expires, world.sign_approval(approval))
    };
    let (_, first) = until(&world, "ana", 50);
    let (soonest, second) = until(&world, "ben", 20);
    let decisions = world.commit(vec![first, second]);
    let outcome = keystead_tests::world::outcome_of(&decisions, &id);
    let keystead_decision::Outcome::Allow(grant) = outcome else { panic!("{outcome:?}") };
    assert_eq!(grant.expires, soonest);
    let names: Vec<Name> =
        world.state.request(&id).unwrap().approvals.iter().map(|it| it.signer.clone()).collect();
    assert_eq!(names, [name("ana"), name("ben")]);
}

/// The first trust of all: what founders did not sign, all of them, is no genesis.
#[test]
fn s13_a_genesis_is_signed_by_each_founder_and_is_the_first_version() {
    let desk = Desk::default();
    let good = desk.genesis();
    let code = |it: &SignedGenesis| it.verify().map(|_| "genesis").unwrap_or_else(|error| error.code());
    assert_eq!(code(&good), "genesis");
    let mut missing = good.clone();
    missing.signatures.pop();
    assert_eq!(code(&missing), "genesis.signatures");
    let mut nobody = good.clone();
    nobody.genesis.founders.clear();
    nobody.signatures.clear();
    assert_eq!(code(&nobody), "genesis.signatures");
    for place in 0..good.signatures.len() {
        let mut forged = good.clone();
        forged.signatures[place] = good.genesis.sign(&Member::new("ana", 99).signer).unwrap();
        assert_eq!(code(&forged), "genesis.founder", "{place}");
    }
    let mut changed = good;
    changed.genesis.policy.timing.skew_seconds += 1;
    assert_eq!(code(&changed), "genesis.founder");
    for (number, previous) in [(1, Digest::ZERO), (0, Digest([1; 32]))] {
        let mut policy = desk.policy();
        (policy.number, policy.previous) = (number, previous);
        assert_eq!(code(&desk.genesis_with(policy)), "genesis.version");
    }
}
