//! The life of a key at the state machine: suspended, resumed, destroyed, and guarded as policy demands.

use keystead_base::{Canonical as _, Coded, Digest, RequestId, Signed, Timestamp};
use keystead_decision::{
    Decision, Entry, KeyEvent, KeyState, KeyStep, Outcome, PublicAccount, Strict, drill_challenge,
};
use keystead_intent::{Action, AuthorityChange, ChangeKind, DangerClass, KeyCeremony};
use keystead_policy::{AssuranceLevel, Feature, Need, QuorumRow, Reason, RequiredProtections};
use keystead_tests::fixture::{FRIEND, name};
use keystead_tests::world::{World, outcome_of, reasons};

fn world() -> World<Strict> {
    World::with_policy(Strict::default(), |policy| {
        policy.quorums.push(QuorumRow {
            id: name("wipe"),
            keys: Vec::new(),
            classes: vec![DangerClass::Authority],
            changes: vec![ChangeKind::DestroyKey],
            from: None,
            needs: vec![Need { role: name("approver"), count: 2, factors: Vec::new() }],
            delay_seconds: 300,
            vetoers: vec![name("vetoer")],
        });
    })
}

fn hot() -> keystead_base::Name {
    name("hot")
}

/// The outcome of a ceremony that two people approve.
fn ceremony(world: &mut World<Strict>, ceremony: KeyCeremony) -> Outcome {
    let (id, first) = world.ask("cleo", Action::Authority(AuthorityChange::Key(ceremony)));
    if !matches!(first, Outcome::Wait { .. }) {
        return first;
    }
    world.approve("ana", &id);
    let last = world.approve("ben", &id);
    outcome_of(&last, &id)
}

fn event(world: &mut World<Strict>, step: KeyStep) -> Vec<Decision> {
    let body = KeyEvent { cluster: world.state.cluster(), key: hot(), step };
    let node = &world.desk.nodes[0];
    let entry = Entry::Key(Signed::new(body, node.name.clone(), &node.signer).unwrap());
    world.commit(vec![entry])
}

fn state(world: &World<Strict>) -> KeyState {
    world.state.key(&hot()).unwrap().state
}

#[test]
fn s14_a_suspended_key_signs_nothing_and_its_outstanding_rights_are_void() {
    let mut world = world();
    let (id, allowed) = world.ask("desk", world.ether(FRIEND, 1, 0));
    assert!(matches!(allowed, Outcome::Allow(_)), "{allowed:?}");
    let (certificate, unsigned) = (world.certificate(&id).unwrap(), world.unsigned(&id));
    let suspended = ceremony(&mut world, KeyCeremony::Suspend { key: hot() });
    assert_eq!(suspended, Outcome::Key { key: hot(), state: KeyState::Suspended });
    assert!(world.state.frozen().stops(&hot()) && !world.state.frozen().holds(&hot()));
    assert!(world.sign(&certificate, &unsigned).is_err(), "the newer head voids the older right");
    let (_, refused) = world.ask("desk", world.ether(FRIEND, 1, 1));
    let expected = Reason::KeyStopped { key: hot(), state: KeyState::Suspended };
    assert_eq!(reasons(&refused), [expected]);
    assert!(world.state.key(&hot()).unwrap().address(0).is_some(), "it still receives");

    let again = ceremony(&mut world, KeyCeremony::Suspend { key: hot() });
    assert!(matches!(reasons(&again)[..], [Reason::KeyStep { .. }]), "{again:?}");
    let resumed = ceremony(&mut world, KeyCeremony::Resume { key: hot() });
    assert_eq!(resumed, Outcome::Key { key: hot(), state: KeyState::Active });
    let (_, allowed) = world.ask("desk", world.ether(FRIEND, 1, 1));
    assert!(matches!(allowed, Outcome::Allow(_)), "{allowed:?}");
}

