//! Who has to approve: the strictest of all quorum rows that match.

use std::collections::{BTreeMap, BTreeSet};

use keystead_base::Name;
use keystead_intent::{ChangeKind, DangerClass};

use crate::findings::Findings;
use crate::outflow::Outflows;
use crate::{Factor, Need, QuorumRow, Reason, Requirement, Threshold};

/// What rows are held against.
pub(crate) struct Matter<'a> {
    /// The key that it is about.
    pub(crate) key: Option<&'a Name>,
    /// The danger classes of its effects.
    pub(crate) classes: BTreeSet<DangerClass>,
    /// Which change of Keystead's own authority it is.
    pub(crate) change: Option<ChangeKind>,
    /// What leaves. Without (a change of authority) nothing is bounded, so every threshold is reached.
    pub(crate) outflows: Option<&'a Outflows<'a>>,
}

/// Merges the rows that match any of the classes; a class without a row is a reason to deny.
pub(crate) fn require(rows: &[QuorumRow], matter: &Matter<'_>, findings: &mut Findings) -> Requirement {
    let (classes, outflows) = (&matter.classes, matter.outflows);
    let mut matching = Vec::new();
    let mut covered = BTreeSet::new();
    for row in rows.iter().filter(|row| speaks_of(row, matter)) {
        if reaches(row.from.as_ref(), outflows, findings) {
            covered.extend(row.classes.iter().copied());
            matching.push(row);
        }
    }
    for class in classes.difference(&covered) {
        findings.object(Reason::NoQuorumRow { class: *class });
    }
    merge(&matching)
}

/// The strictest of several rows, in one canonical order.
pub(crate) fn merge(rows: &[&QuorumRow]) -> Requirement {
    let mut needs: BTreeMap<(&Name, &[Factor]), u32> = BTreeMap::new();
    for need in rows.iter().flat_map(|row| &row.needs) {
        let count = needs.entry((&need.role, &need.factors)).or_default();
        *count = need.count.max(*count);
    }
    let vetoers: BTreeSet<&Name> = rows.iter().flat_map(|row| &row.vetoers).collect();
    let names: BTreeSet<&Name> = rows.iter().map(|row| &row.id).collect();
    Requirement {
        needs: needs.into_iter().map(|((role, factors), count)| need(role, factors, count)).collect(),
        delay_seconds: rows.iter().map(|row| row.delay_seconds).max().unwrap_or(0),
        vetoers: vetoers.into_iter().cloned().collect(),
        rows: names.into_iter().cloned().collect(),
    }
}

fn need(role: &Name, factors: &[Factor], count: u32) -> Need {
    Need { role: role.clone(), count, factors: factors.to_vec() }
}

/// INVARIANT S9, K4: a key is wiped, or leaves, only where a row says so by name; what speaks of all changes is not enough.
pub(crate) fn names(rows: &[QuorumRow], change: ChangeKind, matter: &Matter<'_>) -> bool {
    rows.iter().any(|row| speaks_of(row, matter) && row.changes.contains(&change))
}

fn speaks_of(row: &QuorumRow, matter: &Matter<'_>) -> bool {
    let keys_fit = row.keys.is_empty() || matter.key.is_some_and(|key| row.keys.contains(key));
    let named = || matter.change.is_some_and(|change| row.changes.contains(&change));
    let changes_fit = row.changes.is_empty() || named();
    let of_class = row.classes.iter().any(|class| matter.classes.contains(class));
    keys_fit && changes_fit && (of_class || bounds_burning(row, matter))
}

/// INVARIANT S9: what only calls an earlier request off moves nothing but its fee, which is gone as a payment is: it needs
/// what a payment of as much needs, where that is more than of the least one.
fn bounds_burning(row: &QuorumRow, matter: &Matter<'_>) -> bool {
    let cancels = matter.classes.contains(&DangerClass::Cancel);
    cancels && row.from.is_some() && row.classes.contains(&DangerClass::Transfer)
}

/// An amount that cannot be measured is a reason to deny by itself.
fn reaches(from: Option<&Threshold>, outflows: Option<&Outflows<'_>>, findings: &mut Findings) -> bool {
    let (Some(from), Some(outflows)) = (from, outflows) else { return true };
    if outflows.could_exceed(from.measure) {
        return true;
    }
    findings.take(outflows.total(from.measure)).is_none_or(|total| total >= from.amount)
}

#[cfg(test)]
mod tests {
    use keystead_base::Amount;
    use keystead_intent::{AuthorityKind, EffectKind};

