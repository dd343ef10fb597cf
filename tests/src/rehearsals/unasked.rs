//! Runs that nobody demands: waited for a little, shown, compared with the bytes, and no reason to deny where they are missing.

use keystead_base::{Amount, Canonical as _, Coded as _, RequestId, Signed};
use keystead_decision::{Decision, Entry, Outcome, Phase, Renewal, Strict};
use keystead_intent::{Asset, BalanceChange, DangerClass, Ending, Run};
use keystead_policy::{PolicyVersion, Rule, Simulate};

use super::{RECENT, SOON, demanded, shown};
use crate::fixture::{ETHER, FRIEND, TOKEN, name};
use crate::world::{World, outcome_of, reasons};

fn world(change: impl FnOnce(&mut PolicyVersion)) -> World<Strict> {
    let mut world = World::with_policy(Strict::default(), |policy| {
        shown(policy);
        change(policy);
    });
    world.chain.mine();
    world
}

/// A request that waits for its run, for this much.
fn waiting(wei: u128) -> (World<Strict>, RequestId) {
    let mut world = world(|_| {});
    let (id, outcome) = world.ask("desk", world.ether(FRIEND, wei, 0));
    let until = world.now().plus_seconds(SOON);
    assert!(matches!(outcome, Outcome::Simulate { until: it, .. } if it == until), "{outcome:?}");
    (world, id)
}

/// Nobody runs anything until the wait is over: every decision then.
fn wait_in_vain(world: &mut World<Strict>) -> Vec<Decision> {
    let asked = world.now();
    assert!(world.commit_at(asked.plus_seconds(SOON - 1), vec![Entry::Tick]).is_empty());
    world.commit_at(asked.plus_seconds(SOON), vec![Entry::Tick])
}

fn allows(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Allow(_))
}

#[test]
fn s02_every_transaction_is_run_first_and_what_it_takes_beyond_its_bytes_is_refused() {
    let (mut world, id) = waiting(1);
    assert!(allows(&outcome_of(&world.simulate(&id), &id)));

    let (mut world, id) = waiting(1);
    let (before, after) = (Amount::from(2_u64), Amount::ZERO);
    let lost =
        BalanceChange { account: world.account(), asset: Asset::Token(TOKEN), id: None, before, after };
    let takes = Run { balances: vec![lost], ..Run::without_changes(Ending::Succeeded, 21_000, 0) };
    let entry = world.states(world.simulation_of(&id, takes));
    let outcome = outcome_of(&world.commit(vec![entry]), &id);
    assert_eq!(reasons(&outcome)[0].code(), "deny.simulation_takes_more");
}

#[test]
fn what_fails_in_a_run_that_nobody_demands_is_shown_and_not_refused() {
    for run in [
        Run::without_changes(Ending::Halted, 1, 0),
        Run { cut: true, ..Run::without_changes(Ending::Succeeded, 1, 0) },
    ] {
        let (mut world, id) = waiting(1);
        let entry = world.states(world.simulation_of(&id, run));
        assert!(allows(&outcome_of(&world.commit(vec![entry]), &id)));
        assert!(world.state.request(&id).unwrap().simulation.is_some());
    }
}

#[test]
fn d03_what_nobody_ran_in_time_goes_on_without_a_run() {
    let (mut world, id) = waiting(1);
    let decisions = wait_in_vain(&mut world);
    assert!(allows(&outcome_of(&decisions, &id)), "{decisions:?}");
    assert_eq!(world.state.awaiting_runs().count(), 0);
    let node = &world.desk.nodes[0];
    let renewal = Renewal { cluster: world.state.cluster(), request: id, at: world.now() };
    let renew = Entry::Renew(Signed::new(renewal, node.name.clone(), &node.signer).unwrap());
    assert!(allows(&outcome_of(&world.commit(vec![renew]), &id)));
}

