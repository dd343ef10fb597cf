//! How reservations end, and what each end gives back: written for mutants that no other test noticed.

use alloy_primitives::{Address, Bytes, U256};
use keystead_base::{Amount, Digest, RequestId, Signed, Timestamp};
use keystead_chain::build;
use keystead_decision::{Decision, Entry, Fate, Grant, Outcome, Phase, Renewal, Settlement, Strict};
use keystead_intent::{Action, DangerClass, Intent, Message, RawEthereum, Replacement, Slot, TypedData};
use keystead_policy::{Need, PolicyVersion, QuorumRow, Reason, Rule};
use keystead_tests::fixture::{CHAIN, ETHER, FRIEND, TOKEN, name};
use keystead_tests::world::{World, hot, outcome_of, reasons};
use serde_json::{Value, json};

/// Ten ether a day, and nobody is asked.
fn only_the_day(policy: &mut PolicyVersion) {
    policy.windows.retain(|window| window.id == name("ether-per-day"));
    policy.quorums.retain(|row| row.id != name("large-two"));
}

fn world() -> World<Strict> {
    World::with_policy(Strict::default(), only_the_day)
}

fn settle(world: &mut World<Strict>, request: RequestId, slot: Option<Slot>, fate: Fate) -> Vec<Decision> {
    let body = Settlement { cluster: world.state.cluster(), request, slot, fate };
    let node = &world.desk.nodes[0];
    let entry = Entry::Settlement(Signed::new(body, node.name.clone(), &node.signer).unwrap());
    world.commit(vec![entry])
}

fn slot_of(world: &World<Strict>, id: &RequestId) -> Option<Slot> {
    world.state.request(id).unwrap().slot
}

fn phase(world: &World<Strict>, id: &RequestId) -> Phase {
    world.state.request(id).unwrap().phase
}

const MINED: Fate = Fate::Settled { transaction: Digest([9; 32]) };
const FAILED: Fate = Fate::Reverted { transaction: Digest([9; 32]) };
const REPLACED: Fate = Fate::Dead { by: Digest([8; 32]) };

/// What a transfer of one of these accounts may pay for its gas.
const FEE: u128 = 400_000 * 2_000_000_000;

/// What the day has used, by asking for all of it: a refusal names the sum, and nothing was used otherwise.
fn used(world: &mut World<Strict>, nonce: u64) -> u128 {
    let (_, outcome) = world.ask("desk", world.ether(FRIEND, 10 * ETHER - FEE, nonce));
    sum(&outcome)
}

fn sum(outcome: &Outcome) -> u128 {
    match (&reasons(outcome)[..], outcome) {
        ([Reason::LimitExceeded { used, .. }], _) => u128::try_from(used.0).unwrap(),
        ([], Outcome::Allow(_)) => 0,
        (other, _) => panic!("{other:?}"),
    }
}

#[test]
fn s10_a_settlement_ends_only_what_is_allowed_and_in_its_own_slot() {
    let mut world = World::new(Strict::default());
    let nobody = RequestId(Digest([3; 32]));
    let unknown = settle(&mut world, nobody, None, MINED);
    assert!(matches!(reasons(&outcome_of(&unknown, &nobody))[..], [Reason::RequestUnknown { .. }]));

    let (open, _) = world.ask("desk", world.ether(FRIEND, 2 * ETHER, 0));
    let early = settle(&mut world, open, None, MINED);
    assert!(matches!(reasons(&outcome_of(&early, &open))[..], [Reason::NotOpen { .. }]), "{early:?}");
    assert_eq!(phase(&world, &open), Phase::Open);

    let (id, _) = world.ask("desk", world.ether(FRIEND, 1, 1));
    let slot = slot_of(&world, &id).unwrap();
    let wrong = settle(&mut world, id, Some(Slot { nonce: slot.nonce + 1, ..slot }), MINED);
    assert!(matches!(reasons(&outcome_of(&wrong, &id))[..], [Reason::NotOpen { .. }]), "{wrong:?}");
    assert_eq!(phase(&world, &id), Phase::Allowed);

    let right = settle(&mut world, id, Some(slot), MINED);
    assert_eq!(outcome_of(&right, &id), Outcome::Ended { fate: MINED });
    assert_eq!(phase(&world, &id), Phase::Settled);
    let twice = settle(&mut world, id, Some(slot), MINED);
    assert!(matches!(reasons(&outcome_of(&twice, &id))[..], [Reason::NotOpen { .. }]), "{twice:?}");
}

