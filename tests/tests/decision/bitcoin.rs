//! Bitcoin on the whole way of a decision: wallets that the log records, PSBTs that every node reads, coins that are given
//! away once, and limits that run over chains of both kinds.

use bitcoin::ScriptBuf;
use keystead_base::{Amount, Canonical as _, Coded as _, Digest, RequestId, Signed};
use keystead_bitcoin::{
    DraftInput, DraftOutput, InputDigest, Scheme, SpendDigest, SpendSignature, SpendSignatures,
    wallet_in_shares,
};
use keystead_decision::{
    Controls as _, Decision, Entry, Fate, KeyEvent, KeyStep, Outcome, Phase, Settlement, Snapshot, Strict,
    wallet_challenge,
};
use keystead_intent::{
    Action, Asset, AssetEntry, AssetKind, BitcoinDestination, BitcoinWallet, ChainId, CoinSpend, DangerClass,
    KeyKind, PsbtSpend,
};
use keystead_policy::{
    AddressEntry, BitcoinFinality, BitcoinTerms, FeeCap, HeightLimit, LockTimeRule, Measure, Need,
    PolicyVersion, Price, PriceRule, PriceSource, QuorumRow, Reason, Rule, SharedWallet, Window,
    WrittenAddress,
};
use keystead_tests::fixture::{BIRTH, CHAIN, ETHER, FRIEND, name};
use keystead_tests::purse::{FORMS, Purse, REGTEST, TR, WPKH, named, pay, payee};
use keystead_tests::vectors::{Vector, check, vector};
use keystead_tests::world::{World, hot, outcome_of, reasons};

/// Bitcoin beside the fixture's chain; the payee stands in the address book.
fn lists_bitcoin(policy: &mut PolicyVersion) {
    policy.chains.push(REGTEST);
    let (address, usable_from) = (named(&payee()), BIRTH);
    policy.address_book.push(AddressEntry { chain: REGTEST, address, name: name("payee"), usable_from });
    policy.address_book.sort_by_key(|entry| (entry.chain, entry.address));
}

fn world_with(change: impl FnOnce(&mut PolicyVersion)) -> (World<Strict>, Purse) {
    let mut world = World::with_policy(Strict::default(), |policy| {
        lists_bitcoin(policy);
        change(policy);
    });
    let purse = Purse::of_seed(7);
    let wallet = record(&mut world, "hot", &purse, None);
    assert!(matches!(wallet, Outcome::Key { .. }), "{wallet:?}");
    (world, purse)
}

/// The home of `hot` reports a wallet, with a proof of the key or of somebody's own.
fn record(world: &mut World<Strict>, key: &str, purse: &Purse, proof: Option<Vec<u8>>) -> Outcome {
    let cluster = world.state.cluster();
    let challenge = wallet_challenge(cluster, &name(key), &purse.recorded.digest());
    let proof = proof.unwrap_or_else(|| world.proof(&challenge));
    let step = KeyStep::Wallet { wallet: purse.recorded.clone(), proof };
    let event = KeyEvent { cluster, key: name(key), step };
    let subject = RequestId(event.digest());
    let node = &world.desk.nodes[0];
    let entry = Entry::Key(Signed::new(event, node.name.clone(), &node.signer).unwrap());
    outcome_of(&world.commit(vec![entry]), &subject)
}

fn spend(psbt: Vec<u8>, replaces: Option<RequestId>) -> Action {
    Action::Psbt(PsbtSpend { account: hot(), chain: REGTEST, psbt: psbt.into(), replaces, shared: None })
}

/// Pays from one coin, with 1,000 sat of fee.
fn payment(purse: &Purse, form: usize, number: u8, sat: u64) -> Action {
    let change = purse.change(form, 1_000_000 - sat - 1_000);
    spend(purse.psbt(vec![purse.coin(form, 1_000_000, number)], vec![pay(sat, payee()), change]), None)
}

fn ask(world: &mut World<Strict>, action: Action) -> (RequestId, Outcome) {
    world.ask("desk", action)
}

fn codes(outcome: &Outcome) -> Vec<&'static str> {
    reasons(outcome).iter().map(Reason::code).collect()
}

fn undecodable(outcome: &Outcome) -> String {
    match &reasons(outcome)[..] {
        [Reason::Undecodable { code, .. }] => code.clone(),
        other => panic!("{other:?} {outcome:?}"),
    }
}

