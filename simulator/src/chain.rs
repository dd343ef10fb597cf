//! The simulated chain: one account whose slots are taken by whatever signed transaction comes first.
//!
//! Slots become final in any order, which is harder on the ledger than a real chain's ascending nonces.

use std::collections::BTreeMap;

use keystead_base::{Digest, RequestId};
use keystead_decision::Fate;

/// A signed transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Broadcast {
    pub(crate) request: RequestId,
    pub(crate) nonce: u64,
    pub(crate) digest: Digest,
    /// What leaves the account, fee included, in wei.
    pub(crate) wei: u128,
}

/// What is final.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    slots: BTreeMap<u64, Broadcast>,
    /// When what left, in milliseconds and wei.
    left: Vec<(u64, u128)>,
}

impl Chain {
    /// Includes a transaction finally, unless its slot is taken.
    pub(crate) fn include(&mut self, now: u64, it: Broadcast) -> bool {
        if self.slots.contains_key(&it.nonce) {
            return false;
        }
        self.slots.insert(it.nonce, it);
        self.left.push((now, it.wei));
        true
    }

    /// What left within a span that ends now.
    pub(crate) fn left_within(&self, now: u64, span_seconds: u64) -> u128 {
        let first = now.saturating_sub(span_seconds * 1000);
        self.left.iter().filter(|(at, _)| *at > first).map(|(_, wei)| wei).sum()
    }

    /// What became of the transaction of a request at a nonce; none while the slot is free.
    pub(crate) fn fate(&self, request: &RequestId, nonce: u64) -> Option<Fate> {
        let it = self.slots.get(&nonce)?;
        Some(if it.request == *request {
            Fate::Settled { transaction: it.digest }
        } else {
            Fate::Dead { by: it.digest }
        })
    }

    /// What a lie would make of the transaction that is final at a nonce, for a request that it is not of.
    pub(crate) fn settled_by(&self, nonce: u64) -> Option<Fate> {
        self.slots.get(&nonce).map(|it| Fate::Settled { transaction: it.digest })
    }
}
