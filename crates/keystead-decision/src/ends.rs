//! How reservations end: settled, dead, lapsed.

use std::sync::Arc;

use keystead_base::{Digest, RequestId};
use keystead_intent::Slot;
use keystead_policy::Reason;

use crate::turn::Turn;
use crate::{Controls, Event, Fate, Outcome, Phase, Settlement};

impl<C: Controls> Turn<'_, C> {
    /// A node says what became of a signed transaction.
    pub(crate) fn settlement(&mut self, settlement: &Settlement) {
        let id = settlement.request;
        let known = self.state.requests.get(&id).map(|request| (request.phase, request.slot));
        match known {
            Some((Phase::Allowed, slot)) if slot == settlement.slot => {
                self.end_request(&id, slot, settlement.fate)
            }
            Some(_) => self.not_ending(id, Reason::NotOpen { request: id }),
            None => self.not_ending(id, Reason::RequestUnknown { request: id }),
        }
    }

    fn not_ending(&mut self, id: RequestId, reason: Reason) {
        self.decide(id, Vec::new(), Outcome::Deny { class: None, reasons: vec![reason] });
    }

    fn end_request(&mut self, id: &RequestId, slot: Option<Slot>, fate: Fate) {
        match fate {
            Fate::Settled { transaction } | Fate::Reverted { transaction } => {
                self.settled(id, slot, fate, transaction)
            }
            Fate::Dead { .. } => self.dead(id, fate),
        }
    }

    /// INVARIANT S10: what a transaction that failed was to move counts as well; one bit of a receipt frees no limit.
    fn settled(&mut self, id: &RequestId, slot: Option<Slot>, fate: Fate, transaction: Digest) {
        self.count_from_now(id);
        self.step(id, Event::Settle);
        self.decide(*id, Vec::new(), Outcome::Ended { fate });
        let mut others = Vec::new();
        if let Some(held) = slot.and_then(|slot| self.state.slots.get_mut(&slot)).map(Arc::make_mut) {
            held.settled = true;
            others.extend(held.requests.iter().filter(|it| *it != id).copied());
        }
        if let Some(request) = self.state.requests.get(id).cloned() {
            others.extend(self.state.spend_coins(id, &request));
        }
        for other in others {
            self.dead(&other, Fate::Dead { by: transaction });
        }
    }

    fn dead(&mut self, id: &RequestId, fate: Fate) {
        let Some(request) = self.state.requests.get(id).cloned() else { return };
        if request.phase != Phase::Allowed {
            return;
        }
        for charge in &request.charges {
            self.state.windows.release(charge);
        }
        self.state.free_coins(id, &request);
        if let Some(held) = request.slot.and_then(|slot| self.state.slots.get_mut(&slot)).map(Arc::make_mut) {
            held.settled = true;
        }
        self.step(id, Event::Die);
        self.decide(*id, Vec::new(), Outcome::Ended { fate });
    }

    /// A signature without a slot is over: it counts from now on, and ends with the window.
    pub(crate) fn lapse(&mut self, id: &RequestId) {
        let lapses = self.state.requests.get(id).is_some_and(|request| {
            request.phase == Phase::Allowed && (request.slot.is_none() || !self.controls.counts_unsettled())
        });
        if lapses {
            self.count_from_now(id);
            self.step(id, Event::Settle);
        }
    }

    fn count_from_now(&mut self, id: &RequestId) {
        let Some(request) = self.state.requests.get(id) else { return };
        let now = self.now();
        for charge in request.charges.clone() {
            self.state.windows.settle(&charge, now);
        }
    }
}