fn settle(world: &mut World<Strict>, request: RequestId, fate: Fate) -> Vec<Decision> {
    let body = Settlement { cluster: world.state.cluster(), request, slot: None, fate };
    let node = &world.desk.nodes[0];
    let entry = Entry::Settlement(Signed::new(body, node.name.clone(), &node.signer).unwrap());
    world.commit(vec![entry])
}

fn phase(world: &World<Strict>, id: &RequestId) -> Phase {
    world.state.request(id).unwrap().phase
}

#[test]
fn s02_a_payment_of_every_form_is_decoded_and_granted_by_what_is_signed() {
    let (mut world, purse) = world_with(|_| {});
    for (form, number) in FORMS.into_iter().zip(1..) {
        let action = payment(&purse, form, number, 600_000);
        let Action::Psbt(it) = &action else { panic!("a PSBT") };
        let digest = Strict::default().read_psbt(&purse.recorded, &it.psbt).unwrap().signing_digest();
        let (_, outcome) = ask(&mut world, action.clone());
        let Outcome::Allow(grant) = &outcome else { panic!("{outcome:?}") };
        assert_eq!((grant.signing_digest, grant.chain), (digest, REGTEST));
        assert_eq!((grant.address, grant.slot), (purse.recorded.id(), None));
    }
    assert_eq!(world.state.coins().count(), 4);
    // A snapshot carries the coins and the wallet.
    let snapshot = Snapshot(world.state.clone()).to_document();
    assert_eq!(Snapshot::from_document(&snapshot).unwrap().0.digest(), world.state.digest());
}

/// A wallet counts with the proof of its key alone: whoever reports another one could call it change what goes to him.
#[test]
fn s03_a_wallet_counts_only_with_the_proof_of_its_key() {
    let mut world = World::with_policy(Strict::default(), lists_bitcoin);
    let (ours, theirs) = (Purse::of_seed(7), Purse::of_seed(8));
    let early = ask(&mut world, payment(&ours, WPKH, 1, 600_000)).1;
    assert_eq!(undecodable(&early), "bitcoin.no_wallet");
    let of_ours =
        world.proof(&wallet_challenge(world.state.cluster(), &name("hot"), &ours.recorded.digest()));
    for (purse, proof) in [(&ours, vec![1; 64]), (&ours, Vec::new()), (&theirs, of_ours)] {
        let refused = record(&mut world, "hot", purse, Some(proof));
        assert!(
            matches!(&reasons(&refused)[..], [Reason::NotCounted { code, .. }] if code == "wallet.unproven")
        );
    }
    assert!(matches!(record(&mut world, "hot", &ours, None), Outcome::Key { .. }));
    // Recorded once, it stays what it is, whatever the key is made to say later.
    record(&mut world, "hot", &theirs, None);
    assert_eq!(world.state.key(&name("hot")).unwrap().wallets[&REGTEST], ours.recorded);
    assert!(matches!(ask(&mut world, payment(&ours, WPKH, 1, 600_000)).1, Outcome::Allow(_)));
}

#[test]
fn s12_destinations_are_known_by_the_address_book_and_change_by_derivation() {
    let (mut world, purse) = world_with(|_| {});
    let to = |script: ScriptBuf| vec![pay(600_000, script), purse.change(TR, 399_000)];
    let stranger = ScriptBuf::from_hex("0014000000000000000000000000000000000000dead").unwrap();
    let (_, outcome) =
        ask(&mut world, spend(purse.psbt(vec![purse.coin(TR, 1_000_000, 1)], to(stranger)), None));
    assert_eq!(codes(&outcome), ["deny.destination_unknown"]);
    // Everything to ourselves needs no entry, and moves nothing.
    let back = vec![purse.change(TR, 999_000)];
    let (_, outcome) = ask(&mut world, spend(purse.psbt(vec![purse.coin(TR, 1_000_000, 2)], back), None));
    assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}");
    // Another key's wallet is somebody else's.
    let other = Purse::of_seed(8);
    let theirs = pay(399_000, other.script(Purse::place(TR, keystead_bitcoin::Branch::Change, 1)));
    let outputs = vec![pay(600_000, payee()), theirs];
    let (_, outcome) = ask(&mut world, spend(purse.psbt(vec![purse.coin(TR, 1_000_000, 3)], outputs), None));
    assert_eq!(codes(&outcome), ["deny.destination_unknown"]);
}

