//! Keys in shares at the state machine: convened, dealt, proven by every holder, and only then in force.

#[path = "shared_keys/ends.rs"]
mod ends;
#[path = "shared_keys/imports.rs"]
mod imports;
#[path = "shared_keys/overtaken.rs"]
mod overtaken;

use keystead_approver::change_words;
use keystead_base::{Canonical as _, Coded as _, PublicAccount, RequestId};
use keystead_bitcoin::wallet_in_shares;
use keystead_decision::{
    Convened, Decision, Entry, KeyState, KeyStep, MAX_ATTEMPTS, Outcome, Phase, SeatClaim, Snapshot, Strict,
    share_challenge, wallet_challenge,
};
use keystead_intent::{
    AccountRef, Action, Asset, AuthorityChange, BitcoinWallet, ChainId, ChangeKind, DangerClass, KeyCeremony,
    KeyKind, MAX_HOLDERS, Transfer,
};
use keystead_policy::{AssuranceLevel, Feature, Need, QuorumRow, Reason, Rule};
use keystead_tests::circle::{Secp, birth, dealt, five, nodes, seat, shares, sits, treasury};
use keystead_tests::fixture::{CHAIN, FRIEND, name};
use keystead_tests::world::{World, gas, outcome_of, reasons};

fn world() -> World<Strict> {
    World::of(five(), Strict::default(), |policy| {
        let desk_moves = r#"permit(principal in Role::"desk", action in Action::"sign", resource == Key::"treasury")
                            when { context.class == "transfer" };"#;
        policy.rules.push(Rule { id: name("desk-moves-treasury"), cedar: desk_moves.to_owned() });
        policy.rules.sort_by(|a, b| a.id.cmp(&b.id));
        policy.quorums.push(QuorumRow {
            id: name("wipe"),
            keys: Vec::new(),
            classes: vec![DangerClass::Authority],
            changes: vec![ChangeKind::DestroyKey, ChangeKind::ExitKey],
            from: None,
            needs: vec![Need { role: name("approver"), count: 2, factors: Vec::new() }],
            delay_seconds: 300,
            vetoers: vec![name("vetoer")],
        });
    })
}

/// A world whose `treasury` any two of the first three nodes sign with.
fn shared() -> (World<Strict>, Secp) {
    let (mut world, key) = (world(), Secp::new(9));
    let (request, _) = world.allow(birth());
    world.carry_through(request, &[1, 2, 3], &[1, 2, 3], &key);
    assert_eq!(world.state.key(&treasury()).unwrap().state, KeyState::Active);
    (world, key)
}

/// A birth that was allowed, and that all holders have a seat for.
fn seated() -> (World<Strict>, RequestId, Secp) {
    let mut world = world();
    let (request, _) = world.allow(birth());
    world.take_seats(request, &[1, 2, 3], 100);
    (world, request, Secp::new(9))
}

fn code(outcome: &Outcome) -> &'static str {
    reasons(outcome).first().unwrap_or_else(|| panic!("{outcome:?}")).code()
}

fn convened(decisions: &[Decision]) -> Vec<&Convened> {
    let found = decisions.iter().filter_map(|it| match &it.outcome {
        Outcome::Convened(convened) => Some(convened),
        _ => None,
    });
    found.collect()
}

fn transfer(nonce: u64) -> Action {
    Action::Transfer(Transfer {
        account: AccountRef { key: treasury(), index: 0 },
        chain: CHAIN,
        asset: Asset::Native,
        to: FRIEND,
        amount: 1_u64.into(),
        gas: gas(nonce),
    })
}

/// The epoch whose shares sign what is allowed now.
fn epoch_of_a_right(world: &mut World<Strict>, nonce: u64) -> u32 {
    match world.ask("desk", transfer(nonce)) {
        (_, Outcome::Allow(grant)) => grant.epoch,
        (_, other) => panic!("{other:?}"),
    }
}

