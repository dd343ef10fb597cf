//! What requests for Bitcoin cost the nodes, and what policy lets them do: PSBTs are read once, bounded for each requester, and
//! gone when nothing can come of them.

use std::sync::atomic::{AtomicUsize, Ordering};

use keystead_base::{Amount, Canonical as _, Coded as _, RequestId};
use keystead_bitcoin::{Completed, Descriptor, PsbtVersion, Spend, SpendError, shared_wallet};
use keystead_decision::{Controls, GenesisError, MAX_KEPT_PSBT_BYTES, Outcome, Phase, Snapshot, State};
use keystead_intent::{Action, Asset, AuthorityChange, BitcoinWallet, DangerClass, PsbtSpend};
use keystead_policy::{
    BitcoinTerms, Dimension, HeightLimit, LockTimeRule, Measure, Need, PolicyVersion, QuorumRow, Reason,
    Rule, SharedWallet, Threshold, Window,
};
use keystead_quorum::Strict;
use keystead_tests::fixture::{Desk, name};
use keystead_tests::purse::{Purse, REGTEST, Secrets, WPKH, consensus_takes, lists_payee, pay, payee};
use keystead_tests::world::{World, hot, reasons};

/// Every control as it is meant, and how often a PSBT was read.
#[derive(Default)]
struct Counting(AtomicUsize, Strict);

impl Controls for Counting {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &self.1
    }

    fn read_psbt(&self, wallet: &BitcoinWallet, psbt: &[u8]) -> Result<Spend, SpendError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Spend::read(wallet, psbt)
    }
}

/// From 500,000 sat on two people approve, the fee counted.
fn large_needs_two(policy: &mut PolicyVersion) {
    lists_payee(policy);
    let measure = Measure::Asset { chain: REGTEST, asset: Asset::Native };
    policy.quorums.push(QuorumRow {
        id: name("large-bitcoin"),
        keys: Vec::new(),
        classes: vec![DangerClass::Transfer],
        changes: Vec::new(),
        from: Some(Threshold { measure, amount: Amount::from(500_000_u64) }),
        needs: vec![Need { role: name("approver"), count: 2, factors: Vec::new() }],
        delay_seconds: 0,
        vetoers: vec![name("vetoer")],
    });
    policy.quorums.sort_by(|a, b| a.id.cmp(&b.id));
}

fn world() -> (World<Counting>, Purse) {
    let mut world = World::with_policy(Counting::default(), large_needs_two);
    let purse = Purse::of_seed(7);
    world.record_wallet(&purse.recorded);
    (world, purse)
}

fn reads(world: &World<Counting>) -> usize {
    world.controls().0.load(Ordering::Relaxed)
}

fn asked(psbt: Vec<u8>) -> Action {
    Action::Psbt(PsbtSpend {
        account: hot(),
        chain: REGTEST,
        psbt: psbt.into(),
        replaces: None,
        shared: None,
    })
}

/// Pays so many satoshi from a coin of a million, with a fee.
fn payment(purse: &Purse, number: u8, sat: u64, fee: u64) -> Action {
    let change = purse.change(WPKH, 1_000_000 - sat - fee);
    asked(purse.psbt(vec![purse.coin(WPKH, 1_000_000, number)], vec![pay(sat, payee()), change]))
}

fn codes(outcome: &Outcome) -> Vec<&'static str> {
    reasons(outcome).iter().map(Reason::code).collect()
}

fn phase(world: &World<Counting>, id: &RequestId) -> Phase {
    world.state.request(id).unwrap().phase
}

/// What a node has that starts from a snapshot.
fn restored(state: &State) -> State {
    let document = Snapshot(state.clone()).to_document();
    let restored = Snapshot::from_document(&document).unwrap().0;
    assert_eq!(restored.digest(), state.digest());
    restored
}

#[test]
fn d03_a_psbt_is_read_once_whatever_is_said_about_it() {
    let (mut world, purse) = world();
    let (id, waits) = world.ask("desk", payment(&purse, 1, 600_000, 1_000));
    assert!(matches!(waits, Outcome::Wait { .. }), "{waits:?}");
    let (vetoed, _) = world.ask("desk", payment(&purse, 2, 600_000, 1_000));
    assert_eq!(reads(&world), 2);
    world.approve("ana", &id);
    world.veto("eve", &vetoed);
    assert_eq!(phase(&world, &vetoed), Phase::Denied);
    // A change of policy asks about everything that is open, and approvals begin anew.
    world.adopt(|policy| policy.timing.cool_off_seconds += 1);
    world.approve("ana", &id);
    world.approve("ben", &id);
    assert_eq!((phase(&world, &id), reads(&world)), (Phase::Allowed, 2));
}

