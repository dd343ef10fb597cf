//! A fixed number of seeds of threshold keys in the strict build, and of each planted bug until it is found.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use keystead_simulator::{
    Scheme, ThresholdBug, ThresholdPlan, ThresholdReport, replay_threshold, run_threshold,
};

/// So many seeds of each cheap scheme find nothing in the strict build.
const STRICT_SEEDS: u64 = 24;
/// The first four in a row of ECDSA among which a node lies: a set-up takes each node some tenths of a second, and a seed some
/// nine of a processor.
const ECDSA_SEEDS: std::ops::Range<u64> = 4..8;
/// Each bug is found within so many.
const BUG_SEEDS: u64 = 60;

fn plan(seed: u64, bug: Option<ThresholdBug>) -> ThresholdPlan {
    let scheme = if seed.is_multiple_of(2) { Scheme::Ed25519Frost } else { Scheme::Bip340Frost };
    ThresholdPlan { seed, scheme, bug }
}

fn assert_clean(report: &ThresholdReport, plan: ThresholdPlan) {
    let first = report.violations.first().map(|(_, broken)| broken.to_string());
    assert_eq!(first, None, "{}", replay_threshold(plan));
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
fn s05_k06_d03_d04_no_seed_of_threshold_keys_breaks_an_invariant() {
    let total = Mutex::new(ThresholdReport::default());
    in_parallel(2 * STRICT_SEEDS, |seed| {
        let plan = plan(seed, None);
        let report = run_threshold(plan);
        assert_clean(&report, plan);
        total.lock().unwrap().add(report);
    });
    let total = total.into_inner().unwrap();
    let reached = |kind| total.reached.get(kind).copied().unwrap_or_default();
    assert!(reached("signatures") > 1_000 && reached("repairs") > 2, "the runs do something: {total:?}");
    assert!(reached("epochs") > 3 * STRICT_SEEDS, "keys are handed on: {total:?}");
    assert!(reached("equivocators caught") > STRICT_SEEDS, "what two were told is shown: {total:?}");
    for fault in [
        "crash before a write",
        "crash behind a write",
        "crash before a send",
        "power",
        "put back",
        "clock",
        "partition",
        "loss",
        "duplicate",
        "long delay",
        "old share",
        "equivocation",
        "two things",
        "call for nothing granted",
    ] {
        assert!(total.faults.contains_key(fault), "no `{fault}` in {:?}", total.faults);
    }
}

#[test]
fn d04_an_ecdsa_key_is_born_and_signs_under_faults() {
    let total = Mutex::new(ThresholdReport::default());
    in_parallel(ECDSA_SEEDS.end - ECDSA_SEEDS.start, |index| {
        let plan = ThresholdPlan { seed: ECDSA_SEEDS.start + index, scheme: Scheme::EcdsaDkls23, bug: None };
        let report = run_threshold(plan);
        assert_clean(&report, plan);
        assert!(report.reached.get("signatures").is_some_and(|it| *it > 10), "it signs: {report:?}");
        total.lock().unwrap().add(report);
    });
    let total = total.into_inner().unwrap();
    assert!(total.reached.get("ends with a name").is_some_and(|it| *it > 0), "somebody lies: {total:?}");
    for fault in ["crash before a write", "crash behind a write", "crash before a send", "loss", "partition"]
    {
        assert!(total.faults.contains_key(fault), "no `{fault}` in {:?}", total.faults);
    }
}

/// The same seed is the same run, to the byte.
#[test]
fn a_seed_of_threshold_keys_is_a_whole_run() {
    for seed in [3, 8] {
        let traces = [plan(seed, None); 2].map(|plan| run_threshold(plan).trace);
        assert_eq!(traces[0], traces[1], "seed {seed}");
    }
}

/// A mistake that all honest nodes make is found within the ordinary seeds: the oracle looks.
#[test]
fn each_planted_bug_of_threshold_keys_is_found() {
    let missed = Mutex::new(Vec::new());
    in_parallel(ThresholdBug::ALL.len() as u64, |index| {
        let bug = ThresholdBug::ALL[index as usize];
        let finds = |seed: &u64| !run_threshold(plan(*seed, Some(bug))).violations.is_empty();
        match (0..BUG_SEEDS).find(finds) {
            Some(seed) => println!("{} is found at seed {seed}", bug.name()),
            None => missed.lock().unwrap().push(bug.name()),
        }
    });
    assert_eq!(missed.into_inner().unwrap(), Vec::<&str>::new(), "not found within {BUG_SEEDS} seeds");
}
