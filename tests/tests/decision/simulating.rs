//! Requests whose transactions are run before they are allowed: what is waited for, what counts, what is refused.

use alloy_primitives::{Address, U256};
use keystead_base::{Amount, Coded as _, RequestId, Signed};
use keystead_decision::{Decision, Entry, Outcome, Phase, Renewal, Simulation, Snapshot, Strict};
use keystead_intent::{
    Action, Approval, Asset, BalanceChange, Ending, Message, NotTaken, Right, RightChange, Run,
};
use keystead_policy::Rule;
use keystead_tests::fixture::{CHAIN, ETHER, FRIEND, TOKEN, name};
use keystead_tests::rehearsals::{RECENT, demanded};
use keystead_tests::world::{World, hot, outcome_of, reasons};
use keystead_wire::{RequestDetail, RequestStage, RequestView};
use keystead_words::{Language, Library};

/// In no address book.
const STRANGER: Address = Address::repeat_byte(0xdd);

fn world() -> World<Strict> {
    let mut world = World::with_policy(Strict::default(), demanded);
    world.chain.mine();
    world
}

/// A request that waits for its run, for this much.
fn waiting(wei: u128) -> (World<Strict>, RequestId) {
    let mut world = world();
    let (id, outcome) = world.ask("desk", world.ether(FRIEND, wei, 0));
    assert!(matches!(outcome, Outcome::Simulate { .. }), "{outcome:?}");
    (world, id)
}

fn codes(decisions: &[Decision], id: &RequestId) -> Vec<&'static str> {
    reasons(&outcome_of(decisions, id)).iter().map(|reason| reason.code()).collect()
}

/// What a node that says so gets for an answer.
fn stated(world: &mut World<Strict>, simulation: Simulation) -> Outcome {
    let subject = RequestId(keystead_base::Canonical::digest(&simulation));
    let entry = world.states(simulation);
    outcome_of(&world.commit(vec![entry]), &subject)
}

#[test]
fn s02_nothing_is_allowed_before_its_run() {
    let (mut world, id) = waiting(1);
    assert_eq!(world.state.awaiting_runs().map(|(id, _)| *id).collect::<Vec<_>>(), [id]);
    let refused = world.approve("ana", &id);
    assert_eq!(codes(&refused, &id), ["deny.simulation_pending"]);
    let decisions = world.simulate(&id);
    assert!(matches!(outcome_of(&decisions, &id), Outcome::Allow(_)), "{decisions:?}");
    assert_eq!(world.state.awaiting_runs().count(), 0);
    world.sign_and_execute(&id).unwrap();
}

#[test]
fn what_nobody_ran_in_time_is_denied_as_unknown() {
    let (mut world, id) = waiting(1);
    let asked = world.now();
    assert!(world.commit_at(asked.plus_seconds(RECENT - 1), vec![Entry::Tick]).is_empty());
    let decisions = world.commit_at(asked.plus_seconds(RECENT), vec![Entry::Tick]);
    assert_eq!(codes(&decisions, &id), ["deny.simulation_unknown"]);
    // A run that comes after that changes nothing: the request is over.
    let late = world.simulation_of(&id, world.run_of(&id));
    assert_eq!(reasons(&stated(&mut world, late))[0].code(), "deny.not_open");
    assert_eq!(world.state.request(&id).unwrap().phase, Phase::Denied);
}

#[test]
fn a_run_on_an_old_state_does_not_count() {
    let (mut world, id) = waiting(1);
    let mut old = world.simulation_of(&id, world.run_of(&id));
    // It is looked at one second later.
    old.block.time_seconds -= RECENT;
    let outcome = stated(&mut world, old.clone());
    assert_eq!(reasons(&outcome)[0].code(), "deny.simulation_stale");
    old.block.time_seconds += 3;
    assert_eq!(stated(&mut world, old), Outcome::Simulated);
    assert_eq!(world.state.request(&id).unwrap().phase, Phase::Allowed);
}

