//! The step from one policy version to the next: no gaps, no rollbacks (S13).

use std::collections::BTreeMap;

use keystead_base::Canonical;
use keystead_intent::AuthorityChange;

use crate::{Engine, Node, PolicyError, PolicyVersion, Roster, Sections, Window, check_devices};

/// Checks that `next` may follow `current` and says what differs. `next` itself is checked by
/// [`Engine::compile`].
///
/// # Errors
///
/// [`PolicyError`]: as [`check_step`] and [`check_devices`].
pub fn check_next(current: &PolicyVersion, next: &PolicyVersion) -> Result<Sections, PolicyError> {
    let sections = check_step(current, next)?;
    check_devices(Some(current), next)?;
    Ok(sections)
}

/// Checks the step alone, without the devices of the next version.
///
/// # Errors
///
/// [`PolicyError`]: a gap, a rollback, another predecessor, nothing new, or a window that would go on
/// counting in another unit.
pub fn check_step(current: &PolicyVersion, next: &PolicyVersion) -> Result<Sections, PolicyError> {
    check_number(current.number, next.number)?;
    let expected = current.digest();
    if next.previous != expected {
        return Err(PolicyError::Previous { expected, found: next.previous });
    }
    let sections = Sections::between(current, next);
    if sections.is_empty() {
        return Err(PolicyError::Unchanged { number: next.number });
    }
    check_windows(&current.windows, &next.windows)?;
    check_boots(&current.roster, &next.roster)?;
    Ok(sections)
}

/// Takes the next version out of a change of authority: parsed, checked, compiled, and touching only
/// what this kind of change may touch. None for changes that carry no version.
///
/// # Errors
///
/// [`PolicyError`]: the first thing that is wrong.
pub fn next_version(
    current: &PolicyVersion,
    change: &AuthorityChange,
) -> Result<Option<(Engine, Sections)>, PolicyError> {
    let (AuthorityChange::Policy { document }
    | AuthorityChange::Roster { document }
    | AuthorityChange::AddressBook { document }) = change
    else {
        return Ok(None);
    };
    let next = PolicyVersion::from_document(document)?;
    let sections = check_next(current, &next)?;
    sections.fit(change)?;
    Engine::compile(next).map(|engine| Some((engine, sections)))
}

fn check_number(current: u64, found: u64) -> Result<(), PolicyError> {
    let expected = current.saturating_add(1);
    match found.cmp(&expected) {
        // At the end of all numbers the next one would be the current one again.
        std::cmp::Ordering::Equal if found > current => Ok(()),
        std::cmp::Ordering::Greater => Err(PolicyError::Gap { expected, found }),
        std::cmp::Ordering::Equal | std::cmp::Ordering::Less => {
            Err(PolicyError::Rollback { expected, found })
        }
    }
}

/// A window's counts live on under its name, so the name must go on meaning the same count.
fn check_windows(current: &[Window], next: &[Window]) -> Result<(), PolicyError> {
    let before: BTreeMap<_, _> = current.iter().map(|window| (&window.id, window)).collect();
    let same = |old: &Window, new: &Window| old.measure == new.measure && old.per == new.per;
    match next.iter().find(|new| before.get(&new.id).is_some_and(|old| !same(old, new))) {
        Some(window) => Err(PolicyError::WindowMeaning { window: window.id.clone() }),
        None => Ok(()),
    }
}

