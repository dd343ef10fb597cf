//! Windows and slots, counted again.

use keystead_base::{Amount, Digest, RequestId, Timestamp};
use keystead_decision::{Fate, Grant};
use keystead_fixture::{STRANGER, name};

use super::Oracle;
use crate::asked::{Payment, What};
use crate::chain::{Broadcast, Chain};
use crate::rules::{COUNT_WINDOW, HUGE, HUGE_DELAY_SECONDS, LARGE, SPAN_SECONDS, WEI_WINDOW, limit};
use crate::simulation::Requests;

/// What a request counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    wei: u128,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    Settled(Timestamp),
    Dead,
}

/// Who was allowed a slot, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct SlotLog {
    requests: Vec<RequestId>,
    over: bool,
}

impl Oracle {
    pub(super) fn note_limit(&mut self) {
        self.highest_limit = self.highest_limit.max(wei(limit(&self.policy, WEI_WINDOW)));
    }

    /// What counts in the windows now: wei and requests.
    pub(crate) fn used(&self) -> (u128, u128) {
        let counts = |it: &&Held| match it.end {
            End::Open => true,
            End::Settled(at) => at.plus_seconds(SPAN_SECONDS) > self.time,
            End::Dead => false,
        };
        let counted: Vec<&Held> = self.held.values().filter(counts).collect();
        (counted.iter().map(|it| it.wei).sum(), counted.len() as u128)
    }

    /// The log allows a payment, for the first time or again.
    pub(super) fn allowed(&mut self, asked: &Requests, id: &RequestId, grant: &Grant) {
        if let Some(What::Statement(digest)) = asked.get(id).map(|it| &it.what) {
            return self.states(id, *digest, grant);
        }
        let Some(payment) = asked.get(id).and_then(|it| it.payment()).cloned() else {
            return self.object("S2", format!("allowed and never asked for: {id}"));
        };
        if grant.signing_digest != payment.digest {
            self.object("S2", format!("{id} is allowed for other bytes"));
        }
        if self.frozen.holds(&name("hot")) {
            self.object("S14", format!("{id} is allowed while everything is frozen"));
        }
        self.check_destination(id, &payment);
        if payment.total() >= LARGE {
            self.check_consent(asked, id);
        }
        if !self.held.contains_key(id) {
            self.check_delay(id, &payment);
            self.take_slot(id, &payment);
            self.reserve(id, &payment);
        }
    }

    /// A statement of a key in shares.
    fn states(&mut self, id: &RequestId, digest: Digest, grant: &Grant) {
        if grant.signing_digest != digest {
            self.object("S2", format!("{id} is allowed for other bytes"));
        }
        if self.frozen.holds(&grant.account.key) {
            self.object("S14", format!("{id} is allowed while its key is frozen"));
        }
    }

    /// INVARIANT S12.
    fn check_destination(&mut self, id: &RequestId, payment: &Payment) {
        let entry = self.policy.address_book.iter().find(|it| it.address == payment.to);
        let usable = entry.is_some_and(|it| it.usable_from <= self.time);
        if payment.to == STRANGER || !usable {
            self.object("S12", format!("{id} goes to an address that is not usable yet"));
        }
    }

    fn check_delay(&mut self, id: &RequestId, payment: &Payment) {
        let announced = self.announced.get(id).copied().unwrap_or(self.time).max(self.activated.1);
        let ready = announced.plus_seconds(HUGE_DELAY_SECONDS);
        if payment.total() >= HUGE && self.time < ready {
            self.object("S9", format!("{id} did not wait until {ready}"));
        }
    }

    /// INVARIANT S4: one digest for each slot, but for a replacement of the latest.
    fn take_slot(&mut self, id: &RequestId, payment: &Payment) {
        let slot = self.slots.entry(payment.nonce).or_default();
        let fits = match (slot.requests.last(), payment.replaces) {
            (None, None) => true,
            (Some(last), Some(named)) => *last == named && !slot.over,
            (None, Some(_)) | (Some(_), None) => false,
        };
        slot.requests.push(*id);
        if !fits {
            self.object("S4", format!("{id} takes nonce {} besides another", payment.nonce));
        }
    }

    /// INVARIANT S10: what is allowed and not final counts; what is final counts for the span.
    fn reserve(&mut self, id: &RequestId, payment: &Payment) {
        self.held.insert(*id, Held { wei: payment.total(), end: End::Open });
        let (wei_used, requests) = self.used();
        let (wei_limit, count_limit) =
            (wei(limit(&self.policy, WEI_WINDOW)), wei(limit(&self.policy, COUNT_WINDOW)));
        if wei_used > wei_limit {
            self.object("S10", format!("{wei_used} wei of {wei_limit} with {id}"));
        }
        if requests > count_limit {
            self.object("S10", format!("{requests} requests of {count_limit} with {id}"));
        }
    }

    /// The log says that a payment met its end: the chain must say the same.
    pub(super) fn ended(&mut self, asked: &Requests, chain: &Chain, id: &RequestId, fate: Fate) {
        let Some(payment) = asked.get(id).and_then(|it| it.payment()) else { return };
        if chain.fate(id, payment.nonce) != Some(fate) {
            self.object("S10", format!("{id} ended in the log and not on the chain: {fate:?}"));
        }
        if let Some(held) = self.held.get_mut(id) {
            held.end = match fate {
                Fate::Settled { .. } | Fate::Reverted { .. } => End::Settled(self.time),
                Fate::Dead { .. } => End::Dead,
            };
        }
        if let Some(slot) = self.slots.get_mut(&payment.nonce) {
            slot.over = true;
        }
    }

    /// A back end signed: INVARIANT S1, S3, S4, S14.
    pub(crate) fn signed(
        &mut self,
        it: &Broadcast,
        replaces: bool,
        durable: u64,
        decided: u64,
        frozen: bool,
    ) {
        self.signatures += 1;
        if durable < decided {
            let text = format!("signed at height {decided}, and only {durable} is durable");
            self.object("S1", text);
        }
        if !self.held.contains_key(&it.request) {
            self.object("S3", format!("signed and never allowed: {}", it.request));
        }
        if frozen {
            self.object("S14", format!("signed after a freeze: {}", it.request));
        }
        let digests: &mut Vec<Digest> = self.signed.entry(it.nonce).or_default();
        let is_new = !digests.contains(&it.digest);
        if is_new {
            digests.push(it.digest);
        }
        if is_new && digests.len() > 1 && !replaces {
            // A replacement may be signed before what it replaces; both were allowed in order then.
            let in_order = self.slots.get(&it.nonce).is_some_and(|slot| slot.requests.len() == digests.len());
            if !in_order {
                self.object("S4", format!("two digests are signed at nonce {}", it.nonce));
            }
        }
    }

    /// A transaction became final on the chain: what left in the span stays within the highest limit.
    pub(crate) fn left(&mut self, now: u64, chain: &Chain) {
        let left = chain.left_within(now, SPAN_SECONDS);
        if left > self.highest_limit {
            self.object("S10", format!("{left} wei left within {SPAN_SECONDS} s"));
        }
    }

    /// The newest request that was allowed at a nonce.
    pub(crate) fn latest_at(&self, nonce: u64) -> Option<RequestId> {
        self.slots.get(&nonce).and_then(|it| it.requests.last().copied())
    }

    /// Payments that are allowed and not over.
    pub(crate) fn open(&self) -> Vec<RequestId> {
        self.held.iter().filter(|(_, it)| it.end == End::Open).map(|(id, _)| *id).collect()
    }
}

fn wei(amount: Amount) -> u128 {
    u128::try_from(amount.0).unwrap_or(u128::MAX)
}
