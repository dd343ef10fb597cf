//! How shares end: lost and dealt again, or handed out under a policy that names it.

use keystead_base::{Coded as _, Digest, RequestId};
use keystead_decision::{Entry, KeyState, KeyStep, Outcome, Strict};
use keystead_intent::{Action, AuthorityChange, KeyCeremony, KeyKind, KeyTerms};
use keystead_policy::{AssuranceLevel, Feature};
use keystead_tests::circle::{Secp, birth, five, nodes, treasury};
use keystead_tests::fixture::name;
use keystead_tests::world::{World, outcome_of};

use super::{code, epoch_of_a_right, shared, transfer};

#[test]
fn d01_a_holder_that_lost_its_share_gets_one_again_from_those_who_have_theirs() {
    let (mut world, key) = shared();
    let repair = |lost: u8, helpers: &[u8]| KeyCeremony::Repair {
        key: treasury(),
        lost: nodes(&[lost]).remove(0),
        helpers: nodes(helpers),
    };
    assert_eq!(code(&world.allow(repair(2, &[1, 3])).1), "deny.not_lost", "its node did not say so");
    assert_eq!(world.refusal(4, KeyStep::Lost { epoch: 0 }), "deny.not_home");
    assert_eq!(world.refusal(2, KeyStep::Lost { epoch: 1 }), "deny.share.epoch");
    world.says(2, KeyStep::Lost { epoch: 0 });
    let sharing = |world: &World<Strict>| world.state.key(&treasury()).unwrap().sharing.clone().unwrap();
    assert_eq!(sharing(&world).lost(), nodes(&[2]));
    for (wrong, refused) in [
        (repair(1, &[2, 3]), "deny.not_lost"),
        (repair(4, &[1, 3]), "deny.not_lost"),
        (repair(2, &[1]), "deny.dealers"),
        (repair(2, &[1, 2]), "deny.dealers"),
        (repair(2, &[1, 4]), "deny.dealers"),
        (repair(2, &[1, 1]), "deny.dealers"),
        (KeyCeremony::Refresh { key: treasury() }, "deny.dealers"),
    ] {
        assert_eq!(code(&world.allow(wrong.clone()).1), refused, "{wrong:?}");
    }
    let (request, _) = world.allow(repair(2, &[1, 3]));
    assert_eq!(epoch_of_a_right(&mut world, 0), 0, "the others sign on");
    world.carry_through(request, &[1, 2, 3], &[1, 2, 3], &key);
    let after = world.state.key(&treasury()).unwrap();
    assert_eq!((after.epoch, after.account, after.state), (1, key.account(), KeyState::Active));
    assert!(sharing(&world).lost().is_empty());
    assert_eq!(epoch_of_a_right(&mut world, 1), 1);
    world.allow(KeyCeremony::Suspend { key: treasury() });
    world.allow(KeyCeremony::Destroy { key: treasury() });
    let ready = world.now().plus_seconds(300);
    world.commit_at(ready, vec![Entry::Tick]);
    assert_eq!(world.refusal(1, KeyStep::Lost { epoch: 1 }), "deny.key_step", "what is wiped is not lost");
}

/// Of the form of a recipient, each another one.
fn recipient(letter: char) -> String {
    format!("age1pq1{}", letter.to_string().repeat(1952))
}

fn exit(recipients: &[String]) -> KeyCeremony {
    KeyCeremony::Exit { key: treasury(), recipients: recipients.to_vec() }
}

