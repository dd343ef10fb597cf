//! A whole key dealt to holders in shares, as the log sees it.

use keystead_base::{Digest, PublicAccount, RequestId, Signed};
use keystead_bitcoin::wallet_in_shares;
use keystead_decision::{Entry, KeyEvent, KeyState, KeyStep, Outcome, SeatClaim, Strict, share_challenge};
use keystead_intent::{ChainId, Importer, KeyCeremony, KeyKind};
use keystead_policy::{AssuranceLevel, PolicyVersion};
use keystead_tests::circle::{
    Secp, birth, dealing, dealt, five, import, nodes, seat, shares, sits, treasury,
};
use keystead_tests::fixture::name;
use keystead_tests::purse::Purse;
use keystead_tests::world::World;

use super::{code, epoch_of_a_right, shared, world};

fn of_cleo(key: &Secp) -> KeyCeremony {
    import(key.account(), Importer::Person(name("cleo")))
}

/// An import that was allowed, and that all holders have a seat for.
fn convened() -> (World<Strict>, RequestId, Secp) {
    let (mut world, key) = (world(), Secp::new(9));
    let (request, outcome) = world.allow(of_cleo(&key));
    assert!(matches!(outcome, Outcome::Ceremony { epoch: 0, .. }), "{outcome:?}");
    world.take_seats(request, &[1, 2, 3], 100);
    (world, request, key)
}

#[test]
fn k04_a_key_that_was_whole_is_in_force_when_its_shares_have_signed_and_is_said_to_have_been_whole() {
    let (mut world, request, key) = convened();
    let early = dealt(request, 1, key.account(), shares(3, 7));
    assert_eq!(world.refusal(1, early), "deny.share.dealing", "nobody dealt so far");
    // Whichever node brings it, also one that holds nothing.
    let step = world.dealt_by("cleo", request, key.account().compressed());
    let said = world.says(5, step.clone());
    assert_eq!(said[0].outcome, Outcome::Key { key: treasury(), state: KeyState::Created });
    world.says(4, step);
    world.all_deal(request, 1, &[1, 2, 3], &key);
    for node in [1, 2, 3] {
        assert!(world.state.key(&treasury()).is_none(), "not before each share has signed");
        let step = world.proof_for(request, node, &key);
        world.says(node, step);
    }
    let born = world.state.key(&treasury()).unwrap();
    assert_eq!((born.epoch, born.account, born.state), (0, key.account(), KeyState::Active));
    assert!(born.imported, "the log remembers it");
    assert_eq!(epoch_of_a_right(&mut world, 0), 0);
    let (request, _) = world.allow(KeyCeremony::Refresh { key: treasury() });
    world.carry_through(request, &[1, 2, 3], &[1, 2, 3], &key);
    assert!(world.state.key(&treasury()).unwrap().imported, "new shares are of the same secret");
    let (born, _) = shared();
    assert!(!born.state.key(&treasury()).unwrap().imported);
}

