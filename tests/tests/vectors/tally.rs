//! Counts of one set of vectors.

use std::collections::BTreeMap;

/// What became of the vectors of one set.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    passed: usize,
    rejected: usize,
    left_out: BTreeMap<String, usize>,
}

impl Tally {
    /// A vector that reads, signs or verifies as it says.
    pub(crate) fn pass(&mut self) {
        self.passed += 1;
    }

    /// A vector that must be refused, and is.
    pub(crate) fn reject(&mut self) {
        self.rejected += 1;
    }

    /// A vector that no path of the product meets.
    pub(crate) fn leave_out(&mut self, why: impl Into<String>) {
        *self.left_out.entry(why.into()).or_default() += 1;
    }

    /// Prints the counts, and insists on at least so many.
    pub(crate) fn close(self, set: &str, passed: usize, rejected: usize) {
        let left_out: usize = self.left_out.values().sum();
        println!(
            "{set}: {} passed, {} must-reject passed, {left_out} not covered",
            self.passed, self.rejected
        );
        for (why, count) in &self.left_out {
            println!("    {count} not covered: {why}");
        }
        assert!(self.passed >= passed, "{set}: expected at least {passed} passed, found {}", self.passed);
        assert!(self.rejected >= rejected, "{set}: expected {rejected} rejected, found {}", self.rejected);
    }
}
