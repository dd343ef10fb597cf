//! What travels while people agree on a rebuild: readable with nothing but the pinned genesis.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, ClusterId, Digest, HybridSigner, Name, Timestamp};
use keystead_policy::{Need, Node, PolicyVersion, Roster};
use serde::{Deserialize, Serialize};

use super::{Rebuild, RebuildError, RebuildSignature, SignedRebuild};
use crate::ceremony::{CeremonyError, SignedContribution};
use crate::{Commit, LightClient, SignedGenesis, Transition};

/// A rebuild that nobody has signed yet, with the way to it from the genesis.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RebuildDraft {
    /// Every change of policy in the backup.
    pub before: Vec<Transition>,
    /// The commit of its last block; none of an empty log.
    pub head: Option<Commit>,
    /// What people sign.
    pub rebuild: Rebuild,
    /// What the new nodes contributed, by name ascending.
    pub contributions: Vec<SignedContribution>,
}

impl Canonical for RebuildDraft {
    const DOMAIN: &'static str = "keystead/rebuild-draft/v1";
    const MAX_BYTES: usize = MAX_DRAFT_BYTES;
}

/// What a person sends back: one file, with nothing secret in it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RebuildAssent {
    /// The rebuild that was signed.
    pub rebuild: Digest,
    /// Who signed it.
    pub signature: RebuildSignature,
}

impl Canonical for RebuildAssent {
    const DOMAIN: &'static str = "keystead/rebuild-assent/v1";
}

/// A draft with the signatures of enough people.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RebuildBundle {
    /// What was signed, and what shows where it stands.
    pub draft: RebuildDraft,
    /// Who signed, by name ascending.
    pub signatures: Vec<RebuildSignature>,
}

impl Canonical for RebuildBundle {
    const DOMAIN: &'static str = "keystead/rebuild-bundle/v1";
    const MAX_BYTES: usize = MAX_DRAFT_BYTES;
}

/// What a draft is made from, besides the contributions of the new nodes.
#[derive(Clone, Debug)]
pub struct Basis {
    /// Every change of policy in the backup.
    pub before: Vec<Transition>,
    /// The commit of its last block; none of an empty log.
    pub head: Option<Commit>,
    /// The root of the tree over its headers.
    pub root: Digest,
    /// The size of the longest log that anybody is known to remember.
    pub remembered: u64,
    /// When it is drafted.
    pub at: Timestamp,
}

impl RebuildDraft {
    /// Puts a backup and the contributions of new nodes together.
    ///
    /// # Errors
    ///
    /// [`RebuildError`] names the contribution or the rule.
    pub fn assemble(
        genesis: &SignedGenesis,
        pinned: ClusterId,
        basis: Basis,
        mut contributions: Vec<SignedContribution>,
    ) -> Result<CheckedRebuild, RebuildError> {
        let Basis { before, head, root, remembered, at } = basis;
        let in_force = followed(genesis, pinned, &before, head.as_ref())?.version().clone();
        contributions.sort_by(|a, b| a.body().name.cmp(&b.body().name));
        let nodes = nodes(&genesis.genesis.name, &contributions)?;
        let quorum = Roster::usual_quorum(nodes.len()).unwrap_or_default();
        let roster = Roster { quorum, nodes, ..in_force.roster.clone() }.with_devices_of_rebuild();
        let (number, previous) = (in_force.number.saturating_add(1), in_force.digest());
        let policy = PolicyVersion { number, previous, roster, ..in_force };
        let (height, last) = place(pinned, head.as_ref());
        let rebuild = Rebuild { cluster: pinned, height, last, root, remembered, at, policy };
        Self { before, head, rebuild, contributions }.check(genesis, pinned)
    }

    /// Whether the log that it shows went on with that rebuild, by its digest: who goes on with this one leaves nothing
    /// of that one behind.
    #[must_use]
    pub fn leads_through(&self, rebuild: &Digest) -> bool {
        self.before.iter().filter_map(|it| it.rebuild.as_ref()).any(|it| it.rebuild.digest() == *rebuild)
    }

    /// Follows the log that it shows from the pinned genesis, and computes the next roster again: only then there is
    /// something to sign. Whether the log holds what its headers commit to shows whoever has the log itself.
    ///
    /// # Errors
    ///
    /// [`RebuildError`] names the contribution or the rule.
    pub fn check(self, genesis: &SignedGenesis, pinned: ClusterId) -> Result<CheckedRebuild, RebuildError> {
        let log = followed(genesis, pinned, &self.before, self.head.as_ref())?;
        let (height, expected) = place(pinned, self.head.as_ref());
        let (named, found) = (self.rebuild.height, self.rebuild.last);
        if (height, expected) != (named, found) {
            return Err(RebuildError::Place { height, expected, named, found });
        }
        if nodes(&genesis.genesis.name, &self.contributions)? != self.rebuild.policy.roster.nodes {
            return Err(RebuildError::Contributions);
        }
        self.rebuild.check(pinned, log.version())?;
        let needs = log.version().rebuild_needs().map_err(|reason| RebuildError::NoRow { reason })?;
        let fingerprint = self.rebuild.digest();
        Ok(CheckedRebuild { draft: self, in_force: log.version().clone(), needs, fingerprint })
    }
}

