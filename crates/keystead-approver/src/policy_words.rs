//! A policy version in words: nothing of it left out, and what the next one makes different.
//!
//! People sign what these lines say, at the founding and at every change, so a part that is added to policies is
//! added here, or does not compile.

mod look_alikes;
mod members;
mod registry;
mod rules;

use std::collections::BTreeSet;

use keystead_policy::PolicyVersion;

pub use look_alikes::look_alikes;
pub use members::members;
pub use registry::{registry, unambiguous};
pub use rules::{limits, quorums};

/// What the next version takes away, a line with `-` each, and what it brings, with `+`: members first, then who has
/// to approve, limits, and all the rest.
#[must_use]
pub fn differences(current: &PolicyVersion, next: &PolicyVersion) -> Vec<String> {
    let (old, new) = (parts(current), parts(next));
    let (had, has): (BTreeSet<_>, BTreeSet<_>) = (old.iter().collect(), new.iter().collect());
    let gone = old.iter().filter(|part| !has.contains(part)).map(|part| ('-', part));
    let come = new.iter().filter(|part| !had.contains(part)).map(|part| ('+', part));
    gone.chain(come).flat_map(|(sign, part)| part.iter().map(move |line| format!("{sign} {line}"))).collect()
}

/// The lines, those that belong together in one part: a rule and its text.
fn parts(policy: &PolicyVersion) -> Vec<Vec<String>> {
    let lines = [members(&policy.roster), quorums(policy), limits(policy), registry(policy)].concat();
    let mut parts: Vec<Vec<String>> = Vec::new();
    for line in lines.iter().map(|line| unambiguous(line)) {
        match parts.last_mut() {
            Some(part) if line.starts_with(' ') => part.push(line),
            _ => parts.push(vec![line]),
        }
    }
    parts
}
