//! The transcript with everybody's signature, and the genesis that follows.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest, HybridSignature, Name};
use serde::{Deserialize, Serialize};

use super::{Assent, CeremonyError, Contribution, SignedContribution, Transcript};
use crate::SignedGenesis;

/// A transcript with one assent of each member, by name ascending.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedTranscript {
    /// What was signed.
    pub transcript: Transcript,
    /// Who signed.
    pub assents: Vec<Assent>,
}

impl Canonical for SignedTranscript {
    const DOMAIN: &'static str = "keystead/signed-ceremony/v1";
}

impl SignedTranscript {
    /// Verifies all of it again.
    ///
    /// # Errors
    ///
    /// [`CeremonyError`] names the member or the rule.
    pub fn verify(self) -> Result<FinishedCeremony, CeremonyError> {
        let names = self.assents.iter().map(|it| &it.member);
        if !names.is_sorted_by(|a, b| a < b) {
            return Err(CeremonyError::Order);
        }
        self.transcript.check()?.finish(self.assents)
    }
}

/// A ceremony that every member has signed.
#[derive(Debug)]
pub struct FinishedCeremony {
    signed: SignedTranscript,
    genesis: SignedGenesis,
    fingerprint: Digest,
}

impl FinishedCeremony {
    /// The transcript with all signatures.
    #[must_use]
    pub fn signed(&self) -> &SignedTranscript {
        &self.signed
    }

    /// The genesis with the founders' signatures.
    #[must_use]
    pub fn genesis(&self) -> &SignedGenesis {
        &self.genesis
    }

    /// Whether a member's own contribution is in it, byte for byte.
    ///
    /// # Errors
    ///
    /// [`CeremonyError::NotMine`] says which key stands under the member's name.
    pub fn holds(&self, own: &SignedContribution) -> Result<(), CeremonyError> {
        self.signed.transcript.holds(own)
    }

    /// The transcript's digest.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }
}

pub(super) fn gather(
    transcript: Transcript,
    fingerprint: Digest,
    assents: Vec<Assent>,
) -> Result<FinishedCeremony, CeremonyError> {
    let members: BTreeMap<&Name, &Contribution> =
        transcript.contributions.iter().map(|it| (&it.body().name, it.body())).collect();
    let genesis = transcript.genesis.digest();
    let mut verified: BTreeMap<Name, Assent> = BTreeMap::new();
    for assent in assents {
        let member = members.get(&assent.member);
        let member = member.ok_or_else(|| CeremonyError::Stranger { member: assent.member.clone() })?;
        assent.verify(&genesis, &fingerprint, member)?;
        verified.entry(assent.member.clone()).or_insert(assent);
    }
    let missing: Vec<Name> =
        members.keys().filter(|name| !verified.contains_key(**name)).map(|it| (*it).clone()).collect();
    if !missing.is_empty() {
        return Err(CeremonyError::Missing { members: missing });
    }
    // Founders and assents both stand by name.
    let assents: Vec<Assent> = verified.into_values().collect();
    let signatures: Vec<HybridSignature> = assents.iter().filter_map(|it| it.genesis.clone()).collect();
    let genesis = SignedGenesis { genesis: transcript.genesis.clone(), signatures };
    genesis.verify()?;
    Ok(FinishedCeremony { signed: SignedTranscript { transcript, assents }, genesis, fingerprint })
}
