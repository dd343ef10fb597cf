//! Transactions of NEAR's at the state machine: read for the key that the log has, counted to the yoctoNEAR, over by the clock.

use keystead_base::{Amount, Coded as _, KeyScheme};
use keystead_decision::{KeyState, KeyStep, Outcome, Phase, Strict, drill_challenge};
use keystead_intent::{
    AccountRef, Action, Asset, AssetEntry, AssetKind, AuthorityChange, ChainId, DangerClass, Importer,
    KeyCeremony, KeyKind, NearTransaction, Transfer,
};
use keystead_near::{Action as Does, Draft, Unsigned};
use keystead_policy::{Measure, PolicyVersion, Reason, Rule, Window};
use keystead_quantum::QuantumKey;
use keystead_tests::circle::{five, nodes};
use keystead_tests::fixture::{CHAIN, FRIEND, name};
use keystead_tests::near::{
    GAS, NEAR, NETWORK, PAYEE, TESTNET, US, account, account_of, asks, key_of, lists_near, make_near_key,
    payment, proof_by, transaction,
};
use keystead_tests::world::{World, gas, hot, reasons};
use keystead_words::Language;

/// A world whose `treasury` is a key of ML-DSA-65, and in which a day has two NEAR.
fn world() -> (World<Strict>, QuantumKey) {
    let mut world = World::of(five(), Strict::default(), |policy| {
        lists_near(policy, 2 * NEAR);
        lists_token(policy);
        let cedar = r#"permit(principal in Role::"desk", action == Action::"near", resource == Key::"treasury")
                       when { context.class == "transfer" };"#;
        policy.rules.push(Rule { id: name("desk-moves-near"), cedar: cedar.to_owned() });
        policy.rules.sort_by(|a, b| a.id.cmp(&b.id));
    });
    let key = make_near_key(&mut world, "treasury", 9);
    (world, key)
}

/// Lists a token, of which a day has ten units.
fn lists_token(policy: &mut PolicyVersion) {
    let (asset, symbol) = (Asset::Token(account(TOKEN).id(NETWORK)), "USDC".to_owned());
    let kind = AssetKind::Fungible;
    policy.assets.push(AssetEntry { chain: TESTNET, asset, symbol, decimals: 6, kind });
    let measure = Measure::Asset { chain: TESTNET, asset };
    let (keys, chains, destinations, per) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (id, limit, span_seconds) = (name("tokens-per-day"), Amount::from(10_u128), 86_400);
    policy.windows.push(Window { id, keys, chains, destinations, measure, per, limit, span_seconds });
    policy.windows.sort_by(|a, b| a.id.cmp(&b.id));
}

