//! What a run of threshold keys did and found.

use std::collections::BTreeMap;
use std::fmt;

use keystead_base::{Digest, tagged_hash};

/// Something that must not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The invariant's number.
    pub rule: &'static str,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

/// The account of one run, or of many.
#[derive(Clone, Debug, Default)]
pub struct ThresholdReport {
    /// Runs of the simulator.
    pub seeds: u64,
    /// Events.
    pub steps: u64,
    /// Simulated time, in milliseconds.
    pub millis: u64,
    /// What was reached, by kind: grants signed, epochs, repairs.
    pub reached: BTreeMap<&'static str, u64>,
    /// Faults and lies by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// The longest that a grant waited for its signature once all was healed, in milliseconds.
    pub slowest_millis: u64,
    /// What must not happen, with the seed of the run.
    pub violations: Vec<(u64, Broken)>,
    /// The digest of everything that happened in the last run; of what was said in ECDSA only who said what when.
    pub trace: Digest,
}

impl ThresholdReport {
    pub(crate) fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    pub(crate) fn reach(&mut self, kind: &'static str) {
        *self.reached.entry(kind).or_default() += 1;
    }

    pub(crate) fn trace(&mut self, what: &[u8]) {
        self.trace = tagged_hash("a step of the simulator", &[self.trace.as_bytes(), what].concat());
    }

    /// Adds another run.
    pub fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.millis += other.millis;
        other.reached.iter().for_each(|(kind, count)| *self.reached.entry(kind).or_default() += count);
        other.faults.iter().for_each(|(kind, count)| *self.faults.entry(kind).or_default() += count);
        self.slowest_millis = self.slowest_millis.max(other.slowest_millis);
        self.violations.extend(other.violations);
        self.trace = other.trace;
    }

    /// Simulated time, in hours.
    #[must_use]
    pub fn hours(&self) -> f64 {
        self.millis as f64 / 3_600_000.0
    }
}
