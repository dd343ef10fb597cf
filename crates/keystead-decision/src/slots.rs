//! Slots of accounts and limit windows: what they still admit, and what takes a slot.

use std::sync::Arc;

use keystead_base::RequestId;
use keystead_intent::Slot;
use keystead_policy::{Charge, Reason};

use crate::{SlotUse, State};

impl State {
    pub(crate) fn slot_admits(
        &self,
        slot: &Slot,
        asks: &RequestId,
        replaces: Option<&RequestId>,
    ) -> Result<(), Reason> {
        let holder = self.slots.get(slot);
        match (holder, replaces) {
            (None, None) => Ok(()),
            (None, Some(named)) => Err(not_replacing(named, slot)),
            (Some(held), _) if held.requests.last() == Some(asks) => Ok(()),
            (Some(held), Some(named)) if !held.settled && held.requests.last() == Some(named) => Ok(()),
            (Some(held), None) => {
                Err(Reason::SlotTaken { slot: *slot, by: held.requests.last().copied().unwrap_or(*asks) })
            }
            (Some(_), Some(named)) => Err(not_replacing(named, slot)),
        }
    }

    /// How many nonces below this one nobody has, down to the account's highest that is final. Beyond
    /// [`MAX_SLOTS_LOOKED_AT`] that are given and not final nobody looks: each of those was allowed by itself.
    pub(crate) fn free_below(&self, slot: &Slot) -> u64 {
        let lowest = Slot { nonce: 0, ..*slot };
        let (mut free, mut above) = (0_u64, slot.nonce);
        for (looked_at, (below, held)) in self.slots.range(lowest..*slot).rev().enumerate() {
            free = free.saturating_add(above.saturating_sub(below.nonce).saturating_sub(1));
            if held.settled || looked_at >= MAX_SLOTS_LOOKED_AT {
                return free;
            }
            above = below.nonce;
        }
        free.saturating_add(above)
    }

    pub(crate) fn window_admits(&self, charge: &Charge) -> Result<(), Reason> {
        let skew = self.policy.engine.version().timing.skew_seconds;
        let used = self.windows.used(charge, self.time, skew);
        match used.checked_add(charge.amount) {
            Some(sum) if sum <= charge.limit => Ok(()),
            _ => Err(Reason::LimitExceeded {
                window: charge.window.clone(),
                bucket: charge.bucket.clone(),
                limit: charge.limit,
                used,
                asked: charge.amount,
            }),
        }
    }

    pub(crate) fn take_slot(&mut self, slot: Slot, id: RequestId) {
        self.accounts.insert(slot.account);
        let unused = || Arc::new(SlotUse { requests: Vec::new(), settled: false });
        let held = Arc::make_mut(self.slots.entry(slot).or_insert_with(unused));
        if held.requests.last() != Some(&id) {
            held.requests.push(id);
        }
    }
}

fn not_replacing(named: &RequestId, slot: &Slot) -> Reason {
    let text = format!("it is not the latest unsettled request at nonce {} of {}", slot.nonce, slot.account);
    Reason::NotReplacing { replaces: *named, text }
}

/// Slots that are given and not final, below one that is asked for.
const MAX_SLOTS_LOOKED_AT: usize = 1024;