#[test]
fn s14_a_thaw_does_not_resume_a_suspended_key() {
    let mut world = world();
    ceremony(&mut world, KeyCeremony::Suspend { key: hot() });
    world.freeze("eve", None);
    let (id, _) = world.ask("cleo", Action::Authority(AuthorityChange::Thaw { key: None }));
    world.approve("ana", &id);
    world.approve("ben", &id);
    assert!(!world.state.frozen().holds(&hot()) && world.state.frozen().stops(&hot()));
    let (_, refused) = world.ask("desk", world.ether(FRIEND, 1, 0));
    assert!(matches!(reasons(&refused)[..], [Reason::KeyStopped { .. }]), "{refused:?}");
}

#[test]
fn s09_a_key_is_destroyed_after_its_delay_and_a_veto_stops_that() {
    let mut world = world();
    let active = ceremony(&mut world, KeyCeremony::Destroy { key: hot() });
    assert!(matches!(reasons(&active)[..], [Reason::KeyStep { state: KeyState::Active, .. }]), "{active:?}");
    ceremony(&mut world, KeyCeremony::Suspend { key: hot() });
    let destroy = Action::Authority(AuthorityChange::Key(KeyCeremony::Destroy { key: hot() }));
    let (id, _) = world.ask("cleo", destroy.clone());
    world.approve("ana", &id);
    world.approve("ben", &id);
    let vetoed = world.veto("eve", &id);
    assert!(matches!(reasons(&outcome_of(&vetoed, &id))[..], [Reason::Vetoed { .. }]), "{vetoed:?}");

    let (id, _) = world.ask("cleo", destroy);
    world.approve("ana", &id);
    world.approve("ben", &id);
    assert_eq!(state(&world), KeyState::Suspended, "it waits");
    let early = event(&mut world, KeyStep::Destroyed);
    assert!(matches!(reasons(&early[0].outcome)[..], [Reason::KeyStep { .. }]), "{early:?}");
    let ready = world.now().plus_seconds(300);
    let carried = world.commit_at(ready, vec![Entry::Tick]);
    assert!(matches!(outcome_of(&carried, &id), Outcome::Ceremony { .. }), "{carried:?}");
    assert_eq!(state(&world), KeyState::Deactivated);
    let resume = ceremony(&mut world, KeyCeremony::Resume { key: hot() });
    assert!(matches!(reasons(&resume)[..], [Reason::KeyStep { .. }]), "{resume:?}");
    let account = world.state.key(&hot()).unwrap().account;
    let other = PublicAccount { x: Digest([7; 32]), ..account };
    let certificate = |request, account, epoch| KeyStep::Wiped { request, account, epoch, erased: 1 };
    for (wrong, code) in [
        (certificate(RequestId(Digest([7; 32])), account, 0), "deny.request_unknown"),
        (certificate(id, other, 0), "deny.not_counted"),
        (certificate(id, account, 1), "deny.not_counted"),
    ] {
        assert_eq!(reasons(&event(&mut world, wrong)[0].outcome)[0].code(), code);
        assert_eq!((state(&world), world.carried_out()), (KeyState::Deactivated, Vec::new()));
    }
    // Nor is anything carried out because a node says so where it does not count.
    event(&mut world, KeyStep::Left { request: id, file: Digest([7; 32]) });
    assert_eq!(world.carried_out(), []);
    event(&mut world, certificate(id, account, 0));
    assert_eq!((state(&world), world.carried_out()), (KeyState::Destroyed, vec![id]));
    let wipes = &world.state.key(&hot()).unwrap().life.wipes;
    let told = KeyEvent { cluster: world.state.cluster(), key: hot(), step: certificate(id, account, 0) };
    assert_eq!(wipes.get(&name("node-1")), Some(&told.digest()));
    assert_eq!(world.state.key(&hot()).unwrap().address(0), None);
    let kind = keystead_intent::KeyKind::HdSecp256k1;
    let reborn = ceremony(&mut world, KeyCeremony::Create { key: hot(), kind, home: name("node-1") });
    assert!(matches!(reasons(&reborn)[..], [Reason::KeyExists { .. }]), "{reborn:?}");
}

