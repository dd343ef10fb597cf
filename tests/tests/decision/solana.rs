//! Messages of Solana's at the state machine: read for the key that the log has, counted to the lamport, over by the clock.

use keystead_base::{Coded as _, PublicAccount};
use keystead_bitcoin::wallet_in_shares;
use keystead_decision::{KeyState, KeyStep, Outcome, Phase, Strict};
use keystead_intent::{
    AccountRef, Action, Asset, ChainId, DangerClass, KeyCeremony, KeyKind, SolanaMessage, Transfer,
};
use keystead_policy::{Reason, Rule};
use keystead_solana::{Instruction, Pubkey, order};
use keystead_tests::circle::{Secp, dealt, five, nodes, shares, treasury};
use keystead_tests::fixture::{CHAIN, FRIEND, name};
use keystead_tests::solana::{CLUSTER, DEVNET, FEE, PAYEE, SOL, asks, lists_solana, message, payment};
use keystead_tests::world::{World, gas, hot, reasons};
use keystead_words::Language;

const STRANGER: Pubkey = Pubkey([4; 32]);
const NONCE: Pubkey = Pubkey([5; 32]);

/// A world whose `treasury` is an Ed25519 key, and in which a day has two SOL.
fn world() -> (World<Strict>, Pubkey) {
    let mut world = World::of(five(), Strict::default(), |policy| {
        lists_solana(policy, 2 * SOL);
        let cedar = r#"permit(principal in Role::"desk", action == Action::"solana", resource == Key::"treasury")
                       when { context.class == "transfer" };"#;
        policy.rules.push(Rule { id: name("desk-moves-sol"), cedar: cedar.to_owned() });
        policy.rules.sort_by(|a, b| a.id.cmp(&b.id));
    });
    let key = Secp::new(9);
    world.birth_of_ed25519(&key);
    (world, key.solana())
}

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
fn s14_a_suspended_key_is_granted_nothing() {
    let (mut world, us) = world();
    let suspend =
        Action::Authority(keystead_intent::AuthorityChange::Key(KeyCeremony::Suspend { key: treasury() }));
    let (id, _) = world.ask("cleo", suspend);
    world.approve("ana", &id);
    world.approve("ben", &id);
    assert_eq!(world.state.key(&treasury()).unwrap().state, KeyState::Suspended);
    assert_eq!(code(&mut world, asks("treasury", payment(us, 1, SOL))), "deny.key_stopped");
}

#[test]
fn s02_a_transfer_is_granted_for_the_message_and_the_address_that_the_log_knows() {
    let (mut world, us) = world();
    let bytes = payment(us, 1, SOL);
    let (_, outcome) = world.ask("desk", asks("treasury", bytes.clone()));
    let Outcome::Allow(grant) = &outcome else { panic!("{outcome:?}") };
    let unsigned = keystead_solana::Unsigned::read(CLUSTER, us, &bytes).unwrap();
    assert_eq!(grant.signing_digest, unsigned.signing_digest());
    assert_eq!((grant.address, grant.chain, grant.slot), (us.id(CLUSTER), DEVNET, None));
    assert_eq!((grant.class, grant.account.key.clone()), (DangerClass::Transfer, treasury()));
}

/// INVARIANT S2: whatever key, account, cluster and bytes are named, nothing is signed that was not read.
#[test]
fn s02_what_the_key_cannot_sign_or_nobody_can_read_is_denied_with_its_reason() {
    let (mut world, us) = world();
    let of = |account: AccountRef, chain, bytes: Vec<u8>| {
        Action::Solana(SolanaMessage { account, chain, message: bytes.into() })
    };
    let treasury = |index| AccountRef { key: treasury(), index };
    let pay = || payment(us, 1, 1);
    let theirs = message(STRANGER, 1, vec![order::transfer(STRANGER, PAYEE, 1)]);
    for (action, expected) in [
        (of(hot(), DEVNET, pay()), "deny.kind"),
        (of(treasury(1), DEVNET, pay()), "solana.no_account"),
        (of(treasury(0), ChainId(1), pay()), "solana.no_cluster"),
        (of(treasury(0), ChainId::SOLANA_MAINNET, pay()), "deny.chain_not_allowed"),
        (of(treasury(0), DEVNET, theirs), "solana.not_a_signer"),
        (of(treasury(0), DEVNET, vec![0x80, 1, 0, 0]), "solana.truncated"),
        (of(treasury(0), DEVNET, [pay(), vec![0]].concat()), "solana.trailing"),
        (of(treasury(0), DEVNET, pay()), "allow"),
    ] {
        assert_eq!(code(&mut world, action.clone()), expected, "{action:?}");
    }
}

