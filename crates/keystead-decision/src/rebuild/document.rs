//! What people sign, and the check that enough of them did.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{
    Canonical, ClusterId, Digest, HybridSignature, HybridSigner, KeyError, Name, Timestamp, merkle,
    signing_message,
};
use keystead_policy::{Candidate, Engine, Node, PolicyVersion, Roster, Sections, assign, check_next};
use serde::{Deserialize, Serialize};

use super::RebuildError;
use crate::{Entry, Header, MAX_BLOCK_BYTES, leaves};

/// From which block on, with which nodes. It is to that block what the genesis is to the beginning.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rebuild {
    /// The cluster.
    pub cluster: ClusterId,
    /// The height of the last block of the backup.
    pub height: u64,
    /// The digest of its header; the cluster's id at height 0.
    pub last: Digest,
    /// The root of the tree over the headers of the backup: what a checkpoint of that size says.
    pub root: Digest,
    /// The size of the longest log that anybody is known to remember: `height`, or more where blocks are known to be
    /// lost.
    pub remembered: u64,
    /// When it was drafted.
    pub at: Timestamp,
    /// The next policy version: the one in force with other nodes, and nothing else.
    pub policy: PolicyVersion,
}

impl Canonical for Rebuild {
    const DOMAIN: &'static str = "keystead/rebuild/v1";
}

/// One person's signature on a [`Rebuild`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RebuildSignature {
    /// Who signed.
    pub person: Name,
    /// With which device.
    pub device: Name,
    /// Its signature.
    pub signature: HybridSignature,
}

/// A rebuild with people's signatures.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedRebuild {
    /// What was signed.
    pub rebuild: Rebuild,
    /// Who signed, by name ascending.
    pub signatures: Vec<RebuildSignature>,
}

impl Canonical for SignedRebuild {
    const DOMAIN: &'static str = "keystead/signed-rebuild/v1";
}

impl Rebuild {
    /// One person's signature.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the library fails to sign.
    pub fn sign(&self, person: Name, device: Name, key: &HybridSigner) -> Result<RebuildSignature, KeyError> {
        let signature = key.sign(&signing_message(&self.digest()))?;
        Ok(RebuildSignature { person, device, signature })
    }

    /// How many blocks are known to be lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.remembered.saturating_sub(self.height)
    }

    /// INVARIANT S13: a regular next version, in which nothing but the nodes and their quorum differs.
    pub(super) fn check(&self, cluster: ClusterId, in_force: &PolicyVersion) -> Result<(), RebuildError> {
        if self.cluster != cluster {
            return Err(RebuildError::Cluster { expected: cluster, found: self.cluster });
        }
        if self.remembered < self.height {
            return Err(RebuildError::Remembered { height: self.height, found: self.remembered });
        }
        let next = &self.policy;
        let sections = check_next(in_force, next)?;
        if let Some(found) = changed(in_force, next, sections) {
            return Err(RebuildError::Section { found });
        }
        check_nodes(&in_force.roster, &next.roster)?;
        Engine::compile(next.clone())?;
        self.fits(in_force.roster.people.len())
    }

    /// INVARIANT D1: no rebuild is signed whose block nobody would vote for; each person signs once at most.
    fn fits(&self, people: usize) -> Result<(), RebuildError> {
        let bytes = borsh::object_length(self).unwrap_or(usize::MAX);
        let found = people.saturating_mul(SIGNATURE_ROOM).saturating_add(bytes);
        let limit = MAX_BLOCK_BYTES;
        if found > limit { Err(RebuildError::Long { limit, found }) } else { Ok(()) }
    }
}

impl SignedRebuild {
    /// Verifies it under the policy version in force at its height: the next version, and who signed.
    ///
    /// # Errors
    ///
    /// [`RebuildError`] names the person or the rule.
    pub fn verify(&self, cluster: ClusterId, in_force: &PolicyVersion) -> Result<&Rebuild, RebuildError> {
        self.rebuild.check(cluster, in_force)?;
        self.count(in_force)?;
        Ok(&self.rebuild)
    }

    /// INVARIANT S13: distinct people of the roster, one more than a change of the roster takes.
    fn count(&self, in_force: &PolicyVersion) -> Result<(), RebuildError> {
        let needs = in_force.rebuild_needs().map_err(|reason| RebuildError::NoRow { reason })?;
        let message = signing_message(&self.rebuild.digest());
        let mut candidates = Vec::new();
        let mut last: Option<&Name> = None;
        for signed in &self.signatures {
            if last.is_some_and(|last| last >= &signed.person) {
                return Err(RebuildError::Order { person: signed.person.clone() });
            }
            last = Some(&signed.person);
            candidates.push(signed.candidate(&in_force.roster, &message)?);
        }
        let missing = assign(&needs, &candidates).missing;
        if missing.is_empty() { Ok(()) } else { Err(RebuildError::Missing { missing }) }
    }

    /// Whether this is the header of the one block that the rebuild makes.
    #[must_use]
    pub fn makes(&self, header: &Header) -> bool {
        let rebuild = &self.rebuild;
        header.cluster == rebuild.cluster
            && Some(header.height) == rebuild.height.checked_add(1)
            && header.parent == rebuild.last
            && header.history == rebuild.root
            && header.entries == merkle::root(&leaves(&[Entry::Rebuild(Box::new(self.clone()))]))
            && header.policy == rebuild.policy.reference()
            && header.roster == rebuild.policy.roster.digest()
            && header.frozen.everything
    }
}

impl RebuildSignature {
    fn candidate<'r>(&self, roster: &'r Roster, message: &[u8]) -> Result<Candidate<'r>, RebuildError> {
        let unknown =
            || RebuildError::NotEnrolled { person: self.person.clone(), device: self.device.clone() };
        let person = roster.person(&self.person).ok_or_else(unknown)?;
        let device = roster.device(&self.person, &self.device).ok_or_else(unknown)?;
        let failed = |error| RebuildError::Signature { person: self.person.clone(), error };
        device.key.verify(message, &self.signature).map_err(failed)?;
        Ok(Candidate { person, factor: Some(device.factor) })
    }
}

/// What differs besides the nodes and their quorum.
fn changed(in_force: &PolicyVersion, next: &PolicyVersion, sections: Sections) -> Option<&'static str> {
    let (before, after) = (&in_force.roster, &next.roster);
    let people = (before.people != after.people).then_some("people");
    let services = (before.services != after.services).then_some("services");
    let kept = Roster { devices: before.devices.clone(), ..after.clone() }.with_devices_of_rebuild();
    let devices = (kept.devices != after.devices).then_some("devices");
    sections.names().into_iter().find(|name| *name != "roster").or(people).or(services).or(devices)
}

/// INVARIANT S3: every node is a new one, by name and keys: whatever a lost machine still holds speaks no more, and
/// no new machine is taken for the home of a key that it does not have.
fn check_nodes(before: &Roster, after: &Roster) -> Result<(), RebuildError> {
    let found = after.nodes.len();
    if Roster::usual_quorum(found) != Some(after.quorum) {
        return Err(RebuildError::Nodes { found, quorum: after.quorum });
    }
    let same = |old: &Node, new: &Node| {
        old.name == new.name || old.key == new.key || old.transport == new.transport || new.boot != 0
    };
    match after.nodes.iter().find(|new| before.nodes.iter().any(|old| same(old, new))) {
        Some(node) => Err(RebuildError::Reused { node: node.name.clone() }),
        None => Ok(()),
    }
}

/// What a person's signature takes, with two names of the longest kind.
const SIGNATURE_ROOM: usize = 4096;
