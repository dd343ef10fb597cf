//! Sliding limits, exact to one unit (S10).
//!
//! INVARIANT S10: an amount counts from the decision that allowed it until its transaction is final,
//! in every window whatever its span, and from then on for the span. So a signature that somebody
//! hoards goes on counting until it is spent.

use borsh::{BorshDeserialize, BorshSerialize};
use imbl::{OrdMap, Vector};
use keystead_base::{Amount, Name, Timestamp};
use keystead_policy::{Bucket, Charge};

use crate::persist;

/// All counters of all windows.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Windows {
    #[borsh(serialize_with = "persist::write_map", deserialize_with = "persist::read_map")]
    counters: OrdMap<(Name, Bucket), Counter>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
struct Counter {
    /// The sum of what is allowed and not final.
    open: Amount,
    /// What became final and when, oldest first.
    #[borsh(serialize_with = "persist::write_vector", deserialize_with = "persist::read_vector")]
    settled: Vector<(Timestamp, Amount)>,
    /// The sum of `settled`.
    settled_sum: Amount,
}

impl Windows {
    /// What counts at `now` against the charge's window, the charge itself left out.
    #[must_use]
    pub fn used(&self, charge: &Charge, now: Timestamp, skew_seconds: u64) -> Amount {
        let Some(counter) = self.counters.get(&key(charge)) else { return Amount::ZERO };
        let oldest = now.minus_seconds(charge.span_seconds.saturating_add(skew_seconds));
        let expired = counter
            .settled
            .iter()
            .take_while(|(at, _)| *at < oldest)
            .fold(Amount::ZERO, |sum, (_, amount)| sum.saturating_add(*amount));
        let settled = counter.settled_sum.checked_sub(expired).unwrap_or(Amount::MAX);
        counter.open.saturating_add(settled)
    }

    /// Which counts there are, by window and bucket ascending.
    pub fn counts(&self) -> impl Iterator<Item = (&Name, &Bucket)> {
        self.counters.keys().map(|(window, bucket)| (window, bucket))
    }

    /// Counts a charge from now on. The caller has checked that it fits.
    pub fn reserve(&mut self, charge: &Charge, now: Timestamp, skew_seconds: u64) {
        let oldest = now.minus_seconds(charge.span_seconds.saturating_add(skew_seconds));
        let counter = self.counters.entry(key(charge)).or_default();
        counter.forget_before(oldest);
        counter.open = counter.open.saturating_add(charge.amount);
    }

    /// The charge's transaction is final: it counts for the span from `at` on.
    pub fn settle(&mut self, charge: &Charge, at: Timestamp) {
        let Some(counter) = self.counters.get_mut(&key(charge)) else { return };
        counter.release(charge.amount);
        counter.settled_sum = counter.settled_sum.saturating_add(charge.amount);
        counter.settled.push_back((at, charge.amount));
    }

    /// The charge's transaction can never execute: it counts no more.
    pub fn release(&mut self, charge: &Charge) {
        if let Some(counter) = self.counters.get_mut(&key(charge)) {
            counter.release(charge.amount);
        }
    }
}

impl Counter {
    fn release(&mut self, amount: Amount) {
        let left = self.open.checked_sub(amount);
        assert!(left.is_some(), "INVARIANT S10: more was released than reserved");
        self.open = left.unwrap_or(self.open);
    }

    fn forget_before(&mut self, oldest: Timestamp) {
        while let Some((at, amount)) = self.settled.front().copied() {
            if at >= oldest {
                break;
            }
            self.settled.pop_front();
            self.settled_sum = self.settled_sum.checked_sub(amount).unwrap_or(Amount::ZERO);
        }
    }
}

fn key(charge: &Charge) -> (Name, Bucket) {
    (charge.window.clone(), charge.bucket.clone())
}
