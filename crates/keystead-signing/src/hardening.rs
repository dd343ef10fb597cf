//! What protects the enclave process, feature by feature, and what is lost where one is missing.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::Canonical;
use keystead_policy::Feature;
use serde::{Deserialize, Serialize};

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

    /// The protections that are fully in force, ascending.
    #[must_use]
    pub fn in_force(&self) -> Vec<Feature> {
        Feature::ALL.into_iter().filter(|feature| self.status(*feature) == Status::On).collect()
    }

    pub(crate) fn note(&mut self, feature: Feature, status: Status, detail: &str) {
        let lost = match status {
            Status::On => String::new(),
            Status::Partial | Status::Off if detail.is_empty() => loss(feature).to_owned(),
            Status::Partial | Status::Off => format!("{} ({detail})", loss(feature)),
        };
        self.features.push(FeatureReport { feature, status, lost });
    }
}

/// What an attacker can do where a feature is not there.
fn loss(feature: Feature) -> &'static str {
    match feature {
        Feature::SecretMemory => "root can read keys through /proc/pid/mem; keys may reach swap",
        Feature::NotDumpable => "processes of the same user can read this one; a crash may write a core file",
        Feature::NoNewPrivileges => "a set-uid program started from here would gain privileges",
        Feature::NoCapabilities => "injected code would hold capabilities of this process",
        Feature::NoStrayFiles => "injected code could use files that the parent left open",
        Feature::Landlock => "only seccomp keeps injected code from files and the network",
        Feature::Seccomp => "injected code could make any system call that Landlock does not cover",
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
