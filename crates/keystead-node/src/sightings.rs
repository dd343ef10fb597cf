//! Where signed transactions were last seen in blocks: a block that a chain gave up shows by what was in it.
//!
//! In memory, as this node's own endpoints show it: no limit, no slot and no settlement rests on it. A transaction that is
//! not final counts in every window, in a block or not.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use alloy_primitives::B256;
use bitcoin::hashes::Hash as _;
use keystead_base::RequestId;
use keystead_transmit::ReceiptFacts;
use keystead_transmit::coins::Mined;
use keystead_wire::{RequestStage, RequestView};

/// The transactions that are signed and not final.
#[derive(Debug, Default)]
pub(crate) struct Sightings(Mutex<HashMap<RequestId, Sighting>>);

/// A block that had one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    block: u64,
    hash: B256,
}

impl Place {
    /// The block of a receipt.
    pub(crate) fn of_receipt(it: &ReceiptFacts) -> Self {
        Self { block: it.block, hash: it.block_hash }
    }

    /// A block of Bitcoin's, whose hash is written with its last byte first.
    pub(crate) fn of(it: Mined) -> Self {
        let mut hash = it.block.to_byte_array();
        hash.reverse();
        Self { block: it.height.into(), hash: B256::from(hash) }
    }
}

/// One of them, once it was in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    /// The number of the last block that had it.
    pub(crate) block: u64,
    /// That block's hash.
    pub(crate) hash: B256,
    /// Whether the chain has it no more.
    pub(crate) gone: bool,
}

impl Sightings {
    /// Takes what enough endpoints agree on; gives the block that is gone, where it was in one and is in none now.
    pub(crate) fn see(&self, request: RequestId, seen: Option<Place>) -> Option<Sighting> {
        let mut all = self.all();
        match (seen, all.get_mut(&request)) {
            (Some(Place { block, hash }), _) => {
                let it = Sighting { block, hash, gone: false };
                all.insert(request, it);
                None
            }
            (None, Some(last)) if !last.gone => {
                last.gone = true;
                Some(*last)
            }
            (None, _) => None,
        }
    }

    /// Whether it was ever in a block.
    pub(crate) fn has(&self, request: &RequestId) -> bool {
        self.all().contains_key(request)
    }

    /// Forgets all but these.
    pub(crate) fn keep(&self, open: impl Fn(&RequestId) -> bool) {
        self.all().retain(|request, _| open(request));
    }

    /// The request as it is shown.
    pub(crate) fn shown(&self, mut view: RequestView) -> RequestView {
        let gone = || self.all().get(&view.request).is_some_and(|it| it.gone);
        if view.stage == RequestStage::Signed && gone() {
            view.stage = RequestStage::Reorged;
        }
        view
    }

    fn all(&self) -> MutexGuard<'_, HashMap<RequestId, Sighting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use keystead_base::Digest;

    use super::*;

    #[test]
    fn s10_a_transaction_is_gone_once_and_back_again() {
        let (sightings, request) = (Sightings::default(), RequestId(Digest::ZERO));
        let receipt = |block| Place { block, hash: B256::repeat_byte(7) };
        assert_eq!(sightings.see(request, None), None, "it was in no block yet");
        assert!(!sightings.has(&request));
        assert_eq!(sightings.see(request, Some(receipt(5))), None);
        assert_eq!(sightings.see(request, Some(receipt(6))), None, "another block has it");
        let gone = sightings.see(request, None).unwrap();
        assert_eq!((gone.block, gone.gone), (6, true));
        assert_eq!(sightings.see(request, None), None, "that is said once");
        sightings.see(request, Some(receipt(9)));
        assert_eq!(sightings.see(request, None).map(|it| it.block), Some(9), "and again");
        sightings.keep(|_| false);
        assert!(!sightings.has(&request));
    }
}
