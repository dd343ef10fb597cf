//! Shares that are gone: wiped once no right can name their epoch any more, or lost.

use std::collections::BTreeMap;
use std::time::Duration;

use keystead_base::{Name, RequestId};
use keystead_decision::{Key, KeyStep, Sharing, State};
use tokio::time::Instant;

use crate::NodeError;
use crate::restore::is_share;
use crate::signer::Signer;

/// The epochs of shared keys as they were seen last, and those that wait for their end.
#[derive(Default)]
pub(crate) struct Epochs {
    in_force: BTreeMap<Name, (u32, Sharing)>,
    /// When the shares up to this epoch are wiped.
    pub(super) over: BTreeMap<Name, (Instant, u32)>,
}

impl Epochs {
    /// Notes which epochs are over, and says which began. Rights of theirs stand until they expire, so the shares stay as long as
    /// rights do.
    fn see(&mut self, state: &State, now: Instant) -> Vec<(Name, u32)> {
        let mut began = Vec::new();
        let seconds = state.policy().engine.version().timing.certificate_seconds;
        let shared = state.keys().filter_map(|(name, key)| Some((name, key, key.sharing.as_ref()?)));
        for (name, key, sharing) in shared {
            let epoch = key.epoch;
            if self.in_force.get(name).is_some_and(|(before, _)| *before == epoch) {
                continue;
            }
            let before = self.in_force.insert(name.clone(), (epoch, sharing.clone()));
            // INVARIANT K4: what was whole until its shares took over ends as shares of an epoch before do.
            let whole = key.imported.then(|| epoch.checked_sub(1)).flatten();
            let before = before.map_or(whole, |(before, _)| Some(before));
            if let Some(before) = before.filter(|before| *before < epoch) {
                self.over.insert(name.clone(), (now + Duration::from_secs(seconds), before));
            }
            began.push((name.clone(), epoch));
        }
        began
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
    /// Follows the epochs of shared keys. Of one that begins and whose share is not here, which is gone, the log is told: after a
    /// start, and where a disk that was empty has heard of the key again.
    pub(crate) fn see_epochs(&mut self, state: &State) {
        let began = self.runs.epochs.see(state, Instant::now());
        // Of an epoch that is over by now nobody asks: an empty disk hears of all of them, one after the other.
        let newest = self.shared.state();
        for (name, epoch) in began {
            let holds = newest.key(&name).is_some_and(|key| misses(key, &self.shared.node, epoch));
            if holds && !self.held.contains(&(name.clone(), epoch)) {
                self.shared.report_key_later(name, KeyStep::Lost { epoch });
            }
        }
    }

    /// INVARIANT D1, K3: a ceremony that ended without a key, or without new shares, leaves nothing: its share would be taken for
    /// the one that a later ceremony makes, or for a key of the same name.
    pub(super) async fn forget_undone(&mut self, state: &State) -> Result<(), NodeError> {
        let live = |request: &RequestId| state.convenings().any(|(_, it)| it.request == *request);
        let over: Vec<(Name, u32)> =
            self.runs.open.iter().filter(|(request, _)| !live(request)).map(|(_, it)| it.clone()).collect();
        for (name, epoch) in over.into_iter().filter(|(name, epoch)| is_undone(state, name, *epoch)) {
            // A key that was to be dealt in shares and stays whole is there, too.
            if state.key(&name).is_none_or(|it| it.sharing.is_none()) {
                self.enclave.erase_shares(name.clone(), epoch)?;
            }
            self.held.remove(&(name.clone(), epoch));
            // A whole key of that name may have been born in the very block that ended the ceremony.
            self.erase_seals(|it, of, sealed| *it == name && of == epoch && is_share(sealed)).await?;
        }
        let ours = state.convenings().filter(|(_, it)| it.holders.contains(&self.shared.node));
        self.runs.open = ours.map(|(name, it)| (it.request, (name.clone(), it.next_epoch()))).collect();
        Ok(())
    }

    /// INVARIANT K3: the enclave first, then the ledger: whatever a crash leaves is not opened again.
    pub(super) async fn retire(&mut self, now: Instant) -> Result<(), NodeError> {
        let due = self.runs.epochs.over.iter().filter(|(_, (until, _))| *until <= now);
        let due: Vec<(Name, u32)> = due.map(|(name, (_, epoch))| (name.clone(), *epoch)).collect();
        for (name, last) in due {
            self.enclave.erase_before(name.clone(), last)?;
            self.erase_seals(|sealed, epoch, _| *sealed == name && epoch <= last).await?;
            // Of a key that was whole until its shares took over.
            self.wipe_rolls(&name);
            self.runs.epochs.over.remove(&name);
        }
        Ok(())
    }
}

/// Whether a node has a share of a key in this epoch, as far as the log knows.
fn misses(key: &Key, node: &Name, epoch: u32) -> bool {
    let has_home = key.sharing.as_ref().is_some_and(|it| it.has_home(node));
    key.epoch == epoch && key.state.receives() && has_home
}

/// Whether the shares of an epoch never came into force. Those that another ceremony of the same key may be making right now are
/// that one's to take away.
fn is_undone(state: &State, name: &Name, epoch: u32) -> bool {
    state.convening(name).is_none() && state.key(name).is_none_or(|key| key.epoch < epoch)
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