/// What was read is no part of the state: who starts from a snapshot reads again, and comes to the same.
#[test]
fn d03_a_node_that_starts_from_a_snapshot_reads_again_and_decides_the_same() {
    let (mut world, purse) = world();
    let (id, _) = world.ask("desk", payment(&purse, 1, 600_000, 1_000));
    world.state = restored(&world.state);
    world.approve("ana", &id);
    let once = reads(&world);
    world.approve("ben", &id);
    assert_eq!((phase(&world, &id), reads(&world)), (Phase::Allowed, once));
    assert!(once <= 3, "the first word has it read for the look and for the answer: {once}");
}

#[test]
fn d03_nobody_reads_for_a_requester_whom_no_rule_lets_ask() {
    let (mut world, purse) = world();
    let (id, denied) = world.ask("eve", payment(&purse, 1, 1_000, 1_000));
    assert_eq!(codes(&denied), ["deny.requester_not_permitted"]);
    world.freeze("eve", Some("hot"));
    let (_, frozen) = world.ask("desk", payment(&purse, 2, 1_000, 1_000));
    assert_eq!(codes(&frozen), ["deny.frozen"]);
    assert_eq!((reads(&world), world.state.request(&id)), (0, None));
}

#[test]
fn d03_no_requester_has_more_psbts_waiting_than_a_hundred() {
    let (mut world, purse) = world();
    for number in 0..100 {
        let (_, waits) = world.ask("desk", payment(&purse, number, 600_000, 1_000));
        assert!(matches!(waits, Outcome::Wait { .. }), "{waits:?}");
    }
    for _ in 0..2 {
        let before = reads(&world);
        let (_, more) = world.ask("desk", payment(&purse, 200, 600_000, 1_000));
        assert!(matches!(&reasons(&more)[..], [Reason::TooManyPsbts { limit: 100, .. }]), "{more:?}");
        assert_eq!(reads(&world), before);
        // A node that starts from a snapshot counts the same.
        world.state = restored(&world.state);
    }
    // One that ends makes room for another.
    let first =
        world.state.requests().find(|(_, it)| it.phase == Phase::Open && it.class != DangerClass::Authority);
    let first = *first.unwrap().0;
    world.veto("eve", &first);
    let (_, waits) = world.ask("desk", payment(&purse, 200, 600_000, 1_000));
    assert!(matches!(waits, Outcome::Wait { .. }), "{waits:?}");
}

#[test]
fn d03_what_may_be_signed_is_bounded_by_its_bytes() {
    let (mut world, purse) = world();
    // Coins out of large transactions: what proves them comes along.
    let psbt = |number| {
        let mut coins: Vec<_> = (0..2).map(|it| purse.coin(WPKH, 1_000_000, number + it)).collect();
        for coin in &mut coins {
            let stuffing = pay(1_000, bitcoin::ScriptBuf::from_bytes(vec![0x51; 9_000])).output;
            coin.previous.output.extend(vec![stuffing; 13]);
        }
        purse.psbt(coins, vec![pay(1_000, payee()), purse.change(WPKH, 1_998_000)])
    };
    let size = psbt(0).len() as u64;
    assert!(size > 230_000, "{size}");
    let fits = MAX_KEPT_PSBT_BYTES / size;
    for number in 0..fits {
        let (_, allowed) = world.ask("desk", asked(psbt(2 * u8::try_from(number).unwrap())));
        assert!(matches!(allowed, Outcome::Allow(_)), "{number}: {allowed:?}");
    }
    let more = world.ask("desk", asked(psbt(250))).1;
    assert_eq!(codes(&more), ["deny.too_many_psbts"]);
    // After an hour nothing can be signed of them any more, and nobody keeps their bytes.
    let later = world.now().plus_seconds(3_601);
    world.commit_at(later, vec![keystead_decision::Entry::Tick]);
    let snapshot = Snapshot(world.state.clone()).to_document().len() as u64;
    assert!(snapshot < size, "{snapshot}");
    let (_, allowed) = world.ask("desk", asked(psbt(250)));
    assert!(matches!(allowed, Outcome::Allow(_)), "{allowed:?}");
}