#[test]
fn d01_a_shared_key_is_born_when_the_share_of_every_holder_has_signed() {
    let (mut world, key) = (world(), Secp::new(9));
    let (request, outcome) = world.allow(birth());
    assert!(matches!(outcome, Outcome::Ceremony { epoch: 0, .. }), "{outcome:?}");
    assert!(convened(&world.take_seats(request, &[1, 2], 100)).is_empty(), "a seat is missing");
    let last = world.take_seats(request, &[3], 100);
    let [begun] = convened(&last)[..] else { panic!("{last:?}") };
    assert_eq!((begun.attempt, begun.threshold, begun.next_epoch()), (1, 2, 0));
    assert_eq!((&begun.holders, &begun.old, begun.account), (&nodes(&[1, 2, 3]), &None, None));
    assert_eq!(begun.seats.get(&name("node-2")), Some(&seat(102)));

    world.all_deal(request, 1, &[1, 2, 3], &key);
    for node in [1, 2] {
        let step = world.proof_for(request, node, &key);
        let said = world.says(node, step);
        let expected = Outcome::Key { key: treasury(), state: KeyState::Created };
        assert_eq!(said[0].outcome, expected, "it is born with the last one");
    }
    assert!(world.state.key(&treasury()).is_none());
    let step = world.proof_for(request, 3, &key);
    let said = world.says(3, step);
    assert_eq!(said[0].outcome, Outcome::Key { key: treasury(), state: KeyState::Active });
    let born = world.state.key(&treasury()).unwrap();
    let sharing = born.sharing.as_ref().unwrap();
    assert_eq!((born.epoch, born.account, born.home.as_str()), (0, key.account(), "node-1"));
    assert_eq!((sharing.threshold, &sharing.holders), (2, &nodes(&[1, 2, 3])));
    assert_eq!((&sharing.shares, sharing.seats.len()), (&shares(3, 7), 3));
    assert!(born.address(0).is_some() && world.state.convening(&treasury()).is_none());
    assert_eq!(world.state.request(&request).unwrap().phase, Phase::Settled);
    assert_eq!(epoch_of_a_right(&mut world, 0), 0);
    let step = world.seated(1, request, 200);
    assert_eq!(world.refusal(1, step), "deny.not_open", "a permission is used once");
}

#[test]
fn s05_a_new_seat_begins_anew_and_what_was_said_of_the_attempt_before_counts_no_more() {
    let (mut world, request, key) = seated();
    world.all_deal(request, 1, &[1, 2, 3], &key);
    let old = world.proof_for(request, 1, &key);
    world.says(1, old.clone());
    let before = world.certified(&request).decision;
    assert!(convened(&world.take_seats(request, &[2], 100)).is_empty(), "the same seat says nothing new");
    let again = world.take_seats(request, &[2], 150);
    let [begun] = convened(&again)[..] else { panic!("{again:?}") };
    assert_eq!((begun.attempt, begun.seats.get(&name("node-2"))), (2, Some(&seat(152))));
    let anew = world.state.convening(&treasury()).unwrap();
    assert_ne!(anew.convened, Some(before.digest()));
    assert!(anew.dealt.is_empty() && anew.proven.is_empty());
    let late = dealt(request, 1, key.account(), shares(3, 7));
    assert_eq!(world.refusal(1, late), "deny.share.attempt");
    assert_eq!(world.refusal(1, old), "deny.share.attempt");
    world.all_deal(request, 2, &[1, 2, 3], &key);
    for node in [1, 2, 3] {
        assert!(world.state.key(&treasury()).is_none(), "the proof of the attempt before counts no more");
        let step = world.proof_for(request, node, &key);
        world.says(node, step);
    }
    assert_eq!(world.state.key(&treasury()).unwrap().state, KeyState::Active);
}

#[test]
fn a_block_begins_a_ceremony_once_however_many_take_new_seats_in_it() {
    let (mut world, request, _) = seated();
    let again = world.take_seats(request, &[1, 2, 3], 150);
    assert_eq!(convened(&again).len(), 1, "{again:?}");
    let mut attempt = 2;
    for tag in 0..40 {
        attempt += u32::try_from(convened(&world.take_seats(request, &[3], tag)).len()).unwrap();
    }
    assert_eq!(attempt, MAX_ATTEMPTS, "whoever breaks it without end fills no log");
    let step = world.seated(1, request, 200);
    assert_eq!(world.refusal(1, step), "deny.share.spent");
}

