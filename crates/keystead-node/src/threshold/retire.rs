//! Shares that are gone: wiped once no right can name their epoch any more, or lost.

use std::collections::BTreeMap;
use std::time::Duration;

use keystead_base::Name;
use keystead_decision::{Key, KeyStep, Sharing, State};
use keystead_signing::OpenedKey;
use tokio::time::Instant;

use crate::NodeError;
use crate::signer::Signer;

/// The epochs of shared keys as they were seen last, and those that wait for their end.
#[derive(Default)]
pub(crate) struct Epochs {
    in_force: BTreeMap<Name, (u32, Sharing)>,
    /// When the shares up to this epoch are wiped.
    pub(super) over: BTreeMap<Name, (Instant, u32)>,
}

impl Epochs {
    /// Notes which epochs are over. Rights of theirs stand until they expire, so the shares stay as long as rights do.
    fn see(&mut self, state: &State, now: Instant) {
        let seconds = state.policy().engine.version().timing.certificate_seconds;
        let shared = state.keys().filter_map(|(name, key)| Some((name, key.epoch, key.sharing.as_ref()?)));
        for (name, epoch, sharing) in shared {
            if self.in_force.get(name).is_some_and(|(before, _)| *before == epoch) {
                continue;
            }
            let before = self.in_force.insert(name.clone(), (epoch, sharing.clone()));
            if let Some((before, _)) = before.filter(|(before, _)| *before < epoch) {
                self.over.insert(name.clone(), (now + Duration::from_secs(seconds), before));
            }
        }
    }

    /// Who holds in an epoch: the one in force at a block, or the one that was before it.
    pub(super) fn sharing<'a>(
        &'a self,
        key: &Name,
        at_block: Option<(u32, &'a Sharing)>,
        epoch: u32,
    ) -> Option<&'a Sharing> {
        let before = self.in_force.get(key).map(|(epoch, sharing)| (*epoch, sharing));
        at_block.into_iter().chain(before).find(|(of, _)| *of == epoch).map(|(_, sharing)| sharing)
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
            self.erase_seals(|sealed, epoch, _| *sealed == name && epoch <= last).await?;
            self.runs.epochs.over.remove(&name);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sharing(holders: &str) -> Sharing {
        Sharing {
            threshold: 2,
            holders: holders.split_whitespace().map(|it| it.parse().unwrap()).collect(),
            seats: BTreeMap::new(),
            shares: Vec::new(),
            homes: BTreeMap::new(),
        }
    }

    /// The block that ends an epoch may name rights of it.
    #[test]
    fn s03_a_right_is_led_by_the_holders_of_the_epoch_that_it_names() {
        let (key, old, new): (Name, _, _) = ("hot".parse().unwrap(), sharing("a b c"), sharing("b c d e"));
        let epochs = Epochs { in_force: [(key.clone(), (4, old.clone()))].into(), over: BTreeMap::new() };
        assert_eq!(epochs.sharing(&key, Some((5, &new)), 4), Some(&old));
        assert_eq!(epochs.sharing(&key, Some((5, &new)), 5), Some(&new));
        assert_eq!(epochs.sharing(&key, Some((4, &old)), 4), Some(&old));
        assert_eq!(epochs.sharing(&key, Some((5, &new)), 3), None, "nobody's that is known");
        assert_eq!(Epochs::default().sharing(&key, Some((5, &new)), 4), None, "after a start");
    }
}