#[test]
fn s10_what_can_never_execute_counts_no_more_and_its_slot_stays_taken() {
    let mut world = world();
    let (id, _) = world.ask("desk", world.ether(FRIEND, 6 * ETHER, 0));
    let before = used(&mut world, 1);
    assert!(before > 6 * ETHER);
    let slot = slot_of(&world, &id);
    let dead = settle(&mut world, id, slot, REPLACED);
    assert_eq!(outcome_of(&dead, &id), Outcome::Ended { fate: REPLACED });
    assert_eq!(phase(&world, &id), Phase::Dead);
    assert_eq!(used(&mut world, 2), 0);
    // Whatever used the nonce used it up, for a replacement as well.
    let (_, again) = world.ask("desk", world.ether(FRIEND, 1, 0));
    assert!(matches!(reasons(&again)[..], [Reason::SlotTaken { .. }, ..]), "{again:?}");
    let (_, late) = world.ask("desk", replacement(&world, id, 2));
    assert!(matches!(reasons(&late)[..], [Reason::NotReplacing { .. }, ..]), "{late:?}");
}

#[test]
fn s04_a_settled_nonce_is_never_replaced() {
    let mut world = world();
    let (id, _) = world.ask("desk", world.ether(FRIEND, ETHER, 0));
    let slot = slot_of(&world, &id);
    settle(&mut world, id, slot, MINED);
    let (_, late) = world.ask("desk", replacement(&world, id, 2));
    assert!(matches!(reasons(&late)[..], [Reason::NotReplacing { .. }, ..]), "{late:?}");
    let (_, second) = world.ask("desk", world.ether(FRIEND, 1, 0));
    assert!(matches!(reasons(&second)[..], [Reason::SlotTaken { .. }, ..]), "{second:?}");
}

#[test]
fn s10_the_replaced_one_gives_its_amount_back_when_the_other_is_final() {
    let mut world = world();
    let (first, _) = world.ask("desk", world.ether(FRIEND, 3 * ETHER, 0));
    let (second, allowed) = world.ask("desk", replacement(&world, first, 2 * ETHER));
    assert!(matches!(allowed, Outcome::Allow(_)), "{allowed:?}");
    let both = used(&mut world, 1);
    assert!(both > 5 * ETHER && both < 6 * ETHER, "both count until one is final: {both}");
    let slot = slot_of(&world, &second);
    let decisions = settle(&mut world, second, slot, MINED);
    let Fate::Settled { transaction } = MINED else { panic!("it is mined") };
    assert_eq!(outcome_of(&decisions, &first), Outcome::Ended { fate: Fate::Dead { by: transaction } });
    let one = used(&mut world, 2);
    assert!(one > 2 * ETHER && one < 3 * ETHER, "only the final one counts: {one}");
}

#[test]
fn s10_what_failed_is_settled_and_frees_nothing() {
    let mut world = world();
    let (first, _) = world.ask("desk", world.ether(FRIEND, 3 * ETHER, 0));
    let (second, _) = world.ask("desk", replacement(&world, first, 2 * ETHER));
    let slot = slot_of(&world, &second);
    let decisions = settle(&mut world, second, slot, FAILED);
    assert_eq!(outcome_of(&decisions, &second), Outcome::Ended { fate: FAILED });
    assert_eq!(phase(&world, &second), Phase::Settled);
    let Fate::Reverted { transaction } = FAILED else { panic!("it failed") };
    assert_eq!(outcome_of(&decisions, &first), Outcome::Ended { fate: Fate::Dead { by: transaction } });
    let one = used(&mut world, 2);
    assert!(one > 2 * ETHER && one < 3 * ETHER, "it counts as if it had moved: {one}");
    let (_, late) = world.ask("desk", world.ether(FRIEND, 1, 0));
    assert!(matches!(reasons(&late)[..], [Reason::SlotTaken { .. }, ..]), "its nonce is gone: {late:?}");
}

/// A node asks for a fresh certificate at this time.
fn renew(world: &mut World<Strict>, request: RequestId, at: Timestamp) -> Outcome {
    let renewal = Renewal { cluster: world.state.cluster(), request, at };
    let node = &world.desk.nodes[0];
    let entry = Entry::Renew(Signed::new(renewal, node.name.clone(), &node.signer).unwrap());
    let decisions = world.commit_at(at, vec![entry]);
    outcome_of(&decisions, &request)
}