#[test]
fn d01_a_key_gets_a_home_only_where_people_said_and_with_a_proof() {
    let mut world = world();
    let restored = |request| KeyStep::Restored {
        request,
        recipient: Digest([7; 32]),
        assurance: AssuranceLevel::Process,
        protections: Feature::ALL.to_vec(),
        proof: vec![1; 64],
    };
    world.make_key("warm", 9);
    let code = |world: &mut World<Strict>, key: &str, home: &str| {
        let ceremony = KeyCeremony::Restore { key: name(key), home: name(home) };
        let (id, _) = world.ask("cleo", Action::Authority(AuthorityChange::Key(ceremony)));
        world.approve("ana", &id);
        let last = world.approve("ben", &id);
        assert!(matches!(outcome_of(&last, &id), Outcome::Ceremony { epoch: 0, .. }), "{last:?}");
        let reported = event(world, restored(id));
        reasons(&reported[0].outcome)[0].code()
    };
    assert_eq!(code(&mut world, "hot", "node-9"), "deny.not_open", "that is another node's to report");
    assert_eq!(code(&mut world, "warm", "node-1"), "deny.not_open", "that is for another key");
    assert_eq!(code(&mut world, "hot", "node-1"), "deny.drill_failed", "nobody has shown the key");
    let key = world.state.key(&hot()).unwrap();
    assert_eq!((key.home.as_str(), key.epoch), ("node-1", 0));
    ceremony(&mut world, KeyCeremony::Suspend { key: hot() });
    let unasked = event(&mut world, restored(RequestId(Digest([8; 32]))));
    assert_eq!(reasons(&unasked[0].outcome)[0].code(), "deny.request_unknown");
}

/// A home that kept the seed could prove control again, and take the key back from whomever people gave it next.
#[test]
fn s13_a_permission_to_restore_a_key_is_used_once() {
    let mut world = world();
    let ceremony = KeyCeremony::Restore { key: hot(), home: name("node-1") };
    let (request, _) = world.ask("cleo", Action::Authority(AuthorityChange::Key(ceremony)));
    world.approve("ana", &request);
    world.approve("ben", &request);
    let restored = |world: &World<Strict>, epoch| KeyStep::Restored {
        request,
        recipient: Digest([7; 32]),
        assurance: AssuranceLevel::Process,
        protections: Feature::ALL.to_vec(),
        proof: world.proof(&drill_challenge(world.state.cluster(), &hot(), epoch, &Digest([7; 32]), None)),
    };
    let first = restored(&world, 1);
    assert!(matches!(event(&mut world, first)[0].outcome, Outcome::Key { .. }));
    assert_eq!(world.state.key(&hot()).unwrap().epoch, 1);
    let again = restored(&world, 2);
    let refused = event(&mut world, again);
    assert_eq!(reasons(&refused[0].outcome)[0].code(), "deny.not_open");
    assert_eq!(world.state.key(&hot()).unwrap().epoch, 1);
}

#[test]
fn s09_a_policy_without_a_row_for_it_destroys_no_key() {
    let mut world = World::new(Strict::default());
    ceremony(&mut world, KeyCeremony::Suspend { key: hot() });
    let refused = ceremony(&mut world, KeyCeremony::Destroy { key: hot() });
    assert_eq!(reasons(&refused)[0].code(), "deny.change_not_named");
}

#[test]
fn a_key_whose_home_reports_less_than_policy_demands_signs_nothing() {
    let mut world = world();
    world.adopt(|policy| {
        let features = vec![Feature::SecretMemory, Feature::Seccomp];
        policy.protections = vec![RequiredProtections { level: AssuranceLevel::Process, features }];
    });
    let (_, nothing) = world.ask("desk", world.ether(FRIEND, 1, 0));
    assert_eq!(world.light.required(AssuranceLevel::Process), [Feature::SecretMemory, Feature::Seccomp]);
    let lacks = |missing| Reason::Unprotected { key: hot(), missing };
    assert_eq!(reasons(&nothing), [lacks(vec![Feature::SecretMemory, Feature::Seccomp])]);
    event(&mut world, KeyStep::Protected { protections: vec![Feature::Landlock, Feature::Seccomp] });
    let (_, less) = world.ask("desk", world.ether(FRIEND, 1, 0));
    assert_eq!(reasons(&less), [lacks(vec![Feature::SecretMemory])]);
    event(&mut world, KeyStep::Protected { protections: Feature::ALL.to_vec() });
    let (_, enough) = world.ask("desk", world.ether(FRIEND, 1, 0));
    assert!(matches!(enough, Outcome::Allow(_)), "{enough:?}");
}