#[test]
fn s02_what_cannot_be_proven_is_denied_with_its_code() {
    let (mut world, purse) = world_with(|_| {});
    let coin = |number| vec![purse.coin(WPKH, 1_000_000, number)];
    let outputs = || vec![pay(600_000, payee()), purse.change(WPKH, 399_000)];
    let deny = |world: &mut World<Strict>, psbt| undecodable(&ask(world, spend(psbt, None)).1);
    assert_eq!(deny(&mut world, b"psbt".to_vec()), "psbt.magic");
    let absurd = purse.psbt(coin(1), vec![pay(1_000, payee())]);
    assert_eq!(deny(&mut world, absurd), "bitcoin.absurd_rate");
    let dust = purse.psbt(coin(3), vec![pay(100, payee()), purse.change(WPKH, 998_900)]);
    assert_eq!(deny(&mut world, dust), "bitcoin.dust");
    let twice = purse.psbt([coin(4), coin(4)].concat(), outputs());
    assert_eq!(deny(&mut world, twice), "bitcoin.duplicate_input");
    let theirs = Purse::of_seed(8);
    let foreign = theirs.psbt(vec![theirs.coin(WPKH, 1_000_000, 1)], vec![pay(999_000, payee())]);
    assert_eq!(deny(&mut world, foreign), "bitcoin.nothing_of_ours");
    let elsewhere = Action::Psbt(PsbtSpend {
        account: hot(),
        chain: ChainId::BITCOIN_MAINNET,
        psbt: purse.psbt(coin(5), outputs()).into(),
        replaces: None,
        shared: None,
    });
    assert_eq!(codes(&ask(&mut world, elsewhere).1), ["deny.chain_not_allowed"]);
}

/// INVARIANT S8: no bytes of Ethereum's kind are signed for a network of Bitcoin's.
#[test]
fn s08_a_network_of_bitcoin_takes_no_transaction_of_ethereum() {
    let (mut world, _) = world_with(|_| {});
    let mut action = world.ether(FRIEND, 1, 0);
    if let Action::Transfer(it) = &mut action {
        it.chain = REGTEST;
    }
    assert_eq!(undecodable(&ask(&mut world, action).1), "build.not_ethereum");
}

#[test]
fn s04_one_transaction_for_any_coin_unless_a_replacement_names_the_one_before() {
    let (mut world, purse) = world_with(|_| {});
    let coins = |numbers: &[u8]| -> Vec<DraftInput> {
        numbers.iter().map(|it| purse.coin(WPKH, 1_000_000, *it)).collect()
    };
    let to = |sat| -> Vec<DraftOutput> { vec![pay(sat, payee())] };
    let (first, outcome) = ask(&mut world, spend(purse.psbt(coins(&[1, 2]), to(1_999_000)), None));
    assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}");

    let (_, second) = ask(&mut world, spend(purse.psbt(coins(&[2, 3]), to(1_998_000)), None));
    assert!(matches!(&reasons(&second)[..], [Reason::CoinTaken { by, .. }] if *by == first), "{second:?}");
    let apart = spend(purse.psbt(coins(&[3]), to(999_000)), Some(first));
    assert_eq!(codes(&ask(&mut world, apart).1), ["deny.not_replacing"]);

    // Beside one that spends coin 2 alone, another could name the first and spend coin 1.
    let half = spend(purse.psbt(coins(&[2]), to(995_000)), Some(first));
    assert_eq!(codes(&ask(&mut world, half).1), ["deny.not_replacing"]);
    let (replacing, outcome) = ask(&mut world, spend(purse.psbt(coins(&[1, 2]), to(1_995_000)), Some(first)));
    assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}");
    let late = spend(purse.psbt(coins(&[1, 2]), to(1_990_000)), Some(first));
    assert_eq!(codes(&ask(&mut world, late).1), ["deny.coin_taken"], "it is not the latest any more");

    // The replacement is final: the first is dead, and the spent coins are gone for ever.
    settle(&mut world, replacing, Fate::Settled { transaction: Digest([9; 32]) });
    assert_eq!((phase(&world, &first), phase(&world, &replacing)), (Phase::Dead, Phase::Settled));
    let gone = ask(&mut world, spend(purse.psbt(coins(&[2]), to(990_000)), Some(replacing))).1;
    assert_eq!(codes(&gone), ["deny.coin_taken"]);
    let gone = ask(&mut world, spend(purse.psbt(coins(&[1]), to(999_000)), None)).1;
    assert_eq!(codes(&gone), ["deny.coin_taken"]);
}