#[test]
fn s04_a_renewal_gives_the_same_digest_more_time_while_it_is_allowed_and_nothing_is_frozen() {
    let mut world = world();
    let (id, allowed) = world.ask("desk", world.ether(FRIEND, 1, 0));
    let Outcome::Allow(first) = allowed else { panic!("{allowed:?}") };
    let span = world.state.policy().engine.version().timing.certificate_seconds;
    let at = world.now().plus_seconds(30);
    let expected = Grant { expires: at.plus_seconds(span), ..first };
    assert_eq!(renew(&mut world, id, at), Outcome::Allow(expected));

    world.freeze("eve", Some("hot"));
    let frozen = renew(&mut world, id, at.plus_seconds(10));
    assert!(matches!(reasons(&frozen)[..], [Reason::Frozen { .. }]), "{frozen:?}");
    let slot = slot_of(&world, &id);
    settle(&mut world, id, slot, MINED);
    let over = renew(&mut world, id, at.plus_seconds(20));
    assert!(matches!(reasons(&over)[..], [Reason::NotOpen { .. }]), "{over:?}");
}

/// What was allowed and never signed, whose approvals are over: no renewal brings it back, and it holds its nonce
/// and its amounts until a replacement that moves nothing is final there.
#[test]
fn d03_a_right_that_cannot_be_signed_any_more_is_freed_by_a_replacement() {
    let mut world = world();
    let (first, allowed) = world.ask("desk", world.ether(FRIEND, 6 * ETHER, 0));
    assert!(matches!(allowed, Outcome::Allow(_)), "{allowed:?}");
    let over = world.state.request(&first).unwrap().intent.expires.plus_seconds(1);
    let late = renew(&mut world, first, over);
    assert!(matches!(late, Outcome::Deny { .. }), "{late:?}");
    assert_eq!(phase(&world, &first), Phase::Allowed);
    assert!(used(&mut world, 1) > 6 * ETHER, "it counts: nobody but its home knows that it was not signed");

    let (second, instead) = world.ask("desk", replacement(&world, first, 0));
    assert!(matches!(instead, Outcome::Allow(_)), "{instead:?}");
    let slot = slot_of(&world, &second);
    settle(&mut world, second, slot, MINED);
    assert_eq!((phase(&world, &first), phase(&world, &second)), (Phase::Dead, Phase::Settled));
    assert!(used(&mut world, 2) < ETHER, "only the fee of the replacement counts");
}

/// Settled at a block's time, an amount counts through the whole span and the skew, and not longer.
#[test]
fn s10_a_settled_amount_counts_to_the_last_millisecond_of_its_span() {
    let mut world = world();
    let (id, _) = world.ask("desk", world.ether(FRIEND, 6 * ETHER, 0));
    let slot = slot_of(&world, &id);
    settle(&mut world, id, slot, MINED);
    let settled = world.now();
    let last = settled.plus_seconds(86_400 + 5);
    for (at, expected) in [(last, 6 * ETHER + FEE), (last.plus_seconds(1), 0)] {
        let mut intent = world.intent("desk", world.ether(FRIEND, 10 * ETHER - FEE, 7));
        intent.expires = at.plus_seconds(60);
        let id = intent.id();
        let entry = world.requests(vec![intent]);
        let decisions = world.commit_at(at, vec![entry]);
        assert_eq!(sum(&outcome_of(&decisions, &id)), expected, "at {at}");
    }
}

/// A reservation forgets what has left its window, and nothing that is still in it, to the last millisecond.
#[test]
fn s10_what_is_settled_counts_on_while_more_is_reserved() {
    let mut world = world();
    let (id, _) = world.ask("desk", world.ether(FRIEND, 3 * ETHER, 0));
    let slot = slot_of(&world, &id);
    settle(&mut world, id, slot, MINED);
    let settled = world.now();
    let (second, _) = world.ask("desk", world.ether(FRIEND, 2 * ETHER, 1));
    assert_eq!(used(&mut world, 2), 5 * ETHER + 2 * FEE);
    let slot = slot_of(&world, &second);
    settle(&mut world, second, slot, REPLACED);

    let last = settled.plus_seconds(86_400 + 5);
    assert_eq!(used_after_one_wei(&mut world, last, 3), 3 * ETHER + FEE + 1 + FEE);
    assert_eq!(used_after_one_wei(&mut world, Timestamp(last.0 + 1), 5), 2 * (1 + FEE));
}