/// INVARIANT S4: a coin stays taken, and an amount counts, when the bytes that say so are long gone.
#[test]
fn s04_coins_stay_taken_after_their_psbt_is_let_go() {
    let (mut world, purse) = world();
    let (id, allowed) = world.ask("desk", payment(&purse, 1, 1_000, 1_000));
    assert!(matches!(allowed, Outcome::Allow(_)), "{allowed:?}");
    let whole = |world: &World<Counting>| world.state.request(&id).unwrap().is_whole();
    assert!(whole(&world));
    let later = world.now().plus_seconds(3_601);
    world.commit_at(later, vec![keystead_decision::Entry::Tick]);
    assert_eq!((phase(&world, &id), whole(&world)), (Phase::Allowed, false));
    world.state = restored(&world.state);
    let (_, again) = world.ask("desk", payment(&purse, 1, 2_000, 1_000));
    assert!(matches!(&reasons(&again)[..], [Reason::CoinTaken { by, .. }] if *by == id), "{again:?}");
}

/// A payment that is small beside its fee is no small payment.
#[test]
fn s09_the_fee_of_a_transaction_counts_towards_the_threshold() {
    let (mut world, purse) = world();
    for (number, sat, fee, waits) in [(1, 490_000, 9_999, false), (2, 490_000, 10_000, true)] {
        let (_, outcome) = world.ask("desk", payment(&purse, number, sat, fee));
        assert_eq!(matches!(outcome, Outcome::Wait { .. }), waits, "{fee}: {outcome:?}");
        assert_eq!(matches!(outcome, Outcome::Allow(_)), !waits, "{fee}: {outcome:?}");
    }
}

/// A payment with a lock time, and a sequence that lets it count.
fn locked(purse: &Purse, number: u8, lock_time: u32, sequence: u32) -> Action {
    let change = purse.change(WPKH, 998_000);
    let honest = purse.psbt(vec![purse.coin(WPKH, 1_000_000, number)], vec![pay(1_000, payee()), change]);
    let mut psbt = bitcoin::Psbt::deserialize(&honest).unwrap();
    psbt.unsigned_tx.lock_time = bitcoin::absolute::LockTime::from_consensus(lock_time);
    psbt.unsigned_tx.input[0].sequence = bitcoin::Sequence(sequence);
    asked(psbt.serialize())
}

#[test]
fn s02_a_transaction_that_waits_is_signed_where_policy_names_how_long() {
    let (mut world, purse) = world();
    let age = 144;
    for (number, lock_time, sequence) in [(1, 800_000, FINAL - 1), (2, 0, age), (3, 1_795_500_000, FINAL - 1)]
    {
        let denied = world.ask("desk", locked(&purse, number, lock_time, sequence)).1;
        assert_eq!(codes(&denied), ["deny.lock_time"], "nobody named {lock_time} {sequence}");
    }
    // Where every sequence is final, the lock time says nothing.
    let (_, allowed) = world.ask("desk", locked(&purse, 4, 800_000, FINAL));
    assert!(matches!(allowed, Outcome::Allow(_)), "{allowed:?}");
    let now = world.now();
    world.adopt(|policy| {
        let height = Some(HeightLimit { height: 800_000, grows_from: Some(now) });
        let (chain, keys, ahead_seconds) = (REGTEST, Vec::new(), None);
        let (relative_blocks, relative_seconds) = (144, 0);
        let rule = LockTimeRule { chain, keys, height, ahead_seconds, relative_blocks, relative_seconds };
        policy.bitcoin = Some(BitcoinTerms { lock_times: vec![rule], ..BitcoinTerms::default() });
    });
    for (number, lock_time, sequence, allowed) in [
        (1, 800_000, FINAL - 1, true),
        (2, 800_001, FINAL - 1, false),
        (3, 0, age, true),
        (5, 0, age + 1, false),
        (6, 0, SECONDS | 1, false),
        (7, 1_795_500_000, FINAL - 1, false),
    ] {
        let outcome = world.ask("desk", locked(&purse, number, lock_time, sequence)).1;
        match allowed {
            true => assert!(matches!(outcome, Outcome::Allow(_)), "{lock_time} {sequence}: {outcome:?}"),
            false => assert_eq!(codes(&outcome), ["deny.lock_time"], "{lock_time} {sequence}"),
        }
    }
    // A block for each ten minutes.
    let later = world.now().plus_seconds(600);
    world.commit_at(later, vec![keystead_decision::Entry::Tick]);
    let outcome = world.ask("desk", locked(&purse, 2, 800_001, FINAL - 1)).1;
    assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}");
}

