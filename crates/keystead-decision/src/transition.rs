//! A change of policy as a light client follows it.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_policy::PolicyVersion;
use serde::{Deserialize, Serialize};

use crate::{Commit, Entry, SignedRebuild};

/// A change of policy: the commit whose header names the next version, and that version.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    /// The commit, voted for by the roster before the change.
    pub commit: Commit,
    /// The next version.
    pub policy: PolicyVersion,
    /// Where people signed that version in the place of nodes that are all lost: then the roster after the change
    /// voted.
    pub rebuild: Option<Box<SignedRebuild>>,
}

impl Transition {
    /// The change of policy that a block makes, with what its entries say of it.
    #[must_use]
    pub fn of(commit: Commit, policy: PolicyVersion, entries: &[Entry]) -> Self {
        let rebuild = match entries {
            [Entry::Rebuild(signed)] => Some(signed.clone()),
            _ => None,
        };
        Self { commit, policy, rebuild }
    }
}