/// What the day has used at this time, after one wei more was reserved in the same block.
fn used_after_one_wei(world: &mut World<Strict>, at: Timestamp, nonce: u64) -> u128 {
    let intents = [(1, nonce), (10 * ETHER - FEE, nonce + 1)].map(|(wei, nonce)| {
        let intent = world.intent("desk", world.ether(FRIEND, wei, nonce));
        Intent { expires: at.plus_seconds(60), ..intent }
    });
    let asked = intents[1].id();
    let entry = world.requests(intents.to_vec());
    let decisions = world.commit_at(at, vec![entry]);
    sum(&outcome_of(&decisions, &asked))
}

#[test]
fn s10_a_signature_that_gives_nothing_away_is_over_at_once() {
    let mut world = World::new(Strict::default());
    let bytes = Bytes::from_static(b"I agree.");
    let (id, outcome) = world.ask("desk", Action::Message(Message { account: hot(), chain: CHAIN, bytes }));
    assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}");
    assert_eq!(phase(&world, &id), Phase::Settled);
}

/// It counts from then on for the window's span, and not for ever.
#[test]
fn s10_a_signature_that_is_over_leaves_its_window_with_the_span() {
    let mut world = World::with_policy(Strict::default(), |policy| {
        let counts = |it: &&mut keystead_policy::Window| it.id == name("requests-per-day");
        policy.windows.iter_mut().filter(counts).for_each(|window| window.limit = 1_u64.into());
    });
    let message = |text: &'static str| {
        Action::Message(Message { account: hot(), chain: CHAIN, bytes: Bytes::from_static(text.as_bytes()) })
    };
    let (_, first) = world.ask("desk", message("one"));
    assert!(matches!(first, Outcome::Allow(_)), "{first:?}");
    let (_, second) = world.ask("desk", message("two"));
    assert!(matches!(reasons(&second)[..], [Reason::LimitExceeded { .. }]), "{second:?}");
    let later = world.now().plus_seconds(86_400 + 5);
    world.commit_at(later, vec![Entry::Tick]);
    let (_, third) = world.ask("desk", message("three"));
    assert!(matches!(third, Outcome::Allow(_)), "{third:?}");
}

fn permitting() -> World<Strict> {
    World::with_policy(Strict::default(), |policy| {
        policy.rules.retain(|rule| rule.id != name("no-permits"));
        let cedar =
            r#"permit(principal in Role::"desk", action == Action::"typed_data", resource);"#.to_owned();
        policy.rules.push(Rule { id: name("permits"), cedar });
        policy.rules.sort_by(|a, b| a.id.cmp(&b.id));
        let small = policy.quorums.iter_mut().find(|row| row.id == name("anything-small")).unwrap();
        small.classes.push(DangerClass::Allowance);
    })
}

fn permitted(world: &mut World<Strict>, deadline: U256) -> RequestId {
    let json = permit(world.account(), deadline).to_string();
    let action = Action::TypedData(TypedData { account: hot(), chain: CHAIN, json });
    let (id, allowed) = world.ask("desk", action);
    assert!(matches!(allowed, Outcome::Allow(_)), "{allowed:?}");
    id
}

/// A permit that nobody uses is over at its deadline; until then it counts as what it may take.
#[test]
fn s10_a_right_with_a_deadline_counts_until_then() {
    let mut world = permitting();
    let deadline = world.now().plus_seconds(1800);
    let id = permitted(&mut world, U256::from(deadline.seconds()));
    world.commit_at(Timestamp(deadline.0 - 1), vec![Entry::Tick]);
    assert_eq!(phase(&world, &id), Phase::Allowed);
    world.commit_at(deadline, vec![Entry::Tick]);
    assert_eq!(phase(&world, &id), Phase::Settled);
}

#[test]
fn s10_a_right_outlives_its_request_and_counts_as_long_as_it_can_be_used() {
    let mut world = permitting();
    let month = world.now().plus_seconds(30 * 86_400);
    let (long, for_ever) =
        (permitted(&mut world, U256::from(month.seconds())), permitted(&mut world, U256::MAX));
    let over = world.state.request(&for_ever).unwrap().intent.expires;
    world.commit_at(over.plus_seconds(1), vec![Entry::Tick]);
    assert_eq!([phase(&world, &long), phase(&world, &for_ever)], [Phase::Allowed; 2], "the request is over");
    world.commit_at(Timestamp(month.0 - 1), vec![Entry::Tick]);
    assert_eq!(phase(&world, &long), Phase::Allowed, "its right is not");
    world.commit_at(month, vec![Entry::Tick]);
    assert!(world.state.request(&long).is_none());
    assert_eq!(phase(&world, &for_ever), Phase::Allowed);
}

