//! The authorization path at the state machine: what is allowed, refused, counted and remembered.

use keystead_approver::change_words;
use keystead_base::{Amount, Canonical, Coded, Signed};
use keystead_chain::build;
use keystead_decision::{
    Entry, Fate, Outcome, Phase, Settlement, Snapshot, State, Strict, propose, validate,
};
use keystead_intent::{Action, AuthorityChange, RawEthereum, Replacement};
use keystead_policy::{PolicyVersion, Reason, Roster, Rule};
use keystead_tests::fixture::{CHAIN, Desk, ETHER, FRIEND, Member, STRANGER, YOUNG, name};
use keystead_tests::world::{World, hot, outcome_of, reasons};

fn world() -> World<Strict> {
    World::new(Strict::default())
}

fn settled(world: &World<Strict>, id: keystead_base::RequestId) -> Entry {
    let request = world.state.request(&id).unwrap();
    let fate = Fate::Settled { transaction: keystead_base::Digest([9; 32]) };
    let body = Settlement { cluster: world.state.cluster(), request: id, slot: request.slot, fate };
    let node = &world.desk.nodes[0];
    Entry::Settlement(Signed::new(body, node.name.clone(), &node.signer).unwrap())
}

#[test]
fn a_transfer_inside_the_limits_is_allowed_signed_and_executed() {
    let mut world = world();
    let (id, outcome) = world.ask("desk", world.ether(FRIEND, ETHER / 2, 0));
    assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}");
    let receipt = world.sign_and_execute(&id).unwrap();
    assert!(receipt.outcome.is_success());
    assert_eq!(world.chain.balance(FRIEND), alloy_primitives::U256::from(ETHER / 2));
}

#[test]
fn s11_a_large_transfer_waits_for_two_people() {
    let mut world = world();
    let (id, outcome) = world.ask("desk", world.ether(FRIEND, 2 * ETHER, 0));
    assert!(matches!(outcome, Outcome::Wait { .. }), "{outcome:?}");
    let first = world.approve("ana", &id);
    assert!(matches!(outcome_of(&first, &id), Outcome::Counted { .. }));
    let again = world.approve("ana", &id);
    assert!(matches!(outcome_of(&again, &id), Outcome::Refused { .. }));
    let nobody = world.approve("dora", &id);
    assert!(!matches!(outcome_of(&nobody, &id), Outcome::Allow(_)));
    let second = world.approve("ben", &id);
    assert!(matches!(outcome_of(&second, &id), Outcome::Allow(_)), "{second:?}");
    assert!(world.sign_and_execute(&id).unwrap().outcome.is_success());
}

#[test]
fn s12_a_destination_outside_the_book_or_in_its_cool_off_is_refused() {
    let mut world = world();
    let (_, stranger) = world.ask("desk", world.ether(STRANGER, 1, 0));
    assert!(matches!(reasons(&stranger)[..], [Reason::DestinationUnknown { .. }, ..]), "{stranger:?}");
    let (_, young) = world.ask("desk", world.ether(YOUNG, 1, 0));
    assert!(matches!(reasons(&young)[..], [Reason::DestinationCooling { .. }, ..]), "{young:?}");
    let later = world.now().plus_seconds(3600);
    world.commit_at(later, vec![Entry::Tick]);
    let (_, old) = world.ask("desk", world.ether(YOUNG, 1, 0));
    assert!(matches!(old, Outcome::Allow(_)), "{old:?}");
}

#[test]
fn s04_one_digest_per_nonce_unless_a_replacement_names_it() {
    let mut world = world();
    let (first, allowed) = world.ask("desk", world.ether(FRIEND, 1, 0));
    assert!(matches!(allowed, Outcome::Allow(_)));
    let (_, second) = world.ask("desk", world.ether(FRIEND, 2, 0));
    assert!(matches!(reasons(&second)[..], [Reason::SlotTaken { .. }]), "{second:?}");

    let other = build(&world.ether(FRIEND, 2, 0), world.account()).unwrap();
    let transaction = RawEthereum { account: hot(), chain: CHAIN, preimage: other.signing_preimage().into() };
    let replacement = Action::Replacement(Replacement { replaces: first, transaction: transaction.clone() });
    let mut rules = world.state.policy().engine.version().rules.clone();
    rules.retain(|rule| rule.id != name("desk-moves-hot"));
    let (third, replaced) = world.ask("desk", replacement);
    assert!(matches!(replaced, Outcome::Allow(_)), "{replaced:?}");
    let stale = Action::Replacement(Replacement { replaces: first, transaction });
    let (_, refused) = world.ask("desk", stale);
    assert!(matches!(reasons(&refused)[..], [Reason::NotReplacing { .. }]), "{refused:?}");

    world.commit(vec![settled(&world, third)]);
    assert_eq!(world.state.request(&first).unwrap().phase, Phase::Dead);
    assert_eq!(world.state.request(&third).unwrap().phase, Phase::Settled);
}

