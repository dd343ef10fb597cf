//! What a light client gives out: rights that only it makes, and that are used up.
//!
//! [`crate::LightClient::permit_signing`]: crate::LightClient::permit_signing
//! [`crate::LightClient::still_permits`]: crate::LightClient::still_permits

use keystead_base::{Digest, Timestamp};
use keystead_intent::KeyCeremony;
use keystead_policy::PolicyRef;

use crate::{Convened, Grant};

/// The right to sign one digest: made only by [`crate::LightClient::permit_signing`], consumed by signing.
///
/// ```compile_fail
/// # use keystead_decision::SigningPermit;
/// fn twice(permit: SigningPermit) -> (SigningPermit, SigningPermit) {
///     (permit.clone(), permit)
/// }
/// ```
///
/// ```compile_fail
/// # use keystead_decision::{Grant, SigningPermit};
/// fn forge(grant: Grant) -> SigningPermit {
///     SigningPermit { grant }
/// }
/// ```
#[derive(Debug)]
pub struct SigningPermit {
    pub(crate) grant: Grant,
    pub(crate) policy: PolicyRef,
    /// When the nonce was drawn that its block was confirmed with; none where policy asks for that once.
    pub(crate) fresh: Option<Timestamp>,
}

impl SigningPermit {
    /// What may be signed, by whom.
    #[must_use]
    pub fn into_grant(self) -> Grant {
        self.grant
    }

    /// Keeps the right for runs with others that begin later: each asks again by [`crate::LightClient::still_permits`].
    #[must_use]
    pub fn hold(self) -> HeldPermit {
        HeldPermit { grant: self.grant, policy: self.policy, fresh: self.fresh }
    }
}

/// A right that was shown while its block was the head, and that was not used yet. It signs nothing by itself.
///
/// ```compile_fail
/// # use keystead_decision::HeldPermit;
/// fn twice(permit: HeldPermit) -> (HeldPermit, HeldPermit) {
///     (permit.clone(), permit)
/// }
/// ```
#[derive(Debug)]
pub struct HeldPermit {
    pub(crate) grant: Grant,
    pub(crate) policy: PolicyRef,
    pub(crate) fresh: Option<Timestamp>,
}

impl HeldPermit {
    /// What it is about.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.grant
    }
}

/// The right to carry out one ceremony.
///
/// ```compile_fail
/// # use keystead_decision::CeremonyPermit;
/// fn twice(permit: CeremonyPermit) -> (CeremonyPermit, CeremonyPermit) {
///     (permit.clone(), permit)
/// }
/// ```
#[derive(Debug)]
pub struct CeremonyPermit {
    pub(crate) ceremony: KeyCeremony,
    pub(crate) epoch: u32,
}

impl CeremonyPermit {
    /// What may be done, and the key's epoch.
    #[must_use]
    pub fn into_parts(self) -> (KeyCeremony, u32) {
        (self.ceremony, self.epoch)
    }
}

/// The right to begin the ceremony of a shared key with the others that take part in it.
///
/// ```compile_fail
/// # use keystead_decision::ConvenedPermit;
/// fn twice(permit: ConvenedPermit) -> (ConvenedPermit, ConvenedPermit) {
///     (permit.clone(), permit)
/// }
/// ```
#[derive(Debug)]
pub struct ConvenedPermit {
    pub(crate) convened: Convened,
    pub(crate) policy_version: u64,
    pub(crate) decision: Digest,
}

impl ConvenedPermit {
    /// What may be begun, the number of the policy version that allowed it, and the digest of the decision: different
    /// for each attempt, and what [`crate::share_challenge`] names.
    #[must_use]
    pub fn into_parts(self) -> (Convened, u64, Digest) {
        (self.convened, self.policy_version, self.decision)
    }
}
