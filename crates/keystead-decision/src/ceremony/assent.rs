//! One member's signature on a transcript.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest, HybridSignature, HybridSigner, Name, signing_message};
use serde::{Deserialize, Serialize};

use super::{CeremonyError, Contribution, Part, Transcript};

/// What a member sends back: one file, with nothing secret in it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assent {
    /// The transcript that was signed.
    pub transcript: Digest,
    /// Who signed.
    pub member: Name,
    /// Over the transcript.
    pub signature: HybridSignature,
    /// Over the genesis: of founders, and of nobody else.
    pub genesis: Option<HybridSignature>,
}

impl Canonical for Assent {
    const DOMAIN: &'static str = "keystead/assent/v1";
}

impl Assent {
    pub(super) fn new(
        transcript: &Transcript,
        own: &Contribution,
        key: &HybridSigner,
    ) -> Result<Self, CeremonyError> {
        if *key.public() != own.key {
            let (expected, found) = (own.key.fingerprint(), key.public().fingerprint());
            return Err(CeremonyError::Key { name: own.name.clone(), expected, found });
        }
        let digest = transcript.digest();
        let genesis = match own.part {
            Part::Founder(_) => Some(transcript.genesis.sign(key)?),
            Part::Node(_) | Part::Service(_) => None,
        };
        let signature = key.sign(&signing_message(&digest))?;
        Ok(Self { transcript: digest, member: own.name.clone(), signature, genesis })
    }

    /// Verifies the member's signatures under the key that the member contributed.
    pub(super) fn verify(
        &self,
        genesis: &Digest,
        transcript: &Digest,
        member: &Contribution,
    ) -> Result<(), CeremonyError> {
        let name = || self.member.clone();
        if self.transcript != *transcript {
            let (expected, found) = (*transcript, self.transcript);
            return Err(CeremonyError::OtherTranscript { member: name(), expected, found });
        }
        let failed = |error| CeremonyError::Assent { member: name(), error };
        member.key.verify(&signing_message(transcript), &self.signature).map_err(failed)?;
        match (&member.part, &self.genesis) {
            (Part::Founder(_), Some(signature)) => {
                member.key.verify(&signing_message(genesis), signature).map_err(failed)
            }
            (Part::Node(_) | Part::Service(_), None) => Ok(()),
            (Part::Founder(_), None) | (Part::Node(_) | Part::Service(_), Some(_)) => {
                Err(CeremonyError::GenesisSignature { member: name() })
            }
        }
    }
}
