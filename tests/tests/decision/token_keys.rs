//! Keys in tokens at the state machine: born where policy names it, active at once, and backed up by nobody.

use keystead_base::{Coded, Digest, Name, PublicAccount, RequestId, Signed};
use keystead_decision::{
    Decision, Entry, KeyEvent, KeyState, KeyStep, Outcome, Phase, Strict, drill_challenge,
};
use keystead_intent::{Action, AuthorityChange, ChangeKind, DangerClass, Importer, KeyCeremony, KeyKind};
use keystead_policy::{AssuranceLevel, Need, QuorumRow};
use keystead_tests::circle::{five, nodes};
use keystead_tests::fixture::name;
use keystead_tests::world::{World, outcome_of, reasons};
use secp256k1::{Message, Secp256k1, SecretKey};

/// The row that lets keys live without a backup: without it nobody makes one.
fn row() -> QuorumRow {
    QuorumRow {
        id: name("tokens"),
        keys: Vec::new(),
        classes: vec![DangerClass::Authority],
        changes: vec![ChangeKind::CreateTokenKey],
        from: None,
        needs: vec![Need { role: name("approver"), count: 2, factors: Vec::new() }],
        delay_seconds: 0,
        vetoers: Vec::new(),
    }
}

fn world() -> World<Strict> {
    World::with_policy(Strict::default(), |policy| policy.quorums.push(row()))
}

fn vault() -> Name {
    name("vault")
}

fn in_tokens() -> KeyCeremony {
    KeyCeremony::CreateInTokens { key: vault(), home: name("node-1"), tokens: name("hsm") }
}

fn ask(world: &mut World<Strict>, ceremony: KeyCeremony) -> (RequestId, Outcome) {
    let (id, first) = world.ask("cleo", Action::Authority(AuthorityChange::Key(ceremony)));
    if !matches!(first, Outcome::Wait { .. }) {
        return (id, first);
    }
    world.approve("ana", &id);
    let last = world.approve("ben", &id);
    (id, outcome_of(&last, &id))
}

fn event(world: &mut World<Strict>, step: KeyStep) -> Vec<Decision> {
    let body = KeyEvent { cluster: world.state.cluster(), key: vault(), step };
    let node = &world.desk.nodes[0];
    let entry = Entry::Key(Signed::new(body, node.name.clone(), &node.signer).unwrap());
    world.commit(vec![entry])
}

fn codes(outcome: &Outcome) -> Vec<&'static str> {
    reasons(outcome).iter().map(Coded::code).collect()
}

fn secret() -> SecretKey {
    SecretKey::from_byte_array([0x42; 32]).unwrap()
}

fn account() -> PublicAccount {
    PublicAccount::lone(secp256k1::PublicKey::from_secret_key(&Secp256k1::new(), &secret()).serialize())
}

/// What the home reports of a key that was born under this request.
fn born(world: &World<Strict>, request: RequestId, account: PublicAccount) -> KeyStep {
    let challenge = drill_challenge(world.state.cluster(), &vault(), 0, &request.0, None);
    let signature = Secp256k1::new().sign_ecdsa(Message::from_digest(challenge.0), &secret());
    let (assurance, protections) = (AssuranceLevel::Process, Vec::new());
    let proof = signature.serialize_compact().to_vec();
    KeyStep::InTokens { request, account, assurance, protections, proof }
}

#[test]
fn s09_a_key_without_a_backup_is_born_only_where_policy_names_it() {
    let mut plain = World::new(Strict::default());
    let (_, refused) = ask(&mut plain, in_tokens());
    assert_eq!(codes(&refused), ["deny.change_not_named"]);
    let mut world = world();
    // Not by the ceremony of keys that have a backup.
    let (kind, home) = (KeyKind::TokenSecp256k1, name("node-1"));
    let (_, refused) = ask(&mut world, KeyCeremony::Create { key: vault(), kind, home });
    assert_eq!(codes(&refused), ["deny.kind"]);
    let (_, allowed) = ask(&mut world, in_tokens());
    assert!(matches!(allowed, Outcome::Ceremony { epoch: 0, .. }), "{allowed:?}");
}

