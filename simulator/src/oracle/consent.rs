//! Approvals, counted again (S11).

use std::collections::BTreeSet;

use keystead_base::{Digest, Name, RequestId};
use keystead_decision::Decision;
use keystead_fixture::name;
use keystead_intent::{Approval, Verdict};

use super::Oracle;
use crate::rules::{APPROVERS, APPROVERS_NEEDED, FOURTH, MORE_NEEDED};
use crate::simulation::Requests;

impl Oracle {
    /// INVARIANT S11: enough distinct enrolled people said yes to this very digest under the policy in force,
    /// after it came into force, and none of them asked for it.
    pub(super) fn check_consent(&mut self, asked: &Requests, id: &RequestId) {
        let Some(request) = asked.get(id) else {
            return self.object("S11", format!("decided and never asked for: {id}"));
        };
        let digest = request.approved_digest(id);
        let found = self.people_for(id, &digest, &request.requester);
        // INVARIANT S14: what could free a rebuilt cluster takes one more.
        let needed = if self.rebuilt { MORE_NEEDED } else { APPROVERS_NEEDED };
        if found < needed {
            self.object("S11", format!("{id} passed with {found} of {needed} approvals"));
        }
    }

    /// Whether somebody may approve at all.
    pub(super) fn may_approve(&self, person: &Name) -> bool {
        let fourth = || {
            let enrolled = self.genesis.genesis.policy.roster.person(person);
            person.as_str() == FOURTH && enrolled.is_some_and(|it| it.has_role(&name("approver")))
        };
        APPROVERS.contains(&person.as_str()) || fourth()
    }

    /// INVARIANT S11: what counts is a word of this block, for this very digest, in force and unexpired.
    pub(super) fn check_counted(&mut self, asked: &Requests, decision: &Decision, person: &Name) {
        let id = &decision.subject;
        let digest = asked.get(id).map(|it| it.approved_digest(id));
        let fits = |(it, height): &(Approval, u64)| {
            *height == decision.height
                && it.person == *person
                && Some(it.signing_digest) == digest
                && it.policy_version == decision.policy.number
                && it.expires >= self.time
        };
        if !self.approvals.get(id).into_iter().flatten().any(fits) {
            self.object("S11", format!("a word of {person} on {id} counts and should not"));
        }
    }

    fn people_for(&self, id: &RequestId, digest: &Digest, requester: &Name) -> usize {
        let approvals = self.approvals.get(id).into_iter().flatten();
        let counts = |(it, height): &&(Approval, u64)| {
            it.signing_digest == *digest
                && it.policy_version == self.policy.number
                && it.verdict == Verdict::Approve
                && it.expires >= self.time
                && it.person != *requester
                && self.may_approve(&it.person)
                && *height > self.activated.0
        };
        approvals.filter(counts).map(|(it, _)| &it.person).collect::<BTreeSet<_>>().len()
    }
}
