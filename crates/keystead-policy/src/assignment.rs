//! Who fills which need: one person fills at most one place, and as many places as possible are filled.

use crate::{Factor, Need, Person};

/// Somebody who could fill a place.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The person.
    pub person: &'a Person,
    /// The kind of factor that spoke; none asks only about the person.
    pub factor: Option<Factor>,
}

impl Candidate<'_> {
    /// Whether the candidate has the role, and a factor of a kind that counts.
    #[must_use]
    pub fn fits(&self, need: &Need) -> bool {
        let has_factor = |kind: Factor| need.factors.contains(&kind);
        let factor_fits = need.factors.is_empty()
            || match self.factor {
                Some(kind) => has_factor(kind),
                None => self.person.devices.iter().any(|device| has_factor(device.factor)),
            };
        self.person.has_role(&need.role) && factor_fits
    }
}

/// Who fills what, and what is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// For each candidate, in order: the need it fills, by its place in the list.
    pub fills: Vec<Option<usize>>,
    /// What nobody fills, in the order of the needs, with the counts still missing.
    pub missing: Vec<Need>,
}

/// Assigns candidates to needs (a maximum matching by augmenting paths, H. W. Kuhn 1955).
///
/// The answer depends only on the order of the arguments. Duplicate candidates fill separate places:
/// telling people apart is the caller's business.
#[must_use]
pub fn assign(needs: &[Need], candidates: &[Candidate<'_>]) -> Assignment {
    let places: Vec<usize> = needs
        .iter()
        .enumerate()
        .flat_map(|(index, need)| std::iter::repeat_n(index, take(need.count, candidates.len())))
        .collect();
    let fits: Vec<Vec<bool>> = places
        .iter()
        .map(|place| {
            candidates.iter().map(|it| needs.get(*place).is_some_and(|need| it.fits(need))).collect()
        })
        .collect();
    let mut matching = Matching { fits: &fits, place_of: vec![None; candidates.len()] };
    for place in 0..places.len() {
        let mut visited = vec![false; candidates.len()];
        matching.augment(place, &mut visited);
    }
    let need_of = |place: Option<usize>| place.and_then(|it| places.get(it).copied());
    let fills: Vec<_> = matching.place_of.iter().map(|place| need_of(*place)).collect();
    let missing = needs.iter().enumerate().filter_map(|(index, need)| left(need, index, &fills)).collect();
    Assignment { fills, missing }
}

struct Matching<'a> {
    /// `fits[place][candidate]`.
    fits: &'a [Vec<bool>],
    place_of: Vec<Option<usize>>,
}

impl Matching<'_> {
    /// Fills `place`, moving others to other places where needed.
    fn augment(&mut self, place: usize, visited: &mut [bool]) -> bool {
        for candidate in 0..self.place_of.len() {
            let fits = self.fits.get(place).and_then(|row| row.get(candidate)).copied().unwrap_or(false);
            let seen = visited.get(candidate).copied().unwrap_or(true);
            if !fits || seen {
                continue;
            }
            mark(visited, candidate);
            let occupant = self.place_of.get(candidate).copied().flatten();
            if occupant.is_none_or(|other| self.augment(other, visited)) {
                if let Some(slot) = self.place_of.get_mut(candidate) {
                    *slot = Some(place);
                }
                return true;
            }
        }
        false
    }
}

fn mark(visited: &mut [bool], candidate: usize) {
    if let Some(flag) = visited.get_mut(candidate) {
        *flag = true;
    }
}

/// One place more than candidates is enough to see that something is missing.
fn take(wanted: u32, candidates: usize) -> usize {
    usize::try_from(wanted).unwrap_or(usize::MAX).min(candidates.saturating_add(1))
}

fn left(need: &Need, index: usize, fills: &[Option<usize>]) -> Option<Need> {
    let filled = fills.iter().filter(|it| **it == Some(index)).count();
    let count = need.count.saturating_sub(u32::try_from(filled).unwrap_or(u32::MAX));
    (count > 0).then(|| Need { count, ..need.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str, roles: &[&str]) -> Person {
        let roles = roles.iter().map(|role| role.parse().unwrap()).collect();
        Person { name: name.parse().unwrap(), roles, devices: Vec::new(), recipient: None }
    }

    fn need(role: &str, count: u32) -> Need {
        Need { role: role.parse().unwrap(), count, factors: Vec::new() }
    }

    #[test]
    fn as_many_places_as_possible_are_filled_and_nobody_fills_two() {
        let ann = person("ann", &["approver", "officer"]);
        let bob = person("bob", &["approver"]);
        let cat = person("cat", &["clerk"]);
        for (needs, people, missing) in [
            (vec![need("approver", 2)], vec![&ann, &bob], vec![]),
            (vec![need("approver", 1), need("officer", 1)], vec![&ann], vec![need("officer", 1)]),
            // Ann could take the approver's place first: she has to move so that both are filled.
            (vec![need("approver", 1), need("officer", 1)], vec![&ann, &bob], vec![]),
            (vec![need("officer", 1), need("approver", 1)], vec![&bob, &ann], vec![]),
            (vec![need("approver", 3)], vec![&ann, &bob, &cat], vec![need("approver", 1)]),
            (vec![need("approver", u32::MAX)], vec![&ann], vec![need("approver", u32::MAX - 1)]),
            (vec![], vec![&ann], vec![]),
        ] {
            let candidates: Vec<_> = people.iter().map(|person| Candidate { person, factor: None }).collect();
            assert_eq!(assign(&needs, &candidates).missing, missing, "{needs:?}");
        }
    }

    #[test]
    fn a_need_for_a_kind_of_factor_takes_no_other() {
        let ann = person("ann", &["approver"]);
        let strict = Need { factors: vec![Factor::Software], ..need("approver", 1) };
        let with = |factor| Candidate { person: &ann, factor };
        assert!(with(Some(Factor::Software)).fits(&strict));
        assert!(!with(None).fits(&strict), "she has no device at all");
    }
}