#[test]
fn s10_a_window_is_exact_to_one_unit_and_unsettled_amounts_stay_in_it() {
    let mut world = World::with_policy(Strict::default(), |policy| {
        policy.windows.retain(|window| window.id == name("ether-per-day"));
        policy.quorums.retain(|row| row.id != name("large-two"));
    });
    let fee = 400_000 * 2_000_000_000_u128;
    let (first, one) = world.ask("desk", world.ether(FRIEND, 6 * ETHER, 0));
    assert!(matches!(one, Outcome::Allow(_)), "{one:?}");
    let left = 4 * ETHER - fee - fee;
    let (_, over) = world.ask("desk", world.ether(FRIEND, left + 1, 1));
    assert!(matches!(reasons(&over)[..], [Reason::LimitExceeded { .. }]), "{over:?}");
    let (_, exact) = world.ask("desk", world.ether(FRIEND, left, 1));
    assert!(matches!(exact, Outcome::Allow(_)), "{exact:?}");

    // A week later both are still unsettled, and still count.
    let week = world.now().plus_seconds(7 * 86_400);
    world.commit_at(week, vec![Entry::Tick]);
    let (_, still) = world.ask("desk", world.ether(FRIEND, 1, 2));
    let used = match &reasons(&still)[..] {
        [Reason::LimitExceeded { used, .. }] => *used,
        other => panic!("{other:?}"),
    };
    assert_eq!(used, Amount::from(10 * ETHER));

    // Settled, they count for the window's span from then on, and not a second longer than the skew.
    world.commit(vec![settled(&world, first)]);
    let last = world.now().plus_seconds(86_400 + 5);
    world.commit_at(last, vec![Entry::Tick]);
    let at_the_end = world.state.windows();
    assert!(!format!("{at_the_end:?}").is_empty());
    let (_, released) = world.ask("desk", world.ether(FRIEND, 5 * ETHER, 3));
    assert!(matches!(released, Outcome::Allow(_)), "{released:?}");
}

#[test]
fn s14_freeze_wins_over_outstanding_certificates_and_thaw_needs_more() {
    let mut world = world();
    let (id, allowed) = world.ask("desk", world.ether(FRIEND, 1, 0));
    assert!(matches!(allowed, Outcome::Allow(_)));
    let certificate = world.certificate(&id).unwrap();
    let unsigned = world.unsigned(&id);
    world.freeze("eve", None);
    assert!(world.sign(&certificate, &unsigned).is_err());
    let (_, refused) = world.ask("desk", world.ether(FRIEND, 1, 1));
    assert!(matches!(reasons(&refused)[..], [Reason::Frozen { .. }]), "{refused:?}");

    let thaw = Action::Authority(AuthorityChange::Thaw { key: None });
    let (thaw, waits) = world.ask("cleo", thaw);
    assert!(matches!(waits, Outcome::Wait { .. }), "{waits:?}");
    world.approve("ana", &thaw);
    assert!(world.state.frozen().everything);
    world.approve("ben", &thaw);
    assert!(!world.state.frozen().everything);
}

#[test]
fn s13_policy_follows_its_predecessor_and_open_approvals_die_with_it() {
    let mut world = world();
    let (id, _) = world.ask("desk", world.ether(FRIEND, 2 * ETHER, 0));
    world.approve("ana", &id);
    let adopted = world.adopt(|policy| policy.timing.certificate_seconds = 30);
    assert!(adopted.iter().any(|it| matches!(it.outcome, Outcome::Activated { .. })), "{adopted:?}");
    assert_eq!(world.state.policy().engine.version().number, 1);
    assert!(world.state.request(&id).unwrap().approvals.is_empty());
    let second = world.approve("ben", &id);
    assert!(!matches!(outcome_of(&second, &id), Outcome::Allow(_)));
    let first = world.approve("ana", &id);
    assert!(matches!(outcome_of(&first, &id), Outcome::Allow(_)));

    for (number, word) in [(1, "policy.rollback"), (3, "policy.gap")] {
        let mut gap = world.state.policy().engine.version().clone();
        gap.previous = gap.digest();
        gap.number = number;
        gap.timing.certificate_seconds += 1;
        let document = gap.to_document().into();
        let (_, refused) = world.ask("cleo", Action::Authority(AuthorityChange::Policy { document }));
        let [Reason::PolicyRefused { code, .. }] = &reasons(&refused)[..] else { panic!("{refused:?}") };
        assert_eq!(code, word);
    }
}

