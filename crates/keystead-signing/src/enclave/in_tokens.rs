//! Keys in tokens: the same certificates, and a process that signs what this one says.

use alloy_primitives::Address;
use keystead_base::{Name, RequestId, Secret};
use keystead_chain::Unsigned;
use keystead_decision::{Grant, drill_challenge};
use keystead_keys::{Purpose, SealLabel, Sealed};

use super::{Enclave, EnclaveControls, fits, held, in_epoch};
use crate::EnclaveError;
use crate::entropy::{MachineDraw, kernel_random};
use crate::protocol::{CreatedKey, ItemResult, OpenedKey, Released};

impl<C: EnclaveControls> Enclave<C> {
    /// What this machine, its tokens and its TPM give to a seed. What the TPM gave serves once.
    pub(super) fn draw(&mut self) -> MachineDraw {
        let tpm = self.poured.take();
        MachineDraw::with(|out| self.tokens.random(out), tpm)
    }

    pub(super) fn create_in_tokens(&mut self, key: &Name, group: &Name) -> Result<CreatedKey, EnclaveError> {
        let cluster = self.cluster()?;
        if self.vault.key(key).is_ok() || self.threshold.holds(key) {
            return Err(crate::VaultError::Known { key: key.clone() }.into());
        }
        // INVARIANT E1: the tokens' generator is tested as a source before it makes a key, and the machine's with it.
        let draw = self.draw();
        self.sources.check(&draw)?;
        let (made, place) = self.tokens.generate(cluster, key, group)?;
        let label =
            SealLabel { cluster: Some(cluster), name: key.clone(), purpose: Purpose::TokenKey, epoch: 0 };
        let sealing = self.sealing.as_ref().ok_or(EnclaveError::NotReady)?;
        let sealed = sealing.seal(label, &place, &mut kernel_random)?;
        Ok(CreatedKey { held: held(key, made.epoch, &made.account), sealed, receipt: None })
    }

    pub(super) fn open_in_tokens(
        &mut self,
        sealed: &Sealed,
        label: SealLabel,
    ) -> Result<OpenedKey, EnclaveError> {
        let sealing = self.sealing.as_ref().ok_or(EnclaveError::NotReady)?;
        let mut place = Secret::new(vec![0; sealed.secret_bytes()]);
        sealing.open(sealed, &label, place.expose_mut())?;
        self.tokens.open(&label.name, label.epoch, place.expose())?;
        Ok(OpenedKey { key: label.name, epoch: label.epoch })
    }

    /// The right was used up by whoever calls this; the rest is checked as for a key of the vault.
    pub(super) fn sign_in_tokens(
        &mut self,
        grant: &Grant,
        unsigned: &Unsigned,
    ) -> Result<ItemResult, EnclaveError> {
        let name = &grant.account.key;
        let key = self.tokens.key(name).ok_or_else(|| crate::VaultError::Unknown { key: name.clone() })?;
        in_epoch(name, key.epoch, grant.epoch)?;
        if grant.account.index != 0 {
            // Which has no address: the key has no children.
            return Err(EnclaveError::Account { expected: key.address, found: Address::ZERO });
        }
        fits(grant, unsigned, key.address)?;
        let (account, signing_digest) = (key.address, unsigned.signing_digest());
        let signature = self.tokens.sign(name, &signing_digest)?;
        if !self.repeats.admit(signature.r(), signing_digest) {
            return Err(EnclaveError::RepeatedNonce);
        }
        Ok(ItemResult::Signed(Released { signing_digest, account, signature }))
    }

    /// Proves to the log that the tokens sign with a key that was just born: over a challenge that is no payload of anything.
    pub(super) fn prove(&mut self, key: &Name, request: RequestId) -> Result<Vec<u8>, EnclaveError> {
        self.hardened()?;
        let epoch = self.tokens.key(key).map(|it| it.epoch);
        let epoch = epoch.ok_or_else(|| crate::VaultError::Unknown { key: key.clone() })?;
        let challenge = drill_challenge(self.cluster()?, key, epoch, &request.0, None);
        Ok(self.tokens.sign(key, &challenge)?.rs.to_vec())
    }
}
