//! Who may hold up a request, and until when: written for mutants that no other test noticed.

use keystead_base::RequestId;
use keystead_decision::{Decision, Entry, Outcome, Strict};
use keystead_intent::Verdict;
use keystead_policy::{Need, PolicyVersion, Reason};
use keystead_tests::fixture::{ETHER, FRIEND, name};
use keystead_tests::world::{World, outcome_of, reasons};

/// A large transfer needs an approver and a trader; it is announced for a minute.
fn two_kinds_and_a_delay(policy: &mut PolicyVersion) {
    let need = |role: &str| Need { role: name(role), count: 1, factors: Vec::new() };
    for row in policy.quorums.iter_mut().filter(|row| row.id == name("large-two")) {
        row.needs = vec![need("approver"), need("trader")];
        row.vetoers = vec![name("founder"), name("vetoer")];
        row.delay_seconds = 60;
    }
}

fn asked() -> (World<Strict>, RequestId) {
    let mut world = World::with_policy(Strict::default(), two_kinds_and_a_delay);
    let (id, outcome) = world.ask("desk", world.ether(FRIEND, 2 * ETHER, 0));
    assert!(matches!(outcome, Outcome::Wait { .. }), "{outcome:?}");
    (world, id)
}

fn reject(world: &mut World<Strict>, who: &str, id: &RequestId) -> Vec<Decision> {
    let mut approval = world.approval(who, id);
    approval.verdict = Verdict::Reject;
    let entry = world.sign_approval(approval);
    world.commit(vec![entry])
}

/// One of several roles is enough for a veto.
#[test]
fn s09_a_veto_needs_one_of_the_roles_that_may() {
    let (mut world, id) = asked();
    let decisions = world.veto("eve", &id);
    assert!(matches!(reasons(&outcome_of(&decisions, &id))[..], [Reason::Vetoed { .. }]), "{decisions:?}");
}

/// Whoever could approve may say no, and so may whoever could veto; nobody else.
#[test]
fn s11_a_no_counts_from_those_whose_yes_or_veto_would() {
    for who in ["ana", "dora", "eve"] {
        let (mut world, id) = asked();
        let decisions = reject(&mut world, who, &id);
        let found = reasons(&outcome_of(&decisions, &id));
        assert!(matches!(found[..], [Reason::Rejected { .. }]), "{who}: {found:?}");
    }
    let mut world = World::with_policy(Strict::default(), |policy| {
        two_kinds_and_a_delay(policy);
        policy.quorums.iter_mut().for_each(|row| row.vetoers = vec![name("founder")]);
    });
    let (id, _) = world.ask("desk", world.ether(FRIEND, 2 * ETHER, 0));
    let decisions = reject(&mut world, "eve", &id);
    assert!(matches!(outcome_of(&decisions, &id), Outcome::Refused { .. }), "{decisions:?}");
}

/// INVARIANT S9: not a second before the delay is over, and then without anybody's doing.
#[test]
fn s09_a_delay_ends_at_its_second() {
    let (mut world, id) = asked();
    let announced = world.now();
    world.approve("ana", &id);
    let both = world.approve("dora", &id);
    assert!(matches!(outcome_of(&both, &id), Outcome::Counted { .. }), "{both:?}");
    assert!(world.commit_at(announced.plus_seconds(59), vec![Entry::Tick]).is_empty());
    let ready = world.commit_at(announced.plus_seconds(60), vec![Entry::Tick]);
    assert!(matches!(outcome_of(&ready, &id), Outcome::Allow(_)), "{ready:?}");
}

/// A change of policy begins the delay anew.
#[test]
fn s09_a_new_policy_version_announces_anew() {
    let (mut world, id) = asked();
    let first = world.now();
    world.commit_at(first.plus_seconds(50), vec![Entry::Tick]);
    world.adopt(|policy| policy.timing.certificate_seconds = 30);
    let second = world.now();
    world.approve("ana", &id);
    world.approve("dora", &id);
    let early = world.commit_at(second.plus_seconds(59), vec![Entry::Tick]);
    assert!(early.is_empty(), "{early:?}");
    let ready = world.commit_at(second.plus_seconds(60), vec![Entry::Tick]);
    assert!(matches!(outcome_of(&ready, &id), Outcome::Allow(_)), "{ready:?}");
}