    use super::*;
    use crate::fixture::{Ask, ETHER, FRIEND, TOKEN, allow, name, native, pay, row, verdict, version};
    use crate::{Engine, Ruling};

    #[test]
    fn s09_the_strictest_of_all_matching_rows_holds() {
        let engine = Engine::compile(version()).unwrap();
        for (wei, people, delay, rows) in [
            (ETHER - 1, 0, 0, vec!["paying"]),
            (ETHER, 2, 60, vec!["paying", "paying-much"]),
            (9 * ETHER, 2, 60, vec!["paying", "paying-much"]),
        ] {
            let Ruling::Pass { requirement, .. } = Ask::new("hot", vec![pay(FRIEND, wei)]).of(&engine) else {
                panic!("{wei} is denied");
            };
            assert_eq!((requirement.people(), requirement.delay_seconds), (people, delay));
            assert_eq!(requirement.rows, rows.into_iter().map(name).collect::<Vec<_>>());
        }
        // Two classes in one request: the rows of both.
        let both = vec![pay(FRIEND, ETHER), EffectKind::Allowance(allow(FRIEND, 1))];
        let Ruling::Pass { requirement, .. } = Ask::new("hot", both).of(&engine) else { panic!("denied") };
        assert_eq!(requirement.rows, ["lending", "paying", "paying-much"].map(name));
        assert_eq!(requirement.people(), 2, "the larger number of one role, not the sum");
    }

    /// Whoever mines takes the fee: a payment that is small beside its fee is no small payment.
    #[test]
    fn s09_the_fee_counts_towards_thresholds() {
        let engine = Engine::compile(version()).unwrap();
        for (wei, fee, expected) in [
            (ETHER - 5, 4, "pass 0"),
            (ETHER - 5, 5, "pass 2"),
            (1, ETHER, "pass 2"),
            (0, ETHER - 1, "pass 0"),
        ] {
            let ask =
                Ask::new("hot", vec![pay(FRIEND, wei)]).with(|it| it.effects.fee.max = Amount::from(fee));
            assert_eq!(verdict(&ask.of(&engine)), [expected], "{wei} and {fee}");
        }
    }

    #[test]
    fn s09_what_nobody_can_put_into_numbers_reaches_every_threshold() {
        let mut version = version();
        let from = Threshold { measure: native(), amount: Amount::MAX };
        let classes = [DangerClass::Authority, DangerClass::DelegateCall];
        version.quorums.push(row("unbounded", &["warm"], &classes, Some(from), &[("founder", 3)], 0));
        version.caps.clear();
        let engine = Engine::compile(version.into_canonical()).unwrap();
        let upgrade =
            EffectKind::Authority { change: AuthorityKind::Upgrade, target: TOKEN, subject: Some(FRIEND) };
        let call = EffectKind::DelegateCall { caller: TOKEN, target: FRIEND };
        assert_eq!(verdict(&Ask::new("warm", vec![upgrade]).of(&engine)), ["pass 5"]);
        assert_eq!(verdict(&Ask::new("warm", vec![call]).of(&engine)), ["pass 3"]);
    }

    #[test]
    fn no_row_is_a_denial() {
        let mut version = version();
        let from = Threshold { measure: native(), amount: Amount::from(2_u64) };
        version.quorums.retain(|row| !row.id.as_str().starts_with("paying"));
        version.quorums.push(row("paying", &["hot"], &[DangerClass::Transfer], Some(from), &[], 0));
        let engine = Engine::compile(version).unwrap();
        assert_eq!(verdict(&Ask::new("hot", vec![pay(FRIEND, 2)]).of(&engine)), ["pass 0"]);
        assert_eq!(verdict(&Ask::new("hot", vec![pay(FRIEND, 1)]).of(&engine)), ["deny.no_quorum_row"]);
    }

    #[test]
    fn merging_keeps_kinds_of_factors_apart_and_sorts() {
        let mut strict = row("b", &[], &[DangerClass::Transfer], None, &[("z", 1), ("a", 2)], 5);
        strict.needs[1].factors = vec![Factor::Software];
        let loose = row("a", &[], &[DangerClass::Transfer], None, &[("a", 3)], 9);
        let merged = merge(&[&strict, &loose]);
        let needs: Vec<_> =
            merged.needs.iter().map(|it| (it.role.as_str(), it.count, it.factors.len())).collect();
        assert_eq!(needs, [("a", 3, 0), ("a", 2, 1), ("z", 1, 0)]);
        assert_eq!((merged.delay_seconds, merged.rows), (9, vec![name("a"), name("b")]));
        assert_eq!(merge(&[&loose, &strict]).needs, merged.needs);
    }
}
