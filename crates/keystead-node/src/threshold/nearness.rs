//! How near the holders of a key are to one another, as far as this node knows.

use std::collections::{BTreeMap, BTreeSet};

use keystead_base::Name;

/// What is known when somebody is to be chosen.
#[derive(Clone, Debug, Default)]
pub(super) struct Nearness {
    /// The round trips that each node measured, this one included, in microseconds.
    pub(super) table: BTreeMap<Name, BTreeMap<Name, u32>>,
    /// Who was named in a run not long ago.
    pub(super) ailing: BTreeSet<Name>,
}

impl Nearness {
    /// How far one is from another: the same for whoever is about as far, so that work goes round among them. Whoever was not
    /// measured comes last: it may be anywhere.
    pub(super) fn class(&self, from: &Name, to: &Name) -> u32 {
        let micros = self.table.get(from).and_then(|row| row.get(to));
        micros.map_or(u32::MAX, |micros| u32::BITS - (micros / 1000).leading_zeros())
    }

    /// Whether a run that one leads waits much longer than one that others lead.
    ///
    /// Each holder's own word is compared with the middle of all: one that lies about itself is chosen, or is not, and moves nobody
    /// else. Of whom nothing is known nothing is held against, and it makes nobody else far.
    pub(super) fn is_behind(&self, leader: &Name, holders: &[Name], threshold: usize) -> bool {
        let mut costs: Vec<u32> = holders.iter().filter_map(|it| self.cost(it, holders, threshold)).collect();
        costs.sort_unstable();
        let middle = costs.get(costs.len().saturating_sub(1) / 2).copied().unwrap_or_default();
        let own = self.cost(leader, holders, threshold).unwrap_or_default();
        own > NOTICEABLE_MICROS && own > middle.saturating_mul(MUCH)
    }

    /// The round trip of one to the farthest of those that it would take, where it measured so many.
    fn cost(&self, leader: &Name, holders: &[Name], threshold: usize) -> Option<u32> {
        let row = self.table.get(leader)?;
        let others = holders.iter().filter(|it| *it != leader);
        let mut far: Vec<u32> = others.filter_map(|it| row.get(it).copied()).collect();
        far.sort_unstable();
        far.get(threshold.saturating_sub(2)).copied()
    }
}

/// A round trip that anybody notices.
const NOTICEABLE_MICROS: u32 = 10_000;
/// So many times the middle.
const MUCH: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Name {
        text.parse().unwrap()
    }

    /// `from to micros`, one on a line; both ways alike.
    fn near(lines: &str) -> Nearness {
        let mut near = Nearness::default();
        for line in lines.lines() {
            let [from, to, micros] = line.split_whitespace().collect::<Vec<_>>().try_into().unwrap();
            for (from, to) in [(from, to), (to, from)] {
                near.table.entry(named(from)).or_default().insert(named(to), micros.parse().unwrap());
            }
        }
        near
    }

    #[test]
    fn d03_whoever_is_far_from_the_others_leads_last_and_nobody_is_far_where_all_are() {
        let holders = ["a", "b", "c"].map(named);
        for (lines, threshold, behind) in [
            ("a b 300\na c 240000\nb c 241000", 2, "c"),
            // All three are needed, whoever leads.
            ("a b 300\na c 240000\nb c 241000", 3, ""),
            ("a b 80000\na c 90000\nb c 70000", 2, ""),
            ("a b 300\na c 9000\nb c 9000", 2, ""),
            ("a b 300", 2, ""),
        ] {
            let near = near(lines);
            let found = holders.iter().filter(|it| near.is_behind(it, &holders, threshold));
            assert_eq!(found.map(Name::as_str).collect::<String>(), behind, "{lines}");
        }
    }

    #[test]
    fn a_liar_about_its_own_round_trips_makes_nobody_else_far() {
        let holders = ["a", "b", "c"].map(named);
        let mut near = near("a b 80000\na c 90000\nb c 70000");
        near.table.insert(named("c"), BTreeMap::from([(named("a"), 0), (named("b"), 0)]));
        assert!(!holders.iter().any(|it| near.is_behind(it, &holders, 2)));
    }

    #[test]
    fn d03_whoever_was_not_measured_is_nobody_s_nearest_and_makes_nobody_far() {
        let holders = ["a", "b", "c", "d", "e"].map(named);
        let near = near("a b 80000\na c 90000");
        let class = |to: &str| near.class(&named("a"), &named(to));
        assert!(class("b") < class("d") && class("c") < class("d"));
        // Only the first has measured as many as sign.
        let behind = holders.iter().filter(|it| near.is_behind(it, &holders, 3)).count();
        assert_eq!(behind, 0);
    }

    #[test]
    fn those_about_as_far_are_of_one_class() {
        let near = near("a b 300\na c 900\na d 40000\na e 50000\na f 130000");
        let class = |to: &str| near.class(&named("a"), &named(to));
        assert_eq!((class("b"), class("d")), (class("c"), class("e")));
        assert!(class("c") < class("d") && class("e") < class("f"));
    }
}
