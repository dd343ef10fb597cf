//! Whole keys of ML-DSA-65: grown from their seed for one signature, which is verified before it is used.

use keystead_base::{Digest, Name};
use keystead_keys::{DeriveError, Purpose};
use keystead_quantum::{QuantumError, QuantumKey, QuantumSignature, Scheme};

use super::{Enclave, EnclaveControls, Struck};
use crate::EnclaveError;

impl<C: EnclaveControls> Enclave<C> {
    /// What proves control of a whole key (`keystead_base::PublicAccount::proves_control`).
    pub(super) fn shows_control(&mut self, name: &Name, challenge: &Digest) -> Result<Vec<u8>, EnclaveError> {
        if self.vault.key(name)?.purpose == Purpose::MlDsa65Seed {
            let key = self.vault.ml_dsa_65(name)?;
            let signature = self.sign_quantum(&key, challenge)?;
            return Ok([key.public().as_bytes(), signature.as_bytes()].concat());
        }
        let account = self.vault.account(name, 0)?;
        let signature = self.curve.sign(&self.vault.scalar(&account), &account.public, challenge)?;
        Ok(signature.rs.to_vec())
    }

    /// INVARIANT S7: two libraries verified the signature when it was made; what leaves is verified once more.
    pub(super) fn sign_quantum(
        &self,
        key: &QuantumKey,
        digest: &Digest,
    ) -> Result<QuantumSignature, EnclaveError> {
        let scheme = Scheme::MlDsa65;
        let made = key.sign(digest.as_bytes()).map_err(DeriveError::from)?;
        let mut bytes = made.as_bytes().to_vec();
        self.controls.strike(Struck::Signature, &mut bytes);
        let signature = QuantumSignature::from_bytes(scheme, &bytes).map_err(DeriveError::from)?;
        let verified = key.public().verify(digest.as_bytes(), &signature);
        verified.map_err(|_| DeriveError::from(QuantumError::Faulty { scheme }))?;
        Ok(signature)
    }
}