#[test]
fn k06_strangers_have_no_say_and_nobody_says_two_things() {
    let (mut world, request, key) = seated();
    let other = RequestId(keystead_base::Digest([8; 32]));
    let new = |world: &World<Strict>, node, request| world.seated(node, request, 200);
    let of_stranger = new(&world, 4, request);
    assert_eq!(world.refusal(4, of_stranger), "deny.share.stranger");
    let of_other = new(&world, 1, other);
    assert_eq!(world.refusal(1, of_other), "deny.not_open");
    let short = keystead_decision::Seat { recipient: vec![1; 32], ..seat(200) };
    let cluster = world.state.cluster();
    let claim = SeatClaim { cluster, key: treasury(), request, node: name("node-1"), seat: short };
    assert_eq!(world.refusal(1, sits(claim, 200)), "deny.share.seat");
    let taken = world.seated(1, request, 102);
    assert_eq!(world.refusal(1, taken), "deny.share.seat", "another one's");

    let report = |account, shares| dealt(request, 1, account, shares);
    let right = report(key.account(), shares(3, 7));
    assert_eq!(world.refusal(4, right.clone()), "deny.share.stranger");
    assert_eq!(world.refusal(1, report(key.account(), shares(2, 7))), "deny.share.shares");
    let twice = vec![shares(1, 7)[0].clone(); 3];
    assert_eq!(world.refusal(1, report(key.account(), twice)), "deny.share.shares");
    let no_point = PublicAccount { parity: 4, ..key.account() };
    assert_eq!(world.refusal(1, report(no_point, shares(3, 7))), "deny.share.account");
    let hot = world.state.key(&name("hot")).unwrap().account;
    assert_eq!(world.refusal(1, report(hot, shares(3, 7))), "deny.key_exists", "E3");
    assert!(world.state.convening(&treasury()).unwrap().dealt.is_empty());
    world.says(1, right);
    assert_eq!(world.refusal(1, report(key.account(), shares(3, 8))), "deny.share.contradiction");
}

#[test]
fn d01_holders_who_disagree_switch_nothing() {
    let (mut world, request, key) = seated();
    world.all_deal(request, 1, &[1, 2, 3], &key);
    let early = world.proof_for(request, 1, &key);
    world.take_seats(request, &[3], 150);
    for (node, tag) in [(1, 7), (2, 7), (3, 8)] {
        world.says(node, dealt(request, 2, key.account(), shares(3, tag)));
    }
    assert!(world.state.convening(&treasury()).unwrap().agreed().is_none());
    assert_eq!(world.refusal(1, early), "deny.share.attempt");
    let step = world.proof_for(request, 1, &key);
    assert_eq!(world.refusal(1, step), "deny.share.unagreed");
    assert!(world.state.key(&treasury()).is_none());
}

#[test]
fn k03_only_the_keys_own_signature_over_a_holders_own_challenge_proves_a_share() {
    let (mut world, request, key) = seated();
    world.all_deal(request, 1, &[1, 2, 3], &key);
    let (cluster, convening) = (world.state.cluster(), world.state.convening(&treasury()).unwrap().clone());
    let convened = convening.convened.unwrap();
    let proven = |proof| KeyStep::Proven { request, attempt: 1, proof };
    let over = |epoch, convened, node: &str| {
        proven(key.sign(&share_challenge(cluster, &treasury(), epoch, convened, &name(node))))
    };
    let of_another_key = world.proof_for(request, 1, &Secp::new(10));
    assert_eq!(world.refusal(1, of_another_key), "deny.share.proof");
    for wrong in [
        over(0, &convened, "node-2"),
        over(1, &convened, "node-1"),
        over(0, &keystead_base::Digest([1; 32]), "node-1"),
        proven(vec![1; 64]),
    ] {
        assert_eq!(world.refusal(1, wrong), "deny.share.proof");
    }
    assert_eq!(world.refusal(4, over(0, &convened, "node-4")), "deny.share.stranger");
    for _ in 0..3 {
        world.says(1, over(0, &convened, "node-1"));
    }
    assert!(world.state.key(&treasury()).is_none(), "one holder's word three times is one holder's");
}

