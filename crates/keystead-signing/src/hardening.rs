//! What protects the enclave process, feature by feature, and what is lost where one is missing.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::Canonical;
use serde::{Deserialize, Serialize};

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

    /// What an attacker can do where this feature is not there.
    fn loss(self) -> &'static str {
        match self {
            Self::SecretMemory => "root can read keys through /proc/pid/mem; keys may reach swap",
            Self::NotDumpable => {
                "processes of the same user can read this one; a crash may write a core file"
            }
            Self::NoNewPrivileges => "a set-uid program started from here would gain privileges",
            Self::NoCapabilities => "injected code would hold capabilities of this process",
            Self::NoStrayFiles => "injected code could use files that the parent left open",
            Self::Landlock => "only seccomp keeps injected code from files and the network",
            Self::Seccomp => "injected code could make any system call that Landlock does not cover",
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How far a feature is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// In force.
    On,
    /// In part.
    Partial,
    /// Not at all.
    Off,
}

/// One feature's report.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureReport {
    /// The feature.
    pub feature: Feature,
    /// How far it is in force.
    pub status: Status,
    /// What is lost, in plain words; empty where it is in force.
    pub lost: String,
}

/// The whole report, part of the enclave's first reply.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hardening {
    /// One report for each feature, in their order.
    pub features: Vec<FeatureReport>,
}

impl Canonical for Hardening {
    const DOMAIN: &'static str = "keystead/hardening/v1";
}

impl Hardening {
    /// The status of one feature; off when nothing was reported.
    #[must_use]
    pub fn status(&self, feature: Feature) -> Status {
        self.features.iter().find(|it| it.feature == feature).map_or(Status::Off, |it| it.status)
    }

    /// Those of `required` that are not fully in force.
    #[must_use]
    pub fn missing(&self, required: &[Feature]) -> Vec<Feature> {
        required.iter().copied().filter(|feature| self.status(*feature) != Status::On).collect()
    }

    pub(crate) fn note(&mut self, feature: Feature, status: Status, detail: &str) {
        let lost = match status {
            Status::On => String::new(),
            Status::Partial | Status::Off if detail.is_empty() => feature.loss().to_owned(),
            Status::Partial | Status::Off => format!("{} ({detail})", feature.loss()),
        };
        self.features.push(FeatureReport { feature, status, lost });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_required_and_not_on_is_missing() {
        let mut report = Hardening::default();
        report.note(Feature::SecretMemory, Status::On, "");
        report.note(Feature::Landlock, Status::Partial, "no TCP rules in this kernel");
        let required = [Feature::SecretMemory, Feature::Landlock, Feature::Seccomp];
        assert_eq!(report.missing(&required), [Feature::Landlock, Feature::Seccomp]);
        assert!(report.features[1].lost.ends_with("(no TCP rules in this kernel)"));
        assert_eq!(Hardening::from_document(&report.to_document()), Ok(report));
    }
}