/// INVARIANT S9, S12: an order that nobody understands, control of an account and a stranger are no transfer to the payee,
/// whoever pays the fee.
#[test]
fn s09_what_is_more_than_a_payment_to_somebody_known_is_denied() {
    let (mut world, us) = world();
    let lent = keystead_solana::AccountMeta { key: us, signer: true, writable: true };
    let unknown = Instruction { program: STRANGER, accounts: vec![lent], data: vec![1] };
    let pay = || order::transfer(us, PAYEE, 1);
    for (orders, expected) in [
        (vec![pay(), unknown.clone()], "deny.no_rule_permits"),
        (vec![unknown, pay()], "deny.no_rule_permits"),
        (vec![pay(), order::create_account(us, PAYEE, 1, 0, STRANGER)], "deny.no_rule_permits"),
        (vec![order::transfer(us, STRANGER, 1)], "deny.destination_unknown"),
    ] {
        let found = code(&mut world, asks("treasury", message(us, 1, orders.clone())));
        assert_eq!(found, expected, "{orders:?}");
    }
    // Somebody else pays the fee: nothing but the payment leaves us.
    let sponsored = message(STRANGER, 1, vec![order::transfer(us, PAYEE, 2 * SOL)]);
    assert_eq!(code(&mut world, asks("treasury", sponsored)), "allow");
}

/// INVARIANT S10: amounts and fee count to the lamport; from an hour on as spent, executed or not, and for the window's span.
#[test]
fn s10_lamports_count_until_the_day_after_the_blockhash_is_over() {
    let (mut world, us) = world();
    let ask = |world: &mut World<Strict>, lamports, blockhash| {
        world.ask("desk", asks("treasury", payment(us, blockhash, lamports)))
    };
    assert_eq!(codes(&ask(&mut world, 2 * SOL - FEE + 1, 1).1), ["deny.amount_too_large"]);
    let (id, outcome) = ask(&mut world, SOL, 1);
    assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}");
    assert!(matches!(ask(&mut world, SOL - 2 * FEE, 1).1, Outcome::Allow(_)), "to the lamport");
    assert_eq!(codes(&ask(&mut world, 1, 1).1), ["deny.limit_exceeded"]);
    let phase = |world: &World<Strict>| world.state.request(&id).map(|it| it.phase);
    let at = |world: &mut World<Strict>, seconds| {
        let time = world.now().plus_seconds(seconds);
        world.commit_at(time, Vec::new());
    };
    at(&mut world, 3_500);
    assert_eq!(phase(&world), Some(Phase::Allowed));
    at(&mut world, 200);
    assert_ne!(phase(&world), Some(Phase::Allowed), "nobody watches: it counts as spent");
    assert_eq!(codes(&ask(&mut world, 1, 2).1), ["deny.limit_exceeded"]);
    at(&mut world, 86_410);
    assert!(matches!(ask(&mut world, SOL, 3).1, Outcome::Allow(_)), "the day is over");
}