#[test]
fn k03_a_refresh_takes_over_at_once_and_the_old_epoch_signs_until_then() {
    let (mut world, key) = shared();
    let address = world.state.key(&treasury()).unwrap().address(0);
    let (request, outcome) = world.allow(KeyCeremony::Refresh { key: treasury() });
    assert!(matches!(outcome, Outcome::Ceremony { epoch: 0, .. }), "{outcome:?}");
    let begun = world.take_seats(request, &[1, 2, 3], 120);
    let [begun] = convened(&begun)[..] else { panic!("{begun:?}") };
    assert_eq!((begun.epoch, begun.next_epoch(), begun.account), (0, 1, Some(key.account())));
    assert_eq!(begun.old.as_ref().map(|it| &it.shares), Some(&shares(3, 7)));
    let moved = dealt(request, 1, Secp::new(10).account(), shares(3, 8));
    assert_eq!(world.refusal(1, moved), "deny.share.account", "the public key stays");
    for node in [1, 2, 3] {
        world.says(node, dealt(request, 1, key.account(), shares(3, 8)));
    }
    for (nonce, node) in [1, 2, 3].into_iter().enumerate() {
        assert_eq!(epoch_of_a_right(&mut world, nonce as u64), 0);
        let step = world.proof_for(request, node, &key);
        world.says(node, step);
    }
    let after = world.state.key(&treasury()).unwrap();
    assert_eq!((after.epoch, after.address(0), after.state), (1, address, KeyState::Active));
    let sharing = after.sharing.as_ref().unwrap();
    assert_eq!((&sharing.shares, sharing.seats.get(&name("node-1"))), (&shares(3, 8), Some(&seat(121))));
    assert_eq!(epoch_of_a_right(&mut world, 3), 1);
}

#[test]
fn k03_a_resharing_gives_the_same_key_to_others_without_the_holder_who_is_left_out() {
    let (mut world, key) = shared();
    let address = world.state.key(&treasury()).unwrap().address(0);
    let reshare = |dealers: &[u8]| KeyCeremony::Reshare {
        key: treasury(),
        threshold: 3,
        holders: nodes(&[1, 2, 4, 5]),
        dealers: nodes(dealers),
    };
    for wrong in [&[1][..], &[1, 1], &[1, 4]] {
        let (_, outcome) = world.allow(reshare(wrong));
        assert_eq!(code(&outcome), "deny.dealers", "{wrong:?}");
    }
    let (request, _) = world.allow(reshare(&[1, 3]));
    assert!(convened(&world.take_seats(request, &[1, 2, 4, 5], 120)).is_empty(), "a dealer is missing");
    world.take_seats(request, &[3], 120);
    let step = dealt(request, 1, key.account(), shares(4, 8));
    assert_eq!(world.refusal(3, step.clone()), "deny.share.stranger", "it deals, and holds nothing after");
    for node in [1, 2, 4, 5] {
        world.says(node, step.clone());
    }
    for node in [1, 2, 4, 5] {
        let step = world.proof_for(request, node, &key);
        world.says(node, step);
    }
    let after = world.state.key(&treasury()).unwrap();
    let sharing = after.sharing.as_ref().unwrap();
    assert_eq!((after.epoch, after.address(0), sharing.threshold), (1, address, 3));
    assert_eq!(sharing.holders, nodes(&[1, 2, 4, 5]));
    assert!(!sharing.seats.contains_key(&name("node-3")) && !after.is_held_by(&name("node-3")));
    let (_, outcome) = world.allow(reshare(&[1, 2, 3]));
    assert_eq!(code(&outcome), "deny.dealers", "who holds nothing deals nothing");
}

