//! What protects the process that holds a key, feature by feature, and which of it policy demands.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{AssuranceLevel, PolicyVersion};

/// One protection.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Keys and the stack that handles them lie in `memfd_secret` pages.
    SecretMemory,
    /// `PR_SET_DUMPABLE` is 0 and `RLIMIT_CORE` is 0.
    NotDumpable,
    /// `PR_SET_NO_NEW_PRIVS`.
    NoNewPrivileges,
    /// No capability, `CAP_SYS_PTRACE` above all.
    NoCapabilities,
    /// No descriptor but the three standard ones and the passphrase.
    NoStrayFiles,
    /// Landlock: no file, no TCP, no signal and no abstract socket to the outside.
    Landlock,
    /// A seccomp allow-list of the calls that the loop needs.
    Seccomp,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::SecretMemory,
        Self::NotDumpable,
        Self::NoNewPrivileges,
        Self::NoCapabilities,
        Self::NoStrayFiles,
        Self::Landlock,
        Self::Seccomp,
    ];

    /// The feature's stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SecretMemory => "secret_memory",
            Self::NotDumpable => "not_dumpable",
            Self::NoNewPrivileges => "no_new_privileges",
            Self::NoCapabilities => "no_capabilities",
            Self::NoStrayFiles => "no_stray_files",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What the home of a key must have before the key signs.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequiredProtections {
    /// The kind of key home.
    pub level: AssuranceLevel,
    /// The protections that must be fully in force, ascending; never empty.
    pub features: Vec<Feature>,
}

impl PolicyVersion {
    /// The protections that this version demands of a kind of key home.
    #[must_use]
    pub fn required(&self, level: AssuranceLevel) -> &[Feature] {
        self.protections.iter().find(|it| it.level == level).map_or(&[], |it| it.features.as_slice())
    }

    /// Those of them that are not among the protections in force.
    #[must_use]
    pub fn unprotected(&self, level: AssuranceLevel, in_force: &[Feature]) -> Vec<Feature> {
        let required = self.required(level).iter().copied();
        required.filter(|feature| !in_force.contains(feature)).collect()
    }
}

/// Names of features for people.
pub(crate) fn names(features: &[Feature]) -> String {
    features.iter().map(|feature| feature.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::version;

    #[test]
    fn only_what_policy_demands_and_the_home_lacks_is_missing() {
        let mut version = version();
        let level = AssuranceLevel::Process;
        assert_eq!(version.unprotected(level, &[]), []);
        let features = vec![Feature::SecretMemory, Feature::Seccomp];
        version.protections = vec![RequiredProtections { level, features }];
        assert_eq!(
            version.unprotected(level, &[Feature::Landlock, Feature::Seccomp]),
            [Feature::SecretMemory]
        );
        assert_eq!(version.unprotected(level, &Feature::ALL), []);
    }
}