/// People are told when the wait is over, and no run that comes later makes what they say void.
#[test]
fn s11_what_went_on_without_a_run_takes_none_any_more() {
    let (mut world, id) = waiting(2 * ETHER);
    let run = world.run_of(&id);
    let told = wait_in_vain(&mut world);
    assert!(matches!(outcome_of(&told, &id), Outcome::Wait { .. }), "{told:?}");
    assert_eq!(world.state.awaiting_runs().count(), 0);
    world.approve("ana", &id);
    let late = world.simulation_of(&id, run);
    let subject = RequestId(late.digest());
    let entry = world.states(late);
    let refused = outcome_of(&world.commit(vec![entry]), &subject);
    assert_eq!(reasons(&refused)[0].code(), "deny.not_open");
    let decisions = world.approve("ben", &id);
    assert!(allows(&outcome_of(&decisions, &id)), "{decisions:?}");
}

/// A run that became too old while people looked at the request is no fact for rules where no newer one comes.
#[test]
fn s02_rules_see_no_run_that_is_too_old() {
    for (sees, allowed) in [("context.simulation == \"succeeds\"", false), ("context.depth == 0", true)] {
        let scope = "principal in Role::\"desk\", action in Action::\"sign\", resource == Key::\"hot\"";
        let cedar = format!("permit({scope}) when {{ {sees} }};");
        let mut world = world(|policy| {
            policy.rules.retain(|it| it.id != name("desk-moves-hot"));
            policy.rules.push(Rule { id: name("what-it-sees"), cedar });
            policy.rules.sort_by(|a, b| a.id.cmp(&b.id));
        });
        let (id, _) = world.ask("desk", world.ether(FRIEND, 2 * ETHER, 0));
        world.simulate(&id);
        world.approve("ana", &id);
        let later = world.now().plus_seconds(2 * RECENT);
        world.commit_at(later, vec![Entry::Tick]);
        let asked = world.approve("ben", &id);
        assert!(matches!(outcome_of(&asked, &id), Outcome::Simulate { .. }), "{asked:?}");
        let decisions = wait_in_vain(&mut world);
        assert_eq!(allows(&outcome_of(&decisions, &id)), allowed, "{sees}: {decisions:?}");
    }
}

#[test]
fn beside_what_is_demanded_the_rest_is_run_too_and_goes_on_without() {
    let always = |policy: &mut PolicyVersion| {
        demanded(policy);
        policy.simulation.iter_mut().for_each(|rule| {
            rule.classes = vec![DangerClass::Cancel];
            rule.simulate = Simulate::Always { wait_seconds: SOON };
        });
    };
    let mut world = world(always);
    let (id, _) = world.ask("desk", world.ether(FRIEND, 1, 0));
    assert!(allows(&outcome_of(&wait_in_vain(&mut world), &id)));
    // What is demanded waits longer, and is denied.
    let mut world = World::with_policy(Strict::default(), |policy| {
        always(policy);
        policy.simulation.iter_mut().for_each(|rule| rule.classes = vec![DangerClass::Transfer]);
    });
    let (id, _) = world.ask("desk", world.ether(FRIEND, 1, 0));
    assert!(wait_in_vain(&mut world).is_empty());
    let later = world.now().plus_seconds(RECENT);
    world.commit_at(later, vec![Entry::Tick]);
    assert_eq!(world.state.request(&id).unwrap().phase, Phase::Denied);
}

/// A policy that demands a run of what went on without one has it made: the earlier wait counts for nothing.
#[test]
fn d03_a_new_demand_waits_for_a_run_anew() {
    let (mut world, id) = waiting(2 * ETHER);
    wait_in_vain(&mut world);
    world.adopt(demanded);
    assert_eq!(world.state.awaiting_runs().map(|(id, _)| *id).collect::<Vec<_>>(), [id]);
    let decisions = world.simulate(&id);
    assert!(matches!(outcome_of(&decisions, &id), Outcome::Wait { .. }), "{decisions:?}");
}
