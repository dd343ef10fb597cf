//! Which allow list is in force: the next one needs people, and time where it lets more in.

use keystead_base::{Canonical as _, ClusterId, HybridPublicKey, Signed, Timestamp};
use keystead_intent::Approval;
use keystead_policy::{PolicyRef, Requirement, Roster};
use keystead_quorum::{Context, Strict, authorize};

use crate::{AllowError, AllowList};

/// What the policy in force asks of a change of authority.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Who has to approve, and how long it waits.
    pub requirement: &'a Requirement,
    /// The policy version.
    pub policy: PolicyRef,
    /// Who is who.
    pub roster: &'a Roster,
    /// How far in the future an approval may expire, in seconds.
    pub max_lifetime_seconds: u64,
}

/// Keeps the list in force and the one that waits. What it holds has to be durable before it is acted on.
#[derive(Debug)]
pub struct Custodian {
    cluster: ClusterId,
    in_force: AllowList,
    announced: Option<(AllowList, Timestamp)>,
}

impl Custodian {
    /// Begins with a list that the founders pinned, or that was in force when this one stopped.
    ///
    /// # Errors
    ///
    /// [`AllowError::Form`].
    pub fn new(pinned: AllowList) -> Result<Self, AllowError> {
        pinned.check_form()?;
        Ok(Self { cluster: pinned.cluster, in_force: pinned, announced: None })
    }

    /// The list in force.
    #[must_use]
    pub fn in_force(&self) -> &AllowList {
        &self.in_force
    }

    /// Shows the next list. Its time lock begins now, by this custodian's clock and nobody's word; another list in its
    /// place begins anew.
    ///
    /// INVARIANT S11: who proposes it has signed it, so that nobody proposes in another's name and then approves as well.
    ///
    /// # Errors
    ///
    /// [`AllowError::Cluster`], [`AllowError::Order`], [`AllowError::Form`], and of the signature [`AllowError::Proposer`],
    /// [`AllowError::Unknown`] or [`AllowError::Signature`].
    pub fn announce(
        &mut self,
        signed: Signed<AllowList>,
        roster: &Roster,
        now: Timestamp,
    ) -> Result<(), AllowError> {
        self.follows(&signed.body)?;
        signed.body.check_form()?;
        proposed(&signed, roster)?;
        let list = signed.body;
        if self.announced.as_ref().is_none_or(|(announced, _)| *announced != list) {
            self.announced = Some((list, now));
        }
        Ok(())
    }

    /// INVARIANT S9: what lets another program in is a change of authority: its own quorum, counted as the log counts,
    /// and a delay. A list that only takes away waits for nobody but the people.
    ///
    /// # Errors
    ///
    /// [`AllowError`] with all that is missing.
    pub fn adopt(
        &mut self,
        list: &AllowList,
        approvals: &[Signed<Approval>],
        rules: &Rules<'_>,
        now: Timestamp,
    ) -> Result<(), AllowError> {
        let digest = list.digest();
        let waiting = self.announced.as_ref().filter(|(announced, _)| announced == list);
        let (_, announced) = waiting.ok_or(AllowError::Unannounced { digest })?;
        let tightens = list.only_tightens(&self.in_force);
        let requirement = match tightens {
            true => Requirement { delay_seconds: 0, ..rules.requirement.clone() },
            false => rules.requirement.clone(),
        };
        if requirement.needs.is_empty() {
            return Err(AllowError::Lax { what: "people" });
        }
        if !tightens && requirement.delay_seconds == 0 {
            return Err(AllowError::Lax { what: "delay" });
        }
        let context = Context {
            cluster: self.cluster,
            request: list.request(),
            signing_digest: digest,
            policy: rules.policy,
            requester: &list.proposer,
            announced: *announced,
            expires: list.expires,
            now,
            max_lifetime_seconds: rules.max_lifetime_seconds,
            roster: rules.roster,
        };
        let authorization = authorize(&requirement, &context, approvals, &Strict)?;
        authorization.redeem(digest, rules.policy, now)?;
        self.in_force = list.clone();
        self.announced = None;
        Ok(())
    }

    fn follows(&self, list: &AllowList) -> Result<(), AllowError> {
        if list.cluster != self.cluster {
            return Err(AllowError::Cluster { expected: self.cluster, found: list.cluster });
        }
        let (expected, previous) = (self.in_force.number.saturating_add(1), self.in_force.digest());
        if list.number != expected || list.previous != previous {
            return Err(AllowError::Order { expected, previous, number: list.number, after: list.previous });
        }
        Ok(())
    }
}

/// As the log holds a request to its requester: a service, or one of a person's devices.
fn proposed(signed: &Signed<AllowList>, roster: &Roster) -> Result<(), AllowError> {
    let (proposer, signer) = (signed.body.proposer.clone(), signed.signer.clone());
    if signer != proposer {
        return Err(AllowError::Proposer { proposer, signer });
    }
    let service = roster.service(&signer).map(|it| &it.key);
    let devices = roster.person(&signer).into_iter().flat_map(|it| it.devices.iter().map(|it| &it.key));
    let mut keys = service.into_iter().chain(devices);
    let verify = |key: &HybridPublicKey| signed.verify(key).map(drop);
    let first = keys.next().map(verify).ok_or_else(|| AllowError::Unknown { signer: signer.clone() })?;
    let tried = keys.fold(first, |before, key| before.or_else(|_| verify(key)));
    tried.map_err(|error| AllowError::Signature { signer, error })
}