#[test]
fn k03_only_the_key_that_people_approved_is_dealt_by_its_owner_and_once() {
    let (mut world, request, key) = convened();
    let (point, other) = (key.account().compressed(), Secp::new(8).account().compressed());
    let step = world.dealt_by("cleo", request, other);
    assert_eq!(world.refusal(1, step), "deny.share.other_key");
    let step = world.dealt_by("ana", request, point);
    assert_eq!(world.refusal(1, step), "deny.share.dealer", "somebody else's");
    let KeyStep::Imported { dealing: right, .. } = world.dealt_by("cleo", request, point) else { panic!() };
    let node = &world.desk.nodes[0];
    let as_node = Signed::new(right.body.clone(), node.name.clone(), &node.signer).unwrap();
    let forged = Signed { signer: name("cleo"), ..as_node.clone() };
    let renamed = Signed { signer: name("ana"), ..(*right).clone() };
    let mut homeless = right.body.clone();
    homeless.device = None;
    let member = world.desk.person("cleo");
    let homeless = Signed::new(homeless, name("cleo"), &member.signer).unwrap();
    let resign = |change: &dyn Fn(&mut keystead_decision::Dealing)| {
        let mut body = right.body.clone();
        change(&mut body);
        Signed::new(body, name("cleo"), &member.signer).unwrap()
    };
    let wrong = [
        (as_node, "deny.share.dealer"),
        (forged, "deny.share.dealer"),
        (renamed, "deny.share.dealer"),
        (homeless, "deny.share.dealer"),
        (resign(&|it| it.convened = Digest([1; 32])), "deny.share.attempt"),
        (resign(&|it| it.key = name("hot")), "deny.share.attempt"),
        (resign(&|it| drop(it.points.pop())), "deny.share.dealing"),
        (resign(&|it| it.coefficients.push(it.coefficients[0].clone())), "deny.share.dealing"),
        (resign(&|it| it.points[0].ciphertext.truncate(47)), "deny.share.dealing"),
        (resign(&|it| it.proof.truncate(63)), "deny.share.dealing"),
    ];
    let step =
        |attempt, dealing: Signed<_>| KeyStep::Imported { request, attempt, dealing: Box::new(dealing) };
    let late = step(2, (*right).clone());
    assert_eq!(world.refusal(1, late), "deny.share.attempt");
    for (dealing, expected) in wrong {
        assert_eq!(world.refusal(1, step(1, dealing)), expected);
    }
    assert!(world.state.convening(&treasury()).unwrap().dealing.is_none());
    world.says(1, step(1, (*right).clone()));
    let mut again = right.body.clone();
    again.proof = vec![6; 64];
    let member = world.desk.person("cleo");
    let again = Signed::new(again, name("cleo"), &member.signer).unwrap();
    assert_eq!(world.refusal(1, step(1, again)), "deny.share.contradiction");
    let report = |account| dealt(request, 1, account, shares(3, 7));
    let other_point = PublicAccount::new(other, key.account().chain_code.0);
    for wrong in [Secp::new(8).account(), other_point] {
        assert_eq!(world.refusal(1, report(wrong)), "deny.share.account");
    }
    assert_eq!(world.refusal(1, report(PublicAccount::lone(point))), "deny.share.account", "other addresses");
    let born = PublicAccount { chain_code: Digest([4; 32]), ..key.account() };
    assert_eq!(world.refusal(1, report(born)), "deny.share.account", "other children");
    // Of a ceremony that imports nothing, nobody deals a whole key.
    let mut world = self::world();
    let (request, _) = world.allow(birth());
    world.take_seats(request, &[1, 2, 3], 100);
    let step = world.dealt_by("cleo", request, point);
    assert_eq!(world.refusal(1, step), "deny.share.dealer");
}

#[test]
fn s05_a_new_seat_takes_back_what_was_dealt_and_an_abort_ends_the_import() {
    let (mut world, request, key) = convened();
    let step = world.dealt_by("cleo", request, key.account().compressed());
    world.says(1, step.clone());
    world.take_seats(request, &[2], 150);
    let convening = world.state.convening(&treasury()).unwrap();
    assert_eq!((convening.attempt, &convening.dealing), (2, &None));
    assert_eq!(world.refusal(1, step), "deny.share.attempt", "it was dealt to another seat");
    let again = world.dealt_by("cleo", request, key.account().compressed());
    world.says(1, again.clone());
    world.allow(KeyCeremony::Abort { key: treasury(), request });
    assert_eq!(world.refusal(1, again), "deny.not_open");
    assert!(world.state.key(&treasury()).is_none());
    let seat = world.seated(1, request, 200);
    assert_eq!(world.refusal(1, seat), "deny.not_open");
}

