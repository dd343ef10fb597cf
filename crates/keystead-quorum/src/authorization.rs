//! The proof that enough people agreed to one digest under one policy version.

use keystead_base::{Blame, Coded, Digest, Name, RequestId, Timestamp};
use keystead_policy::PolicyRef;

use crate::Context;

/// Enough people agreed. Only [`crate::authorize`] makes it, and it is used up by using it:
///
/// ```
/// # use keystead_base::{Digest, Timestamp};
/// fn once(one: keystead_quorum::Authorization, digest: Digest, policy: keystead_policy::PolicyRef) {
///     let _ = one.redeem(digest, policy, Timestamp(0));
/// }
/// ```
///
/// It cannot be made from its parts:
///
/// ```compile_fail,E0451
/// use keystead_quorum::Authorization;
/// fn forge(old: Authorization, digest: keystead_base::Digest) -> Authorization {
///     Authorization { signing_digest: digest, ..old }
/// }
/// ```
///
/// It cannot be copied:
///
/// ```compile_fail,E0599
/// fn twice(one: keystead_quorum::Authorization) -> [keystead_quorum::Authorization; 2] {
///     [one.clone(), one]
/// }
/// ```
///
/// It cannot be used twice:
///
/// ```compile_fail,E0382
/// # use keystead_base::{Digest, Timestamp};
/// fn twice(one: keystead_quorum::Authorization, digest: Digest, policy: keystead_policy::PolicyRef) {
///     let _ = one.redeem(digest, policy, Timestamp(0));
///     let _ = one.redeem(digest, policy, Timestamp(0));
/// }
/// ```
#[derive(Debug)]
#[must_use = "an authorization that nobody redeems authorizes nothing"]
pub struct Authorization {
    request: RequestId,
    signing_digest: Digest,
    policy: PolicyRef,
    expires: Timestamp,
    endorsements: Vec<Endorsement>,
}

impl Authorization {
    pub(crate) fn of(context: &Context<'_>, endorsements: Vec<Endorsement>) -> Self {
        let earliest = endorsements.iter().map(|it| it.expires).min();
        let expires = earliest.map_or(context.expires, |earliest| earliest.min(context.expires));
        Self {
            request: context.request,
            signing_digest: context.signing_digest,
            policy: context.policy,
            expires,
            endorsements,
        }
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// After this moment it is worth nothing: the earliest expiry of the request and all who counted.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Uses it up for exactly this digest, under exactly this policy version, now.
    ///
    /// # Errors
    ///
    /// [`Mismatch`]; the authorization is gone all the same.
    pub fn redeem(self, digest: Digest, policy: PolicyRef, now: Timestamp) -> Result<Granted, Mismatch> {
        if digest != self.signing_digest {
            return Err(Mismatch::Digest { expected: self.signing_digest, found: digest });
        }
        if policy != self.policy {
            return Err(Mismatch::Policy { expected: self.policy.number, found: policy.number });
        }
        if now > self.expires {
            return Err(Mismatch::Expired { at: self.expires });
        }
        Ok(Granted { request: self.request, expires: self.expires, endorsements: self.endorsements })
    }
}

/// One approval that counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endorsement {
    /// Whose.
    pub person: Name,
    /// By which device.
    pub device: Name,
    /// After this moment it counts no more.
    pub expires: Timestamp,
}

/// What a redeemed authorization leaves behind, for the record.
#[derive(Debug, PartialEq, Eq)]
pub struct Granted {
    /// The request.
    pub request: RequestId,
    /// After this moment the grant is worth nothing.
    pub expires: Timestamp,
    /// Who counted.
    pub endorsements: Vec<Endorsement>,
}

/// Why an authorization does not fit its use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Other bytes.
    #[error("the authorization is for digest {expected}, not {found}")]
    Digest {
        /// The digest that people agreed to.
        expected: Digest,
        /// The digest it was to be used for.
        found: Digest,
    },
    /// Another policy version.
    #[error("the authorization is under policy version {expected}, not {found}")]
    Policy {
        /// The version that people agreed under.
        expected: u64,
        /// The version it was to be used under.
        found: u64,
    },
    /// Too late.
    #[error("the authorization expired at {at}")]
    Expired {
        /// When.
        at: Timestamp,
    },
}

impl Coded for Mismatch {
    fn code(&self) -> &'static str {
        match self {
            Self::Digest { .. } => "authorization.digest",
            Self::Policy { .. } => "authorization.policy",
            Self::Expired { .. } => "authorization.expired",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}