#[test]
fn k04_no_share_leaves_unless_policy_names_it_and_then_the_key_signs_no_more() {
    let (mut world, _) = shared();
    let mut silent = World::of(five(), Strict::default(), |_| {});
    let (request, _) = silent.allow(birth());
    silent.carry_through(request, &[1, 2, 3], &[1, 2, 3], &Secp::new(9));
    let denied = silent.allow(exit(&[recipient('q')])).1;
    assert_eq!(code(&denied), "deny.change_not_named");

    let long = format!("{}q", recipient('q'));
    let wrong = recipient('b');
    let twice = [recipient('q'), recipient('q')];
    for recipients in [&[][..], &["age1qqq".to_owned()], &[long], &[wrong], &twice] {
        assert_eq!(code(&world.allow(exit(recipients)).1), "deny.recipients", "{recipients:?}");
    }
    let hot = KeyCeremony::Exit { key: name("hot"), recipients: vec![recipient('q')] };
    assert_eq!(code(&world.allow(hot).1), "deny.kind");

    world.freeze("eve", Some("treasury"));
    assert_eq!(code(&world.allow(exit(&[recipient('q')])).1), "deny.frozen", "S14");
    let (thaw, _) = world.ask("cleo", Action::Authority(AuthorityChange::Thaw { key: Some(treasury()) }));
    ["ana", "ben"].iter().for_each(|who| drop(world.approve(who, &thaw)));
    let (hangs, _) = world.allow(KeyCeremony::Refresh { key: treasury() });
    let (id, _) = world.allow(exit(&[recipient('q')]));
    let said = KeyStep::Left { request: id, file: Digest([6; 32]) };
    assert_eq!(world.refusal(1, said.clone()), "deny.not_open");
    assert_eq!(epoch_of_a_right(&mut world, 0), 0, "until then it signs");
    let ready = world.now().plus_seconds(300);
    let carried = world.commit_at(ready, vec![Entry::Tick]);
    assert!(matches!(outcome_of(&carried, &id), Outcome::Ceremony { .. }), "{carried:?}");
    let key = |world: &World<Strict>| world.state.key(&treasury()).unwrap().clone();
    assert_eq!((key(&world).state, key(&world).address(0)), (KeyState::Left, None));
    assert!(world.state.frozen().stops(&treasury()), "rights that are out are refused by enclaves, too");
    let (_, refused) = world.ask("desk", transfer(1));
    assert_eq!(code(&refused), "deny.key_stopped");

    world.says(2, said.clone());
    assert_eq!(key(&world).exits, [(name("node-2"), Digest([6; 32]))].into());
    assert_eq!(world.refusal(4, said), "deny.not_home");
    let stale = KeyStep::Left { request: hangs, file: Digest([6; 32]) };
    assert_eq!(world.refusal(1, stale), "deny.not_open");
    let seat = world.seated(1, hangs, 200);
    assert_eq!(world.refusal(1, seat), "deny.not_open", "what was under way is over");
    for back in [KeyCeremony::Resume { key: treasury() }, KeyCeremony::Refresh { key: treasury() }] {
        assert_eq!(code(&world.allow(back).1), "deny.key_step");
    }
    let (again, _) = world.allow(exit(&[recipient('p')]));
    let ready = world.now().plus_seconds(300);
    let carried = world.commit_at(ready, vec![Entry::Tick]);
    assert!(matches!(outcome_of(&carried, &again), Outcome::Ceremony { .. }), "a file was lost: {carried:?}");
}

#[test]
fn s05_people_end_a_ceremony_that_hangs_and_the_shares_so_far_sign_on() {
    let (mut world, _) = shared();
    let abort = |request| KeyCeremony::Abort { key: treasury(), request };
    let nothing = RequestId(Digest([9; 32]));
    assert_eq!(code(&world.allow(abort(nothing)).1), "deny.key_unknown", "nothing is under way");
    let (hangs, _) = world.allow(KeyCeremony::Refresh { key: treasury() });
    world.take_seats(hangs, &[1, 2, 3], 120);
    assert_eq!(code(&world.allow(abort(nothing)).1), "deny.not_open", "another one is");
    let (_, ended) = world.allow(abort(hangs));
    assert_eq!(ended, Outcome::Key { key: treasury(), state: KeyState::Active });
    assert!(world.state.convening(&treasury()).is_none());
    let again = world.seated(1, hangs, 200);
    assert_eq!(world.refusal(1, again), "deny.not_open");
    assert_eq!(epoch_of_a_right(&mut world, 0), 0);

    let mut world = World::of(five(), Strict::default(), |_| {});
    let (born, _) = world.allow(birth());
    let (_, ended) = world.allow(abort(born));
    assert_eq!(ended, Outcome::Key { key: treasury(), state: KeyState::Created });
    let (again, _) = world.allow(birth());
    world.carry_through(again, &[1, 2, 3], &[1, 2, 3], &Secp::new(9));
    assert_eq!(world.state.key(&treasury()).unwrap().state, KeyState::Active, "its name was free again");
}

