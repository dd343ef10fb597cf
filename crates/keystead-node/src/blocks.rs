//! What travels between the stages.

use keystead_base::{Canonical, Digest, RequestId};
use keystead_decision::{Admitted, Commit, Decision, Entry, Frozen, Outcome, State, Transition};
use keystead_policy::PolicyVersion;
use tokio::sync::oneshot;

/// An entry on its way into a block.
#[derive(Debug)]
pub(crate) struct Submission {
    /// The entry, its sender verified.
    pub(crate) admitted: Admitted,
    /// The digest of its document.
    pub(crate) digest: Digest,
    /// Told what its block decided about it, once that is durable.
    pub(crate) placed: oneshot::Sender<Vec<Decision>>,
}

/// A block that is durable, for the back end.
#[derive(Debug)]
pub(crate) struct Durable {
    pub(crate) commit: Commit,
    pub(crate) decisions: Vec<Decision>,
    /// The state that the requests are looked up in: after this block, or later.
    pub(crate) state: State,
    /// The version that this block activates, and who said so.
    pub(crate) next_policy: Option<Transition>,
}

impl Durable {
    /// Whether the back end has to know of this block.
    pub(crate) fn matters(&self, frozen_before: &Frozen, ticked: bool) -> bool {
        let right = |it: &Decision| {
            matches!(
                it.outcome,
                Outcome::Allow(_)
                    | Outcome::Ceremony { .. }
                    | Outcome::Key { .. }
                    | Outcome::Convened(_)
                    | Outcome::Compromised { .. }
            )
        };
        let frozen = &self.commit.header.frozen;
        let is_frozen = |it: &Frozen| it.everything || !it.keys.is_empty();
        let freezes =
            is_frozen(frozen_before) || is_frozen(frozen) || frozen.stopped != frozen_before.stopped;
        // A block for the sake of a moment alone: a period ends, or a proof of control is due.
        self.next_policy.is_some() || freezes || ticked || self.decisions.iter().any(right)
    }
}

/// The version that a block with these decisions activates.
pub(crate) fn activated(decisions: &[Decision], state: &State) -> Option<PolicyVersion> {
    let activates = decisions.iter().any(|it| matches!(it.outcome, Outcome::Activated { .. }));
    activates.then(|| state.policy().engine.version().clone())
}

/// Which decisions of a block answer an entry.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    id: Option<RequestId>,
    person: Option<keystead_base::Name>,
}

impl Subject {
    /// The decisions about this entry; batches of requests are answered from the board.
    pub(crate) fn of(entry: &Entry) -> Self {
        let about = |digest: Digest| Self { id: Some(RequestId(digest)), person: None };
        match entry {
            Entry::Requests(_) | Entry::Tick => Self { id: None, person: None },
            Entry::Approval(it) => Self { id: Some(it.body.request), person: Some(it.body.person.clone()) },
            Entry::Veto(it) => Self { id: Some(it.body.request), person: Some(it.body.person.clone()) },
            Entry::Freeze(it) => about(it.body.digest()),
            Entry::Price(it) => about(it.body.digest()),
            Entry::Settlement(it) => about(it.body.request.0),
            Entry::Key(it) => about(it.body.digest()),
            Entry::Renew(it) => about(it.body.request.0),
            Entry::Rebuild(it) => about(it.rebuild.digest()),
            Entry::Simulation(it) => about(it.body.digest()),
            Entry::Finding(it) => about(it.body.digest()),
            Entry::Witness(it) => {
                Self { id: Some(RequestId(it.word.body.digest())), person: Some(it.word.signer.clone()) }
            }
        }
    }

    /// Those of a block's decisions that answer the entry.
    pub(crate) fn select(&self, decisions: &[Decision]) -> Vec<Decision> {
        let Some(id) = self.id else { return Vec::new() };
        decisions.iter().filter(|it| it.subject == id && self.concerns(&it.outcome)).cloned().collect()
    }

    /// Another person's approval in the same block is another entry's answer.
    fn concerns(&self, outcome: &Outcome) -> bool {
        match (outcome, &self.person) {
            (Outcome::Counted { person } | Outcome::Refused { person, .. }, Some(mine)) => person == mine,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use keystead_base::{ClusterId, HybridSigner, Name, Secret, Signed, Timestamp};
    use keystead_intent::{Approval, Verdict};

    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn approval(person: &str) -> Entry {
        let key = HybridSigner::from_seed(&Secret::new([1; 64])).unwrap();
        let approval = Approval {
            cluster: ClusterId(Digest::ZERO),
            request: RequestId(Digest([1; 32])),
            signing_digest: Digest::ZERO,
            policy_version: 0,
            verdict: Verdict::Approve,
            person: name(person),
            device: name("laptop"),
            expires: Timestamp(0),
        };
        Entry::Approval(Signed::new(approval, name(person), &key).unwrap())
    }

    fn decision(subject: u8, outcome: Outcome) -> Decision {
        Decision {
            cluster: ClusterId(Digest::ZERO),
            height: 1,
            subject: RequestId(Digest([subject; 32])),
            policy: keystead_policy::PolicyRef { number: 0, digest: Digest::ZERO },
            rules: Vec::new(),
            outcome,
        }
    }

    #[test]
    fn an_approver_hears_of_the_own_word_and_of_what_came_of_it() {
        let counted = |person| decision(1, Outcome::Counted { person: name(person) });
        let allowed = decision(1, Outcome::Thawed { key: None });
        let other = decision(2, Outcome::Counted { person: name("ana") });
        let block = [counted("ana"), counted("ben"), allowed.clone(), other];
        assert_eq!(Subject::of(&approval("ana")).select(&block), [counted("ana"), allowed.clone()]);
        assert_eq!(Subject::of(&approval("cleo")).select(&block), [allowed]);
        assert_eq!(Subject::of(&Entry::Tick).select(&block), []);
    }
}