/// EIP-2612: a friend may take five units of the token.
fn permit(owner: Address, deadline: U256) -> Value {
    let field = |name: &str, kind: &str| json!({ "name": name, "type": kind });
    json!({
        "types": {
            "EIP712Domain": [field("chainId", "uint256"), field("verifyingContract", "address")],
            "Permit": [
                field("owner", "address"), field("spender", "address"), field("value", "uint256"),
                field("nonce", "uint256"), field("deadline", "uint256"),
            ],
        },
        "primaryType": "Permit",
        "domain": { "chainId": CHAIN.0, "verifyingContract": TOKEN },
        "message": {
            "owner": owner, "spender": FRIEND, "value": "5", "nonce": "0",
            "deadline": deadline.to_string(),
        },
    })
}

#[test]
fn s04_a_refusal_at_a_taken_nonce_names_the_latest_that_holds_it() {
    let mut world = world();
    let (first, _) = world.ask("desk", world.ether(FRIEND, 1, 0));
    let (second, _) = world.ask("desk", replacement(&world, first, 2));
    let (_, third) = world.ask("desk", world.ether(FRIEND, 3, 0));
    assert!(matches!(reasons(&third)[..], [Reason::SlotTaken { by, .. }] if by == second), "{third:?}");
}

#[test]
fn what_is_over_is_forgotten_when_it_expires_and_what_is_not_is_kept() {
    let mut world = world();
    let (kept, _) = world.ask("desk", world.ether(FRIEND, 1, 0));
    let (over, _) = world.ask("desk", world.ether(FRIEND, 2, 1));
    let slot = slot_of(&world, &over);
    settle(&mut world, over, slot, MINED);
    let expires = world.state.request(&kept).unwrap().intent.expires;
    world.commit_at(expires.plus_seconds(2), vec![Entry::Tick]);
    assert_eq!(phase(&world, &kept), Phase::Allowed);
    assert!(world.state.request(&over).is_none());
}

#[test]
fn s11_an_open_request_expires_at_its_time_and_no_sooner() {
    let mut world = World::new(Strict::default());
    let (id, _) = world.ask("desk", world.ether(FRIEND, 2 * ETHER, 0));
    let expires = world.state.request(&id).unwrap().intent.expires;
    let before = Timestamp(expires.0 - 1);
    assert!(world.commit_at(before, vec![Entry::Tick]).is_empty());
    let decisions = world.commit_at(expires, vec![Entry::Tick]);
    assert!(matches!(reasons(&outcome_of(&decisions, &id))[..], [Reason::Expired { .. }]), "{decisions:?}");
}

#[test]
fn s11_a_request_lives_no_longer_than_policy_lets_it() {
    let mut world = World::new(Strict::default());
    // The block comes a second later: its time is what counts.
    for (seconds, word) in [(1, "Expired"), (2, ""), (86_401, ""), (86_402, "LivesTooLong")] {
        let mut intent = world.intent("desk", world.ether(FRIEND, 2 * ETHER, 0));
        intent.expires = world.now().plus_seconds(seconds);
        let id = intent.id();
        let entry = world.requests(vec![intent]);
        let decisions = world.commit(vec![entry]);
        let found = reasons(&outcome_of(&decisions, &id));
        match word {
            "" => assert!(found.is_empty(), "{seconds}: {found:?}"),
            word => assert!(format!("{found:?}").starts_with(&format!("[{word}")), "{seconds}: {found:?}"),
        }
    }
}

fn replacement(world: &World<Strict>, replaces: RequestId, wei: u128) -> Action {
    let other = build(&world.ether(FRIEND, wei, 0), world.account()).unwrap();
    let preimage = other.signing_preimage().into();
    Action::Replacement(Replacement {
        replaces,
        transaction: RawEthereum { account: hot(), chain: CHAIN, preimage },
    })
}