#[test]
fn s07_a_key_in_tokens_is_active_once_it_signed_and_has_one_address() {
    let mut world = world();
    let (request, _) = ask(&mut world, in_tokens());
    // INVARIANT S7: another key's signature, and an account that has children, are no birth.
    let elsewhere = RequestId(Digest([9; 32]));
    let KeyStep::InTokens { assurance, protections, proof, .. } = born(&world, elsewhere, account()) else {
        unreachable!()
    };
    let wrong = KeyStep::InTokens { request, account: account(), assurance, protections, proof };
    assert_eq!(codes(&event(&mut world, wrong)[0].outcome), ["deny.drill_failed"]);
    let parent = PublicAccount::new(account().compressed(), [0; 32]);
    let step = born(&world, request, parent);
    assert_eq!(codes(&event(&mut world, step)[0].outcome), ["deny.drill_failed"]);

    let step = born(&world, request, account());
    let outcome = &event(&mut world, step.clone())[0].outcome;
    assert_eq!(*outcome, Outcome::Key { key: vault(), state: KeyState::Active });
    let key = world.state.key(&vault()).unwrap();
    assert_eq!(
        (key.kind, key.home.clone(), key.backup, key.epoch),
        (KeyKind::TokenSecp256k1, name("node-1"), None, 0)
    );
    assert_eq!((key.address(0), key.address(1)), (account().address(0), None));
    assert_eq!(key.drill_age(world.state.time()), u64::MAX, "a rule that wants a fresh drill denies it");
    assert!(!codes(&event(&mut world, step)[0].outcome).is_empty(), "once");
    assert_eq!(world.state.request(&request).unwrap().phase, Phase::Settled, "the permission is used up");
}

#[test]
fn k04_nobody_backs_up_or_moves_a_key_in_tokens() {
    let mut world = world();
    let (request, _) = ask(&mut world, in_tokens());
    let step = born(&world, request, account());
    event(&mut world, step);
    let people = || vec![name("ana")];
    for ceremony in [
        KeyCeremony::Backup { key: vault(), recipients: people() },
        KeyCeremony::Export { key: vault(), recipient: name("ana") },
        KeyCeremony::Restore { key: vault(), home: name("node-1") },
        KeyCeremony::Split { key: vault(), group_threshold: 1, groups: Vec::new() },
        KeyCeremony::Refresh { key: vault() },
    ] {
        let (_, refused) = ask(&mut world, ceremony.clone());
        assert_eq!(codes(&refused), ["deny.kind"], "{ceremony:?}");
    }
    let (_, stopped) = ask(&mut world, KeyCeremony::Suspend { key: vault() });
    assert_eq!(stopped, Outcome::Key { key: vault(), state: KeyState::Suspended });
    let (_, again) = ask(&mut world, in_tokens());
    assert_eq!(codes(&again), ["deny.key_exists"], "nobody replaces it");
}

#[test]
fn s09_only_the_home_that_people_named_reports_the_key_that_they_named() {
    for (key, home) in [("vault", "node-2"), ("other", "node-1")] {
        let mut world = World::of(five(), Strict::default(), |policy| policy.quorums.push(row()));
        let (key, home) = (name(key), name(home));
        let (request, allowed) =
            ask(&mut world, KeyCeremony::CreateInTokens { key, home, tokens: name("hsm") });
        assert!(matches!(allowed, Outcome::Ceremony { .. }), "{allowed:?}");
        let step = born(&world, request, account());
        assert_eq!(codes(&event(&mut world, step)[0].outcome), ["deny.not_open"]);
    }
}

#[test]
fn k04_a_key_in_tokens_is_not_dealt_in_shares() {
    let mut world = World::of(five(), Strict::default(), |policy| policy.quorums.push(row()));
    let (request, _) = ask(&mut world, in_tokens());
    let step = born(&world, request, account());
    event(&mut world, step);
    let (kind, from) = (KeyKind::ThresholdSecp256k1, Importer::Home(name("node-1")));
    let (account, holders) = (account(), nodes(&[1, 2, 3]));
    let import = KeyCeremony::Import { key: vault(), kind, account, from, threshold: 2, holders };
    assert_eq!(codes(&ask(&mut world, import).1), ["deny.key_step"]);
}
