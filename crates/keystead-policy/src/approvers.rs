//! Checks the quorum rows: that they can be satisfied, and that authority takes more than a freeze.

use std::collections::BTreeSet;

use keystead_base::Name;
use keystead_intent::DangerClass;

use crate::limits::{MAX_NEED_PEOPLE, MAX_NEEDS, MAX_ROWS, MAX_SPAN_SECONDS};
use crate::structure::{Known, ascending, at_most, inner, not_zero, unknown, within};
use crate::{Candidate, Measure, Need, PolicyError, PolicyVersion, QuorumRow, Roster, assign, rows};

pub(crate) fn check(version: &PolicyVersion, known: &Known) -> Result<(), PolicyError> {
    at_most("the list of quorum rows", version.quorums.len(), MAX_ROWS)?;
    ascending("quorum rows", version.quorums.iter().map(|row| &row.id))?;
    let roles: BTreeSet<&Name> = version.roster.people.iter().flat_map(|person| &person.roles).collect();
    version.quorums.iter().try_for_each(|row| check_row(row, known, &version.roster, &roles))?;
    check_authority(&version.quorums, &version.roster)
}

/// How many people a change of authority takes, at least: more than the one that freezes (S14). A
/// roster of two could never approve the request of one of them twice, so there one approval must do.
#[must_use]
pub fn authority_people(roster: &Roster) -> u64 {
    if roster.people.len() > 2 { 2 } else { 1 }
}

fn check_row(
    row: &QuorumRow,
    known: &Known,
    roster: &Roster,
    roles: &BTreeSet<&Name>,
) -> Result<(), PolicyError> {
    inner("a row's keys", &row.keys)?;
    inner("a row's classes", &row.classes)?;
    check_changes(row)?;
    inner("a row's vetoers", &row.vetoers)?;
    not_zero("the number of classes", &row.id, if row.classes.is_empty() { 0 } else { 1 })?;
    within("a row's delay in seconds", row.delay_seconds, MAX_SPAN_SECONDS)?;
    if let Some(role) = row.vetoers.iter().find(|role| !roles.contains(role)) {
        return Err(unknown(&row.id, "role", role));
    }
    match row.from.as_ref().map(|from| from.measure) {
        Some(Measure::Count) => {
            return Err(PolicyError::Measure { what: "the threshold", name: row.id.to_string() });
        }
        Some(measure) => known.check_measure(&row.id, measure)?,
        None => {}
    }
    at_most("a row's needs", row.needs.len(), MAX_NEEDS)?;
    ascending("a row's needs", row.needs.iter().map(|need| (&need.role, &need.factors)))?;
    row.needs.iter().try_for_each(|need| check_need(row, need, roster))
}

/// Rows for changes of Keystead's own authority speak of that class; and what cannot be undone waits, so
/// that somebody can stop it.
fn check_changes(row: &QuorumRow) -> Result<(), PolicyError> {
    inner("a row's changes", &row.changes)?;
    if !row.changes.is_empty() && row.classes != [DangerClass::Authority] {
        return Err(PolicyError::Changes { row: row.id.clone() });
    }
    let is_final = row.changes.iter().any(|it| it.is_final());
    if is_final && (row.delay_seconds == 0 || row.vetoers.is_empty() || row.needs.is_empty()) {
        return Err(PolicyError::Destruction { row: row.id.clone() });
    }
    Ok(())
}

fn check_need(row: &QuorumRow, need: &Need, roster: &Roster) -> Result<(), PolicyError> {
    not_zero("the number of people", &row.id, need.count.into())?;
    at_most("the people of one need", usize::try_from(need.count).unwrap_or(usize::MAX), MAX_NEED_PEOPLE)?;
    inner("a need's factors", &need.factors)?;
    satisfiable(&row.id, std::slice::from_ref(need), roster)
}

/// A row that nobody could satisfy locks funds away, or everybody out.
fn satisfiable(row: &Name, needs: &[Need], roster: &Roster) -> Result<(), PolicyError> {
    let everybody: Vec<_> = roster.people.iter().map(|person| Candidate { person, factor: None }).collect();
    let Some(missing) = assign(needs, &everybody).missing.into_iter().next() else { return Ok(()) };
    let wanted = needs.iter().filter(|need| need.role == missing.role && need.factors == missing.factors);
    let needed = wanted.map(|need| need.count).max().unwrap_or(missing.count);
    let found = needed.saturating_sub(missing.count);
    Err(PolicyError::Unsatisfiable { row: row.clone(), role: missing.role, needed, found })
}

/// INVARIANT S14: to thaw takes more people than to freeze, whatever key it is about.
fn check_authority(quorums: &[QuorumRow], roster: &Roster) -> Result<(), PolicyError> {
    let always: Vec<&QuorumRow> = quorums
        .iter()
        .filter(|row| row.classes.contains(&DangerClass::Authority))
        .filter(|row| row.keys.is_empty() && row.changes.is_empty())
        .collect();
    let merged = rows::merge(&always);
    let expected = authority_people(roster);
    let unconditional: Vec<&QuorumRow> = always.iter().copied().filter(|row| row.from.is_none()).collect();
    let found = rows::merge(&unconditional).people();
    match merged.rows.first() {
        Some(row) if found >= expected => satisfiable(row, &merged.needs, roster),
        _ => Err(PolicyError::Authority { expected, found }),
    }
}
