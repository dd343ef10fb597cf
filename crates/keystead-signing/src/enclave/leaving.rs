//! A key in shares leaves: this enclave's share, encrypted to the recipients that the log names.

use keystead_base::Timestamp;
use keystead_decision::{Certificate, LightError};
use keystead_intent::KeyCeremony;
use keystead_keys::{age_file, age_recipient};

use super::{Enclave, EnclaveControls};
use crate::EnclaveError;
use crate::entropy::kernel_random;

impl<C: EnclaveControls> Enclave<C> {
    /// INVARIANT K4: a share leaves for those alone whom people named in a committed exit; in the clear nothing does.
    pub(super) fn leave(&mut self, it: &Certificate, now: Timestamp) -> Result<Vec<u8>, EnclaveError> {
        let (ceremony, epoch) = self.ceremony(it, now)?.into_parts();
        let KeyCeremony::Exit { key, recipients } = ceremony else { return Err(EnclaveError::Ceremony) };
        // INVARIANT S14: whatever the log said before the freeze, which this enclave may know of from a quorum alone.
        if self.log.as_ref().is_none_or(|log| log.holds(&key)) {
            return Err(LightError::Frozen { key }.into());
        }
        let recipients = recipients.iter().map(|it| age_recipient(it)).collect::<Result<Vec<_>, _>>()?;
        let document = self.threshold.leaving(self.cluster()?, &key, epoch)?;
        Ok(age_file(&document, &recipients, &mut kernel_random)?)
    }
}
