//! A fixed number of seeds of the strict build, and of each planted bug until it is found.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use keystead_simulator::{Bug, Plan, Report, replay_command, run};

/// So many seeds find nothing in the strict build.
const STRICT_SEEDS: u64 = 24;
/// So many seeds in which all nodes are lost find nothing either.
const LOST_SEEDS: u64 = 8;
/// So many with a key in shares do not either.
const SHARES_SEEDS: u64 = 6;
/// So many with tokens that come and go do not either.
const TOKEN_SEEDS: u64 = 12;
/// Each bug is found within so many.
const BUG_SEEDS: u64 = 40;

fn plan(seed: u64) -> Plan {
    Plan { seed, nodes: None, bug: None, lost: false, shares: false, tokens: false }
}

fn assert_clean(report: &Report, plan: Plan) {
    let first = report.violations.first().map(|(_, violation)| violation.to_string());
    assert_eq!(first, None, "{}", replay_command(plan));
}

/// Runs jobs on two threads; each job is one single-threaded simulation.
fn in_parallel(jobs: u64, job: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(index) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|it| *it < jobs) {
                    job(index);
                }
            });
        }
    });
}

#[test]
fn d03_d04_no_seed_of_the_strict_build_breaks_an_invariant() {
    let total = Mutex::new(Report::default());
    in_parallel(STRICT_SEEDS, |seed| {
        let report = run(plan(seed));
        assert_clean(&report, plan(seed));
        total.lock().unwrap().add(report);
    });
    let total = total.into_inner().unwrap();
    assert!(total.signatures > 100 && total.blocks > 1_000, "the runs do something: {total:?}");
    for fault in ["crash", "partition", "loss", "clock", "roll-back", "two votes", "false settlement"] {
        assert!(total.faults.contains_key(fault), "no `{fault}` in {:?}", total.faults);
    }
}

/// All nodes are lost, and others go on from one's log, frozen: what was spent counts, and more people thaw it.
#[test]
fn d01_a_cluster_that_lost_all_its_nodes_goes_on_and_keeps_every_invariant() {
    let total = Mutex::new(Report::default());
    in_parallel(LOST_SEEDS, |seed| {
        let plan = Plan { lost: true, ..plan(seed) };
        let report = run(plan);
        assert_clean(&report, plan);
        total.lock().unwrap().add(report);
    });
    let total = total.into_inner().unwrap();
    for step in ["loss of all nodes", "key restored", "signed after a rebuild"] {
        assert!(total.faults.get(step).is_some_and(|count| *count >= LOST_SEEDS / 2), "{step}: {total:?}");
    }
}

/// A key in shares is born, refreshed, handed on and used in the same storms, through the product's own log.
#[test]
fn s05_k03_d01_a_key_in_shares_keeps_every_invariant_in_the_storms_of_its_log() {
    let total = Mutex::new(Report::default());
    in_parallel(SHARES_SEEDS, |seed| {
        let plan = Plan { shares: true, ..plan(seed) };
        let report = run(plan);
        assert_clean(&report, plan);
        total.lock().unwrap().add(report);
    });
    let total = total.into_inner().unwrap();
    let first = Plan { shares: true, ..plan(0) };
    assert_eq!(run(first).trace, run(first).trace, "the same seed is the same run, shares and all");
    for step in ["key born in shares", "epoch taken over", "signed in shares"] {
        assert!(total.faults.get(step).is_some_and(|count| *count >= SHARES_SEEDS / 2), "{step}: {total:?}");
    }
}

/// Tokens with half of the nodes' keys come and go in the same storms, most of the nodes' at once at times.
#[test]
fn d03_s03_nodes_whose_tokens_come_and_go_keep_every_invariant() {
    let total = Mutex::new(Report::default());
    in_parallel(TOKEN_SEEDS, |seed| {
        let plan = Plan { tokens: true, ..plan(seed) };
        let report = run(plan);
        assert_clean(&report, plan);
        total.lock().unwrap().add(report);
    });
    let total = total.into_inner().unwrap();
    assert!(total.signatures > 50 && total.blocks > 500, "the runs do something: {total:?}");
    assert!(total.faults.get("token away").is_some_and(|it| *it >= TOKEN_SEEDS * 10), "{total:?}");
}

/// Sizes that the seeds draw seldom.
#[test]
fn s03_clusters_of_one_three_and_seven_withstand_what_they_say() {
    let plans = [(1, 101), (1, 102), (3, 103), (3, 104), (7, 105), (7, 106)];
    in_parallel(plans.len() as u64, |index| {
        let (nodes, seed) = plans[usize::try_from(index).unwrap()];
        let plan = Plan { nodes: Some(nodes), ..plan(seed) };
        assert_clean(&run(plan), plan);
    });
}

/// Seeds whose first runs found mistakes in the consensus crate.
#[test]
fn s03_d03_seeds_that_once_found_something_find_nothing_more() {
    let seeds = [32_u64, 36];
    in_parallel(seeds.len() as u64, |index| {
        let seed = seeds[usize::try_from(index).unwrap()];
        assert_clean(&run(plan(seed)), plan(seed));
    });
}

#[test]
fn each_planted_bug_is_found() {
    let missed = Mutex::new(Vec::new());
    in_parallel(Bug::ALL.len() as u64, |index| {
        let bug = Bug::ALL[usize::try_from(index).unwrap()];
        let finds = |seed: &u64| !run(Plan { bug: Some(bug), ..plan(*seed) }).violations.is_empty();
        if (0..BUG_SEEDS).find(finds).is_none() {
            missed.lock().unwrap().push(bug);
        }
    });
    assert_eq!(missed.into_inner().unwrap(), Vec::new());
}

/// By the time that is stated, and not only by what is left at the end.
#[test]
fn d03_what_takes_longer_than_its_stated_time_is_found() {
    for bug in [Bug::RoundsTooLong, Bug::DueForgotten] {
        let late = |seed| {
            let report = run(Plan { bug: Some(bug), ..plan(seed) });
            report.violations.iter().any(|(_, it)| it.invariant == "D3" && it.text.contains("stated time"))
        };
        assert!((0..BUG_SEEDS).any(late), "{bug:?}");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [3, 5] {
        let (first, second) = (run(plan(seed)), run(plan(seed)));
        assert_eq!((first.trace, first.steps), (second.trace, second.steps), "seed {seed}");
        assert_ne!(first.trace, run(plan(seed + 1000)).trace);
    }
}
