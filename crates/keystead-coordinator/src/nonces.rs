//! Nonces for callers that name none: one caller at a time per account, and none twice.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use alloy_primitives::Address;
use tokio::sync::OwnedMutexGuard;

/// Whose turn it is, by account. What is handed out stands in the journal.
#[derive(Default)]
pub(crate) struct Nonces(Mutex<HashMap<Address, Arc<tokio::sync::Mutex<()>>>>);

impl Nonces {
    /// Waits until nobody else picks a nonce for this account.
    pub(crate) async fn turn(&self, account: Address) -> OwnedMutexGuard<()> {
        let turn = {
            let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(accounts.entry(account).or_default())
        };
        turn.lock_owned().await
    }
}

/// The nonce to use: the lowest from the chain's pending count on that no living request holds.
///
/// A request that is denied, vetoed or expired gives its nonce back, so that the next one fills the gap in
/// front of those that were signed behind it.
pub(crate) fn pick(pending: u64, held: &BTreeSet<u64>) -> u64 {
    let mut free = pending;
    for nonce in held.range(pending..) {
        if *nonce != free {
            break;
        }
        free = free.saturating_add(1);
    }
    free
}

/// How many nonces from the chain's pending count on nobody holds, below the highest one that somebody does.
pub(crate) fn gap(pending: u64, held: &BTreeSet<u64>) -> u64 {
    let above = held.range(pending..);
    let count = above.clone().count() as u64;
    above.last().map_or(0, |highest| (highest - pending).saturating_add(1).saturating_sub(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_the_lowest_that_nobody_holds() {
        for (pending, held, picked) in
            [(0, vec![], 0), (5, vec![3, 4], 5), (5, vec![5, 6], 7), (5, vec![6, 7], 5), (5, vec![5, 7], 6)]
        {
            assert_eq!(pick(pending, &held.iter().copied().collect()), picked, "{pending}, {held:?}");
        }
    }

    #[test]
    fn a_gap_is_what_stands_open_below_the_highest() {
        for (pending, held, open) in [
            (0, vec![], 0),
            (5, vec![3, 4], 0),
            (5, vec![5, 6], 0),
            (5, vec![6, 7], 1),
            (5, vec![3, 5, 9], 3),
        ] {
            assert_eq!(gap(pending, &held.iter().copied().collect()), open, "{pending}, {held:?}");
        }
    }
}
