//! What a run did and found.

use std::collections::BTreeMap;

use keystead_base::{Digest, tagged_hash};

use crate::oracle::Violation;

/// The account of one run, or of many.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Runs.
    pub seeds: u64,
    /// Events.
    pub steps: u64,
    /// Simulated time, in milliseconds.
    pub millis: u64,
    /// Blocks committed.
    pub blocks: u64,
    /// Signatures that left a back end.
    pub signatures: u64,
    /// The longest that a request took once everything was healed, in milliseconds.
    pub slowest_millis: u64,
    /// Faults and lies by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Decisions by kind.
    pub decisions: BTreeMap<&'static str, u64>,
    /// What must not happen, with the seed of the run.
    pub violations: Vec<(u64, Violation)>,
    /// The digest of everything that happened in the last run, signature bytes left out.
    pub trace: Digest,
}

impl Report {
    pub(crate) fn count(&mut self, fault: &'static str) {
        *self.faults.entry(fault).or_default() += 1;
    }

    /// Notes that something happened.
    pub(crate) fn trace(&mut self, what: &[u8]) {
        self.trace = tagged_hash("a step of the simulator", &[self.trace.as_bytes(), what].concat());
    }

    /// Adds another run.
    pub fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.millis += other.millis;
        self.blocks += other.blocks;
        self.signatures += other.signatures;
        self.slowest_millis = self.slowest_millis.max(other.slowest_millis);
        other.faults.iter().for_each(|(kind, count)| *self.faults.entry(kind).or_default() += count);
        other.decisions.iter().for_each(|(kind, count)| *self.decisions.entry(kind).or_default() += count);
        self.violations.extend(other.violations);
        self.trace = other.trace;
    }

    /// Simulated time, in hours.
    #[must_use]
    pub fn hours(&self) -> f64 {
        self.millis as f64 / 3_600_000.0
    }
}
