//! Every target, fed with spoiled copies of its seeds: bounded, and the same in every run.
//!
//! `KEYSTEAD_SEED` chooses another run, `KEYSTEAD_CASES` a longer one. What libFuzzer found stays in
//! `fuzz/seeds/NAME` and is fed here as it is.

use keystead_fuzz::{Spoiler, TARGETS, Target, Verdict, target};

#[test]
fn every_target_has_a_seed_that_it_accepts() {
    for target in TARGETS {
        let seeds = (target.seeds)(target.name);
        let accepted = seeds.iter().filter(|seed| (target.run)(seed) == Verdict::Accepted).count();
        println!("{}: {} seeds, {accepted} accepted", target.name, seeds.len());
        assert!(accepted > 0, "no good example of {}", target.name);
    }
}

#[test]
fn spoiled_bytes_are_refused_or_mean_one_thing() {
    let seed = number("KEYSTEAD_SEED").unwrap_or(20_261_123);
    println!("KEYSTEAD_SEED={seed}");
    let mut spoiler = Spoiler::new(seed);
    let (mut accepted, mut refused) = (0, 0);
    for target in TARGETS {
        let counts = feed(target, &mut spoiler);
        println!("{}: {} accepted, {} refused", target.name, counts.0, counts.1);
        accepted += counts.0;
        refused += counts.1;
    }
    println!("{} targets: {accepted} spoiled inputs accepted, {refused} refused", TARGETS.len());
    assert!(refused > accepted, "most spoiled inputs are refused");
}

#[test]
fn names_are_unique_and_every_folder_of_seeds_has_its_target() {
    let names: std::collections::BTreeSet<&str> = TARGETS.iter().map(|it| it.name).collect();
    assert_eq!(names.len(), TARGETS.len());
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/seeds");
    for folder in std::fs::read_dir(seeds).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        assert!(target(&name).is_some(), "fuzz/seeds/{name} feeds nothing");
    }
}

/// How many were accepted and refused.
fn feed(target: &Target, spoiler: &mut Spoiler) -> (u64, u64) {
    let seeds = (target.seeds)(target.name);
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..cases(target) {
        let original = &seeds[round % seeds.len()];
        // The long ones cost more and are mostly keys and signatures.
        if original.len() > 20_000 && round % 10 != 0 {
            continue;
        }
        match (target.run)(&spoiler.spoil(original)) {
            Verdict::Accepted => accepted += 1,
            Verdict::Refused => refused += 1,
        }
    }
    (accepted, refused)
}

fn cases(target: &Target) -> usize {
    let all = number("KEYSTEAD_CASES").and_then(|it| usize::try_from(it).ok()).unwrap_or(1_000);
    match target.name {
        // Cedar compiles every rule of what is accepted.
        "policy-json" | "state" => all / 10,
        _ => all,
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
