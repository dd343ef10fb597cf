//! `cargo xtask bench surfaces`: what each way to speak to Keystead costs, beside the same server's plainest answer and the
//! decision alone.
//!
//! docs/bench-surfaces.md says what each figure is.

mod loads;
mod report;
mod simulated;
mod starts;

use std::time::Duration;

use tokio::runtime::Runtime;

use self::report::Report;

/// How it is told, and how much is measured.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    quick: bool,
    json: bool,
}

impl Options {
    /// Reads the words after `surfaces`; gives the one that it does not know back.
    pub(crate) fn parse(words: &[String]) -> Result<Self, &str> {
        let mut options = Self::default();
        for word in words {
            match word.as_str() {
                "--quick" => options.quick = true,
                "--json" => options.json = true,
                unknown => return Err(unknown),
            }
        }
        Ok(options)
    }
}

/// What is measured.
struct Plan {
    clients: &'static [usize],
    /// How long each load runs.
    span: Duration,
    /// Keys in the enclave of a node that is started. It has room for 10,240.
    keys: &'static [usize],
}

const FULL: Plan = Plan { clients: &[1, 16, 64], span: Duration::from_secs(5), keys: &[1, 1_000, 10_000] };

/// Every figure once, too short to mean much: for the test that all of them are there.
const QUICK: Plan = Plan { clients: &[1, 16], span: Duration::from_millis(500), keys: &[2, 4] };

/// Measures and prints everything.
pub(crate) fn run(runtime: &Runtime, options: Options) {
    let plan = if options.quick { &QUICK } else { &FULL };
    let surfaces = loads::run(runtime, plan);
    let simulation = simulated::run(runtime, plan);
    let starts = plan.keys.iter().map(|&keys| starts::run(runtime, keys)).collect();
    let report = Report::new(surfaces, simulation, starts);
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report).expect("a report"));
    } else {
        report.print();
    }
}
