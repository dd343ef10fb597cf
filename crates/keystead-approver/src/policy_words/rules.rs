//! A policy in sentences: limits, and who must approve what.

use keystead_policy::{Dimension, Measure, PolicyVersion, QuorumRow, Window};
use serde::Serialize;

/// One sentence for each limit.
#[must_use]
pub fn limits(policy: &PolicyVersion) -> Vec<String> {
    let caps = policy.caps.iter().map(|cap| {
        let amount = policy.amount(cap.measure, cap.amount);
        format!("a key of level {} moves at most {amount} at once", cap.level)
    });
    policy.windows.iter().map(|window| limit(policy, window)).chain(caps).collect()
}

fn limit(policy: &PolicyVersion, window: &Window) -> String {
    let unit = if window.measure == Measure::Count { " requests" } else { "" };
    let per = window.per.iter().map(|per| match per {
        Dimension::Key => "for each key",
        Dimension::Destination => "for each destination",
        Dimension::Chain => "for each chain",
        Dimension::Requester => "for each requester",
    });
    let mut words = vec![format!(
        "`{}`: at most {}{unit} in {}",
        window.id,
        policy.amount(window.measure, window.limit),
        span(window.span_seconds)
    )];
    words.extend(per.map(str::to_owned));
    words.extend(only("of keys", &window.keys));
    words.extend(only("on chains", &window.chains));
    words.extend(only("to", &window.destinations));
    words.join(", ")
}

/// One sentence for each quorum row.
#[must_use]
pub fn quorums(policy: &PolicyVersion) -> Vec<String> {
    policy.quorums.iter().map(|row| quorum(policy, row)).collect()
}

fn quorum(policy: &PolicyVersion, row: &QuorumRow) -> String {
    let from = row.from.as_ref().map(|it| format!(" from {}", policy.amount(it.measure, it.amount)));
    let needs = row.needs.iter().map(|need| {
        let have = policy.roster.people.iter().filter(|person| person.has_role(&need.role)).count();
        let factors = only(" on devices of kind", &need.factors.iter().map(word).collect::<Vec<_>>());
        format!("{} of the {have} with role {}{}", need.count, need.role, factors.unwrap_or_default())
    });
    let needs: Vec<String> = needs.collect();
    let needs = if needs.is_empty() { "nobody is asked".to_owned() } else { needs.join(" and ") };
    let mut words =
        vec![format!("`{}`: {}{}: {needs}", row.id, list(&row.classes), from.unwrap_or_default())];
    words.extend(only("for keys", &row.keys));
    words.extend(only("for changes", &row.changes));
    if row.delay_seconds > 0 {
        words.push(format!("waits {}", span(row.delay_seconds)));
    }
    words.extend(only("may be vetoed by role", &row.vetoers));
    words.join(", ")
}

fn only<T: ToString>(words: &str, items: &[T]) -> Option<String> {
    (!items.is_empty()).then(|| format!("{words} {}", list(items)))
}

pub(super) fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The word that stands for it in a policy file.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default().replace('"', "")
}

/// Whole days, hours or seconds.
pub(super) fn span(seconds: u64) -> String {
    let (count, unit) = match seconds {
        _ if seconds > 0 && seconds.is_multiple_of(86_400) => (seconds / 86_400, "day"),
        _ if seconds > 0 && seconds.is_multiple_of(3600) => (seconds / 3600, "hour"),
        _ => (seconds, "second"),
    };
    if count == 1 { format!("{count} {unit}") } else { format!("{count} {unit}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_the_largest_whole_unit() {
        let said = [86_400, 172_800, 3600, 7200, 90, 1, 0].map(span);
        assert_eq!(said, ["1 day", "2 days", "1 hour", "2 hours", "90 seconds", "1 second", "0 seconds"]);
    }
}