/// So many units of a token for the payee, and perhaps a memo.
fn tokens(amount: u64, memo: &str) -> Does {
    let args = format!(r#"{{"receiver_id":"{PAYEE}","amount":"{amount}"{memo}}}"#).into_bytes();
    Does::FunctionCall { method: "ft_transfer".to_owned(), args, gas: 0, deposit: 1 }
}

const TOKEN: &str = "usdc.testnet";

fn codes(outcome: &Outcome) -> Vec<String> {
    let code = |reason: &Reason| match reason {
        Reason::Undecodable { code, .. } => code.clone(),
        other => other.code().to_owned(),
    };
    reasons(outcome).iter().map(code).collect()
}

fn code(world: &mut World<Strict>, action: Action) -> String {
    let (_, outcome) = world.ask("desk", action);
    match &outcome {
        Outcome::Allow(_) => "allow".to_owned(),
        _ => codes(&outcome).first().cloned().unwrap_or_else(|| panic!("{outcome:?}")),
    }
}

#[test]
fn s02_a_transfer_is_granted_for_the_transaction_and_the_account_in_whose_name_it_is() {
    let (mut world, key) = world();
    let bytes = payment(&key, 1, NEAR);
    let (_, outcome) = world.ask("desk", asks("treasury", bytes.clone()));
    let Outcome::Allow(grant) = &outcome else { panic!("{outcome:?}") };
    let unsigned = Unsigned::read(NETWORK, &account_of(&key), &bytes).unwrap();
    assert_eq!(grant.signing_digest, unsigned.signing_digest());
    assert_eq!((grant.address, grant.chain, grant.slot), (account(US).id(NETWORK), TESTNET, None));
    assert_eq!((grant.class, grant.account.key.clone()), (DangerClass::Transfer, name("treasury")));
}

/// INVARIANT S2: whatever key, account, network and bytes are named, nothing is signed that was not read.
#[test]
fn s02_what_the_key_cannot_sign_or_nobody_can_read_is_denied_with_its_reason() {
    let (mut world, key) = world();
    let of = |account: AccountRef, chain, bytes: Vec<u8>| {
        Action::Near(NearTransaction { account, chain, transaction: bytes.into() })
    };
    let vera = |index| AccountRef { key: name("treasury"), index };
    let pay = || payment(&key, 1, 1);
    let delegated = {
        let mut bytes = pay();
        let at = bytes.len() - 17;
        bytes[at] = 8;
        bytes
    };
    let unnamed = {
        let [signer, receiver] = ["us.example", "payee.example"].map(account);
        let (key, actions) = (key.public().clone(), vec![Does::Transfer { deposit: 1 }]);
        Draft { signer, key, nonce: 1, receiver, block: [9; 32], actions }.to_bytes().unwrap()
    };
    for (action, expected) in [
        (of(hot(), TESTNET, pay()), "deny.kind"),
        (of(vera(1), TESTNET, pay()), "near.no_account"),
        (of(vera(0), ChainId(1), pay()), "near.no_network"),
        (of(vera(0), ChainId::NEAR_MAINNET, pay()), "near.other_network"),
        (of(vera(0), ChainId::NEAR_MAINNET, unnamed), "deny.chain_not_allowed"),
        (of(vera(0), TESTNET, payment(&key_of(8), 1, 1)), "near.other_key"),
        (of(vera(0), TESTNET, pay()[..40].to_vec()), "near.truncated"),
        (of(vera(0), TESTNET, [pay(), vec![0]].concat()), "near.trailing"),
        (of(vera(0), TESTNET, delegated), "near.action"),
        (of(vera(0), TESTNET, pay()), "allow"),
    ] {
        assert_eq!(code(&mut world, action), expected);
    }
}

/// INVARIANT S9, S12: a call that nobody understands, control of an account and a stranger are no transfer to the payee.
#[test]
fn s09_what_is_more_than_a_payment_to_somebody_known_is_denied() {
    let (mut world, key) = world();
    let call = Does::FunctionCall { method: "withdraw".to_owned(), args: Vec::new(), gas: 1, deposit: 1 };
    let gone = Does::DeleteAccount { beneficiary: account(PAYEE) };
    let pay = || Does::Transfer { deposit: 1 };
    for (to, actions, expected) in [
        (PAYEE, vec![pay(), call.clone()], "deny.no_rule_permits"),
        (PAYEE, vec![call, pay()], "deny.no_rule_permits"),
        (US, vec![pay(), gone], "deny.no_rule_permits"),
        ("stranger.testnet", vec![pay()], "deny.destination_unknown"),
    ] {
        assert_eq!(code(&mut world, asks("treasury", transaction(&key, 1, to, actions))), expected);
    }
}

/// INVARIANT S9: `ft_transfer` of a contract that the registry does not list does what it likes, and a memo nobody judges.
#[test]
fn s09_tokens_of_a_strangers_contract_or_with_a_memo_are_denied() {
    let (mut world, key) = world();
    let memo = r#","memo":"m""#;
    for (token, action, expected) in [
        (TOKEN, tokens(10, ""), "allow"),
        (TOKEN, tokens(1, ""), "deny.limit_exceeded"),
        (TOKEN, tokens(0, memo), "deny.no_rule_permits"),
        ("usdt.testnet", tokens(0, ""), "deny.no_rule_permits"),
        (PAYEE, tokens(0, ""), "deny.no_rule_permits"),
    ] {
        let asked = asks("treasury", transaction(&key, 1, token, vec![action]));
        assert_eq!(code(&mut world, asked), expected, "{token}");
    }
}

/// INVARIANT S10: amounts and what is counted for gas, to the yoctoNEAR; from three days on as spent, executed or not.
#[test]
fn s10_yocto_near_count_until_the_day_after_the_block_is_over() {
    let (mut world, key) = world();
    let ask = |world: &mut World<Strict>, yocto, nonce| {
        world.ask("desk", asks("treasury", payment(&key, nonce, yocto)))
    };
    assert_eq!(codes(&ask(&mut world, 2 * NEAR - GAS + 1, 1).1), ["deny.amount_too_large"]);
    let (id, outcome) = ask(&mut world, NEAR, 1);
    assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}");
    assert!(matches!(ask(&mut world, NEAR - 2 * GAS, 2).1, Outcome::Allow(_)), "to the yoctoNEAR");
    assert_eq!(codes(&ask(&mut world, 1, 3).1), ["deny.limit_exceeded"]);
    let phase = |world: &World<Strict>| world.state.request(&id).map(|it| it.phase);
    let at = |world: &mut World<Strict>, seconds| {
        let time = world.now().plus_seconds(seconds);
        world.commit_at(time, Vec::new());
    };
    at(&mut world, 3 * 86_400 - 100);
    assert_eq!(phase(&world), Some(Phase::Allowed));
    assert_eq!(codes(&ask(&mut world, 1, 4).1), ["deny.limit_exceeded"], "it may still be executed");
    at(&mut world, 200);
    assert_ne!(phase(&world), Some(Phase::Allowed), "nobody watches: it counts as spent");
    at(&mut world, 86_410);
    assert!(matches!(ask(&mut world, NEAR, 5).1, Outcome::Allow(_)), "the day is over");
}

