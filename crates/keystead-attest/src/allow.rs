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

#[cfg(test)]
mod tests {
    use super::*;

    fn program(measurement: u8, floor: &[u64]) -> AllowedProgram {
        AllowedProgram {
            platform: Platform::Tpm,
            measurement: Digest([measurement; 32]),
            floor: Tcb(floor.to_vec()),
        }
    }

    fn list() -> AllowList {
        AllowList {
            cluster: ClusterId(Digest([1; 32])),
            number: 1,
            previous: Digest([2; 32]),
            proposer: "dora".parse().unwrap(),
            expires: Timestamp(1_000),
            programs: vec![program(1, &[5, 5]), program(2, &[5, 5])],
            revoked: vec![Digest([3; 32]), Digest([4; 32])],
        }
    }

    type Change = fn(&mut AllowList);

    #[test]
    fn s09_only_what_lets_nothing_more_in_is_a_list_that_tightens() {
        let cases: [(&str, bool, Change); 13] = [
            ("the same", true, |_| ()),
            ("an earlier end", true, |it| it.expires = Timestamp(999)),
            ("a later end", false, |it| it.expires = Timestamp(1_001)),
            ("a program less", true, |it| drop(it.programs.pop())),
            ("a program more", false, |it| it.programs.push(program(9, &[5, 5]))),
            ("a program for another", false, |it| it.programs[1] = program(9, &[5, 5])),
            ("the same on another platform", false, |it| it.programs[1].platform = Platform::Tdx),
            ("a higher floor", true, |it| it.programs[0].floor = Tcb(vec![5, 6])),
            ("a lower floor", false, |it| it.programs[0].floor = Tcb(vec![5, 4])),
            ("one higher, one lower", false, |it| it.programs[0].floor = Tcb(vec![9, 4])),
            ("a shorter floor", false, |it| it.programs[0].floor = Tcb(vec![9])),
            ("a device more revoked", true, |it| it.revoked.push(Digest([5; 32]))),
            ("a device less", false, |it| drop(it.revoked.pop())),
        ];
        for (what, tightens, change) in cases {
            let mut next = list();
            change(&mut next);
            assert_eq!(next.only_tightens(&list()), tightens, "{what}");
        }
    }

    #[test]
    fn a_list_has_one_form() {
        let many = |count: u16| {
            (0..count).map(|at| {
                let [high, low] = at.to_be_bytes();
                let mut bytes = [0; 32];
                (bytes[0], bytes[1]) = (high, low);
                Digest(bytes)
            })
        };
        let full = AllowList {
            programs: many(64).map(|measurement| AllowedProgram { measurement, ..program(0, &[]) }).collect(),
            revoked: many(1024).collect(),
            ..list()
        };
        full.check_form().unwrap();
        let cases: [(&str, Change); 8] = [
            ("programs", |it| it.programs.swap(0, 1)),
            ("programs", |it| it.programs[1] = it.programs[0].clone()),
            ("programs", |it| it.programs[0].platform = Platform::Nitro),
            ("programs", |it| it.programs[1].measurement = it.programs[0].measurement),
            ("programs", |it| it.programs.push(program(0xff, &[]))),
            ("revoked", |it| it.revoked.swap(0, 1)),
            ("revoked", |it| it.revoked[1] = it.revoked[0]),
            ("revoked", |it| it.revoked.push(Digest([0xff; 32]))),
        ];
        for (at, (part, change)) in cases.into_iter().enumerate() {
            let mut other = full.clone();
            change(&mut other);
            let refused = other.check_form();
            assert!(
                matches!(refused, Err(AllowError::Form { what, .. }) if what == part),
                "{at}: {refused:?}"
            );
        }
    }
}