#[test]
fn only_what_waits_is_given_a_run_and_only_by_a_node() {
    let (mut world, id) = waiting(1);
    let simulation = world.simulation_of(&id, world.run_of(&id));
    let stranger = &world.desk.desk;
    let forged = Signed::new(simulation.clone(), stranger.name.clone(), &stranger.signer).unwrap();
    assert_eq!(world.state.admit(Entry::Simulation(forged)).unwrap_err().code(), "admission.unknown");
    let unknown = Simulation { request: RequestId(keystead_base::Digest([9; 32])), ..simulation.clone() };
    assert_eq!(reasons(&stated(&mut world, unknown))[0].code(), "deny.request_unknown");
    assert_eq!(stated(&mut world, simulation.clone()), Outcome::Simulated);
    assert_eq!(reasons(&stated(&mut world, simulation))[0].code(), "deny.not_open");
}

#[test]
fn s02_a_run_that_fails_or_takes_more_is_refused() {
    type Change = fn(Address) -> Run;
    let cases: [(Change, &str); 4] = [
        (|_| Run::without_changes(Ending::NotTaken(NotTaken::Funds), 0, 0), "deny.simulation_fails"),
        (
            |account| Run {
                balances: vec![BalanceChange {
                    account,
                    asset: Asset::Token(TOKEN),
                    id: None,
                    before: Amount::from(2_u64),
                    after: Amount::ZERO,
                }],
                ..Run::without_changes(Ending::Succeeded, 21_000, 0)
            },
            "deny.simulation_takes_more",
        ),
        (
            |owner| Run {
                rights: vec![RightChange {
                    owner,
                    token: TOKEN,
                    holder: FRIEND,
                    right: Right::Allowance { before: Amount::ZERO, after: Amount(U256::MAX) },
                }],
                ..Run::without_changes(Ending::Succeeded, 21_000, 0)
            },
            "deny.simulation_gives_right",
        ),
        (|_| Run { cut: true, ..Run::without_changes(Ending::Succeeded, 1, 0) }, "deny.simulation_fails"),
    ];
    for (run, code) in cases {
        let (mut world, id) = waiting(1);
        let run = run(world.account());
        let entry = world.states(world.simulation_of(&id, run));
        assert_eq!(codes(&world.commit(vec![entry]), &id), [code]);
    }
}

/// People agree to what they saw. When it took them long it is run again, and they are asked again only where it
/// takes more than they saw.
#[test]
fn s11_a_later_run_that_takes_more_voids_what_people_agreed_to() {
    for takes_more in [false, true] {
        let (mut world, id) = waiting(2 * ETHER);
        let seen = world.simulate(&id);
        assert!(matches!(outcome_of(&seen, &id), Outcome::Wait { .. }), "{seen:?}");
        let early = world.sign_approval(world.approval("ana", &id));
        world.commit(vec![early.clone()]);
        let later = world.now().plus_seconds(2 * RECENT);
        world.commit_at(later, vec![Entry::Tick]);
        let both = world.approve("ben", &id);
        assert!(matches!(outcome_of(&both, &id), Outcome::Simulate { .. }), "{both:?}");
        let mut run = world.run_of(&id);
        if takes_more {
            run.created.push(FRIEND);
        }
        let entry = world.states(world.simulation_of(&id, run));
        let decisions = world.commit(vec![entry]);
        let outcome = outcome_of(&decisions, &id);
        let approvals = world.state.request(&id).unwrap().approvals.len();
        match takes_more {
            false => assert!(matches!(outcome, Outcome::Allow(_)) && approvals == 2, "{outcome:?}"),
            true => {
                assert!(matches!(outcome, Outcome::Wait { .. }) && approvals == 0, "{outcome:?}");
                // Whoever kept the first approval gives it again.
                assert_eq!(codes(&world.commit(vec![early]), &id), ["deny.not_counted"]);
            }
        }
    }
}

/// What hot paid to cold when people looked goes to somebody else after the contract was switched: nobody's balance
/// falls further than they saw, and it is another run all the same.
#[test]
fn s11_a_later_run_that_pays_somebody_else_voids_what_people_agreed_to() {
    for still_ours in [true, false] {
        let (mut world, id) = waiting(2 * ETHER);
        let mut inside = world.run_of(&id);
        let paid = inside.balances[0];
        let (before, after) = (Amount::ZERO, paid.lost());
        inside.balances.push(BalanceChange { account: Address::repeat_byte(0xff), before, after, ..paid });
        let seen = world.states(world.simulation_of(&id, inside.clone()));
        world.commit(vec![seen]);
        world.approve("ana", &id);
        let later = world.now().plus_seconds(2 * RECENT);
        world.commit_at(later, vec![Entry::Tick]);
        world.approve("ben", &id);
        let run = if still_ours { inside } else { world.run_of(&id) };
        let entry = world.states(world.simulation_of(&id, run));
        let outcome = outcome_of(&world.commit(vec![entry]), &id);
        let approvals = world.state.request(&id).unwrap().approvals.len();
        let allowed = matches!(outcome, Outcome::Allow(_));
        assert_eq!((allowed, approvals), if still_ours { (true, 2) } else { (false, 0) }, "{outcome:?}");
    }
}

