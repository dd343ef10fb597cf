//! What a witness is shown before it signs an enrolment: a device that binds this holder, this key and this nonce.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest, HybridPublicKey, Signed, Timestamp};
use keystead_policy::{DeviceProof, Enrolment, Holder};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::tpm::{Endorsement, Pcrs, TpmIdentity, TpmVerifier};
use crate::{EvidenceError, FidoAttestation, Makers, Reason, Verifier as _};

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

    /// The token in which the witness saw a key, by that key's signature: ECDSA on P-256 over this challenge's digest, `r ‖ s`.
    ///
    /// # Errors
    ///
    /// [`EvidenceError::Signature`] of another key, or over another challenge.
    pub fn token(&self, seen: &TokenTestimony, signature: &[u8]) -> Result<DeviceProof, EvidenceError> {
        // The digest is the SHA-256 of the document.
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &seen.public);
        let signed = key.verify(&self.to_document(), signature);
        signed.map(|()| seen.proof()).map_err(|_| {
            let reason = "the key that was seen in the token did not sign this challenge".to_owned();
            EvidenceError::Signature { reason: Reason::Words(reason) }
        })
    }
}

/// What a token said of itself, and of a key that was born in it, to the witness that opened it. Nobody signs that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenTestimony {
    /// Its maker, without the blanks that PKCS#11 pads with; so of model and number.
    pub manufacturer: String,
    /// Its model.
    pub model: String,
    /// Its serial number.
    pub serial: String,
    /// Whether its slot says that no hardware is behind it.
    pub software: bool,
    /// The key's point on P-256, uncompressed, 65 bytes.
    #[serde(with = "const_hex")]
    pub public: Vec<u8>,
}

impl TokenTestimony {
    /// What a record says of it, once its key signed.
    #[must_use]
    pub fn proof(&self) -> DeviceProof {
        let Self { manufacturer, model, serial, software, public } = self.clone();
        let key = Digest(Sha256::digest(public).into());
        DeviceProof::TokenKey { manufacturer, model, serial, key, software }
    }
}

/// Which register the quote of an enrolment names. What it says counts for nothing here: which programs run is for an allow list.
pub const ENROLMENT_PCRS: &str = "0";

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use keystead_base::Coded as _;

    use super::*;

    fn challenge(nonce: u8) -> EnrolmentChallenge {
        let holder = Holder::Node("node-2".parse().unwrap());
        EnrolmentChallenge { holder, key: Digest([1; 32]), nonce: Digest([nonce; 32]) }
    }

    fn seen(public: &[u8]) -> TokenTestimony {
        let text = ["maker", "model", "17"].map(str::to_owned);
        let [manufacturer, model, serial] = text;
        TokenTestimony { manufacturer, model, serial, software: true, public: public.to_vec() }
    }

    #[test]
    fn s11_a_token_is_shown_by_the_key_that_was_seen_in_it_for_this_challenge_alone() {
        let new = || EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let (key, other) = (new(), new());
        let seen = seen(key.public_key().as_ref());
        let sign = |key: &EcdsaKeyPair, challenge: &EnrolmentChallenge| {
            key.sign(&SystemRandom::new(), &challenge.to_document()).unwrap().as_ref().to_vec()
        };
        let asked = challenge(2);
        let right = sign(&key, &asked);
        let point = Digest(Sha256::digest(key.public_key().as_ref()).into());
        let expected = DeviceProof::TokenKey {
            manufacturer: "maker".to_owned(),
            model: "model".to_owned(),
            serial: "17".to_owned(),
            key: point,
            software: true,
        };
        assert_eq!(asked.token(&seen, &right), Ok(expected));
        let refused =
            |asked: &EnrolmentChallenge, signature: &[u8]| asked.token(&seen, signature).unwrap_err().code();
        assert_eq!(refused(&asked, &sign(&other, &asked)), "evidence.signature");
        assert_eq!(refused(&challenge(3), &right), "evidence.signature", "another nonce");
        assert_eq!(refused(&asked, &right[..63]), "evidence.signature");
        for bit in 0..512 {
            let mut flipped = right.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(refused(&asked, &flipped), "evidence.signature", "bit {bit}");
        }
    }
}
