//! Every interleaving of a few reservations: the small model, over the product's own state machine.

use keystead_simulator::{Bug, explore};

#[test]
fn s04_s10_no_interleaving_of_reservations_breaks_slot_or_window() {
    let explored = explore(None);
    println!("{} states, {} transitions", explored.states, explored.transitions);
    assert_eq!(explored.violations.first(), None);
    assert!(explored.states > 1_000, "{} states", explored.states);
}

#[test]
fn the_model_finds_what_a_missing_rule_allows() {
    for (bug, invariant) in
        [(Bug::WindowsIgnored, "S10"), (Bug::SlotsIgnored, "S4"), (Bug::ReplacesAnything, "S4")]
    {
        let violations = explore(Some(bug)).violations;
        assert!(violations.iter().any(|it| it.starts_with(invariant)), "{bug:?}: {:?}", violations.first());
    }
}