fn restore_of(world: &World<Strict>) -> Digest {
    world.state.key(&hot()).unwrap().backup.unwrap()
}

fn drill(world: &mut World<Strict>, after: Option<Timestamp>) -> Outcome {
    let backup = restore_of(world);
    let proof = world.proof(&drill_challenge(world.state.cluster(), &hot(), 0, &backup, after));
    event(world, KeyStep::Drilled { backup, proof })[0].outcome.clone()
}

/// INVARIANT D2: how old the last drill is, is a fact that rules see.
#[test]
fn d2_a_rule_stops_a_key_whose_drill_is_overdue_until_the_next_one() {
    let mut world = World::with_policy(Strict::default(), |policy| {
        let cedar = r#"forbid(principal, action in Action::"sign", resource) when { context.drill_age_seconds > 3600 };"#;
        policy.rules.push(keystead_policy::Rule { id: name("zz-drilled"), cedar: cedar.to_owned() });
    });
    let allowed = |world: &mut World<Strict>, nonce| {
        matches!(world.ask("desk", world.ether(FRIEND, 1, nonce)).1, Outcome::Allow(_))
    };
    assert!(allowed(&mut world, 0));
    let late = world.state.time().plus_seconds(2 * 3600);
    world.commit_at(late, vec![]);
    assert!(!allowed(&mut world, 1), "its drill is overdue");
    for state in [KeyState::Compromised, KeyState::Deactivated] {
        let mut over = world.state.key(&hot()).unwrap().clone();
        over.state = state;
        assert_eq!(over.drill_age(world.state.time()), 0, "nobody can drill it, and it has to be swept");
    }
    let first = world.state.key(&hot()).unwrap().drilled;
    let again = drill(&mut world, None);
    assert_eq!(
        reasons(&again)[0].code(),
        "deny.drill_failed",
        "whoever reads the log has the proof of the first one"
    );
    assert!(!allowed(&mut world, 1));
    assert!(matches!(drill(&mut world, first), Outcome::Key { .. }));
    assert!(allowed(&mut world, 1), "it was drilled");
}

/// What people approved once is reported once, and a backup counts as drilled only by a drill of its own.
#[test]
fn d2_the_age_of_a_drill_is_that_of_the_latest_backup_and_no_older_one_takes_its_place() {
    let mut world = world();
    let age = |world: &World<Strict>| world.state.key(&hot()).unwrap().drill_age(world.state.time());
    let (old, first) = (restore_of(&world), world.state.key(&hot()).unwrap().drilled);
    let challenge = drill_challenge(world.state.cluster(), &hot(), 0, &old, None);
    let told = world.proof(&challenge);
    assert!(age(&world) < 60, "it was drilled when the key was born");

    let again = KeyCeremony::Backup { key: hot(), recipients: vec![name("ana")] };
    let (request, _) = world.ask("cleo", Action::Authority(AuthorityChange::Key(again)));
    world.approve("ana", &request);
    world.approve("ben", &request);
    let (new, backed_up) = (Digest([0x77; 32]), |backup| KeyStep::BackedUp { request, backup });
    let made = event(&mut world, backed_up(new));
    assert!(matches!(made[0].outcome, Outcome::Key { state: KeyState::Active, .. }), "{made:?}");
    assert_eq!((restore_of(&world), age(&world)), (new, u64::MAX), "nobody restored the new one");
    let back = event(&mut world, backed_up(old));
    assert_eq!(reasons(&back[0].outcome)[0].code(), "deny.not_open", "the home rolls nothing back");
    let replayed = event(&mut world, KeyStep::Drilled { backup: new, proof: told });
    assert_eq!(reasons(&replayed[0].outcome)[0].code(), "deny.drill_failed");

    let late = world.state.time().plus_seconds(3600);
    world.commit_at(late, vec![]);
    assert!(matches!(drill(&mut world, first), Outcome::Key { .. }));
    assert!(age(&world) < 60, "{}", age(&world));
}

