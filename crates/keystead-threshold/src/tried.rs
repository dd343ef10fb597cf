//! Which sets of signers came to nothing, and which one is next.

use std::collections::{BTreeMap, BTreeSet};

use keystead_base::Name;

use crate::Culprit;

/// What whoever calls signers to runs of one key remembers.
///
/// INVARIANT D3: no set is tried again before every other one was. So t honest holders who reach each other find
/// themselves together, however many of the others spoil runs without being named, and wherever they stand.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// Those that came to nothing since one of them signed.
    sets: BTreeSet<BTreeSet<Name>>,
    /// In how many of them each holder was.
    doubts: BTreeMap<Name, u32>,
}

impl Tried {
    /// A run of these signers, in which `me` took part, came to nothing. Whoever was named is doubted, or, where nobody was,
    /// everybody else in it.
    pub fn failed(&mut self, me: &Name, signers: &[Name], culprit: &Culprit) {
        if *culprit == Culprit::Ourselves {
            return;
        }
        let is_doubted = |name: &&Name| match culprit {
            Culprit::Node(node) => *name == node,
            Culprit::OneOf { sender, witness } => *name == sender || *name == witness,
            Culprit::Unknown | Culprit::Ourselves => *name != me,
        };
        for name in signers.iter().filter(is_doubted) {
            let doubts = self.doubts.entry(name.clone()).or_default();
            *doubts = doubts.saturating_add(1);
        }
        self.passed_over(signers);
    }

    /// A set is not to be called now; nobody is doubted for it.
    pub fn passed_over(&mut self, signers: &[Name]) {
        if self.sets.len() >= MAX_SETS {
            self.sets.clear();
        }
        self.sets.insert(signers.iter().cloned().collect());
    }

    /// A run of these signers did what it was for.
    pub fn signed(&mut self, signers: &[Name]) {
        self.sets.remove(&signers.iter().cloned().collect());
        self.doubts.retain(|name, _| !signers.contains(name));
    }

    /// Whether anything came to nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.doubts.is_empty()
    }

    /// `me` and so many of the others that a run has `threshold` signers, or `None` where they are too few. `others` stand in the
    /// order in which they are preferred; among them, those who are doubted least come first.
    #[must_use]
    pub fn next(&mut self, me: &Name, others: &[&Name], threshold: usize) -> Option<Vec<Name>> {
        let wanted = threshold.checked_sub(1).filter(|wanted| *wanted <= others.len())?;
        let mut others = others.to_vec();
        others.sort_by_key(|name| self.doubts.get(*name));
        let with = |places: &[usize]| -> Vec<Name> {
            let chosen = places.iter().filter_map(|place| others.get(*place).copied());
            std::iter::once(me).chain(chosen).cloned().collect()
        };
        let first: Vec<usize> = (0..wanted).collect();
        let mut places = first.clone();
        loop {
            let signers = with(&places);
            if !self.sets.contains(&signers.iter().cloned().collect()) {
                return Some(signers);
            }
            if !advance(&mut places, others.len()) {
                // Every one was tried: all of them come again, in their order.
                let signers = with(&first);
                self.sets.retain(|set| !set.iter().all(|it| it == me || others.contains(&it)));
                return Some(signers);
            }
        }
    }
}

/// The next choice of as many places below `count`, in lexicographic order; false behind the last one.
fn advance(places: &mut [usize], count: usize) -> bool {
    let wanted = places.len();
    let moves = |index: &usize| places.get(*index).is_some_and(|place| place + wanted < count + index);
    let Some(index) = (0..wanted).rev().find(moves) else { return false };
    let Some(place) = places.get(index).map(|place| place + 1) else { return false };
    places.iter_mut().skip(index).zip(place..).for_each(|(it, place)| *it = place);
    true
}

