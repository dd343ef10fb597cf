//! The larger quorum: one more of each role than policy asks for, as long as there are so many people.

use std::collections::BTreeSet;

use keystead_intent::{ChangeKind, DangerClass};

use crate::findings::Findings;
use crate::rows::{Matter, require};
use crate::{Candidate, Need, Person, PolicyVersion, Reason, Ruling, assign};

/// One more of each need, where all these people together could still meet all of them.
///
/// Never fewer than asked for: where the ordinary number is everybody, it stays the ordinary number.
#[must_use]
pub fn larger<'a>(needs: &[Need], people: impl Iterator<Item = &'a Person>) -> Vec<Need> {
    let everybody: Vec<_> = people.map(|person| Candidate { person, factor: None }).collect();
    let mut raised = needs.to_vec();
    for at in 0..raised.len() {
        let mut tried = raised.clone();
        if let Some(need) = tried.get_mut(at) {
            need.count = need.count.saturating_add(1);
        }
        if assign(&tried, &everybody).missing.is_empty() {
            raised = tried;
        }
    }
    raised
}

impl PolicyVersion {
    /// Who has to sign a rebuild of the cluster under this version: [`larger`] than for a change of the roster. Nobody
    /// asks for a rebuild as for a change, so everybody may sign it.
    ///
    /// # Errors
    ///
    /// [`Reason`] when no row speaks of changes of the roster, or a row asks for nobody.
    pub fn rebuild_needs(&self) -> Result<Vec<Need>, Reason> {
        let class = DangerClass::Authority;
        let (classes, change) = (BTreeSet::from([class]), Some(ChangeKind::Roster));
        let mut findings = Findings::default();
        let matter = Matter { key: None, classes, change, outflows: None };
        let requirement = require(&self.quorums, &matter, &mut findings);
        match findings.into_ruling(requirement, Vec::new()) {
            Ruling::Pass { requirement, .. } if !requirement.needs.is_empty() => {
                Ok(larger(&requirement.needs, self.roster.people.iter()))
            }
            Ruling::Deny { reasons, .. } if !reasons.is_empty() => {
                Err(reasons.into_iter().next().unwrap_or(Reason::NoQuorumRow { class }))
            }
            Ruling::Pass { .. } | Ruling::Deny { .. } => Err(Reason::NoQuorumRow { class }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Factor;
    use crate::fixture::{name, row, version};

    fn person(who: &str, roles: &[&str]) -> Person {
        let roles = roles.iter().map(|role| name(role)).collect();
        Person { name: name(who), roles, devices: Vec::new(), recipient: None }
    }

    fn need(role: &str, count: u32) -> Need {
        Need { role: name(role), count, factors: Vec::new() }
    }

    #[test]
    fn s13_one_more_of_each_role_as_long_as_there_are_so_many() {
        let approvers =
            |count: usize| (0..count).map(|n| person(&format!("p{n}"), &["approver"])).collect::<Vec<_>>();
        let both = [person("ann", &["approver", "officer"]), person("bob", &["approver"])];
        let strict = Need { factors: vec![Factor::Software], ..need("approver", 1) };
        for (needs, people, expected) in [
            (vec![need("approver", 2)], approvers(4), vec![need("approver", 3)]),
            (vec![need("approver", 2)], approvers(3), vec![need("approver", 3)]),
            (vec![need("approver", 2)], approvers(2), vec![need("approver", 2)]),
            // Never fewer, and never what nobody could meet.
            (vec![need("approver", 3)], approvers(2), vec![need("approver", 3)]),
            // Each of them alone could be raised; both together could not be met.
            (
                vec![need("approver", 1), need("officer", 1)],
                both.to_vec(),
                vec![need("approver", 1), need("officer", 1)],
            ),
            (vec![need("officer", 1)], both.to_vec(), vec![need("officer", 1)]),
            (vec![strict.clone()], approvers(4), vec![strict]),
        ] {
            assert_eq!(larger(&needs, people.iter()), expected, "{needs:?} of {}", people.len());
        }
    }

    #[test]
    fn s13_a_rebuild_needs_more_than_a_change_of_the_roster_and_fails_closed() {
        let mut version = version();
        let ordinary = version.quorums.iter().find(|row| row.id == name("authority")).unwrap().needs.clone();
        let raised = version.rebuild_needs().unwrap();
        assert_eq!(raised[0].count, ordinary[0].count + 1);
        // A row of its own for the roster counts, one for other changes does not.
        let mut own = row("own", &[], &[DangerClass::Authority], None, &[("founder", 1)], 0);
        own.changes = vec![ChangeKind::DestroyKey];
        version.quorums.push(own);
        assert_eq!(version.rebuild_needs().unwrap(), raised);
        version.quorums.last_mut().unwrap().changes = vec![ChangeKind::Roster];
        assert_eq!(version.rebuild_needs().unwrap().len(), 2);
        version.quorums.iter_mut().for_each(|row| row.needs.clear());
        assert_eq!(version.rebuild_needs(), Err(Reason::NoQuorumRow { class: DangerClass::Authority }));
        version.quorums.clear();
        assert_eq!(version.rebuild_needs(), Err(Reason::NoQuorumRow { class: DangerClass::Authority }));
    }
}