/// A replacement needs what replacements need beside what it does; none only calls off, as every input pays a fee and
/// every output says where to: one that pays everything back to ourselves is both a transfer and a replacement.
#[test]
fn s04_a_psbt_that_replaces_needs_the_approval_of_replacements_and_none_is_a_cancel() {
    let (mut world, purse) = world_with(|policy| {
        let cancels = policy.quorums.iter_mut().find(|row| row.id == name("cancels")).unwrap();
        cancels.classes = vec![DangerClass::Cancel];
        let needs = vec![Need { role: name("approver"), count: 1, factors: Vec::new() }];
        let (id, classes) = (name("replaces"), vec![DangerClass::Replacement]);
        let row = QuorumRow { id, classes, needs, ..cancels.clone() };
        policy.quorums.push(row);
        policy.quorums.sort_by(|a, b| a.id.cmp(&b.id));
    });
    let coins = || vec![purse.coin(WPKH, 1_000_000, 1)];
    let (first, outcome) = ask(&mut world, spend(purse.psbt(coins(), vec![pay(999_000, payee())]), None));
    assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}");
    for outputs in [vec![pay(998_000, payee())], vec![purse.change(WPKH, 998_000)]] {
        let (_, outcome) = ask(&mut world, spend(purse.psbt(coins(), outputs), Some(first)));
        let Outcome::Wait { requirement, .. } = &outcome else { panic!("{outcome:?}") };
        let rows: Vec<String> = requirement.rows.iter().map(ToString::to_string).collect();
        assert_eq!(
            (requirement.people(), rows),
            (1, vec!["anything-small".to_owned(), "replaces".to_owned()])
        );
    }
}

/// Whoever has a key could write any outpoint beside a script of that key: it would hold coins of others for ever.
#[test]
fn s04_a_psbt_of_one_key_holds_no_coin_of_another_key() {
    let (mut world, purse) = world_with(|_| {});
    let (asked, outcome) = ask(&mut world, payment(&purse, TR, 1, 600_000));
    assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}");
    let coins = world.state.coins().map(|((_, coin), _)| *coin).collect();
    let spend = CoinSpend { coins, fee_rate: 1, lock: keystead_intent::SpendLock::default() };
    let later = RequestId(Digest([9; 32]));
    let admits = |key: &str| {
        let purse = (REGTEST, Some(name(key)));
        Strict::default().coins(&world.state, &purse, &spend, &later, None)
    };
    assert!(matches!(admits("hot"), Err(Reason::CoinTaken { by, .. }) if by == asked));
    assert_eq!(admits("cold"), Ok(()));
}

/// INVARIANT S10: a signed ceiling of fees holds for PSBTs, too, in coins and in fiat.
#[test]
fn s10_no_psbt_pays_more_fee_than_its_ceiling() {
    // 1,000 sat, and at 100,000 dollars a coin one dollar.
    for (fee, fee_fiat, passes) in [
        (Some(1_000_u64), None, true),
        (Some(999), None, false),
        (None, Some(1_000_000_u64), true),
        (None, Some(999_999), false),
    ] {
        let (mut world, purse) = world_with(|policy| {
            prices_in_dollars(policy);
            policy.fee_caps = vec![FeeCap {
                id: name("fees"),
                keys: Vec::new(),
                chains: vec![REGTEST],
                max_fee_per_gas: None,
                max_priority_fee_per_gas: None,
                fee: fee.map(Amount::from),
                fee_fiat: fee_fiat.map(Amount::from),
            }];
        });
        oracle(&mut world, REGTEST, 8, 100_000);
        let (_, outcome) = ask(&mut world, payment(&purse, WPKH, 1, 600_000));
        match passes {
            true => assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}"),
            false => assert_eq!(codes(&outcome), ["deny.fee_too_high"], "{outcome:?}"),
        }
    }
}

/// One source's word is enough.
fn prices_in_dollars(policy: &mut PolicyVersion) {
    policy.prices = Some(PriceRule {
        currency: "USD".to_owned(),
        sources: vec![PriceSource {
            name: name("oracle"),
            key: keystead_tests::fixture::Desk::default().desk.signer.public().clone(),
        }],
        agree: 1,
        max_age_seconds: 3_600,
        max_spread_bps: 100,
        tolerance_bps: 200,
    });
}