#[test]
fn a_ceremony_ends_with_its_request_and_leaves_what_was() {
    let (mut world, request, key) = seated();
    world.all_deal(request, 1, &[1, 2, 3], &key);
    let proof = world.proof_for(request, 1, &key);
    let snapshot = Snapshot(world.state.clone()).to_document();
    assert_eq!(Snapshot::from_document(&snapshot).unwrap().0.digest(), world.state.digest());
    let over = world.now().plus_seconds(3600);
    world.commit_at(over, vec![Entry::Tick]);
    assert!(world.state.convening(&treasury()).is_none() && world.state.key(&treasury()).is_none());
    assert_eq!(world.refusal(1, proof), "deny.not_open");
    let (request, _) = world.allow(birth());
    world.carry_through(request, &[1, 2, 3], &[1, 2, 3], &key);
    assert_eq!(world.state.key(&treasury()).unwrap().state, KeyState::Active);
}

#[test]
fn a_ceremony_that_hangs_gives_way_to_the_next_one_that_people_allow() {
    let (mut world, key) = shared();
    let (hangs, _) = world.allow(KeyCeremony::Refresh { key: treasury() });
    world.take_seats(hangs, &[1, 2, 3], 120);
    let step = dealt(hangs, 1, key.account(), shares(3, 8));
    let (next, _) = world.allow(KeyCeremony::Reshare {
        key: treasury(),
        threshold: 2,
        holders: nodes(&[1, 2]),
        dealers: nodes(&[1, 2]),
    });
    assert_eq!(world.refusal(1, step), "deny.not_open");
    world.carry_through(next, &[1, 2], &[1, 2], &key);
    assert_eq!(world.state.key(&treasury()).unwrap().epoch, 1);
}

#[test]
fn k04_a_shared_key_is_nowhere_whole_so_nobody_backs_it_up_or_takes_it_out() {
    let (mut world, _) = shared();
    let (treasury, ben) = (treasury(), name("ben"));
    for whole in [
        KeyCeremony::Backup { key: treasury.clone(), recipients: vec![ben.clone()] },
        KeyCeremony::Export { key: treasury.clone(), recipient: ben },
        KeyCeremony::Restore { key: treasury.clone(), home: name("node-2") },
        KeyCeremony::Create { key: name("other"), kind: KeyKind::ThresholdSecp256k1, home: name("node-1") },
    ] {
        let (_, outcome) = world.allow(whole);
        assert_eq!(code(&outcome), "deny.kind");
    }
    let hot = KeyCeremony::Refresh { key: name("hot") };
    assert_eq!(code(&world.allow(hot).1), "deny.kind");
}

/// INVARIANT S2: the wallet of a key in shares is the one that follows from its public account, whoever says it.
#[test]
fn s02_a_shared_key_has_the_wallet_that_everybody_derives_and_no_other() {
    let (mut world, key) = shared();
    let wallet = |key: &Secp| {
        wallet_in_shares(ChainId::BITCOIN_REGTEST, KeyKind::ThresholdSecp256k1, &key.account()).unwrap()
    };
    let whole = keystead_tests::purse::Purse::of_seed(7).recorded;
    let challenge = wallet_challenge(world.state.cluster(), &treasury(), &whole.digest());
    let proof = key.sign(&challenge);
    for (wallet, proof) in [(whole, proof), (wallet(&Secp::new(8)), Vec::new()), (wallet(&key), vec![1])] {
        assert_eq!(world.refusal(1, KeyStep::Wallet { wallet, proof }), "deny.not_counted");
    }
    let own = wallet(&key);
    let said = |wallet: &BitcoinWallet| KeyStep::Wallet { wallet: wallet.clone(), proof: Vec::new() };
    assert_eq!(world.refusal(4, said(&own)), "deny.not_home");
    world.says(2, said(&own));
    assert!(world.state.key(&treasury()).unwrap().wallets.values().eq([&own]));
}