/// The log does not know which backup gave the key back: the age of the last drill goes on.
#[test]
fn d2_a_restoration_is_no_drill() {
    let mut world = world();
    let late = world.state.time().plus_seconds(3600);
    world.commit_at(late, vec![]);
    let restore = KeyCeremony::Restore { key: hot(), home: name("node-1") };
    let (request, _) = world.ask("cleo", Action::Authority(AuthorityChange::Key(restore)));
    world.approve("ana", &request);
    world.approve("ben", &request);
    let recipient = Digest([7; 32]);
    let proof = world.proof(&drill_challenge(world.state.cluster(), &hot(), 1, &recipient, None));
    let (assurance, protections) = (AssuranceLevel::Process, Feature::ALL.to_vec());
    let restored = event(&mut world, KeyStep::Restored { request, recipient, assurance, protections, proof });
    assert!(matches!(restored[0].outcome, Outcome::Key { .. }), "{restored:?}");
    assert!(world.state.key(&hot()).unwrap().drill_age(world.state.time()) >= 3600);
}

/// INVARIANT K4: nobody restores a key alone from a backup in shares.
#[test]
fn d2_the_log_takes_only_shares_of_which_several_people_restore_a_key() {
    let mut world = world();
    let group = |threshold, members: &[&str]| keystead_intent::BackupGroup {
        threshold,
        members: members.iter().map(|it| name(it)).collect(),
    };
    let split = |group_threshold, groups: Vec<_>| KeyCeremony::Split { key: hot(), group_threshold, groups };
    for (needed, groups) in [
        (1, vec![]),
        (0, vec![group(2, &["ana", "ben"])]),
        (2, vec![group(2, &["ana", "ben"])]),
        (1, vec![group(1, &["ana"])]),
        (1, vec![group(1, &["ana", "ben"])]),
        (1, vec![group(3, &["ana", "ben"])]),
        (1, vec![group(2, &["ana", "ana"])]),
        (1, vec![group(2, &["ana", "ben"]), group(1, &["cleo"])]),
    ] {
        let refused = ceremony(&mut world, split(needed, groups.clone()));
        assert_eq!(reasons(&refused)[0].code(), "deny.backup_shape", "{needed} of {groups:?}");
    }
    let nobody = ceremony(&mut world, split(1, vec![group(2, &["ana", "nobody"])]));
    assert_eq!(reasons(&nobody)[0].code(), "deny.not_a_recipient");
}

#[test]
fn k05_a_key_that_people_let_be_wiped_sweeps_no_more() {
    let mut world = world();
    world.make_key("warm", 9);
    ceremony(&mut world, KeyCeremony::Succeed { key: hot(), successor: name("warm") });
    ceremony(&mut world, KeyCeremony::Deactivate { key: hot(), why: "its time is over".to_owned() });
    assert!(!world.state.frozen().stops(&hot()), "it sweeps");
    let destroy = KeyCeremony::Destroy { key: hot() };
    let (id, _) = world.ask("cleo", Action::Authority(AuthorityChange::Key(destroy)));
    world.approve("ana", &id);
    world.approve("ben", &id);
    let ready = world.now().plus_seconds(300);
    world.commit_at(ready, vec![Entry::Tick]);
    assert!(world.state.frozen().stops(&hot()));
    let target = world.state.key(&name("warm")).unwrap().address(0).unwrap();
    let (_, swept) = world.ask("desk", world.ether(target, 1, 0));
    assert_eq!(reasons(&swept), [Reason::KeyStopped { key: hot(), state: KeyState::Deactivated }]);
}