#[test]
fn a_veto_ends_a_request_and_only_a_vetoer_may() {
    let mut world = world();
    let (id, _) = world.ask("desk", world.ether(FRIEND, 2 * ETHER, 0));
    let dora = world.veto("dora", &id);
    assert!(matches!(outcome_of(&dora, &id), Outcome::Refused { .. }));
    let eve = world.veto("eve", &id);
    assert!(matches!(reasons(&outcome_of(&eve, &id))[..], [Reason::Vetoed { .. }]));
    assert_eq!(world.state.request(&id).unwrap().phase, Phase::Denied);
}

#[test]
fn s03_a_block_is_valid_only_as_it_was_computed() {
    let mut world = world();
    let before = world.state.clone();
    world.ask("desk", world.ether(FRIEND, 1, 0));
    let (_, block, decisions) = world.log.last().unwrap().clone();
    let again = validate(&before, block.clone(), &Strict::default()).unwrap();
    assert_eq!(again.decisions, decisions);
    assert_eq!(again.state.digest(), world.state.digest());

    let mut late = block.clone();
    late.header.time = late.header.time.plus_seconds(1);
    assert!(validate(&before, late, &Strict::default()).is_err());
    let mut thawed = block.clone();
    thawed.header.frozen.everything = true;
    assert!(validate(&before, thawed, &Strict::default()).is_err());
    let mut emptied = block;
    emptied.entries.clear();
    assert!(validate(&before, emptied, &Strict::default()).is_err());
}

#[test]
fn a_snapshot_reads_back_as_the_same_state() {
    let mut world = world();
    world.ask("desk", world.ether(FRIEND, 1, 0));
    let (_, _) = world.ask("desk", world.ether(FRIEND, 2 * ETHER, 1));
    let document = Snapshot(world.state.clone()).to_document();
    let state: State = Snapshot::from_document(&document).unwrap().0;
    assert_eq!(state.digest(), world.state.digest());
}

#[test]
fn the_same_request_twice_is_one_request_and_another_with_its_nonce_is_refused() {
    let mut world = world();
    let intent = world.intent("desk", world.ether(FRIEND, 1, 0));
    let first = world.commit(vec![world.requests(vec![intent.clone()])]);
    let second = world.commit(vec![world.requests(vec![intent.clone()])]);
    assert_eq!((first.len(), second.len()), (1, 0));
    let mut other = intent;
    other.action = world.ether(FRIEND, 2, 1);
    let id = other.id();
    let third = world.commit(vec![world.requests(vec![other])]);
    assert!(matches!(reasons(&outcome_of(&third, &id))[..], [Reason::Duplicate { .. }]));
}

#[test]
fn s03_the_signer_keeps_the_first_header_of_a_height() {
    let mut world = world();
    let before = world.state.clone();
    let (first, _) = world.ask("desk", world.ether(FRIEND, 1, 0));
    let intent = world.intent("desk", world.ether(FRIEND, 2, 0));
    let fork = before.admit(world.requests(vec![intent])).unwrap();
    let fork = propose(&before, world.now(), &world.desk.nodes[0].name, &[fork], &Strict::default());
    let commit = world.vote(&fork.block);
    assert_eq!(world.light.advance(&commit).unwrap_err().code(), "certificate.old");
    assert!(world.sign_and_execute(&first).unwrap().outcome.is_success());
}

#[test]
fn s12_an_added_address_cools_off_from_the_block_that_activates_it() {
    let mut world = world();
    world.adopt(|policy| {
        let entry = keystead_policy::AddressEntry {
            chain: CHAIN,
            address: STRANGER,
            name: name("stranger"),
            usable_from: keystead_base::Timestamp::default(),
        };
        policy.address_book.push(entry);
        policy.address_book.sort_by_key(|entry| (entry.chain, entry.address));
        // The very version that adds the entry cannot shorten its wait.
        policy.timing.cool_off_seconds = 0;
    });
    let activated = world.now();
    let (_, early) = world.ask("desk", world.ether(STRANGER, 1, 0));
    let until = activated.plus_seconds(3600);
    assert!(
        matches!(reasons(&early)[..], [Reason::DestinationCooling { until: found, .. }] if found == until),
        "{early:?}"
    );
    let bytes = Snapshot(world.state.clone()).to_document();
    assert_eq!(Snapshot::from_document(&bytes).unwrap().0.digest(), world.state.digest());
    world.commit_at(until, vec![Entry::Tick]);
    let (_, later) = world.ask("desk", world.ether(STRANGER, 1, 0));
    assert!(matches!(later, Outcome::Allow(_)), "{later:?}");
}