/// How many sets are remembered: more than there are of half of sixteen holders.
const MAX_SETS: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<Name> {
        text.split_whitespace().map(|name| name.parse().unwrap()).collect()
    }

    fn next(tried: &mut Tried, order: &str, threshold: usize) -> String {
        let (me, others) = ("a".parse().unwrap(), names(order));
        let others: Vec<&Name> = others.iter().collect();
        let signers = tried.next(&me, &others, threshold);
        signers.map_or("nobody".to_owned(), |it| it.iter().map(Name::as_str).collect())
    }

    #[test]
    fn those_who_are_preferred_sign_and_too_few_sign_nothing() {
        let mut tried = Tried::default();
        for (order, threshold, expected) in [
            ("c b d", 2, "ac"),
            ("c b d", 3, "acb"),
            ("c b", 3, "acb"),
            ("c b", 4, "nobody"),
            ("", 1, "a"),
            ("", 2, "nobody"),
        ] {
            assert_eq!(next(&mut tried, order, threshold), expected, "{order} {threshold}");
        }
    }

    #[test]
    fn choices_come_in_order_and_end() {
        let mut places = [0, 1];
        let mut seen = vec![places];
        while advance(&mut places, 4) {
            seen.push(places);
        }
        assert_eq!(seen, [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]);
        assert!(!advance(&mut [], 4));
    }

    /// Spoilers stand anywhere, are preferred to everybody else, and are never named; where they can, they have an honest holder named.
    #[test]
    fn d03_honest_holders_find_each_other_wherever_spoilers_stand() {
        for (holders, threshold, tries) in [(3, 2, 2), (5, 3, 6), (6, 3, 10), (7, 4, 20)] {
            for spoilers in (0_u32..1 << holders).filter(|it| it & 1 == 0) {
                if (1..threshold).contains(&(spoilers.count_ones() as usize)) {
                    for frames in [false, true] {
                        let found = (0..tries).any(tries_of(holders, threshold, spoilers, frames));
                        assert!(
                            found,
                            "{threshold} of {holders}, spoilers {spoilers:b}, frame others: {frames}"
                        );
                    }
                }
            }
        }
    }

    /// Each call is a try that the first holder leads: whether the set that it chose has no spoiler, a bit of `spoilers` each.
    fn tries_of(holders: usize, threshold: usize, spoilers: u32, frames: bool) -> impl FnMut(usize) -> bool {
        let all: Vec<Name> = names("a b c d e f g").into_iter().take(holders).collect();
        let mut tried = Tried::default();
        move |_| {
            let spoils = |name: &Name| spoilers >> all.iter().position(|it| it == name).unwrap() & 1 == 1;
            let mut others: Vec<&Name> = all[1..].iter().collect();
            others.sort_by_key(|name| !spoils(name));
            let signers = tried.next(&all[0], &others, threshold).unwrap();
            let ends = !signers.iter().any(spoils);
            if !ends {
                let framed = signers[1..].iter().find(|it| frames && !spoils(it)).cloned();
                tried.failed(&all[0], &signers, &framed.map_or(Culprit::Unknown, Culprit::Node));
            }
            ends
        }
    }

    #[test]
    fn whoever_was_named_is_taken_last_and_whoever_signs_is_trusted_again() {
        let (me, mut tried): (Name, _) = ("a".parse().unwrap(), Tried::default());
        tried.failed(&me, &names("a b"), &Culprit::Node("b".parse().unwrap()));
        assert_eq!(
            (next(&mut tried, "b c", 2), next(&mut tried, "b", 2)),
            ("ac".to_owned(), "ab".to_owned())
        );
        let one_of = Culprit::OneOf { sender: "c".parse().unwrap(), witness: me.clone() };
        tried.failed(&me, &names("a c d"), &one_of);
        assert_eq!(next(&mut tried, "b c d", 3), "adb", "nobody doubts d");
        tried.failed(&me, &names("a d"), &Culprit::Ourselves);
        assert_eq!(next(&mut tried, "b c d", 2), "ad", "our own fault says nothing of d");
        tried.signed(&names("a b"));
        assert_eq!(next(&mut tried, "b c", 2), "ab");
        tried.signed(&names("a c d"));
        assert!(tried.is_empty());
    }

    #[test]
    fn a_set_that_is_passed_over_comes_again_behind_the_others() {
        let (me, mut tried): (Name, _) = ("a".parse().unwrap(), Tried::default());
        for expected in ["ab", "ac", "ad"] {
            assert_eq!(next(&mut tried, "b c d", 2), expected);
            tried.passed_over(&names(&expected.chars().map(|it| format!("{it} ")).collect::<String>()));
        }
        assert_eq!(next(&mut tried, "b c d", 2), "ab", "all were tried");
        tried.failed(&me, &names("a b"), &Culprit::Unknown);
        assert_eq!(next(&mut tried, "b c d", 2), "ac", "and the least doubted is the first of them");
    }

    /// One that is kept out is never doubted, and an honest one is, once: its turn comes all the same.
    #[test]
    fn d03_every_set_comes_again_once_all_were_tried() {
        let (me, mut tried): (Name, _) = ("a".parse().unwrap(), Tried::default());
        tried.passed_over(&names("a b"));
        tried.failed(&me, &names("a c"), &Culprit::Node("c".parse().unwrap()));
        assert_eq!(next(&mut tried, "b c", 2), "ab");
        tried.passed_over(&names("a b"));
        assert_eq!(next(&mut tried, "b c", 2), "ac");
    }
}
