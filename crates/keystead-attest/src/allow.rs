//! The list of programs that secrets are released to: a document that people sign.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, ClusterId, Digest, Name, RequestId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{AllowError, Platform, Tcb};

/// The most programs of one list.
pub const MAX_ALLOWED_PROGRAMS: usize = 64;
/// The most devices that one list revokes.
pub const MAX_REVOKED_DEVICES: usize = 1024;

/// Which programs get a secret, on which firmware. An upgrade of a program is the next list.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowList {
    /// The cluster.
    pub cluster: ClusterId,
    /// Lists count from zero, without gaps.
    pub number: u64,
    /// The digest of the list before; zero for the first.
    pub previous: Digest,
    /// Who proposes it, and so does not count among those who approve.
    pub proposer: Name,
    /// After this moment nothing is released by it.
    pub expires: Timestamp,
    /// The programs, ascending by platform and measurement, each once.
    pub programs: Vec<AllowedProgram>,
    /// Devices that get nothing whatever they run, ascending, each once.
    pub revoked: Vec<Digest>,
}

/// One program on one platform.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowedProgram {
    /// The platform.
    pub platform: Platform,
    /// What has to run there.
    pub measurement: Digest,
    /// The oldest firmware of the platform.
    pub floor: Tcb,
}

impl Canonical for AllowList {
    const DOMAIN: &'static str = "keystead/allow-list/v1";
}

impl AllowList {
    /// The id under which people approve it.
    #[must_use]
    pub fn request(&self) -> RequestId {
        RequestId(self.digest())
    }

    /// The entry of a program.
    #[must_use]
    pub fn program(&self, platform: Platform, measurement: &Digest) -> Option<&AllowedProgram> {
        self.programs.iter().find(|it| it.platform == platform && it.measurement == *measurement)
    }

    /// Whether nothing gets a secret by this list that does not get it by `before`.
    #[must_use]
    pub fn only_tightens(&self, before: &Self) -> bool {
        let held = |it: &AllowedProgram| {
            before.program(it.platform, &it.measurement).is_some_and(|before| it.floor.reaches(&before.floor))
        };
        self.expires <= before.expires
            && self.programs.iter().all(held)
            && before.revoked.iter().all(|device| self.revoked.contains(device))
    }

    /// Holds the list to its one form.
    pub(crate) fn check_form(&self) -> Result<(), AllowError> {
        let key = |it: &AllowedProgram| (it.platform, it.measurement);
        let in_order = self.programs.is_sorted_by(|one, next| key(one) < key(next));
        if !in_order || self.programs.len() > MAX_ALLOWED_PROGRAMS {
            return Err(AllowError::Form { what: "programs", limit: MAX_ALLOWED_PROGRAMS });
        }
        if !self.revoked.is_sorted_by(|one, next| one < next) || self.revoked.len() > MAX_REVOKED_DEVICES {
            return Err(AllowError::Form { what: "revoked", limit: MAX_REVOKED_DEVICES });
        }
        Ok(())
    }
}
