//! Proof that this process controls a key: the key signs the newest block that it followed the log to.

use keystead_base::Name;
use keystead_decision::control_challenge;

use super::{Enclave, EnclaveControls};
use crate::EnclaveError;
use crate::protocol::ControlProof;

impl<C: EnclaveControls> Enclave<C> {
    /// The digest is made here of what this process knows of the log, under a domain of its own: nothing from outside is
    /// signed.
    pub(super) fn prove_control(&mut self, name: &Name) -> Result<ControlProof, EnclaveError> {
        let log = self.log.as_ref().ok_or(EnclaveError::NotReady)?;
        let (height, block) = log.head().ok_or(EnclaveError::NotReady)?;
        if let Some(epoch) = self.tokens.key(name).map(|it| it.epoch) {
            let challenge = control_challenge(self.cluster()?, name, epoch, height, &block);
            return Ok(ControlProof { height, proof: self.tokens.sign(name, &challenge)?.rs.to_vec() });
        }
        let epoch = self.vault.key(name)?.epoch;
        let challenge = control_challenge(self.cluster()?, name, epoch, height, &block);
        Ok(ControlProof { height, proof: self.shows_control(name, &challenge)? })
    }
}
