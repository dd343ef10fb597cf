//! What is found while one question is answered: reasons against it, and the rules that spoke.

use std::collections::BTreeSet;

use keystead_base::Name;

use crate::{Charge, MAX_REASONS, Reason, Requirement, Ruling};

/// Collects until all is known, so that a denial says everything that is wrong at once.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    reasons: Vec<Reason>,
    against: BTreeSet<Name>,
    permits: BTreeSet<Name>,
}

impl Findings {
    /// A denial for one reason.
    pub(crate) fn deny(reason: Reason) -> Ruling {
        Ruling::Deny { reasons: vec![reason], rules: Vec::new() }
    }

    /// One more reason, unless it is known or the list is full.
    pub(crate) fn object(&mut self, reason: Reason) {
        if self.reasons.len() < MAX_REASONS && !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    /// A rule that stands against it.
    pub(crate) fn object_by(&mut self, rule: &Name, reason: Reason) {
        self.against.insert(rule.clone());
        self.object(reason);
    }

    /// Rules that permit it.
    pub(crate) fn permit(&mut self, rules: &[Name]) {
        self.permits.extend(rules.iter().cloned());
    }

    /// The value, or a further reason and nothing.
    pub(crate) fn take<T>(&mut self, result: Result<T, Box<Reason>>) -> Option<T> {
        result.map_err(|reason| self.object(*reason)).ok()
    }

    /// The ruling: a pass only without any reason against it.
    pub(crate) fn into_ruling(self, requirement: Requirement, charges: Vec<Charge>) -> Ruling {
        if self.reasons.is_empty() {
            let rules = self.permits.into_iter().collect();
            return Ruling::Pass { requirement, charges, rules };
        }
        Ruling::Deny { reasons: self.reasons, rules: self.against.into_iter().collect() }
    }
}