/// The end of a birth, the permission for a whole key of its name, and that key's report, each in its place in one block.
#[test]
fn e3_a_name_is_free_from_the_entry_on_that_ends_its_birth_and_not_before() {
    for ends_first in [true, false] {
        let mut world = World::of(five(), Strict::default(), |_| {});
        let create = |world: &mut World<Strict>| {
            let (key, kind, home) = (treasury(), KeyKind::HdSecp256k1, name("node-1"));
            let create = KeyCeremony::Create { key, kind, home };
            let (asked, _) = world.ask("cleo", Action::Authority(AuthorityChange::Key(create)));
            world.approve("ana", &asked);
            asked
        };
        // Both while the name is free; the first is allowed then, too.
        let (early, late) = (create(&mut world), create(&mut world));
        world.approve("ben", &early);
        let (born, _) = world.allow(birth());
        world.take_seats(born, &[1, 2, 3], 100);
        let abort = KeyCeremony::Abort { key: treasury(), request: born };
        let (abort, _) = world.ask("cleo", Action::Authority(AuthorityChange::Key(abort)));
        world.approve("ana", &abort);

        let says_yes = |id| world.sign_approval(world.approval("ben", id));
        let (kind, account, assurance) =
            (KeyKind::HdSecp256k1, Secp::new(8).account(), AssuranceLevel::Process);
        let protections = Feature::ALL.to_vec();
        let made = KeyStep::Created { request: early, kind, account, assurance, protections };
        let seat = world.seated(1, born, 200);
        let mut block = vec![says_yes(&abort), says_yes(&late), world.word(1, made), world.word(1, seat)];
        if !ends_first {
            block.rotate_left(1);
        }
        let decided = world.commit(block);
        let ended = Outcome::Key { key: treasury(), state: KeyState::Created };
        assert_eq!(outcome_of(&decided, &abort), ended);
        assert!(world.state.convening(&treasury()).is_none());
        let refused = |outcome: &Outcome| match outcome {
            Outcome::Refused { reason, .. } => Some(reason.code()),
            Outcome::Deny { .. } => Some(code(outcome)),
            _ => None,
        };
        let found: Vec<_> = decided.iter().filter_map(|it| refused(&it.outcome)).collect();
        let is_made = world.state.key(&treasury()).is_some_and(|it| it.kind == kind);
        match ends_first {
            true => assert_eq!((found, is_made), (vec!["deny.not_open"], true), "its seat is none any more"),
            false => assert_eq!((found, is_made), (vec!["deny.key_exists", "deny.key_exists"], false)),
        }
    }
}

/// Approved for a ceremony that another one took the place of: that one goes on.
#[test]
fn s09_people_end_the_ceremony_that_they_saw_and_not_the_next() {
    let (mut world, _) = shared();
    let (hangs, _) = world.allow(KeyCeremony::Refresh { key: treasury() });
    let abort = KeyCeremony::Abort { key: treasury(), request: hangs };
    let (asked, _) = world.ask("cleo", Action::Authority(AuthorityChange::Key(abort)));
    world.approve("ana", &asked);
    let (next, _) = world.allow(KeyCeremony::Refresh { key: treasury() });
    let ended = world.approve("ben", &asked);
    assert_eq!(code(&outcome_of(&ended, &asked)), "deny.not_open");
    assert_eq!(world.state.convening(&treasury()).unwrap().request, next, "it is under way");
}

#[test]
fn k06_people_let_a_holder_in_again_and_nobody_else() {
    let (mut world, _) = shared();
    let lift = |key, node: &str| KeyCeremony::Lift { key, node: name(node) };
    assert!(matches!(world.allow(lift(treasury(), "node-2")).1, Outcome::Ceremony { .. }));
    let former = world.allow(lift(treasury(), "node-4")).1;
    assert!(matches!(former, Outcome::Ceremony { .. }), "it may be about to hold again: {former:?}");
    assert_eq!(code(&world.allow(lift(treasury(), "node-9")).1), "deny.not_home", "no node of the roster");
    assert_eq!(code(&world.allow(lift(name("hot"), "node-1")).1), "deny.kind");
    assert_eq!(code(&world.allow(lift(name("cold"), "node-1")).1), "deny.key_unknown");
}

#[test]
fn k04_no_share_leaves_of_a_key_that_must_not_leave() {
    let (mut world, _) = shared();
    let terms = KeyTerms { no_export: true, ..KeyTerms::default() };
    world.allow(KeyCeremony::Limit { key: treasury(), terms });
    assert_eq!(code(&world.allow(exit(&[recipient('q')])).1), "deny.key_terms");
}

/// Somebody was away, and people asked again.
#[test]
fn s14_a_destruction_is_carried_out_once_no_holder_has_anything_left() {
    let (mut world, _) = shared();
    world.allow(KeyCeremony::Suspend { key: treasury() });
    let mut asked = [(); 2].map(|()| {
        let (id, _) = world.allow(KeyCeremony::Destroy { key: treasury() });
        let ready = world.now().plus_seconds(300);
        world.commit_at(ready, vec![Entry::Tick]);
        id
    });
    let (account, first) = (world.state.key(&treasury()).unwrap().account, asked[0]);
    let wiped = || KeyStep::Wiped { request: first, account, epoch: 0, erased: 1 };
    for holder in [1, 3] {
        world.says(holder, wiped());
        assert_eq!(world.carried_out(), [], "one still has its share");
    }
    world.says(2, wiped());
    asked.sort();
    assert_eq!(world.carried_out(), asked);
    world.says(2, wiped());
    assert_eq!(world.carried_out(), [], "once");
}