fn oracle(world: &mut World<Strict>, chain: ChainId, decimals: u8, dollars: u64) {
    let price = Price {
        chain,
        asset: Asset::Native,
        currency: "USD".to_owned(),
        micro_per_unit: dollars * 1_000_000,
        decimals,
        at: world.now(),
    };
    let entry = Entry::Price(Signed::new(price, name("oracle"), &world.desk.desk.signer).unwrap());
    world.commit(vec![entry]);
}

/// INVARIANT S10: one limit in dollars counts what leaves on both kinds of chain, fees with it, to one micro-unit.
#[test]
fn s10_one_window_runs_over_coins_and_accounts() {
    // 0.5 ether at 2,000 and the most of its gas; 600,000 sat at 100,000 and 1,000 sat of fee.
    let exact = 1_000_000_000 + 1_600_000 + 600_000_000 + 1_000_000_u64;
    for (limit, passes) in [(exact, true), (exact - 1, false)] {
        let (mut world, purse) = world_with(|policy| {
            prices_in_dollars(policy);
            policy.windows = vec![Window {
                id: name("usd-per-day"),
                keys: Vec::new(),
                chains: Vec::new(),
                destinations: Vec::new(),
                measure: Measure::Fiat,
                per: Vec::new(),
                limit: Amount::from(limit),
                span_seconds: 86_400,
            }];
        });
        oracle(&mut world, CHAIN, 18, 2_000);
        oracle(&mut world, REGTEST, 8, 100_000);
        let ether = world.ether(FRIEND, ETHER / 2, 0);
        assert!(matches!(ask(&mut world, ether).1, Outcome::Allow(_)));
        let (_, outcome) = ask(&mut world, payment(&purse, WPKH, 1, 600_000));
        match passes {
            true => assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}"),
            false => assert_eq!(codes(&outcome), ["deny.limit_exceeded"]),
        }
    }
}

/// INVARIANT S10: amounts of coins count until the transaction is final, and no more when it can never be.
#[test]
fn s10_satoshi_count_to_one_and_come_back_when_the_transaction_is_dead() {
    let limit = 601_000_u64;
    let (mut world, purse) = world_with(|policy| {
        policy.assets.push(AssetEntry {
            chain: REGTEST,
            asset: Asset::Native,
            symbol: "tBTC".to_owned(),
            decimals: 8,
            kind: AssetKind::Fungible,
        });
        let measure = Measure::Asset { chain: REGTEST, asset: Asset::Native };
        let (keys, chains, destinations, per) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (id, limit) = (name("sat-per-day"), Amount::from(limit));
        policy.windows =
            vec![Window { id, keys, chains, destinations, measure, per, limit, span_seconds: 86_400 }];
    });
    let over = ask(&mut world, payment(&purse, WPKH, 1, 600_001)).1;
    assert_eq!(codes(&over)[0], "deny.amount_too_large");
    let (first, outcome) = ask(&mut world, payment(&purse, WPKH, 2, 600_000));
    assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}");
    assert_eq!(codes(&ask(&mut world, payment(&purse, WPKH, 3, 1_000)).1), ["deny.limit_exceeded"]);
    settle(&mut world, first, Fate::Dead { by: Digest([8; 32]) });
    assert!(matches!(ask(&mut world, payment(&purse, WPKH, 4, 600_000)).1, Outcome::Allow(_)));
}

