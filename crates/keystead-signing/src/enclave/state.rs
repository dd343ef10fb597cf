//! Whether this process may compute with keys: it may after its self-tests, and never again once one failed (FIPS 140-3's
//! error state).

use keystead_base::{Digest, Name, SelfTestError};
use keystead_decision::drill_challenge;
use keystead_keys::{DeriveError, Purpose};
use keystead_quantum::QuantumError;

use super::{Enclave, EnclaveControls, Struck};
use crate::entropy::kernel_random;
use crate::{CurveError, EnclaveError, ThresholdError, power_on};

/// What the self-tests of this process's life found.
pub(super) struct State {
    passed: Vec<&'static str>,
    failed: Option<SelfTestError>,
}

impl State {
    /// The tests before the first use of a key.
    pub(super) fn power_on(controls: &impl EnclaveControls) -> Self {
        match power_on(controls) {
            Ok(passed) => Self { passed, failed: None },
            Err(error) => Self { passed: Vec::new(), failed: Some(error) },
        }
    }

    /// Says which test failed, once one has. After a primitive's own test nothing is computed any more; after a fault that was
    /// caught later nothing that uses a secret: the log is followed, so that freezes and wipes are heard of.
    pub(super) fn operational(&self, uses_secrets: bool) -> Result<(), SelfTestError> {
        match self.failed {
            Some(error @ SelfTestError::Answer { .. }) => Err(error),
            Some(error) if uses_secrets => Err(error),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn passed(&self) -> Vec<String> {
        self.passed.iter().map(|it| (*it).to_owned()).collect()
    }

    /// Enters the error state where an error says that this process computes wrongly, and says so instead of it.
    pub(super) fn note(&mut self, error: &EnclaveError) -> EnclaveError {
        let fault = match error {
            EnclaveError::SelfTest(fault) | EnclaveError::Threshold(ThresholdError::SelfTest(fault)) => {
                *fault
            }
            EnclaveError::Curve(CurveError::Unverified) => SelfTestError::Signature { what: "secp256k1" },
            EnclaveError::Derive(DeriveError::Quantum(QuantumError::Faulty { .. })) => {
                SelfTestError::Signature { what: "ML-DSA-65" }
            }
            other => return other.clone(),
        };
        self.failed.get_or_insert(fault);
        fault.into()
    }
}

impl<C: EnclaveControls> Enclave<C> {
    /// INVARIANT S7: a key that was just made signs, and its public side verifies, before anybody hears of it. One that does not
    /// is wiped.
    pub(super) fn pairwise(&mut self, key: &Name) -> Result<(), EnclaveError> {
        let done = self.signs_for_its_public_side(key);
        if done.is_err() {
            self.vault.wipe(key)?;
        }
        done
    }

    fn signs_for_its_public_side(&mut self, key: &Name) -> Result<(), EnclaveError> {
        let what = match self.vault.key(key)?.purpose {
            Purpose::MlDsa65Seed => "ML-DSA-65 key",
            _ => "secp256k1 key",
        };
        let (cluster, public) = (self.cluster()?, self.vault.public(key)?);
        let mut fresh = [0; 32];
        kernel_random(&mut fresh);
        let challenge = drill_challenge(cluster, key, 0, &Digest(fresh), None);
        let mut proof = self.shows_control(key, &challenge).map_err(|_| SelfTestError::Pair { what })?;
        self.controls.strike(Struck::Pair(what), &mut proof);
        match public.proves_control(&challenge, &proof) {
            true => Ok(()),
            false => Err(SelfTestError::Pair { what }.into()),
        }
    }
}