/// Coins that do not exist count until somebody proves that they never will: with one requester's token that fills one
/// requester's window.
#[test]
fn s10_invented_coins_fill_the_window_of_the_one_who_asked() {
    let mut world = World::with_policy(Counting::default(), |policy| {
        lists_payee(policy);
        // So that a second requester has a rule that lets it ask.
        let both = "permit(principal, action == Action::\"psbt\", resource);".to_owned();
        policy.rules.push(Rule { id: name("anybody"), cedar: both });
        policy.rules.sort_by(|a, b| a.id.cmp(&b.id));
        policy.windows = vec![Window {
            id: name("sat-per-day"),
            keys: Vec::new(),
            chains: Vec::new(),
            destinations: Vec::new(),
            measure: Measure::Asset { chain: REGTEST, asset: Asset::Native },
            per: vec![Dimension::Requester],
            limit: Amount::from(900_000_u64),
            span_seconds: 86_400,
        }];
    });
    let purse = Purse::of_seed(7);
    world.record_wallet(&purse.recorded);
    let (_, allowed) = world.ask("desk", payment(&purse, 1, 890_000, 1_000));
    assert!(matches!(allowed, Outcome::Allow(_)), "{allowed:?}");
    let (_, full) = world.ask("desk", payment(&purse, 2, 50_000, 1_000));
    assert_eq!(codes(&full), ["deny.limit_exceeded"]);
    let (_, another) = world.ask("dora", payment(&purse, 3, 890_000, 1_000));
    assert!(matches!(another, Outcome::Allow(_)), "{another:?}");
}

/// A final sequence, and the flag of a relative lock by time (BIP-68).
const FINAL: u32 = u32::MAX;
const SECONDS: u32 = 1 << 22;