#[test]
fn s14_a_suspended_key_is_granted_nothing() {
    let (mut world, key) = world();
    let suspend = Action::Authority(AuthorityChange::Key(KeyCeremony::Suspend { key: name("treasury") }));
    let (id, _) = world.ask("cleo", suspend);
    world.approve("ana", &id);
    world.approve("ben", &id);
    assert_eq!(world.state.key(&name("treasury")).unwrap().state, KeyState::Suspended);
    assert_eq!(code(&mut world, asks("treasury", payment(&key, 1, 1))), "deny.key_stopped");
}

/// INVARIANT S7: the log takes no other key's proof, keeps the key that a drill showed, and lets it sign nothing else.
#[test]
fn s07_a_key_of_ml_dsa_65_is_proven_by_its_own_scheme_and_has_no_account_elsewhere() {
    let (mut world, key) = world();
    let vera = world.state.key(&name("treasury")).unwrap();
    assert_eq!((vera.kind, vera.kind.scheme()), (KeyKind::HdMlDsa65, KeyScheme::MlDsa65));
    assert_eq!(&vera.life.public_key[..], key.public().as_bytes());
    let (backup, drilled) = (vera.backup.unwrap(), vera.drilled);
    let challenge = drill_challenge(world.state.cluster(), &name("treasury"), 0, &backup, drilled);
    let drill = |proof| KeyStep::Drilled { backup, proof };
    for proof in [world.proof(&challenge), proof_by(&key_of(8), &challenge), Vec::new()] {
        assert_eq!(world.refusal(1, drill(proof)), "deny.drill_failed");
    }
    let of_ethereum = Action::Transfer(Transfer {
        account: AccountRef { key: name("treasury"), index: 0 },
        chain: CHAIN,
        asset: Asset::Native,
        to: FRIEND,
        amount: 1_u64.into(),
        gas: gas(0),
    });
    assert_eq!(code(&mut world, of_ethereum), "deny.kind");
    let (kind, threshold, holders) = (KeyKind::HdMlDsa65, 2, nodes(&[1, 2, 3]));
    let born = KeyCeremony::Generate { key: name("other"), kind, threshold, holders: holders.clone() };
    let (from, account) = (Importer::Home(name("node-1")), account_of(&key));
    let dealt = KeyCeremony::Import { key: name("treasury"), kind, account, from, threshold, holders };
    for ceremony in [born, dealt] {
        assert_eq!(codes(&world.allow(ceremony).1), ["deny.kind"], "nothing deals it in shares");
    }
}

#[test]
fn approvers_read_in_their_language_whom_a_transaction_pays() {
    let (world, key) = world();
    let engine = &world.state.policy().engine;
    let (policy, registry) = (engine.version(), engine.registry());
    let read = |bytes: Vec<u8>| Unsigned::read(NETWORK, &account_of(&key), &bytes).unwrap();
    let words =
        |bytes, language| keystead_approver::near_words(&read(bytes), registry, policy, language).join("\n");
    let said = words(payment(&key, 1, NEAR), Language::English);
    assert!(said.starts_with("TRANSFER: "), "{said}");
    let one = "1.000000000000000000000000 NEAR";
    let sends = format!("Sends {one} from OURSELVES ({US}) to payee ({PAYEE})");
    assert!(said.contains(&sends), "{said}");
    let said = words(payment(&key, 1, NEAR), Language::German);
    let sends = format!("Sendet {one} von UNS SELBST ({US}) an payee ({PAYEE})");
    assert!(said.contains(&sends) && said.contains("ml-dsa-65-hash:"), "{said}");
    let thief = keystead_near::PublicKey::Ed25519([0xba; 32]);
    let permission = keystead_near::Permission::FullAccess;
    let added = Does::AddKey { key: thief, nonce: 0, permission };
    let pay = Does::Transfer { deposit: 1 };
    let said = words(transaction(&key, 1, "us-testnet", vec![pay, added]), Language::English);
    assert!(said.find("EVERYTHING").unwrap() < said.find("Sends").unwrap(), "the danger first: {said}");
    assert!(said.contains("NOT IN THE ADDRESS BOOK"), "{said}");
}