/// A request waits for a run as long as policy demands one: afterwards none counts, however old or new, and nobody's
/// approval is void for it.
#[test]
fn s11_nobody_gives_a_run_to_a_request_that_needs_none_any_more() {
    let (mut world, id) = waiting(2 * ETHER);
    let run = world.simulation_of(&id, world.run_of(&id));
    world.adopt(|policy| policy.simulation = None);
    assert_eq!(world.state.policy().engine.version().simulation, None);
    assert_eq!(world.state.awaiting_runs().count(), 0);
    world.approve("ana", &id);
    assert_eq!(reasons(&stated(&mut world, run))[0].code(), "deny.not_open");
    assert_eq!(world.state.request(&id).unwrap().approvals.len(), 1);
}

/// What was approved and waits for a newer run is no longer waited for when the approvals are void: the time to wait
/// begins anew when they are there again.
#[test]
fn d03_an_old_wait_for_a_run_denies_nothing_later() {
    let (mut world, id) = waiting(2 * ETHER);
    world.simulate(&id);
    world.approve("ana", &id);
    let later = world.now().plus_seconds(2 * RECENT);
    world.commit_at(later, vec![Entry::Tick]);
    assert!(matches!(outcome_of(&world.approve("ben", &id), &id), Outcome::Simulate { .. }));
    assert_eq!(world.state.awaiting_runs().count(), 1);
    world.adopt(|policy| policy.timing.skew_seconds += 1);
    assert_eq!(world.state.awaiting_runs().count(), 0);
    world.commit_at(later.plus_seconds(2 * RECENT), vec![Entry::Tick]);
    world.approve("ana", &id);
    assert!(matches!(outcome_of(&world.approve("ben", &id), &id), Outcome::Simulate { .. }));
}

/// Nobody keeps the nodes busy with runs of what is denied anyway.
#[test]
fn d03_what_is_denied_whatever_comes_of_a_run_is_denied_at_once() {
    let (mut world, id) = waiting(1);
    world.simulate(&id);
    for (action, code) in [
        (world.ether(STRANGER, 1, 1), "deny.destination_unknown"),
        (world.ether(FRIEND, 11 * ETHER, 1), "deny.amount_too_large"),
        (world.ether(FRIEND, 1, 0), "deny.slot_taken"),
        (world.call(STRANGER, vec![1, 2, 3, 4], 1), "deny.no_rule_permits"),
    ] {
        let (_, outcome) = world.ask("desk", action);
        assert_eq!(reasons(&outcome).first().map(|it| it.code()), Some(code));
    }
    let (_, outcome) = world.ask("desk", world.ether(FRIEND, 9 * ETHER, 1));
    assert!(matches!(outcome, Outcome::Simulate { .. }), "{outcome:?}");
}

/// What a rule says only when it sees a run is no reason to deny before there is one.
#[test]
fn d03_what_a_rule_permits_for_what_it_sees_in_a_run_waits_for_the_run() {
    for (sees, permits) in [("simulated_out < 5", true), ("simulated_out < 4", false), ("depth == 1", false)]
    {
        let rule = format!(
            "@any_destination(\"true\")\n\
             permit(principal in Role::\"desk\", action in Action::\"sign\", resource == Key::\"hot\")\n\
             when {{ context.{sees} }};"
        );
        let mut world = World::with_policy(Strict::default(), |policy| {
            demanded(policy);
            policy.rules.push(Rule { id: name("what-it-sees"), cedar: rule });
        });
        world.chain.mine();
        let (id, asked) = world.ask("desk", world.ether(STRANGER, 4, 0));
        let waits = matches!(asked, Outcome::Simulate { .. });
        assert_eq!(waits, sees.starts_with("simulated"), "{asked:?}");
        let outcome = if waits { outcome_of(&world.simulate(&id), &id) } else { asked };
        assert_eq!(matches!(outcome, Outcome::Allow(_)), permits, "{sees}: {outcome:?}");
    }
}