#[test]
fn e3_what_the_log_knows_already_or_nobody_has_is_not_imported() {
    let (mut world, key) = shared();
    let hot = world.state.key(&name("hot")).unwrap().account;
    let named = |key: &str, account, from| {
        let (kind, holders) = (KeyKind::ThresholdSecp256k1, nodes(&[1, 2, 3]));
        KeyCeremony::Import { key: name(key), kind, account, from, threshold: 2, holders }
    };
    let cleo = || Importer::Person(name("cleo"));
    let new = Secp::new(8).account();
    let first = {
        let secret = Secp::new(8);
        PublicAccount::lone(secret.first_child())
    };
    assert_eq!(first.address(0), new.address(0));
    let broken = PublicAccount { x: Digest([0xff; 32]), ..new };
    let chainless = PublicAccount { chain_code: Digest::ZERO, ..new };
    for (wrong, expected) in [
        (named("cold", key.account(), cleo()), "deny.key_exists"),
        (named("cold", hot, cleo()), "deny.key_exists"),
        (named("hot", new, cleo()), "deny.key_exists"),
        (named("cold", new, Importer::Person(name("nobody"))), "deny.share.dealer"),
        (named("cold", new, Importer::Home(name("node-1"))), "deny.key_unknown"),
        (named("cold", broken, cleo()), "deny.share.account"),
        (named("cold", chainless, cleo()), "deny.share.account"),
        (named("cold", Secp::new(8).schnorr(), cleo()), "deny.share.account"),
        (named("hot", new, Importer::Home(name("node-1"))), "deny.share.account"),
        (named("hot", hot, Importer::Home(name("node-2"))), "deny.share.dealer"),
        (named("treasury", key.account(), Importer::Home(name("node-1"))), "deny.key_step"),
    ] {
        assert_eq!(code(&world.allow(wrong.clone()).1), expected, "{wrong:?}");
    }
    for kind in [KeyKind::HdSecp256k1, KeyKind::TokenSecp256k1] {
        let (key, holders) = (name("cold"), nodes(&[1, 2, 3]));
        let whole = KeyCeremony::Import { key, kind, account: new, from: cleo(), threshold: 2, holders };
        assert_eq!(code(&world.allow(whole).1), "deny.kind");
    }
    // The account of another key under the name of a raw one: one address, two keys.
    let (request, _) = world.allow(named("cold", new, cleo()));
    world.allow(KeyCeremony::Abort { key: name("cold"), request });
    let lone_of_hot = PublicAccount::lone(world.first_child_of_hot());
    assert_eq!(lone_of_hot.address(0), hot.address(0));
    assert_eq!(
        code(&world.allow(named("cold", lone_of_hot, cleo())).1),
        "deny.key_exists",
        "its address is known"
    );
}

/// A raw key: its one address is its own, and shares that say that they have children are of another key.
#[test]
fn k04_a_key_without_children_gets_none_with_its_shares() {
    let (mut world, key) = (world(), Secp::new(9));
    let lone = PublicAccount::lone(key.account().compressed());
    let (request, outcome) = world.allow(import(lone, Importer::Person(name("cleo"))));
    assert!(matches!(outcome, Outcome::Ceremony { .. }), "{outcome:?}");
    world.take_seats(request, &[1, 2, 3], 100);
    let step = world.dealt_by("cleo", request, lone.compressed());
    world.says(1, step);
    let report = |account| dealt(request, 1, account, shares(3, 7));
    for other in [PublicAccount::new(lone.compressed(), [0; 32]), key.account(), key.schnorr()] {
        assert_eq!(world.refusal(1, report(other)), "deny.share.account");
    }
    world.says(1, report(lone));
    assert_eq!(world.state.convening(&treasury()).unwrap().dealt.len(), 1);
}

/// Nobody has shown yet that its home, or anybody, has it.
#[test]
fn k04_a_key_whose_backup_was_not_drilled_is_not_dealt() {
    let (mut world, key) = (world(), Secp::new(9));
    let (kind, home) = (KeyKind::HdSecp256k1, name("node-1"));
    let create = KeyCeremony::Create { key: treasury(), kind, home: home.clone() };
    let (request, _) = world.allow(create);
    let (account, assurance) = (key.account(), AssuranceLevel::Process);
    world.says(1, KeyStep::Created { request, kind, account, assurance, protections: Vec::new() });
    let ceremony = import(account, Importer::Home(home));
    assert_eq!(code(&world.allow(ceremony).1), "deny.key_step");
}

