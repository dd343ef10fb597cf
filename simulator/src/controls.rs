//! The state machine's controls with at most one planted bug, or none at all for a lying node.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keystead_base::{Amount, Name, RequestId, Timestamp};
use keystead_decision::{Controls, Frozen, State, Strict};
use keystead_intent::{Approval, Slot};
use keystead_policy::{
    Charge, Engine, Facts, PolicyError, PolicyVersion, Question, Reason, Ruling, Sections, Subject,
};
use keystead_quorum::{Checks, Context, Refusal, Verified};

use crate::Bug;

/// Controls with a bug; a lying node takes them all out at its own moments.
#[derive(Clone, Debug, Default)]
pub(crate) struct Planted {
    bug: Option<Bug>,
    lax: Arc<AtomicBool>,
    checks: PlantedChecks,
}

impl Planted {
    pub(crate) fn new(bug: Option<Bug>) -> Self {
        let lax = Arc::new(AtomicBool::new(false));
        Self { bug, checks: PlantedChecks { bug, lax: Arc::clone(&lax) }, lax }
    }

    /// Whether everything is allowed from now on: how a lying node builds its blocks.
    pub(crate) fn set_lax(&self, lax: bool) {
        self.lax.store(lax, Ordering::Relaxed);
    }

    fn lacks(&self, bug: Bug) -> bool {
        self.bug == Some(bug) || self.lax.load(Ordering::Relaxed)
    }
}

impl Controls for Planted {
    type Checks = PlantedChecks;

    fn checks(&self) -> &PlantedChecks {
        &self.checks
    }

    fn rule(&self, engine: &Engine, question: &Question<'_>) -> Ruling {
        match self.bug {
            Some(Bug::CoolOffIgnored) => {
                let facts = Facts { now: Timestamp(u64::MAX / 2), ..*question.facts };
                engine.decide(&Question { facts: &facts, ..*question })
            }
            Some(Bug::FeesIgnored) => without_fee(engine, question),
            Some(Bug::ThresholdIgnored) => shortened(engine.decide(question), |it| it.needs.clear()),
            Some(Bug::DelayIgnored) => shortened(engine.decide(question), |it| it.delay_seconds = 0),
            _ => engine.decide(question),
        }
    }

    fn slot(
        &self,
        state: &State,
        slot: &Slot,
        asks: &RequestId,
        replaces: Option<&RequestId>,
    ) -> Result<(), Reason> {
        if self.lacks(Bug::SlotsIgnored) || (replaces.is_some() && self.lacks(Bug::ReplacesAnything)) {
            return Ok(());
        }
        Strict::default().slot(state, slot, asks, replaces)
    }

    fn window(&self, state: &State, charge: &Charge) -> Result<(), Reason> {
        if self.lacks(Bug::WindowsIgnored) {
            return Ok(());
        }
        let verdict = Strict::default().window(state, charge);
        match &verdict {
            Err(Reason::LimitExceeded { limit, used, asked, .. }) if self.lacks(Bug::WindowOffByOne) => {
                let one_more = limit.checked_add(Amount::from(1_u64));
                if used.checked_add(*asked) == one_more { Ok(()) } else { verdict }
            }
            _ => verdict,
        }
    }

    fn successor(&self, current: &PolicyVersion, next: &PolicyVersion) -> Result<Sections, PolicyError> {
        if self.lacks(Bug::SuccessorUnchecked) {
            return Ok(Sections::between(current, next));
        }
        Strict::default().successor(current, next)
    }

    fn frozen(&self, frozen: &Frozen, key: &Name) -> bool {
        !self.lacks(Bug::FreezeIgnored) && frozen.holds(key)
    }

    fn voids_approvals(&self) -> bool {
        !self.lacks(Bug::ApprovalsSurvivePolicy)
    }

    fn counts_unsettled(&self) -> bool {
        !self.lacks(Bug::UnsettledNotCounted)
    }
}

fn without_fee(engine: &Engine, question: &Question<'_>) -> Ruling {
    let Subject::Payload(effects) = question.subject else { return engine.decide(question) };
    let mut effects = effects.clone();
    effects.fee.max = Amount::ZERO;
    engine.decide(&Question { subject: Subject::Payload(&effects), ..*question })
}

fn shortened(ruling: Ruling, change: impl FnOnce(&mut keystead_policy::Requirement)) -> Ruling {
    match ruling {
        Ruling::Pass { mut requirement, charges, rules } => {
            change(&mut requirement);
            Ruling::Pass { requirement, charges, rules }
        }
        deny @ Ruling::Deny { .. } => deny,
    }
}

/// The checks on approvals with the same bug.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlantedChecks {
    bug: Option<Bug>,
    lax: Arc<AtomicBool>,
}

impl PlantedChecks {
    fn lacks(&self, bugs: &[Bug]) -> bool {
        self.bug.is_some_and(|bug| bugs.contains(&bug)) || self.lax.load(Ordering::Relaxed)
    }
}

const STRICT: keystead_quorum::Strict = keystead_quorum::Strict;

impl Checks for PlantedChecks {
    fn binds_request(&self, context: &Context<'_>, approval: &Approval) -> Result<(), Refusal> {
        if self.lacks(&[Bug::AnyDigest]) { Ok(()) } else { STRICT.binds_request(context, approval) }
    }

    fn binds_policy(&self, context: &Context<'_>, approval: &Approval) -> Result<(), Refusal> {
        let bugs = [Bug::AnyPolicyVersion, Bug::ApprovalsSurvivePolicy];
        if self.lacks(&bugs) { Ok(()) } else { STRICT.binds_policy(context, approval) }
    }

    fn unexpired(&self, context: &Context<'_>, expires: Timestamp) -> Result<(), Refusal> {
        if self.lacks(&[Bug::ExpiredApproval]) { Ok(()) } else { STRICT.unexpired(context, expires) }
    }

    fn not_requester(&self, context: &Context<'_>, person: &Name) -> Result<(), Refusal> {
        if self.lacks(&[Bug::OwnRequestApproved]) { Ok(()) } else { STRICT.not_requester(context, person) }
    }

    fn distinct_device(&self, earlier: &[Verified], next: &Verified) -> Result<(), Refusal> {
        if self.lacks(&[Bug::SamePersonTwice]) { Ok(()) } else { STRICT.distinct_device(earlier, next) }
    }
}