/// What a node shows of a request, in its own words about the run.
fn shown(world: &World<Strict>, id: &RequestId) -> RequestDetail {
    let request = world.state.request(id).unwrap();
    let decision = world.certificate(id).unwrap().decision;
    let view = RequestView {
        request: *id,
        stage: RequestStage::Waiting,
        decision: decision.clone(),
        signed: None,
        refusal: None,
        file: None,
    };
    RequestDetail {
        view,
        intent: request.intent.clone(),
        address: Some(world.account()),
        decisions: vec![decision],
        simulation: request.simulation.clone(),
        wallet: None,
    }
}

#[test]
fn s11_an_approval_of_another_run_than_the_log_s_counts_for_nothing() {
    let (mut world, id) = waiting(2 * ETHER);
    world.simulate(&id);
    let honest = shown(&world, &id);
    let mut lie = honest.clone();
    lie.simulation.iter_mut().for_each(|it| it.run.balances.clear());
    let none = RequestDetail { simulation: None, ..honest.clone() };
    let policy = world.state.policy().engine.version().clone();
    let library = Library::bundled(Language::English).unwrap();
    for (sent, counts) in [(lie, false), (none, false), (honest, true)] {
        let reviewed = keystead_approver::review(id, &sent, policy.clone(), &library).unwrap();
        let approval = Approval { signing_digest: reviewed.digest, ..world.approval("ana", &id) };
        let entry = world.sign_approval(approval);
        let outcome = outcome_of(&world.commit(vec![entry]), &id);
        assert_eq!(matches!(outcome, Outcome::Counted { .. }), counts, "{outcome:?}");
    }
}

#[test]
fn what_is_no_transaction_is_not_run_and_what_is_frozen_is_denied_at_once() {
    let mut world = world();
    let bytes = b"we own this address".to_vec().into();
    let (_, outcome) = world.ask("desk", Action::Message(Message { account: hot(), chain: CHAIN, bytes }));
    assert!(!matches!(outcome, Outcome::Simulate { .. }), "{outcome:?}");
    world.freeze("eve", Some("hot"));
    let (_, outcome) = world.ask("desk", world.ether(FRIEND, 1, 0));
    assert_eq!(reasons(&outcome)[0].code(), "deny.frozen");
}

#[test]
fn a_right_from_before_the_demand_is_not_renewed_without_a_run() {
    let mut world = World::new(Strict::default());
    let (id, outcome) = world.ask("desk", world.ether(FRIEND, 1, 0));
    assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}");
    world.adopt(demanded);
    let renewal = Renewal { cluster: world.state.cluster(), request: id, at: world.now() };
    let node = &world.desk.nodes[0];
    let entry = Entry::Renew(Signed::new(renewal, node.name.clone(), &node.signer).unwrap());
    assert_eq!(codes(&world.commit(vec![entry]), &id), ["deny.simulation_pending"]);
}

#[test]
fn a_rule_that_speaks_of_others_demands_nothing() {
    for (change, demands) in [
        (Box::new(|_: &mut keystead_policy::SimulationRule| {}) as Box<dyn Fn(&mut _)>, true),
        (Box::new(|it: &mut keystead_policy::SimulationRule| it.keys = vec![name("cold")]), false),
        (Box::new(|it| it.classes = vec![keystead_intent::DangerClass::Opaque]), false),
        (Box::new(|it| it.keys = vec![name("hot")]), true),
    ] {
        let mut world = World::with_policy(Strict::default(), |policy| {
            demanded(policy);
            policy.simulation.iter_mut().for_each(&change);
        });
        let (_, outcome) = world.ask("desk", world.ether(FRIEND, 1, 0));
        assert_eq!(matches!(outcome, Outcome::Simulate { .. }), demands, "{outcome:?}");
    }
}

#[test]
fn a_state_with_runs_reads_back() {
    let (mut world, id) = waiting(2 * ETHER);
    for _ in 0..2 {
        let document = keystead_base::Canonical::to_document(&Snapshot(world.state.clone()));
        let read = <Snapshot as keystead_base::Canonical>::from_document(&document).unwrap();
        assert_eq!(read.0.digest(), world.state.digest());
        world.simulate(&id);
    }
}