/// Its coins lie behind hardened steps, which no share takes.
#[test]
fn d03_a_key_with_wallets_of_bitcoin_is_not_dealt_in_shares() {
    let lists = |policy: &mut PolicyVersion| policy.chains.push(ChainId::BITCOIN_REGTEST);
    let mut world = World::of(five(), Strict::default(), lists);
    let account = world.state.key(&name("hot")).unwrap().account;
    let (kind, from) = (KeyKind::ThresholdSecp256k1, Importer::Home(name("node-1")));
    let holders = nodes(&[1, 2, 3]);
    let ceremony = KeyCeremony::Import { key: name("hot"), kind, account, from, threshold: 2, holders };
    world.record_wallet(&Purse::of_seed(7).recorded);
    assert_eq!(code(&world.allow(ceremony).1), "deny.share.wallets");
}

/// A key of Ed25519 that a wallet of Solana's had: no address on Ethereum, and another key all the same.
#[test]
fn k04_a_key_of_ed25519_that_was_whole_is_in_force_when_its_shares_have_signed() {
    let (mut world, born, key) = (world(), Secp::new(7), Secp::new(9));
    world.birth_of_ed25519(&born);
    let of = |account, kind| {
        let (from, holders) = (Importer::Person(name("cleo")), nodes(&[1, 2, 3]));
        KeyCeremony::Import { key: name("cold"), kind, account, from, threshold: 2, holders }
    };
    let ed25519 = KeyKind::ThresholdEd25519;
    for (wrong, expected) in [
        (of(key.account(), ed25519), "deny.share.account"),
        (of(key.edwards(), KeyKind::ThresholdSecp256k1), "deny.share.account"),
        (of(born.edwards(), ed25519), "deny.key_exists"),
    ] {
        assert_eq!(code(&world.allow(wrong.clone()).1), expected, "{wrong:?}");
    }
    let (_, outcome) = world.allow(of(key.edwards(), ed25519));
    assert!(matches!(outcome, Outcome::Ceremony { .. }), "{outcome:?}");

    // The same under the name that the tests' steps have.
    let mut world = self::world();
    let (request, _) = world.allow(KeyCeremony::Import {
        key: treasury(),
        kind: ed25519,
        account: key.edwards(),
        from: Importer::Person(name("cleo")),
        threshold: 2,
        holders: nodes(&[1, 2, 3]),
    });
    world.take_seats(request, &[1, 2, 3], 100);
    let step = world.dealt_by("cleo", request, key.account().compressed());
    assert_eq!(world.refusal(1, step), "deny.share.dealing", "points of another curve");
    let step = world.dealt_by("cleo", request, born.edwards().x.0);
    assert_eq!(world.refusal(1, step), "deny.share.other_key");
    let step = world.dealt_by("cleo", request, key.edwards().x.0);
    world.says(1, step);
    let points: Vec<Vec<u8>> = (1..=3).map(|byte| vec![byte; 32]).collect();
    let report = |account| dealt(request, 1, account, points.clone());
    assert_eq!(world.refusal(1, report(born.edwards())), "deny.share.account");
    for node in [1, 2, 3] {
        world.says(node, report(key.edwards()));
    }
    for node in [1, 2, 3] {
        let proof = key.sign_ed25519(world.challenge_for(node).as_bytes());
        world.says(node, KeyStep::Proven { request, attempt: 1, proof });
    }
    let after = world.state.key(&treasury()).unwrap();
    assert_eq!((after.kind, after.state, after.imported), (ed25519, KeyState::Active, true));
}