#[test]
fn s11_an_approver_without_a_needed_role_is_refused_with_the_reason() {
    let mut world = world();
    let (id, _) = world.ask("desk", world.ether(FRIEND, 2 * ETHER, 0));
    let word = world.approve("eve", &id);
    let Outcome::Refused { reason: Reason::NotCounted { code, text }, .. } = outcome_of(&word, &id) else {
        panic!("{word:?}");
    };
    assert_eq!(code, "approval.not_needed");
    assert!(text.contains("`approver`"), "{text}");
}

/// Whoever approves a change of members reads each of them from the document, with the keys that make them so: a key
/// of a thief's under a familiar name is on the screen.
#[test]
fn s13_who_approves_a_change_of_members_reads_each_key_and_role() {
    type Change = fn(&mut Roster);
    let changes: [(Change, &str); 14] = [
        (|it| it.quorum = 7, "+ 7 of "),
        (|it| it.nodes[0].key = Member::new("thief", 99).signer.public().clone(), "+ node `"),
        (|it| it.nodes[0].transport = Member::new("thief", 99).transport(), "+ node `"),
        (|it| it.nodes[0].operator = "thief".to_owned(), "+ node `"),
        (|it| it.nodes[0].host = "thief".to_owned(), "+ node `"),
        (|it| it.nodes[0].provider = "thief".to_owned(), "+ node `"),
        (|it| it.nodes[0].build = "thief".to_owned(), "+ node `"),
        (|it| it.nodes[0].boot = 7, "+ node `"),
        (|it| it.services[0].key = Member::new("thief", 99).signer.public().clone(), "+ service `"),
        (|it| it.services[0].roles = vec![name("founder")], "+ service `"),
        (|it| it.people[0].roles.clear(), "+ person `"),
        (|it| it.people[0].recipient = Some(vec![7; 1216]), "+ person `"),
        (|it| it.people[0].devices[0].key = Member::new("thief", 99).signer.public().clone(), "+ device `"),
        (|it| it.people[0].devices[0].transport = Member::new("thief", 99).transport(), "+ device `"),
    ];
    let current = Desk::default().policy();
    for (place, (change, expected)) in changes.into_iter().enumerate() {
        let mut next =
            PolicyVersion { number: current.number + 1, previous: current.digest(), ..current.clone() };
        change(&mut next.roster);
        let document = next.to_document().into();
        let words = change_words(&AuthorityChange::Roster { document }, &current);
        assert!(words.iter().any(|it| it.starts_with(expected)), "change {place}: {words:#?}");
        assert!(words.iter().any(|it| it.starts_with('-')), "change {place}: {words:#?}");
    }
}

fn no_far_nonces(policy: &mut PolicyVersion) {
    let cedar = r#"forbid(principal, action in Action::"sign", resource) when { context.nonce_ahead > 2 };"#;
    policy.rules.push(Rule { id: name("zz-no-far-nonces"), cedar: cedar.to_owned() });
}

/// The request at a nonce, where it is allowed.
fn takes(world: &mut World<Strict>, nonce: u64) -> Option<keystead_base::RequestId> {
    match world.ask("desk", world.ether(FRIEND, 1, nonce)) {
        (id, Outcome::Allow(_)) => Some(id),
        (_, Outcome::Deny { .. }) => None,
        (_, other) => panic!("{other:?}"),
    }
}

#[test]
fn s04_rules_see_how_many_nonces_below_its_own_nobody_has() {
    let mut world = World::with_policy(Strict::default(), no_far_nonces);
    assert_eq!([3, 1000, u64::MAX - 1].map(|nonce| takes(&mut world, nonce)), [None; 3]);
    let second = takes(&mut world, 2).expect("0 and 1 are free below it");
    assert_eq!(takes(&mut world, 4), None, "0, 1 and 3 are");
    takes(&mut world, 3).expect("0 and 1 are");
    let entry = settled(&world, second);
    world.commit(vec![entry]);
    takes(&mut world, 6).expect("4 and 5 are: what is final leaves none below it");
    assert_eq!(takes(&mut world, 8), None, "4, 5 and 7 are");
    takes(&mut world, 4).expect("none is");
    takes(&mut world, 8).expect("5 and 7 are");
}