/// A draft whose log leads from the genesis to the policy in force, and whose next roster follows from the contributions.
#[derive(Debug)]
pub struct CheckedRebuild {
    draft: RebuildDraft,
    in_force: PolicyVersion,
    needs: Vec<Need>,
    fingerprint: Digest,
}

impl CheckedRebuild {
    /// What was checked.
    #[must_use]
    pub fn draft(&self) -> &RebuildDraft {
        &self.draft
    }

    /// The policy version in force at the end of the backup.
    #[must_use]
    pub fn in_force(&self) -> &PolicyVersion {
        &self.in_force
    }

    /// Who has to sign.
    #[must_use]
    pub fn needs(&self) -> &[Need] {
        &self.needs
    }

    /// The digest of what is signed, which all who sign compare by voice.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// One person's signature, on the rebuild whose fingerprint the person `heard` from the others.
    ///
    /// # Errors
    ///
    /// [`RebuildError::Fingerprint`] when somebody was shown something else, [`RebuildError::NotEnrolled`] when the
    /// roster has no device of this person with this key.
    pub fn sign(
        &self,
        person: &Name,
        heard: Digest,
        key: &HybridSigner,
    ) -> Result<RebuildAssent, RebuildError> {
        if heard != self.fingerprint {
            return Err(RebuildError::Fingerprint { heard, computed: self.fingerprint });
        }
        let devices = self.in_force.roster.person(person).map(|it| it.devices.as_slice()).unwrap_or_default();
        let device = devices.iter().find(|it| it.key == *key.public());
        let unknown = || RebuildError::NotEnrolled { person: person.clone(), device: person.clone() };
        let device = device.ok_or_else(unknown)?.name.clone();
        let signature = self.draft.rebuild.sign(person.clone(), device, key)?;
        Ok(RebuildAssent { rebuild: self.fingerprint, signature })
    }

    /// Puts the signatures together, in whatever order they come.
    ///
    /// # Errors
    ///
    /// [`RebuildError::Missing`] says how many of which role; others name the person.
    pub fn finish(self, assents: Vec<RebuildAssent>) -> Result<FinishedRebuild, RebuildError> {
        let mut signatures: BTreeMap<Name, RebuildSignature> = BTreeMap::new();
        for RebuildAssent { rebuild, signature } in assents {
            if rebuild != self.fingerprint {
                let (expected, found) = (self.fingerprint, rebuild);
                return Err(RebuildError::Other { person: signature.person, expected, found });
            }
            signatures.entry(signature.person.clone()).or_insert(signature);
        }
        self.finished(signatures.into_values().collect())
    }

    fn finished(self, signatures: Vec<RebuildSignature>) -> Result<FinishedRebuild, RebuildError> {
        let signed = SignedRebuild { rebuild: self.draft.rebuild.clone(), signatures };
        signed.verify(self.draft.rebuild.cluster, &self.in_force)?;
        Ok(FinishedRebuild { checked: self, signed })
    }
}

impl RebuildBundle {
    /// Verifies all of it again.
    ///
    /// # Errors
    ///
    /// [`RebuildError`] names the person or the rule.
    pub fn verify(self, genesis: &SignedGenesis, pinned: ClusterId) -> Result<FinishedRebuild, RebuildError> {
        self.draft.check(genesis, pinned)?.finished(self.signatures)
    }
}

/// A rebuild that enough people have signed.
#[derive(Debug)]
pub struct FinishedRebuild {
    checked: CheckedRebuild,
    signed: SignedRebuild,
}

impl FinishedRebuild {
    /// The draft that was signed.
    #[must_use]
    pub fn checked(&self) -> &CheckedRebuild {
        &self.checked
    }

    /// What the new nodes begin with.
    #[must_use]
    pub fn signed(&self) -> &SignedRebuild {
        &self.signed
    }

    /// The roster with the new nodes.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.signed.rebuild.policy.roster
    }

    /// The file that every machine installs from.
    #[must_use]
    pub fn bundle(&self) -> RebuildBundle {
        RebuildBundle { draft: self.checked.draft.clone(), signatures: self.signed.signatures.clone() }
    }
}

fn followed(
    genesis: &SignedGenesis,
    pinned: ClusterId,
    before: &[Transition],
    head: Option<&Commit>,
) -> Result<LightClient, RebuildError> {
    let mut log = LightClient::new(genesis, pinned)?;
    for transition in before {
        log.follow(transition)?;
    }
    if let Some(head) = head {
        log.advance(head)?;
    }
    Ok(log)
}

fn place(cluster: ClusterId, head: Option<&Commit>) -> (u64, Digest) {
    crate::fresh::place(cluster, head)
}

/// The longest draft: every policy version that a cluster ever had is in it, each some ten thousand bytes.
const MAX_DRAFT_BYTES: usize = 256 * 1024 * 1024;

/// The nodes that the contributions make, each verified and made for this cluster.
fn nodes(cluster: &Name, contributions: &[SignedContribution]) -> Result<Vec<Node>, RebuildError> {
    let mut nodes = Vec::with_capacity(contributions.len());
    for contribution in contributions {
        let body = contribution.verify()?;
        if body.ceremony != *cluster {
            let (name, expected, found) = (body.name.clone(), cluster.clone(), body.ceremony.clone());
            return Err(CeremonyError::OtherCeremony { name, expected, found }.into());
        }
        nodes.push(body.node().ok_or(RebuildError::Contributions)?);
    }
    Ok(nodes)
}