/// INVARIANT S3: under an earlier boot number a node's old votes would count again.
fn check_boots(current: &Roster, next: &Roster) -> Result<(), PolicyError> {
    let before: BTreeMap<_, _> = current.nodes.iter().map(|node| (&node.key, node.boot)).collect();
    let falls = |node: &&Node| before.get(&node.key).is_some_and(|boot| node.boot < *boot);
    match next.nodes.iter().find(falls) {
        Some(Node { name, key, boot, .. }) => {
            let current = before.get(key).copied().unwrap_or_default();
            Err(PolicyError::Boot { node: name.clone(), current, found: *boot })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use keystead_base::{Amount, Coded as _, Digest};

    use super::*;
    use crate::Measure;
    use crate::fixture::{name, version};

    fn next(change: impl FnOnce(&mut PolicyVersion)) -> PolicyVersion {
        let current = version();
        let mut next = PolicyVersion { number: 1, previous: current.digest(), ..current };
        change(&mut next);
        next
    }

    #[test]
    fn s13_versions_follow_each_other_without_gap_or_rollback() {
        let current = version();
        let limit = |it: &mut PolicyVersion| it.windows[0].limit = Amount::from(1_u64);
        assert_eq!(check_next(&current, &next(limit)).unwrap().names(), ["windows"]);
        for (number, previous, code) in [
            (0, current.digest(), "policy.rollback"),
            (2, current.digest(), "policy.gap"),
            (u64::MAX, current.digest(), "policy.gap"),
            (1, Digest::ZERO, "policy.previous"),
            (1, Digest([7; 32]), "policy.previous"),
        ] {
            let next = next(|it| {
                limit(it);
                (it.number, it.previous) = (number, previous);
            });
            assert_eq!(check_next(&current, &next).unwrap_err().code(), code);
        }
        assert_eq!(check_next(&current, &next(|_| {})).unwrap_err().code(), "policy.unchanged");
        let last = PolicyVersion { number: u64::MAX, ..version() };
        let again = PolicyVersion { previous: last.digest(), chains: Vec::new(), ..last.clone() };
        assert_eq!(check_next(&last, &again).unwrap_err().code(), "policy.rollback");
    }

    #[test]
    fn a_window_keeps_its_meaning_under_its_name() {
        let current = version();
        let measure = next(|it| it.windows[0].measure = Measure::Count);
        let per = next(|it| it.windows[0].per.clear());
        for next in [measure, per] {
            assert_eq!(check_next(&current, &next).unwrap_err().code(), "policy.window_meaning");
        }
        let renamed = next(|it| {
            it.windows[0].measure = Measure::Count;
            it.windows[0].id = name("a-new-one");
        });
        assert!(check_next(&current, &renamed).is_ok());
    }

    #[test]
    fn s03_a_boot_number_never_falls() {
        let current = next(|it| it.roster.nodes[0].boot = 2);
        for (boot, code) in [(0, Some("policy.boot")), (1, Some("policy.boot")), (3, None)] {
            let mut next = PolicyVersion { number: 2, previous: current.digest(), ..current.clone() };
            next.roster.nodes[0].boot = boot;
            assert_eq!(check_next(&current, &next).err().map(|error| error.code()), code);
        }
    }

    #[test]
    fn s13_a_change_touches_only_what_its_name_says() {
        let book = next(|it| it.address_book.clear());
        let people = next(|it| {
            it.roster.people.remove(3);
            it.quorums.iter_mut().for_each(|row| row.vetoers.clear());
        });
        let roster = next(|it| it.roster.people[3].roles.push(name("watcher")));
        let cases = [
            (
                &book,
                AuthorityChange::AddressBook { document: book.to_document().into() },
                Ok(vec!["address_book"]),
            ),
            (
                &book,
                AuthorityChange::Policy { document: book.to_document().into() },
                Ok(vec!["address_book"]),
            ),
            (&book, AuthorityChange::Roster { document: book.to_document().into() }, Err("policy.section")),
            (&roster, AuthorityChange::Roster { document: roster.to_document().into() }, Ok(vec!["roster"])),
            (
                &people,
                AuthorityChange::Roster { document: people.to_document().into() },
                Err("policy.section"),
            ),
            (
                &people,
                AuthorityChange::Policy { document: people.to_document().into() },
                Ok(vec!["roster", "quorums"]),
            ),
            (&book, AuthorityChange::Policy { document: vec![1, 2].into() }, Err("policy.document")),
        ];
        for (next, change, expected) in cases {
            let found = next_version(&version(), &change);
            let found = found.map(|it| it.unwrap()).map_err(|error| error.code());
            assert_eq!(found.as_ref().map(|(_, sections)| sections.names()).map_err(|it| *it), expected);
            if let Ok((engine, _)) = found {
                assert_eq!(engine.reference(), next.reference());
            }
        }
        assert!(next_version(&version(), &AuthorityChange::Thaw { key: None }).unwrap().is_none());
    }
}
