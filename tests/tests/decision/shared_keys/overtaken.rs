//! Ceremonies whose key became something else meanwhile: nothing takes over from them.

use keystead_base::PublicAccount;
use keystead_decision::{Outcome, Strict};
use keystead_intent::{Action, AuthorityChange, Importer, KeyCeremony, KeyKind, KeyTerms, Suspect};
use keystead_tests::circle::{birth, nodes, treasury};
use keystead_tests::fixture::name;
use keystead_tests::world::{World, outcome_of};

use super::{code, shared, world};

/// The key `hot` is dealt by the home where it is whole.
fn by_its_home(world: &World<Strict>) -> KeyCeremony {
    let account = world.state.key(&name("hot")).unwrap().account;
    let (kind, from) = (KeyKind::ThresholdSecp256k1, Importer::Home(name("node-1")));
    KeyCeremony::Import { key: name("hot"), kind, account, from, threshold: 2, holders: nodes(&[2, 3, 4]) }
}

fn retired(key: keystead_base::Name) -> KeyCeremony {
    KeyCeremony::Deactivate { key, why: "its time is over".to_owned() }
}

#[test]
fn k04_what_must_not_leave_its_home_is_not_dealt_in_shares_either() {
    let mut world = world();
    let terms = KeyTerms { no_export: true, ..KeyTerms::default() };
    world.allow(KeyCeremony::Limit { key: name("hot"), terms });
    let import = by_its_home(&world);
    assert_eq!(code(&world.allow(import).1), "deny.key_terms");
}

#[test]
fn s14_a_frozen_key_is_not_dealt_in_shares() {
    let mut world = world();
    world.freeze("eve", Some("hot"));
    let import = by_its_home(&world);
    assert_eq!(code(&world.allow(import).1), "deny.frozen");
}

#[test]
fn k03_a_ceremony_ends_with_the_key_that_it_was_for() {
    let (mut world, _) = shared();
    world.allow(KeyCeremony::Refresh { key: treasury() });
    assert!(world.state.convening(&treasury()).is_some());
    world.allow(retired(treasury()));
    assert!(world.state.convening(&treasury()).is_none());
}

#[test]
fn k03_no_share_is_born_at_a_node_that_is_suspected() {
    for (node, ends) in [("node-1", true), ("node-5", false)] {
        let mut world = world();
        world.allow(birth());
        let suspects = vec![Suspect::Node { node: name(node) }];
        let why = "somebody was at its console".to_owned();
        let change = AuthorityChange::Compromise { suspects, why };
        let (id, _) = world.ask("cleo", Action::Authority(change));
        world.approve("ana", &id);
        let declared = outcome_of(&world.approve("ben", &id), &id);
        assert!(matches!(declared, Outcome::Compromised { .. }), "{declared:?}");
        assert_eq!(world.state.convening(&treasury()).is_none(), ends, "{node}");
    }
}

/// As a raw key, under another name, it would sign whatever policy lets keys sign.
#[test]
fn e3_the_address_of_a_key_that_is_over_does_not_come_back_by_an_import() {
    let mut world = world();
    let account = PublicAccount::lone(world.first_child_of_hot());
    world.allow(retired(name("hot")));
    let (kind, from) = (KeyKind::ThresholdSecp256k1, Importer::Person(name("cleo")));
    let (key, holders) = (name("cold"), nodes(&[1, 2, 3]));
    let import = KeyCeremony::Import { key, kind, account, from, threshold: 2, holders };
    assert_eq!(code(&world.allow(import).1), "deny.key_exists");
}
