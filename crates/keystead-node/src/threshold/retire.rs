//! Shares of epochs that are over: wiped once no right can name them any more.

use std::collections::BTreeMap;
use std::time::Duration;

use keystead_base::Name;
use keystead_decision::State;
use tokio::time::Instant;

use crate::NodeError;
use crate::signer::Signer;

/// The epochs of shared keys as they were seen last, and those that wait for their end.
#[derive(Default)]
pub(crate) struct Epochs {
    in_force: BTreeMap<Name, u32>,
    /// When the shares up to this epoch are wiped.
    pub(super) over: BTreeMap<Name, (Instant, u32)>,
}

impl Epochs {
    /// Notes which epochs are over. Rights of theirs stand until they expire, so the shares stay as long as rights do.
    fn see(&mut self, state: &State, now: Instant) {
        let seconds = state.policy().engine.version().timing.certificate_seconds;
        for (name, key) in state.keys().filter(|(_, key)| key.sharing.is_some()) {
            let before = self.in_force.insert(name.clone(), key.epoch);
            if let Some(before) = before.filter(|it| *it < key.epoch) {
                self.over.insert(name.clone(), (now + Duration::from_secs(seconds), before));
            }
        }
    }
}

impl Signer {
    pub(super) fn see_epochs(&mut self, state: &State) {
        self.runs.epochs.see(state, Instant::now());
    }

    /// INVARIANT K3: the enclave first, then the ledger: whatever a crash leaves is not opened again.
    pub(super) async fn retire(&mut self, now: Instant) -> Result<(), NodeError> {
        let due = self.runs.epochs.over.iter().filter(|(_, (until, _))| *until <= now);
        let due: Vec<(Name, u32)> = due.map(|(name, (_, epoch))| (name.clone(), *epoch)).collect();
        for (name, last) in due {
            self.enclave.erase_shares(name.clone(), last)?;
            self.erase_seals(|sealed, epoch| *sealed == name && epoch <= last).await?;
            self.runs.epochs.over.remove(&name);
        }
        Ok(())
    }
}