/// The account of a taproot wallet: its addresses derive from the chain code that it has elsewhere, and from no other.
#[test]
fn k04_a_taproot_account_that_was_whole_keeps_its_wallet_and_is_none_of_a_key_born_in_shares() {
    let (mut world, key) = (world(), Secp::new(9));
    let hot = world.state.key(&name("hot")).unwrap().account;
    let of = |account, kind| {
        let (from, holders) = (Importer::Person(name("cleo")), nodes(&[1, 2, 3]));
        KeyCeremony::Import { key: treasury(), kind, account, from, threshold: 2, holders }
    };
    let bip340 = KeyKind::ThresholdBip340;
    for (wrong, expected) in [
        (of(key.schnorr(), bip340), "deny.share.account"),
        (of(key.account(), bip340), "deny.share.account"),
        (of(key.edwards(), bip340), "deny.share.account"),
        (of(PublicAccount { x: Digest([0xff; 32]), ..key.taproot() }, bip340), "deny.share.account"),
        (of(key.taproot(), KeyKind::ThresholdSecp256k1), "deny.share.account"),
        (of(key.taproot(), KeyKind::ThresholdEd25519), "deny.share.account"),
        // INVARIANT E3: the secret of a key that the log has, as another account.
        (of(PublicAccount::taproot(hot.compressed(), [5; 32]), bip340), "deny.key_exists"),
    ] {
        assert_eq!(code(&world.allow(wrong.clone()).1), expected, "{wrong:?}");
    }
    let (request, outcome) = world.allow(of(key.taproot(), bip340));
    assert!(matches!(outcome, Outcome::Ceremony { .. }), "{outcome:?}");
    world.take_seats(request, &[1, 2, 3], 100);
    let step = world.dealt_by("cleo", request, Secp::new(8).account().compressed());
    assert_eq!(world.refusal(1, step), "deny.share.other_key");
    let step = world.dealt_by("cleo", request, key.taproot().compressed());
    world.says(1, step);
    let report = |account| dealt(request, 1, account, shares(3, 7));
    let other_chain = PublicAccount::taproot(key.account().compressed(), [5; 32]);
    let derived = PublicAccount::taproot(key.account().compressed(), key.schnorr().chain_code.0);
    for wrong in [key.schnorr(), key.account(), other_chain, derived, Secp::new(8).taproot()] {
        assert_eq!(world.refusal(1, report(wrong)), "deny.share.account", "other addresses");
    }
    for node in [1, 2, 3] {
        world.says(node, report(key.taproot()));
    }
    let by_ecdsa = world.proof_for(request, 1, &key);
    assert_eq!(world.refusal(1, by_ecdsa), "deny.share.proof");
    for node in [1, 2, 3] {
        let proof = key.sign_bip340(&world.challenge_for(node));
        world.says(node, KeyStep::Proven { request, attempt: 1, proof });
    }
    let after = world.state.key(&treasury()).unwrap();
    assert_eq!((after.kind, after.state, after.imported), (bip340, KeyState::Active, true));
    let wallet = |account| wallet_in_shares(ChainId::BITCOIN_REGTEST, bip340, &account).unwrap();
    let step = |wallet| KeyStep::Wallet { wallet, proof: Vec::new() };
    assert_eq!(world.refusal(1, step(wallet(key.schnorr()))), "deny.not_counted");
    world.says(1, step(wallet(key.taproot())));
    let recorded = world.state.key(&treasury()).unwrap().wallets.values().next();
    assert_eq!(recorded, Some(&wallet(key.taproot())));
}

