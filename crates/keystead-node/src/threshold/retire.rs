//! Shares that are gone: wiped once no right can name their epoch any more, or lost.

use std::collections::BTreeMap;
use std::time::Duration;

use keystead_base::Name;
use keystead_decision::{Key, KeyStep, State};
use keystead_signing::OpenedKey;
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

    /// After a start of the enclave: tells the log of shares in force that it was not given, because they are gone.
    pub(crate) fn report_lost_shares(&self, held: &[OpenedKey]) {
        let (state, me) = (self.shared.state(), &self.shared.node);
        let has_home = |key: &Key| key.sharing.as_ref().is_some_and(|it| it.has_home(me));
        let here = |name: &Name, epoch| held.iter().any(|it| it.key == *name && it.epoch == epoch);
        for (name, key) in state.keys().filter(|(_, key)| key.state.receives() && has_home(key)) {
            if !here(name, key.epoch) {
                self.shared.report_key_later(name.clone(), KeyStep::Lost { epoch: key.epoch });
            }
        }
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
