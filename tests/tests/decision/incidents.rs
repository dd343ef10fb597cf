//! A declared compromise: what it stops, what it lists, and that nothing goes on before all of it is replaced.

use keystead_base::{Coded, Name};
use keystead_decision::{KeyState, Outcome, Strict};
use keystead_intent::{Action, AuthorityChange, KeyCeremony, Rotation, Suspect};
use keystead_policy::{LifeReason, Reason};
use keystead_tests::fixture::{FRIEND, name};
use keystead_tests::world::{World, outcome_of, reasons};

fn approved(world: &mut World<Strict>, change: AuthorityChange) -> Outcome {
    let (id, first) = world.ask("cleo", Action::Authority(change));
    if !matches!(first, Outcome::Wait { .. }) {
        return first;
    }
    world.approve("ana", &id);
    let last = world.approve("ben", &id);
    outcome_of(&last, &id)
}

fn declared(world: &mut World<Strict>, suspects: Vec<Suspect>) -> Outcome {
    approved(world, AuthorityChange::Compromise { suspects, why: "found in a paste".to_owned() })
}

fn hot() -> Name {
    name("hot")
}

fn code(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Allow(_) => "allow",
        other => reasons(other).first().map_or("-", Coded::code),
    }
}

#[test]
fn s14_a_compromised_key_is_stopped_listed_and_thawed_only_after_its_successor_is_active() {
    let mut world = World::new(Strict::default());
    world.freeze("eve", Some("hot"));
    let rotate = vec![Rotation::Key { key: hot() }];
    let outcome = declared(&mut world, vec![Suspect::Key { key: hot() }]);
    assert_eq!(outcome, Outcome::Compromised { rotate: rotate.clone() });
    assert_eq!(world.state.key(&hot()).unwrap().state, KeyState::Compromised);
    assert!(world.state.frozen().stops(&hot()) && !world.state.frozen().holds(&hot()));
    let thaw = approved(&mut world, AuthorityChange::Thaw { key: None });
    assert_eq!(reasons(&thaw), [Reason::Life(LifeReason::NotRotated { rotate: rotate.clone() })]);

    world.make_key("warm", 9);
    assert_eq!(world.state.to_rotate(), rotate, "to be there is not to take its place");
    let succeed = KeyCeremony::Succeed { key: hot(), successor: name("warm") };
    assert!(matches!(approved(&mut world, AuthorityChange::Key(succeed)), Outcome::Key { .. }));
    assert_eq!(world.state.to_rotate(), []);
    // INVARIANT S14: everything is replaced, and people still have to say that signing goes on.
    let payment = world.ether(FRIEND, 1, 0);
    let (_, refused) = world.ask("desk", payment);
    assert_eq!(code(&refused), "deny.sweeps_only");
    assert!(world.state.incident().is_some());
    assert!(!world.state.frozen().holds(&name("warm")), "born since, and frozen by nobody");
    let Action::Transfer(mut payment) = world.ether(FRIEND, 1, 0) else { unreachable!() };
    payment.account.key = name("warm");
    let (_, refused) = world.ask("desk", Action::Transfer(payment.clone()));
    assert_eq!(reasons(&refused), [Reason::Life(LifeReason::NotRotated { rotate: Vec::new() })]);
    let thaw = approved(&mut world, AuthorityChange::Thaw { key: None });
    assert_eq!(thaw, Outcome::Thawed { key: None });
    assert!(world.state.incident().is_none());
    let payment = world.ether(FRIEND, 1, 0);
    let (_, refused) = world.ask("desk", payment);
    assert_eq!(code(&refused), "deny.sweeps_only", "what is compromised stays so");
}

#[test]
fn s14_a_compromised_device_freezes_every_key_until_the_roster_has_another() {
    let mut world = World::new(Strict::default());
    let person = name("dora");
    let device = world.state.roster().person(&person).unwrap().devices[0].clone();
    let key = device.key.fingerprint();
    let rotation = Rotation::Device { person: person.clone(), device: device.name.clone(), key };
    let suspect = Suspect::Device { person: person.clone(), device: device.name };
    assert_eq!(declared(&mut world, vec![suspect]), Outcome::Compromised { rotate: vec![rotation.clone()] });
    assert!(world.state.frozen().holds(&hot()));
    let payment = world.ether(FRIEND, 1, 0);
    let (_, refused) = world.ask("desk", payment);
    assert_eq!(code(&refused), "deny.frozen");
    let thaw = approved(&mut world, AuthorityChange::Thaw { key: Some(hot()) });
    assert_eq!(reasons(&thaw), [Reason::Life(LifeReason::NotRotated { rotate: vec![rotation] })]);
    world.adopt(|next| next.roster.people.retain(|it| it.name != person));
    assert_eq!(world.state.to_rotate(), []);
    assert_eq!(approved(&mut world, AuthorityChange::Thaw { key: None }), Outcome::Thawed { key: None });
    let payment = world.ether(FRIEND, 1, 0);
    let (_, allowed) = world.ask("desk", payment);
    assert_eq!(code(&allowed), "allow");
}

#[test]
fn s14_a_compromised_node_takes_every_key_in_its_enclave_with_it() {
    let mut world = World::new(Strict::default());
    world.make_key("warm", 9);
    let node = name("node-1");
    let Outcome::Compromised { rotate } = declared(&mut world, vec![Suspect::Node { node: node.clone() }])
    else {
        panic!("a declaration")
    };
    let key = world.state.roster().node(&node).unwrap().key.fingerprint();
    let keys = ["hot", "warm"].map(|it| Rotation::Key { key: name(it) });
    assert_eq!(rotate, [keys.as_slice(), &[Rotation::Node { node, key }]].concat());
}

#[test]
fn s14_a_declaration_names_what_is_ours() {
    let mut world = World::new(Strict::default());
    let stranger = Suspect::Key { key: name("nobody") };
    let twice = vec![Suspect::Key { key: hot() }, Suspect::Key { key: hot() }];
    for suspects in [vec![], vec![stranger], twice] {
        assert_eq!(reasons(&declared(&mut world, suspects)), [Reason::Life(LifeReason::SuspectsRefused)]);
    }
}