/// A key that lives whole at a home becomes one in shares under the same name and with the same addresses.
#[test]
fn k04_a_whole_key_of_the_log_is_dealt_by_its_home_and_signs_on_until_its_shares_do() {
    let mut world = world();
    let before = world.state.key(&name("hot")).unwrap().clone();
    let (kind, holders) = (KeyKind::ThresholdSecp256k1, nodes(&[2, 3, 4]));
    let (account, from) = (before.account, Importer::Home(name("node-1")));
    let ceremony = KeyCeremony::Import { key: name("hot"), kind, account, from, threshold: 2, holders };
    let (request, _) = world.allow(ceremony);
    let says = |world: &mut World<Strict>, node: usize, step: KeyStep| {
        let member = &world.desk.nodes[node - 1];
        let body = KeyEvent { cluster: world.state.cluster(), key: name("hot"), step };
        let entry = Entry::Key(Signed::new(body, member.name.clone(), &member.signer).unwrap());
        world.commit(vec![entry])
    };
    for (node, tag) in [(2, 1), (3, 2), (4, 3)] {
        let (cluster, node_name) = (world.state.cluster(), name(&format!("node-{node}")));
        let claim = SeatClaim { cluster, key: name("hot"), request, node: node_name, seat: seat(tag) };
        says(&mut world, node, sits(claim, tag));
    }
    let convened = world.state.convening(&name("hot")).unwrap().convened.unwrap();
    let body = |device| {
        let dealt = dealing(world.state.cluster(), convened, account.compressed());
        keystead_decision::Dealing { key: name("hot"), device, ..dealt }
    };
    let (home, cleo) = (&world.desk.nodes[0], world.desk.person("cleo"));
    let right = Signed::new(body(None), home.name.clone(), &home.signer).unwrap();
    let person = Signed::new(body(Some(name("laptop"))), cleo.name.clone(), &cleo.signer).unwrap();
    let step = |dealing| KeyStep::Imported { request, attempt: 1, dealing: Box::new(dealing) };
    let device = Signed::new(body(Some(name("laptop"))), home.name.clone(), &home.signer).unwrap();
    for wrong in [person, device] {
        let refused = says(&mut world, 1, step(wrong));
        assert_eq!(code(&refused[0].outcome), "deny.share.dealer");
    }
    says(&mut world, 1, step(right));
    assert!(matches!(
        world.ask("desk", world.ether(keystead_tests::fixture::FRIEND, 1, 0)).1,
        Outcome::Allow(_)
    ));
    for node in [2, 3, 4] {
        says(&mut world, node, dealt(request, 1, account, shares(3, 7)));
    }
    for node in [2, 3, 4] {
        let cluster = world.state.cluster();
        let challenge = share_challenge(cluster, &name("hot"), 1, &convened, &name(&format!("node-{node}")));
        let proof = world.proof(&challenge);
        says(&mut world, node, KeyStep::Proven { request, attempt: 1, proof });
    }
    let after = world.state.key(&name("hot")).unwrap();
    assert_eq!((after.epoch, after.kind, after.account), (1, KeyKind::ThresholdSecp256k1, account));
    assert_eq!((after.address(0), after.home.as_str(), after.imported), (before.address(0), "node-2", true));
    match world.ask("desk", world.ether(keystead_tests::fixture::FRIEND, 1, 1)).1 {
        Outcome::Allow(grant) => assert_eq!(grant.epoch, 1),
        other => panic!("{other:?}"),
    }
}

/// A seat that its own keys gave to another node, key or ceremony, or that other keys signed.
#[test]
fn s03_a_seat_counts_where_its_own_keys_say_that_it_is_this_node_s() {
    let mut world = world();
    let (request, _) = world.allow(birth());
    let (cluster, other) = (world.state.cluster(), RequestId(Digest([8; 32])));
    let claim = |key, request, node| SeatClaim { cluster, key, request, node, seat: seat(200) };
    let (node_1, node_2) = (name("node-1"), name("node-2"));
    let KeyStep::Seated { seat, .. } = sits(claim(treasury(), other, node_1.clone()), 200) else { panic!() };
    for stolen in [
        sits(claim(treasury(), request, node_2), 200),
        sits(claim(name("hot"), request, node_1.clone()), 200),
        sits(claim(treasury(), request, node_1.clone()), 201),
        KeyStep::Seated { request, seat },
    ] {
        assert_eq!(world.refusal(1, stolen), "deny.share.seat", "its node's word alone");
    }
    world.says(1, sits(claim(treasury(), request, node_1.clone()), 200));
    assert!(world.state.convening(&treasury()).unwrap().seats.contains_key(&node_1));
}

#[test]
fn k03_a_whole_key_is_dealt_only_to_distinct_nodes_of_which_two_at_least_sign() {
    let mut world = world();
    for (threshold, holders) in [(1, &[1, 2][..]), (3, &[1, 2]), (2, &[1, 1, 2]), (2, &[1, 9])] {
        let (kind, from) = (KeyKind::ThresholdSecp256k1, Importer::Person(name("cleo")));
        let (account, holders) = (Secp::new(8).account(), nodes(holders));
        let import = KeyCeremony::Import { key: name("cold"), kind, account, from, threshold, holders };
        assert_eq!(code(&world.allow(import.clone()).1), "deny.holders", "{import:?}");
    }
}
