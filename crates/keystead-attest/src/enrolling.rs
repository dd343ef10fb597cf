//! What a witness is shown before it signs an enrolment: a device that binds this holder, this key and this nonce.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest, HybridPublicKey, Signed, Timestamp};
use keystead_policy::{DeviceProof, Enrolment, Holder};
use serde::{Deserialize, Serialize};

use crate::tpm::{Endorsement, Pcrs, TpmIdentity, TpmVerifier};
use crate::{EvidenceError, FidoAttestation, Makers, Verifier as _};

/// What a witness asks for: its digest is what the device binds, and the holder's key signs it as well.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentChallenge {
    /// Who is to have the device.
    pub holder: Holder,
    /// The fingerprint of the holder's key.
    pub key: Digest,
    /// The witness drew it for this once.
    pub nonce: Digest,
}

impl Canonical for EnrolmentChallenge {
    const DOMAIN: &'static str = "keystead/enrolment-challenge/v1";
}

impl EnrolmentChallenge {
    /// The record, where the holder's key signed this challenge: who has the device has the key, too.
    ///
    /// # Errors
    ///
    /// [`EvidenceError::Binding`] of another challenge or key.
    pub fn record(
        &self,
        proof: DeviceProof,
        word: &Signed<Self>,
        key: &HybridPublicKey,
    ) -> Result<Enrolment, EvidenceError> {
        let signed = word.verify(key).ok();
        if key.fingerprint() != self.key || signed != Some(self.digest()) {
            return Err(EvidenceError::Binding);
        }
        Ok(Enrolment { holder: self.holder.clone(), key: self.key, proof })
    }

    /// The TPM of this endorsement key, by a quote of the identity key that it activated a credential for.
    ///
    /// # Errors
    ///
    /// [`EvidenceError`]; of an identity of another TPM, or a quote for another challenge, [`EvidenceError::Binding`].
    pub fn tpm(
        &self,
        endorsement: &Endorsement,
        identity: TpmIdentity,
        evidence: &[u8],
        now: Timestamp,
    ) -> Result<DeviceProof, EvidenceError> {
        if identity.device() != endorsement.device() {
            return Err(EvidenceError::Binding);
        }
        let report = TpmVerifier::new(identity, ENROLMENT_PCRS.parse::<Pcrs>()?).read(evidence, now)?;
        match report.data == self.digest().as_bytes() {
            true => Ok(endorsement.proof()),
            false => Err(EvidenceError::Binding),
        }
    }

    /// The authenticator that made a credential for this challenge.
    ///
    /// # Errors
    ///
    /// [`EvidenceError`].
    pub fn fido(
        &self,
        makers: &Makers,
        attestation: &FidoAttestation,
        now: Timestamp,
    ) -> Result<DeviceProof, EvidenceError> {
        attestation.read(makers, &self.digest(), now)
    }
}

/// Which register the quote of an enrolment names. What it says counts for nothing here: which programs run is for an allow list.
pub const ENROLMENT_PCRS: &str = "0";