#[test]
fn approvers_read_who_signs_and_how_many_may_be_lost() {
    let world = world();
    let policy = world.state.policy().engine.version();
    let words = |it| change_words(&AuthorityChange::Key(it), policy).pop().unwrap();
    let born = "A new key `treasury` is born in shares: any 2 of node-1, node-2, node-3 sign; 1 of them may be lost, \
                and fewer than 2 sign nothing";
    assert_eq!(words(birth()), born);
    let taproot = KeyCeremony::Generate {
        key: treasury(),
        kind: KeyKind::ThresholdBip340,
        threshold: 2,
        holders: nodes(&[1, 2, 3]),
    };
    let kind = "`treasury`, for taproot coins of Bitcoin alone (BIP-340), is born";
    assert_eq!(words(taproot), born.replace("`treasury` is born", kind));
    let solana = KeyCeremony::Generate {
        key: treasury(),
        kind: KeyKind::ThresholdEd25519,
        threshold: 2,
        holders: nodes(&[1, 2, 3]),
    };
    let kind = "`treasury`, for Solana alone (Ed25519), is born";
    assert_eq!(words(solana), born.replace("`treasury` is born", kind));
    let (key, holders, dealers) = (treasury(), nodes(&[1, 4]), nodes(&[1, 3]));
    let moved = "KEY `treasury` GETS OTHER SHARES, dealt by node-1, node-3: any 2 of node-1, node-4 sign; 0 of them may \
                 be lost, and fewer than 2 sign nothing";
    assert_eq!(words(KeyCeremony::Reshare { key, threshold: 2, holders, dealers }), moved);
}

#[test]
fn only_distinct_nodes_of_the_roster_hold_a_key_and_two_of_them_at_least_sign() {
    let mut world = world();
    let wish = |kind, threshold, holders| KeyCeremony::Generate { key: treasury(), kind, threshold, holders };
    let kind = KeyKind::ThresholdSecp256k1;
    for (threshold, holders) in
        [(1, &[1, 2][..]), (0, &[1, 2]), (3, &[1, 2]), (2, &[1, 1, 2]), (2, &[1, 9]), (2, &[])]
    {
        let (_, outcome) = world.allow(wish(kind, threshold, nodes(holders)));
        assert_eq!(code(&outcome), "deny.holders", "{threshold} of {holders:?}");
    }
    let (_, outcome) = world.allow(wish(kind, 2, vec![name("node-1"); 500]));
    let [Reason::HoldersRefused { holders, .. }] = &reasons(&outcome)[..] else { panic!("{outcome:?}") };
    assert_eq!(holders.len(), MAX_HOLDERS + 1, "a wish of any length makes a short denial");
    let (_, outcome) = world.allow(wish(KeyKind::HdSecp256k1, 2, nodes(&[1, 2])));
    assert_eq!(code(&outcome), "deny.kind");
    let (_, outcome) = world.allow(wish(kind, 2, nodes(&[1, 2])));
    assert!(matches!(outcome, Outcome::Ceremony { .. }), "{outcome:?}");
    let taken = KeyCeremony::Create { key: treasury(), kind: KeyKind::HdSecp256k1, home: name("node-1") };
    assert_eq!(code(&world.allow(taken).1), "deny.key_exists", "its name is spoken for");
}

#[test]
fn a_shared_key_is_protected_as_its_least_protected_share() {
    let (mut world, _) = shared();
    let protections = |world: &World<Strict>| world.state.key(&treasury()).unwrap().protections.clone();
    assert_eq!(protections(&world), Feature::ALL.to_vec());
    world.says(2, KeyStep::Protected { protections: vec![Feature::Landlock, Feature::Seccomp] });
    world.says(3, KeyStep::Protected { protections: vec![Feature::Seccomp] });
    assert_eq!(protections(&world), [Feature::Seccomp]);
    let twice = [Feature::ALL, Feature::ALL].concat();
    world.says(2, KeyStep::Protected { protections: twice });
    assert_eq!(protections(&world), [Feature::Seccomp]);
    let home = &world.state.key(&treasury()).unwrap().sharing.as_ref().unwrap().homes[&name("node-2")];
    assert_eq!(home.protections, Feature::ALL);
    assert_eq!(world.refusal(4, KeyStep::Protected { protections: Vec::new() }), "deny.not_home");
    assert_eq!(world.state.key(&treasury()).unwrap().assurance, AssuranceLevel::Process);
    assert_eq!(world.refusal(1, KeyStep::Destroyed), "deny.key_step", "nobody asked for that");
}