/// A wallet that others share is the descriptor that people registered: our signature is one part of it, and the network
/// takes it with that of another.
#[test]
fn s02_a_shared_wallet_is_the_one_that_people_registered() {
    let (mut world, purse) = world();
    let [one, other] = [8, 9].map(|seed| Purse::of_seed(seed).recorded.cosigner);
    let body = format!("wsh(sortedmulti(2,{one},{},{other}))", purse.recorded.cosigner);
    let descriptor = Descriptor::with_checksum(&body).unwrap();
    let vault = Purse::of(shared_wallet(&purse.recorded, &descriptor).unwrap());
    let coin = || vault.coin(0, 1_000_000, 1);
    let psbt = vault.psbt(vec![coin()], vec![pay(1_000, payee()), vault.change(0, 998_000)]);
    let spend = |called: &str, psbt: &[u8]| {
        let (psbt, shared) = (psbt.to_vec().into(), Some(name(called)));
        Action::Psbt(PsbtSpend { account: hot(), chain: REGTEST, psbt, replaces: None, shared })
    };
    let unknown = |outcome: &Outcome| match &reasons(outcome)[..] {
        [Reason::Undecodable { code, .. }] => code.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(unknown(&world.ask("desk", spend("vault", &psbt)).1), "bitcoin.no_shared_wallet");
    let register =
        |descriptor: String| move |policy: &mut PolicyVersion| policy.bitcoin = Some(vault_of(descriptor));
    // What nobody could spend from, people cannot register.
    let mut next = world.state.policy().engine.version().clone();
    (next.previous, next.number) = (next.digest(), 1);
    register(purse.recorded.descriptors[WPKH].clone())(&mut next);
    let document = next.to_document().into();
    let (_, refused) = world.ask("cleo", Action::Authority(AuthorityChange::Policy { document }));
    assert!(
        matches!(&reasons(&refused)[..], [Reason::PolicyRefused { code, .. }] if code == "account.not_shared")
    );
    world.adopt(register(descriptor));
    assert_eq!(unknown(&world.ask("desk", spend("other", &psbt)).1), "bitcoin.no_shared_wallet");
    // A co-signer was first.
    let read = |psbt: &[u8]| Spend::read(&vault.recorded, psbt).unwrap();
    let theirs = Secrets::of_seed(9).sign(&read(&psbt));
    let half = read(&psbt).sign_into(&theirs).unwrap().to_bytes(PsbtVersion::Zero);
    let (_, outcome) = world.ask("desk", spend("vault", &half));
    let Outcome::Allow(grant) = &outcome else { panic!("{outcome:?}") };
    assert_eq!((grant.address, grant.signing_digest), (vault.recorded.id(), read(&psbt).signing_digest()));
    // INVARIANT S4: a coin that keys share is one coin, whichever of them is asked for it.
    let places: Vec<_> = world.state.coins().map(|((purse, coin), _)| (purse.clone(), *coin)).collect();
    let [(purse, held)] = places.as_slice() else { panic!("{places:?}") };
    assert_eq!(*purse, (REGTEST, None));
    let lock = keystead_intent::SpendLock::default();
    let again = keystead_intent::CoinSpend { coins: vec![*held], fee_rate: 1, lock };
    let later = RequestId(keystead_base::Digest([9; 32]));
    let admitted = world.controls().coins(&world.state, purse, &again, &later, None);
    assert!(matches!(admitted, Err(Reason::CoinTaken { .. })), "{admitted:?}");
    let ours = Secrets::of_seed(7).sign(&read(&psbt));
    let Ok(Completed::Partly(_)) = read(&psbt).complete(&ours) else { panic!("a part") };
    let Ok(Completed::Transaction(done)) = read(&half).complete(&ours) else { panic!("all of it") };
    assert!(consensus_takes(done.transaction(), &[coin().previous.output[0].clone()]));
}

/// What nobody could spend from is registered at the founding no more than later, and no founder signs it.
#[test]
fn s13_no_genesis_registers_a_wallet_that_nobody_could_spend_from() {
    let desk = Desk::default();
    let genesis = |descriptor: &str| {
        let mut policy = desk.policy();
        lists_payee(&mut policy);
        policy.bitcoin = Some(vault_of(descriptor.to_owned()));
        desk.genesis_with(policy)
    };
    let [one, other] = [7, 8].map(|seed| Purse::of_seed(seed).recorded);
    let body = format!("wsh(sortedmulti(2,{},{}))", one.cosigner, other.cosigner);
    let fit = Descriptor::with_checksum(&body).unwrap();
    assert!(genesis(&fit).verify().is_ok());
    for unfit in [one.descriptors[WPKH].as_str(), "", body.as_str()] {
        let error = genesis(unfit).verify().unwrap_err();
        assert!(matches!(error, GenesisError::Wallet(_)), "{unfit}: {error}");
    }
}

/// A wallet that people write anew while a request waits is another wallet, whoever remembers the old one.
#[test]
fn d03_a_node_that_starts_from_a_snapshot_reads_what_was_written_anew_as_all_do() {
    let play = |starts_anew: bool| {
        let (mut world, purse) = world();
        let other = Purse::of_seed(8).recorded.cosigner;
        let text = |first: &str, second: &str| {
            Descriptor::with_checksum(&format!("wsh(sortedmulti(2,{first},{second}))")).unwrap()
        };
        let own = purse.recorded.cosigner.clone();
        let (before, after) = (text(&own, &other), text(&other, &own));
        let vault = Purse::of(shared_wallet(&purse.recorded, &before).unwrap());
        world.adopt(|policy| policy.bitcoin = Some(vault_of(before)));
        let psbt = vault
            .psbt(vec![vault.coin(0, 1_000_000, 1)], vec![pay(600_000, payee()), vault.change(0, 399_000)]);
        let (psbt, shared) = (psbt.into(), Some(name("vault")));
        let spend = PsbtSpend { account: hot(), chain: REGTEST, psbt, replaces: None, shared };
        let (id, waits) = world.ask("desk", Action::Psbt(spend));
        assert!(matches!(waits, Outcome::Wait { .. }), "{waits:?}");
        world.adopt(|policy| policy.bitcoin = Some(vault_of(after)));
        if starts_anew {
            world.state = restored(&world.state);
        }
        let mut said = world.approve("ana", &id);
        said.extend(world.approve("ben", &id));
        said
    };
    assert_eq!(play(false), play(true));
}

fn vault_of(descriptor: String) -> BitcoinTerms {
    let wallet = SharedWallet { chain: REGTEST, name: name("vault"), key: name("hot"), descriptor };
    BitcoinTerms { shared_wallets: vec![wallet], ..BitcoinTerms::default() }
}
