//! `cargo xtask simulate --threshold`: seeds of threshold keys.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use keystead_simulator::{
    SCHEMES, Scheme, ThresholdBug, ThresholdPlan, ThresholdReport, replay_threshold, run_threshold,
};

/// What the words on the command line ask for.
struct Asked {
    seeds: u64,
    seed: u64,
    scheme: Option<Scheme>,
    bug: Option<ThresholdBug>,
}

/// Runs what is asked for, or says why it cannot.
pub(crate) fn simulate(arguments: &[String]) -> Result<ExitCode, String> {
    let asked = parse(arguments)?;
    let begin = Instant::now();
    let mut total = ThresholdReport::default();
    for seed in asked.seed..asked.seed.saturating_add(asked.seeds) {
        // Ed25519 and BIP-340 in turn: ECDSA takes seconds of each node for each set-up.
        let turn = if seed.is_multiple_of(2) { Scheme::Ed25519Frost } else { Scheme::Bip340Frost };
        let plan = ThresholdPlan { seed, scheme: asked.scheme.unwrap_or(turn), bug: asked.bug };
        let report = run_threshold(plan);
        for (seed, broken) in &report.violations {
            println!("seed {seed}: {broken}\n  {}\n", replay_threshold(plan));
        }
        total.add(report);
    }
    print(&total, begin.elapsed().as_secs_f64());
    Ok(if total.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parse(arguments: &[String]) -> Result<Asked, String> {
    let mut asked = Asked { seeds: 100, seed: 0, scheme: None, bug: None };
    let mut rest = arguments.iter().peekable();
    while let Some(option) = rest.next() {
        let mut value = || rest.next().ok_or(format!("{option} needs a value"));
        match option.as_str() {
            "--threshold" => {
                asked.scheme = rest.peek().and_then(|word| scheme(word));
                rest.next_if(|word| scheme(word).is_some());
            }
            "--seeds" => asked.seeds = number(value()?)?,
            "--seed" => asked.seed = number(value()?)?,
            "--bug" => asked.bug = Some(bug(value()?)?),
            _ => {
                let schemes = SCHEMES.map(|(name, _)| name).join("|");
                return Err(format!(
                    "{option} is not known; --threshold [{schemes}], --seeds, --seed, --bug are"
                ));
            }
        }
    }
    Ok(asked)
}

fn scheme(word: &str) -> Option<Scheme> {
    SCHEMES.iter().find(|(name, _)| *name == word).map(|(_, scheme)| *scheme)
}

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|error| format!("{word}: {error}"))
}

fn bug(text: &str) -> Result<ThresholdBug, String> {
    let names = || ThresholdBug::ALL.map(ThresholdBug::name).join(", ");
    ThresholdBug::named(text).ok_or_else(|| format!("there is no bug `{text}`; there are {}", names()))
}

fn print(total: &ThresholdReport, seconds: f64) {
    println!("{} seeds in {seconds:.1} s", total.seeds);
    println!("{} steps, {:.2} simulated hours", total.steps, total.hours());
    println!("once healed, the slowest signature took {} ms", total.slowest_millis);
    let list = |items: &BTreeMap<&str, u64>| {
        items.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(" · ")
    };
    println!("reached: {}", list(&total.reached));
    println!("faults: {} ({})", total.faults.values().sum::<u64>(), list(&total.faults));
    println!("{} violations", total.violations.len());
}
