//! Counts approvals against a requirement: an Authorization, or what is missing.

use std::fmt;

use keystead_base::{Blame, Coded, Name, Signed, Timestamp};
use keystead_intent::{Approval, Verdict};
use keystead_policy::{Candidate, Need, Requirement, Roster, assign};

use crate::{Authorization, Checks, Context, Endorsement, Refusal, Verified, verify_one};

/// The most approvals of one request that are looked at.
pub const MAX_APPROVALS: usize = 256;

/// Verifies every approval, assigns people to needs, and waits out the delay.
///
/// One person counts once in the whole request, for one need. A rejection counts from anybody whose
/// approval or veto would count, even after an approval of the same person.
///
/// # Errors
///
/// [`Shortfall`] with all that is missing and why what came does not count.
pub fn authorize(
    requirement: &Requirement,
    context: &Context<'_>,
    approvals: &[Signed<Approval>],
    checks: &impl Checks,
) -> Result<Authorization, Shortfall> {
    let heard = hear(requirement, context, approvals, checks);
    let candidates: Vec<_> =
        heard.yes.iter().filter_map(|verified| candidate(context.roster, verified)).collect();
    let assignment = assign(&requirement.needs, &candidates);
    let ready = context.announced.plus_seconds(requirement.delay_seconds);
    let shortfall = Shortfall {
        rejected_by: heard.rejected_by,
        missing: assignment.missing,
        waits_until: (context.now < ready).then_some(ready),
        expired_at: (context.expires < context.now).then_some(context.expires),
        refused: heard.refused,
    };
    if shortfall.stops() {
        return Err(shortfall);
    }
    let counted = heard.yes.iter().zip(&assignment.fills).filter(|(_, fills)| fills.is_some());
    Ok(Authorization::of(context, counted.map(|(verified, _)| endorsement(verified)).collect()))
}

struct Heard {
    yes: Vec<Verified>,
    rejected_by: Option<Name>,
    refused: Vec<Refused>,
}

fn hear(
    requirement: &Requirement,
    context: &Context<'_>,
    approvals: &[Signed<Approval>],
    checks: &impl Checks,
) -> Heard {
    let mut heard = Heard { yes: Vec::new(), rejected_by: None, refused: Vec::new() };
    for (index, signed) in approvals.iter().enumerate() {
        let outcome = judge(requirement, context, signed, checks, index, &heard.yes);
        match outcome {
            Ok(verified) if verified.verdict == Verdict::Approve => heard.yes.push(verified),
            Ok(verified) => heard.rejected_by = heard.rejected_by.or(Some(verified.person)),
            Err(refusal) => heard.refused.push(Refused { index, refusal }),
        }
    }
    heard
}

fn judge(
    requirement: &Requirement,
    context: &Context<'_>,
    signed: &Signed<Approval>,
    checks: &impl Checks,
    index: usize,
    earlier: &[Verified],
) -> Result<Verified, Refusal> {
    if index >= MAX_APPROVALS {
        return Err(Refusal::TooMany { limit: MAX_APPROVALS });
    }
    let verified = verify_one(signed, context, checks)?;
    match verified.verdict {
        Verdict::Approve => {
            checks.distinct_device(earlier, &verified)?;
            needed(requirement, context.roster, &verified)?;
        }
        Verdict::Reject if may_reject(requirement, context.roster, &verified) => {}
        Verdict::Reject => return Err(Refusal::Role { person: verified.person }),
    }
    Ok(verified)
}

/// A yes that fills no place of the request would be told that it counts, and nothing would follow.
fn needed(requirement: &Requirement, roster: &Roster, verified: &Verified) -> Result<(), Refusal> {
    if requirement.needs.iter().any(|need| candidate(roster, verified).is_some_and(|it| it.fits(need))) {
        return Ok(());
    }
    let roles = requirement.needs.iter().map(|need| need.role.clone()).collect();
    Err(Refusal::NotNeeded { person: verified.person.clone(), roles })
}

fn may_reject(requirement: &Requirement, roster: &Roster, verified: &Verified) -> bool {
    let approves = |it: Candidate<'_>| requirement.needs.iter().any(|need| it.fits(need));
    let vetoes = |it: Candidate<'_>| requirement.vetoers.iter().any(|role| it.person.has_role(role));
    candidate(roster, verified).is_some_and(|it| approves(it) || vetoes(it))
}

fn candidate<'a>(roster: &'a Roster, verified: &Verified) -> Option<Candidate<'a>> {
    let person = roster.person(&verified.person)?;
    Some(Candidate { person, factor: Some(verified.factor) })
}

fn endorsement(verified: &Verified) -> Endorsement {
    Endorsement {
        person: verified.person.clone(),
        device: verified.device.clone(),
        expires: verified.expires,
    }
}

/// Why there is no Authorization yet, or never will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// Somebody said no: the request is over.
    pub rejected_by: Option<Name>,
    /// Who is missing.
    pub missing: Vec<Need>,
    /// The end of the delay, where it is still to come.
    pub waits_until: Option<Timestamp>,
    /// The request's expiry, where it is past.
    pub expired_at: Option<Timestamp>,
    /// What came and does not count.
    pub refused: Vec<Refused>,
}

/// One approval that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its place in the list that was handed in.
    pub index: usize,
    /// Why.
    pub refusal: Refusal,
}

impl Shortfall {
    /// Whether nothing that is still to come could turn it into an Authorization.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.rejected_by.is_some() || self.expired_at.is_some()
    }

    /// Refused approvals alone stop nothing.
    fn stops(&self) -> bool {
        self.is_final() || !self.missing.is_empty() || self.waits_until.is_some()
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rejected = self.rejected_by.as_ref().map(|by| format!("`{by}` rejected it"));
        let expired = self.expired_at.map(|at| format!("it expired at {at}"));
        let missing = self.missing.iter().map(|need| format!("{} more of role `{}`", need.count, need.role));
        let waits = self.waits_until.map(|until| format!("it waits until {until}"));
        let refused = self.refused.iter().map(|it| format!("approval {}: {}", it.index, it.refusal));
        let parts: Vec<String> =
            rejected.into_iter().chain(expired).chain(missing).chain(waits).chain(refused).collect();
        f.write_str(&parts.join("; "))
    }
}

impl std::error::Error for Shortfall {}

impl Coded for Shortfall {
    fn code(&self) -> &'static str {
        match self {
            Self { rejected_by: Some(_), .. } => "quorum.rejected",
            Self { expired_at: Some(_), .. } => "quorum.expired",
            Self { missing, .. } if !missing.is_empty() => "quorum.missing",
            _ => "quorum.waiting",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}
