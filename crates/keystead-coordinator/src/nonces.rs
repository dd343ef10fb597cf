//! Nonces for callers that name none: one at a time per account, and none twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use alloy_primitives::Address;
use tokio::sync::OwnedMutexGuard;

/// What was handed out, by account.
#[derive(Default)]
pub(crate) struct Nonces(Mutex<HashMap<Address, Arc<tokio::sync::Mutex<u64>>>>);

impl Nonces {
    /// Waits until nobody else picks a nonce for this account. The guard holds the lowest that was not
    /// handed out to a request that is still alive.
    pub(crate) async fn turn(&self, account: Address) -> OwnedMutexGuard<u64> {
        let floor = {
            let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(accounts.entry(account).or_default())
        };
        floor.lock_owned().await
    }
}

/// The nonce to use, given what the chain counts as pending.
///
/// A pending count below the floor means that an earlier transaction is on its way; but when the floor
/// is further ahead than anything that could be on its way, the earlier ones are forgotten.
pub(crate) fn pick(pending: u64, floor: u64) -> u64 {
    if floor.saturating_sub(pending) > MAX_AHEAD { pending } else { pending.max(floor) }
}

/// How many transactions of one account may wait for the chain.
const MAX_AHEAD: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_the_chains_or_the_next_one_after_ours() {
        for (pending, floor, picked) in [(0, 0, 0), (5, 3, 5), (5, 6, 6), (5, 500, 5)] {
            assert_eq!(pick(pending, floor), picked);
        }
    }
}