/// The vectors of requests that the second implementation in `specs/` recomputes; `KEYSTEAD_BLESS=1` writes them anew.
#[test]
fn the_vectors_of_requests() {
    let purse = Purse::of_seed(7);
    let inputs = vec![purse.coin(WPKH, 1_000_000, 1), purse.coin(TR, 1_000_000, 2)];
    let psbt = purse.psbt(inputs, vec![pay(1_999_000, payee())]);
    let spend = Strict::default().read_psbt(&purse.recorded, &psbt).unwrap();
    let digests = spend.view().digests();
    let inputs = digests.iter().map(|it| InputDigest {
        input: u32::try_from(it.input).unwrap(),
        schnorr: it.scheme == Scheme::Schnorr,
        digest: it.digest,
    });
    let signing = SpendDigest { chain: REGTEST, wallet: purse.recorded.id(), inputs: inputs.collect() };
    assert_eq!(signing.digest(), spend.signing_digest());
    let signature = SpendSignature { input: 1, key: [2; 33], bytes: vec![7; 64] };
    let destination = BitcoinDestination { chain: REGTEST, script: payee().to_bytes().into() };
    let asked = PsbtSpend { account: hot(), chain: REGTEST, psbt: psbt.into(), replaces: None, shared: None };
    let account = keystead_tests::circle::Secp::new(9).account();
    let in_shares = wallet_in_shares(REGTEST, KeyKind::ThresholdSecp256k1, &account).unwrap();
    let account = keystead_tests::circle::Secp::new(9).schnorr();
    let taproot = wallet_in_shares(REGTEST, KeyKind::ThresholdBip340, &account).unwrap();
    let vectors = vec![
        vector("a wallet", &purse.recorded),
        vector("a wallet of a key in shares", &in_shares),
        vector("a wallet of a BIP-340 key in shares", &taproot),
        vector("a destination", &destination),
        vector("a PSBT of two inputs", &asked),
        vector("a PSBT of a shared wallet", &PsbtSpend { shared: Some(name("vault")), ..asked.clone() }),
        vector("a policy with terms of Bitcoin's", &with_terms(&purse)),
        vector("what its inputs sign", &signing),
        vector("signatures", &SpendSignatures { signatures: vec![signature] }),
    ];
    let path = keystead_tests::root().join("specs/vectors/bitcoin_requests.json");
    if std::env::var_os("KEYSTEAD_BLESS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&vectors).unwrap() + "\n").unwrap();
    }
    let stored: Vec<Vector> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(stored, vectors);
    let counts = [
        check::<BitcoinWallet>(&stored),
        check::<BitcoinDestination>(&stored),
        check::<PsbtSpend>(&stored),
        check::<PolicyVersion>(&stored),
        check::<SpendDigest>(&stored),
        check::<SpendSignatures>(&stored),
    ];
    assert_eq!(counts.iter().sum::<usize>(), stored.len());
}

/// Without people, to be short.
fn with_terms(purse: &Purse) -> PolicyVersion {
    let mut policy = keystead_tests::fixture::Desk::default().policy();
    lists_bitcoin(&mut policy);
    policy.roster.people.clear();
    let height = Some(HeightLimit { height: 800_000, grows_from: Some(BIRTH) });
    let (keys, ahead_seconds) = (vec![name("hot")], Some(3_600));
    let (relative_blocks, relative_seconds) = (144, 512);
    let chain = REGTEST;
    let rule = LockTimeRule { chain, keys, height, ahead_seconds, relative_blocks, relative_seconds };
    let descriptor = purse.recorded.cosigner.clone();
    let wallet = SharedWallet { chain, name: name("vault"), key: name("hot"), descriptor };
    policy.bitcoin = Some(BitcoinTerms {
        lock_times: vec![rule],
        shared_wallets: vec![wallet],
        finality: vec![BitcoinFinality { chain: REGTEST, confirmations: 3 }],
        written: vec![WrittenAddress {
            chain: REGTEST,
            address: "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080".to_owned(),
        }],
    });
    policy
}

#[test]
fn s02_rules_see_rate_outputs_and_fee() {
    let rule = |condition: &str| {
        let cedar =
            format!("forbid(principal, action == Action::\"psbt\", resource) when {{ {condition} }};");
        Rule { id: name("no-bitcoin"), cedar }
    };
    for (condition, forbidden) in [
        ("context.fee_rate > 7", true),
        ("context.fee_rate > 8", false),
        ("context.fee_micro > 9", true),
        ("context.fee_micro > 10", false),
        ("context.effects > 1", true),
        ("context.effects > 2", false),
        ("context.destination_name == \"payee\" && context.amount >= 600000", true),
        ("context.amount > 600000", false),
    ] {
        let (mut world, purse) = world_with(|policy| {
            policy.rules.push(rule(condition));
            policy.rules.sort_by(|a, b| a.id.cmp(&b.id));
        });
        // 1,000 sat for 141 vB, rounded up: 8 sat/vB; 10 millionths of a coin.
        let (_, outcome) = ask(&mut world, payment(&purse, WPKH, 1, 600_000));
        assert_eq!(codes(&outcome).contains(&"deny.forbidden"), forbidden, "{condition}: {outcome:?}");
    }
}
