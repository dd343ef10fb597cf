//! The command behind `cargo xtask simulate`.

mod threshold_command;

use std::process::ExitCode;
use std::time::Instant;

use keystead_simulator::{Bug, Plan, Report, replay_command, run};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().any(|word| word == "--threshold") {
        true => threshold_command::simulate(&arguments),
        false => parse(&arguments).map(|(seeds, plan)| simulate(seeds, plan)),
    };
    done.unwrap_or_else(|text| {
        eprintln!("simulate: {text}");
        ExitCode::from(USAGE_ERROR)
    })
}

/// The number of seeds, and the first of them.
fn parse(arguments: &[String]) -> Result<(u64, Plan), String> {
    let mut seeds = 100;
    let mut plan = Plan { seed: 0, nodes: None, bug: None, lost: false, shares: false, tokens: false };
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        let value = rest.next().ok_or(format!("{option} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|error| format!("{option}: {error}"));
        match option.as_str() {
            "--seeds" => seeds = number()?,
            "--seed" => plan.seed = number()?,
            "--nodes" => plan.nodes = Some(nodes(number()?)?),
            "--bug" => plan.bug = Some(bug(value)?),
            "--lost" => plan.lost = number()? > 0,
            "--shares" => plan.shares = number()? > 0,
            "--tokens" => plan.tokens = number()? > 0,
            _ => {
                return Err(format!(
                    "{option} is not known; --seeds, --seed, --nodes, --bug, --lost, --shares, --tokens, --threshold are"
                ));
            }
        }
    }
    Ok((seeds, plan))
}

fn nodes(number: u64) -> Result<usize, String> {
    match number {
        1 => Ok(1),
        3 => Ok(3),
        4 => Ok(4),
        7 => Ok(7),
        _ => Err(format!("a cluster has 1, 3, 4 or 7 nodes, not {number}")),
    }
}

fn bug(text: &str) -> Result<Bug, String> {
    let names = || Bug::ALL.map(Bug::name).join(", ");
    Bug::named(text).ok_or_else(|| format!("there is no bug `{text}`; there are {}", names()))
}

fn simulate(seeds: u64, first: Plan) -> ExitCode {
    let begin = Instant::now();
    let mut total = Report::default();
    for seed in first.seed..first.seed.saturating_add(seeds) {
        total.add(run(Plan { seed, ..first }));
    }
    print(&total, begin.elapsed().as_secs_f64());
    for (seed, violation) in &total.violations {
        println!("\nseed {seed}: {violation}\n  {}", replay_command(Plan { seed: *seed, ..first }));
    }
    if total.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(total: &Report, seconds: f64) {
    println!("{} seeds in {seconds:.1} s", total.seeds);
    println!("{} steps, {:.2} simulated hours", total.steps, total.hours());
    println!("{} blocks, {} signatures", total.blocks, total.signatures);
    println!("once healed, the slowest request took {} ms", total.slowest_millis);
    let list = |items: &std::collections::BTreeMap<&str, u64>| {
        items.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(" · ")
    };
    println!("faults: {}", list(&total.faults));
    println!("decisions: {}", list(&total.decisions));
    println!("{} violations", total.violations.len());
}

/// What shells and `sysexits.h` users expect for a wrong command line.
const USAGE_ERROR: u8 = 2;
