//! The checks that make one approval count, each a method of its own (S11).

use keystead_base::{ClusterId, Digest, HybridPublicKey, Name, RequestId, Signed, Timestamp};
use keystead_intent::{Approval, Verdict};
use keystead_policy::{Device, Factor, PolicyRef, Roster};

use crate::Refusal;

/// What approvals of one request are held against: all of it recomputed here, none of it from the
/// coordinator.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The cluster.
    pub cluster: ClusterId,
    /// The request.
    pub request: RequestId,
    /// The digest recomputed from the payload.
    pub signing_digest: Digest,
    /// The policy version in force.
    pub policy: PolicyRef,
    /// Who made the request.
    pub requester: &'a Name,
    /// When the block that announced it was made; delays run from here.
    pub announced: Timestamp,
    /// When the request expires.
    pub expires: Timestamp,
    /// The block's time.
    pub now: Timestamp,
    /// How far in the future an approval may expire, in seconds.
    pub max_lifetime_seconds: u64,
    /// Who is who.
    pub roster: &'a Roster,
}

/// The checks, strict by default. The product only ever uses [`Strict`]; an attack's twin, in a test
/// binary of its own, overrides exactly one.
pub trait Checks {
    /// INVARIANT S11: an approval counts for its cluster, its request and its digest only.
    ///
    /// # Errors
    ///
    /// [`Refusal::Cluster`], [`Refusal::Request`] or [`Refusal::Digest`].
    fn binds_request(&self, context: &Context<'_>, approval: &Approval) -> Result<(), Refusal> {
        if approval.cluster != context.cluster {
            return Err(Refusal::Cluster { expected: context.cluster, found: approval.cluster });
        }
        if approval.request != context.request {
            return Err(Refusal::Request { expected: context.request, found: approval.request });
        }
        let (expected, found) = (context.signing_digest, approval.signing_digest);
        if found == expected { Ok(()) } else { Err(Refusal::Digest { expected, found }) }
    }

    /// INVARIANT S11: an approval counts under the policy version that the approver saw only.
    ///
    /// # Errors
    ///
    /// [`Refusal::Policy`].
    fn binds_policy(&self, context: &Context<'_>, approval: &Approval) -> Result<(), Refusal> {
        let (expected, found) = (context.policy.number, approval.policy_version);
        if found == expected { Ok(()) } else { Err(Refusal::Policy { expected, found }) }
    }

    /// INVARIANT S11: an approval counts until it expires, and none lives for longer than allowed.
    ///
    /// # Errors
    ///
    /// [`Refusal::Expired`] or [`Refusal::LivesTooLong`].
    fn unexpired(&self, context: &Context<'_>, expires: Timestamp) -> Result<(), Refusal> {
        lifetime(context.now, expires, context.max_lifetime_seconds)
    }

    /// INVARIANT S11: an approval comes from an enrolled person and device.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotEnrolled`] or [`Refusal::Signer`].
    fn enrolled<'r>(
        &self,
        roster: &'r Roster,
        person: &Name,
        device: &Name,
        signer: &Name,
    ) -> Result<&'r Device, Refusal> {
        if signer != person {
            return Err(Refusal::Signer { person: person.clone(), signer: signer.clone() });
        }
        roster
            .device(person, device)
            .ok_or_else(|| Refusal::NotEnrolled { person: person.clone(), device: device.clone() })
    }

    /// INVARIANT S11: nobody approves an own request.
    ///
    /// # Errors
    ///
    /// [`Refusal::Requester`].
    fn not_requester(&self, context: &Context<'_>, person: &Name) -> Result<(), Refusal> {
        if person == context.requester {
            return Err(Refusal::Requester { person: person.clone() });
        }
        Ok(())
    }

    /// INVARIANT S11: each person and each device's key counts once.
    ///
    /// # Errors
    ///
    /// [`Refusal::SamePerson`] or [`Refusal::SameDevice`].
    fn distinct_device(&self, earlier: &[Verified], next: &Verified) -> Result<(), Refusal> {
        let person = next.person.clone();
        if earlier.iter().any(|it| it.person == next.person) {
            return Err(Refusal::SamePerson { person });
        }
        if earlier.iter().any(|it| it.key == next.key) {
            return Err(Refusal::SameDevice { person, device: next.device.clone() });
        }
        Ok(())
    }

    /// Both halves of the device's signature verify (Q1).
    ///
    /// # Errors
    ///
    /// [`Refusal::Signature`].
    fn signature(&self, signed: &Signed<Approval>, key: &HybridPublicKey) -> Result<(), Refusal> {
        let refused = |error| Refusal::Signature { person: signed.body.person.clone(), error };
        signed.verify(key).map(|_| ()).map_err(refused)
    }
}

/// Every check as it stands in [`Checks`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Strict;

impl Checks for Strict {}

/// One approval that passed every check that concerns it alone.
///
/// Only [`verify_one`] makes it:
///
/// ```compile_fail,E0451
/// use keystead_quorum::Verified;
/// fn forge(old: Verified, person: keystead_base::Name) -> Verified {
///     Verified { person, ..old }
/// }
/// ```
#[derive(Debug)]
pub struct Verified {
    pub(crate) person: Name,
    pub(crate) device: Name,
    pub(crate) factor: Factor,
    pub(crate) verdict: Verdict,
    pub(crate) expires: Timestamp,
    key: HybridPublicKey,
}

impl Verified {
    /// The person.
    #[must_use]
    pub fn person(&self) -> &Name {
        &self.person
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> &Name {
        &self.device
    }

    /// What kind of factor the device is.
    #[must_use]
    pub fn factor(&self) -> Factor {
        self.factor
    }

    /// Yes or no.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// After this moment it counts no more.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

/// Checks everything about one approval that does not depend on others; the signature last, because
/// it is the dearest.
///
/// # Errors
///
/// [`Refusal`]: the first check that fails.
pub fn verify_one(
    signed: &Signed<Approval>,
    context: &Context<'_>,
    checks: &impl Checks,
) -> Result<Verified, Refusal> {
    let approval = &signed.body;
    checks.binds_request(context, approval)?;
    checks.binds_policy(context, approval)?;
    checks.unexpired(context, approval.expires)?;
    checks.not_requester(context, &approval.person)?;
    let device = checks.enrolled(context.roster, &approval.person, &approval.device, &signed.signer)?;
    checks.signature(signed, &device.key)?;
    Ok(Verified {
        person: approval.person.clone(),
        device: approval.device.clone(),
        factor: device.factor,
        verdict: approval.verdict,
        expires: approval.expires,
        key: device.key.clone(),
    })
}

pub(crate) fn lifetime(now: Timestamp, expires: Timestamp, max_seconds: u64) -> Result<(), Refusal> {
    let latest = now.plus_seconds(max_seconds);
    if expires < now {
        return Err(Refusal::Expired { at: expires });
    }
    if expires > latest { Err(Refusal::LivesTooLong { latest, found: expires }) } else { Ok(()) }
}