#[test]
fn a_shared_key_is_destroyed_when_every_holder_has_wiped_its_share() {
    let (mut world, _) = shared();
    let (hangs, _) = world.allow(KeyCeremony::Refresh { key: treasury() });
    world.take_seats(hangs, &[1, 2, 3], 120);
    world.allow(KeyCeremony::Suspend { key: treasury() });
    let (id, _) = world.allow(KeyCeremony::Destroy { key: treasury() });
    let ready = world.now().plus_seconds(300);
    let carried = world.commit_at(ready, vec![Entry::Tick]);
    assert!(matches!(outcome_of(&carried, &id), Outcome::Ceremony { .. }), "{carried:?}");
    assert!(world.state.convening(&treasury()).is_none() && world.state.frozen().stops(&treasury()));
    let state = |world: &World<Strict>| world.state.key(&treasury()).unwrap().state;
    for _ in 0..2 {
        world.says(1, KeyStep::Destroyed);
        world.says(3, KeyStep::Destroyed);
        assert_eq!(state(&world), KeyState::Deactivated, "one still has its share");
    }
    assert_eq!(world.refusal(4, KeyStep::Destroyed), "deny.not_home");
    world.says(2, KeyStep::Destroyed);
    assert_eq!(state(&world), KeyState::Destroyed);
    assert_eq!(code(&world.allow(KeyCeremony::Refresh { key: treasury() }).1), "deny.key_step");
}

/// INVARIANT S7: a key signs what people allowed it to sign, and proves it so; what is no account has no request.
#[test]
fn s07_a_bip340_key_is_born_as_one_proven_by_its_own_scheme_and_has_no_account_on_ethereum() {
    let (mut world, key) = (world(), Secp::new(9));
    let (kind, holders) = (KeyKind::ThresholdBip340, nodes(&[1, 2, 3]));
    let (request, _) = world.allow(KeyCeremony::Generate { key: treasury(), kind, threshold: 2, holders });
    world.take_seats(request, &[1, 2, 3], 100);
    let said = |account| dealt(request, 1, account, shares(3, 7));
    assert_eq!(world.refusal(1, said(key.account())), "deny.share.account");
    let other = PublicAccount { chain_code: key.account().chain_code, ..key.schnorr() };
    for chosen in [other, key.taproot()] {
        assert_eq!(world.refusal(1, said(chosen)), "deny.share.account", "a chain code that somebody chose");
    }
    for node in [1, 2, 3] {
        world.says(node, said(key.schnorr()));
    }
    let by_ecdsa = world.proof_for(request, 1, &key);
    assert_eq!(world.refusal(1, by_ecdsa), "deny.share.proof");
    for node in [1, 2, 3] {
        let proof = key.sign_bip340(&world.challenge_for(node));
        world.says(node, KeyStep::Proven { request, attempt: 1, proof });
    }
    assert_eq!(world.state.key(&treasury()).unwrap().state, KeyState::Active);
    assert_eq!(code(&world.ask("desk", transfer(0)).1), "deny.kind");
    let wallet =
        |kind, account: PublicAccount| wallet_in_shares(ChainId::BITCOIN_REGTEST, kind, &account).unwrap();
    let step = |wallet| KeyStep::Wallet { wallet, proof: Vec::new() };
    let ecdsa = wallet(KeyKind::ThresholdSecp256k1, key.account());
    assert_eq!(world.refusal(1, step(ecdsa)), "deny.not_counted");
    let own = wallet(kind, key.schnorr());
    assert!(own.descriptors[0].starts_with("tr(["));
    world.says(1, step(own.clone()));
    assert_eq!(world.state.key(&treasury()).unwrap().wallets.values().collect::<Vec<_>>(), [&own]);
}