/// INVARIANT S4, S10: a nonce's value is a slot, and a transaction that is good until it changes is never over by itself.
#[test]
fn s04_a_durable_message_takes_its_slot_and_counts_for_good() {
    let (mut world, us) = world();
    let durable = |value, lamports| {
        let orders = vec![order::advance_nonce(NONCE, us), order::transfer(us, PAYEE, lamports)];
        asks("treasury", message(us, value, orders))
    };
    let (id, outcome) = world.ask("desk", durable(1, SOL));
    let Outcome::Allow(grant) = &outcome else { panic!("{outcome:?}") };
    assert!(grant.slot.is_some());
    assert_eq!(code(&mut world, durable(1, 1)), "deny.slot_taken");
    let later = world.now().plus_seconds(10 * 86_400);
    world.commit_at(later, Vec::new());
    assert_eq!(world.state.request(&id).unwrap().phase, Phase::Allowed);
    assert_eq!(code(&mut world, durable(2, SOL)), "deny.limit_exceeded");
    assert_eq!(code(&mut world, durable(2, SOL - 2 * FEE)), "allow");
}

#[test]
fn approvers_read_in_their_language_whom_a_message_pays() {
    let (world, us) = world();
    let policy = world.state.policy().engine.version();
    let read = |bytes: Vec<u8>| keystead_solana::Unsigned::read(CLUSTER, us, &bytes).unwrap();
    let words = |bytes, language| keystead_approver::message_words(&read(bytes), policy, language).join("\n");
    let said = words(payment(us, 1, SOL), Language::English);
    assert!(said.starts_with("TRANSFER: "), "{said}");
    let sends = format!("Sends 1.000000000 SOL from OURSELVES ({us}) to payee ({PAYEE})");
    assert!(said.contains(&sends), "{said}");
    let said = words(payment(us, 1, SOL), Language::German);
    let sends = format!("Sendet 1.000000000 SOL von UNS SELBST ({us}) an payee ({PAYEE})");
    assert!(said.contains(&sends) && said.contains("wir zahlen"), "{said}");
    let sponsored = message(STRANGER, 1, vec![order::transfer(us, STRANGER, 1)]);
    let said = words(sponsored, Language::English);
    assert!(said.contains("NOT IN THE ADDRESS BOOK") && said.contains("somebody else pays"), "{said}");
}

/// INVARIANT S7: shares of another curve are no shares of it, and its proof is Ed25519's over the challenge itself.
#[test]
fn s07_an_ed25519_key_is_born_as_one_proven_by_its_own_scheme_and_has_no_account_elsewhere() {
    let (mut world, key) = (World::of(five(), Strict::default(), |_| {}), Secp::new(9));
    let (kind, holders) = (KeyKind::ThresholdEd25519, nodes(&[1, 2, 3]));
    let (request, _) = world.allow(KeyCeremony::Generate { key: treasury(), kind, threshold: 2, holders });
    world.take_seats(request, &[1, 2, 3], 100);
    let of_this_curve: Vec<Vec<u8>> = (1..=3).map(|byte| vec![byte; 32]).collect();
    let said = |account, shares| dealt(request, 1, account, shares);
    for account in [key.account(), key.schnorr(), PublicAccount { parity: 0x21, ..key.edwards() }] {
        assert_eq!(world.refusal(1, said(account, of_this_curve.clone())), "deny.share.account");
    }
    assert_eq!(world.refusal(1, said(key.edwards(), shares(3, 7))), "deny.share.shares");
    for node in [1, 2, 3] {
        world.says(node, said(key.edwards(), of_this_curve.clone()));
    }
    let ecdsa = world.proof_for(request, 1, &key);
    assert_eq!(world.refusal(1, ecdsa), "deny.share.proof");
    for node in [1, 2, 3] {
        let proof = key.sign_ed25519(world.challenge_for(node).as_bytes());
        world.says(node, KeyStep::Proven { request, attempt: 1, proof });
    }
    assert_eq!(world.state.key(&treasury()).unwrap().state, KeyState::Active);
    assert_eq!(codes(&world.ask("desk", of_ethereum()).1)[0], "deny.kind");
    let regtest = ChainId::BITCOIN_REGTEST;
    assert!(wallet_in_shares(regtest, kind, &key.edwards()).is_err(), "nor a wallet of Bitcoin");
}

fn of_ethereum() -> Action {
    Action::Transfer(Transfer {
        account: AccountRef { key: treasury(), index: 0 },
        chain: CHAIN,
        asset: Asset::Native,
        to: FRIEND,
        amount: 1_u64.into(),
        gas: gas(0),
    })
}
