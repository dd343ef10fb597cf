//! Ceremonies whose key became something else meanwhile: nothing takes over from them.

use keystead_base::{Digest, PublicAccount, RequestId, Signed};
use keystead_decision::{
    Dealing, Decision, Entry, KeyEvent, KeyStep, Outcome, SeatClaim, Strict, drill_challenge, share_challenge,
};
use keystead_intent::{Action, AuthorityChange, ChainId, Importer, KeyCeremony, KeyKind, KeyTerms, Suspect};
use keystead_policy::{AssuranceLevel, Feature, PolicyVersion};
use keystead_tests::circle::{birth, dealing, dealt, five, nodes, seat, shares, sits, treasury};
use keystead_tests::fixture::name;
use keystead_tests::purse::Purse;
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

fn says(world: &mut World<Strict>, node: usize, step: KeyStep) -> Vec<Decision> {
    let member = &world.desk.nodes[node - 1];
    let body = KeyEvent { cluster: world.state.cluster(), key: name("hot"), step };
    let entry = Entry::Key(Signed::new(body, member.name.clone(), &member.signer).unwrap());
    world.commit(vec![entry])
}

fn takes_a_seat(world: &mut World<Strict>, request: RequestId, node: usize) -> Vec<Decision> {
    let (cluster, tag) = (world.state.cluster(), u8::try_from(node).unwrap());
    let node_name = name(&format!("node-{node}"));
    let claim = SeatClaim { cluster, key: name("hot"), request, node: node_name, seat: seat(tag) };
    says(world, node, sits(claim, tag))
}

/// What was convened deals from a home that is the key's no more, in an epoch that is over. A proof that shows nothing ends nothing.
#[test]
fn k04_a_restoration_ends_the_import_by_the_home_that_the_key_had() {
    let mut world = world();
    let import = by_its_home(&world);
    let (request, _) = world.allow(import);
    for node in [2, 3] {
        takes_a_seat(&mut world, request, node);
    }
    let (restore, _) = world.allow(KeyCeremony::Restore { key: name("hot"), home: name("node-5") });
    let recipient = Digest([7; 32]);
    let restored = |proof| {
        let (assurance, protections) = (AssuranceLevel::Process, Feature::ALL.to_vec());
        KeyStep::Restored { request: restore, recipient, assurance, protections, proof }
    };
    let refused = says(&mut world, 5, restored(vec![1; 64]));
    assert_eq!(code(&refused[0].outcome), "deny.drill_failed");
    assert!(world.state.convening(&name("hot")).is_some());

    let proof = world.proof(&drill_challenge(world.state.cluster(), &name("hot"), 1, &recipient, None));
    let home = says(&mut world, 5, restored(proof));
    assert!(matches!(home[0].outcome, Outcome::Key { .. }), "{home:?}");
    assert!(world.state.convening(&name("hot")).is_none());
    // The seat that was missing convenes nothing: no home is told to deal.
    let late = takes_a_seat(&mut world, request, 4);
    assert_eq!((late.len(), code(&late[0].outcome)), (1, "deny.not_open"));
}

/// All of an import by its home but the last holder's proof, which comes back.
fn all_but_the_last_proof(world: &mut World<Strict>) -> KeyStep {
    let import = by_its_home(world);
    let (request, _) = world.allow(import);
    for node in [2, 3, 4] {
        takes_a_seat(world, request, node);
    }
    let (cluster, account) = (world.state.cluster(), world.state.key(&name("hot")).unwrap().account);
    let convened = world.state.convening(&name("hot")).unwrap().convened.unwrap();
    let body = Dealing { key: name("hot"), device: None, ..dealing(cluster, convened, account.compressed()) };
    let home = &world.desk.nodes[0];
    let dealing = Box::new(Signed::new(body, home.name.clone(), &home.signer).unwrap());
    says(world, 1, KeyStep::Imported { request, attempt: 1, dealing });
    for node in [2, 3, 4] {
        says(world, node, dealt(request, 1, account, shares(3, 7)));
    }
    let proof = |world: &World<Strict>, node: &str| {
        let challenge = share_challenge(cluster, &name("hot"), 1, &convened, &name(node));
        KeyStep::Proven { request, attempt: 1, proof: world.proof(&challenge) }
    };
    for (at, node) in [(2, "node-2"), (3, "node-3")] {
        let step = proof(world, node);
        says(world, at, step);
    }
    proof(world, "node-4")
}

/// What befalls a world: its name, what it does, and whether the key is dealt all the same.
type Change<'a> = (&'a str, &'a dyn Fn(&mut World<Strict>), bool);

/// It got coins that shares cannot spend, or is to stay where it is: the shares that were dealt meanwhile come into no force.
#[test]
fn k04_a_whole_key_that_changed_while_it_was_dealt_stays_whole() {
    let stays = |world: &mut World<Strict>| {
        let terms = KeyTerms { no_export: true, ..KeyTerms::default() };
        world.allow(KeyCeremony::Limit { key: name("hot"), terms });
    };
    let coins = |world: &mut World<Strict>| world.record_wallet(&Purse::of_seed(7).recorded);
    let changes: [Change<'_>; 3] =
        [("nothing", &|_| {}, true), ("terms", &stays, false), ("coins", &coins, false)];
    for (what, changes, is_dealt) in changes {
        let lists = |policy: &mut PolicyVersion| policy.chains.push(ChainId::BITCOIN_REGTEST);
        let mut world = World::of(five(), Strict::default(), lists);
        let last = all_but_the_last_proof(&mut world);
        changes(&mut world);
        let said = says(&mut world, 4, last);
        let key = world.state.key(&name("hot")).unwrap();
        assert_eq!((key.sharing.is_some(), key.imported), (is_dealt, is_dealt), "{what}");
        assert!(world.state.convening(&name("hot")).is_none(), "{what}");
        if !is_dealt {
            assert_eq!(code(&said[0].outcome), "deny.not_open", "{what}");
        }
    }
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