/// The fixture's policy, where one approver has to agree to replacements and nobody to what only calls off.
fn with_replacements(policy: &mut PolicyVersion) {
    let cancels = policy.quorums.iter_mut().find(|row| row.id == name("cancels")).unwrap();
    cancels.classes = vec![DangerClass::Cancel];
    let need = Need { role: name("approver"), count: 1, factors: Vec::new() };
    let classes = vec![DangerClass::Replacement];
    let row = QuorumRow { id: name("replaces"), classes, needs: vec![need], ..cancels.clone() };
    policy.quorums.push(row);
    policy.quorums.sort_by(|a, b| a.id.cmp(&b.id));
}

/// What an outcome asks of people: how many, and by which rows.
fn asked_for(outcome: &Outcome) -> (u64, Vec<String>) {
    match outcome {
        Outcome::Wait { requirement, .. } => {
            (requirement.people(), requirement.rows.iter().map(ToString::to_string).collect())
        }
        Outcome::Allow(_) => (0, Vec::new()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn s04_a_replacement_needs_what_it_does_and_what_replacements_need_and_a_cancel_its_own_row() {
    let mut world = World::with_policy(Strict::default(), with_replacements);
    let (first, allowed) = world.ask("desk", world.ether(FRIEND, 1, 0));
    assert_eq!(asked_for(&allowed).0, 0);
    let (_, small) = world.ask("desk", replacement(&world, first, 2));
    assert_eq!(asked_for(&small), (1, vec!["anything-small".to_owned(), "replaces".to_owned()]));
    let (_, large) = world.ask("desk", replacement(&world, first, 2 * ETHER));
    assert_eq!(asked_for(&large).0, 2, "{large:?}");
    let (_, canceled) = world.ask("desk", empty_call(&world, first, world.account(), 0));
    assert_eq!(asked_for(&canceled).0, 0, "{canceled:?}");
}

#[test]
fn s04_what_is_no_empty_call_of_the_account_itself_is_no_cancel() {
    let mut world = World::with_policy(Strict::default(), with_replacements);
    let (first, _) = world.ask("desk", world.ether(FRIEND, 1, 0));
    let own = world.account();
    for other in [empty_call(&world, first, FRIEND, 0), empty_call(&world, first, own, 1)] {
        let (_, outcome) = world.ask("desk", other);
        assert_eq!(asked_for(&outcome).0, 1, "{outcome:?}");
    }
    // An empty call of the account itself that replaces nothing is one like any other.
    let (_, plain) = world.ask("desk", world.ether(own, 0, 1));
    assert_eq!(asked_for(&plain).0, 0, "{plain:?}");
    let mut world = World::with_policy(Strict::default(), |policy| {
        policy.quorums.retain(|row| row.id != name("cancels"));
    });
    let (first, _) = world.ask("desk", world.ether(FRIEND, 1, 0));
    for classless in [replacement(&world, first, 2), empty_call(&world, first, world.account(), 0)] {
        let (_, outcome) = world.ask("desk", classless);
        assert!(matches!(reasons(&outcome)[..], [Reason::NoQuorumRow { .. }]), "{outcome:?}");
    }
}

#[test]
fn s10_a_replacement_counts_beside_what_it_replaces_until_one_of_them_is_final() {
    let mut world = World::with_policy(Strict::default(), |policy| {
        policy.windows.retain(|window| window.id == name("ether-per-day"));
        policy.windows[0].limit = Amount::from(5 * ETHER);
        policy.quorums.retain(|row| row.id != name("large-two"));
    });
    let (first, _) = world.ask("desk", world.ether(FRIEND, 3 * ETHER, 0));
    let (_, over) = world.ask("desk", replacement(&world, first, 2 * ETHER));
    assert!(matches!(reasons(&over)[..], [Reason::LimitExceeded { .. }]), "{over:?}");
    let (_, canceled) = world.ask("desk", empty_call(&world, first, world.account(), 0));
    assert!(matches!(canceled, Outcome::Allow(_)), "{canceled:?}");
    let (_, more) = world.ask("desk", world.ether(FRIEND, 2 * ETHER, 1));
    assert!(matches!(reasons(&more)[..], [Reason::LimitExceeded { .. }]), "both count: {more:?}");
}

fn empty_call(world: &World<Strict>, replaces: RequestId, to: Address, wei: u128) -> Action {
    let other = build(&world.ether(to, wei, 0), world.account()).unwrap();
    let preimage = other.signing_preimage().into();
    Action::Replacement(Replacement {
        replaces,
        transaction: RawEthereum { account: hot(), chain: CHAIN, preimage },
    })
}
