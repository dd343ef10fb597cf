//! What everybody waits for: the latest durable word on each request, and a bell for it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keystead_base::{Digest, RequestId};
use keystead_decision::{Decision, Outcome, Phase, State};
use keystead_wire::{Refused, RequestStage, RequestView, SignedPayload};
use tokio::sync::Notify;

/// The rows of requests, newest last. Only what is durable is written here.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<Rows>);

#[derive(Debug, Default)]
struct Rows {
    rows: HashMap<RequestId, Row>,
    order: VecDeque<RequestId>,
    signatures: u64,
    refusals: u64,
}

#[derive(Debug)]
struct Row {
    view: RequestView,
    bell: Arc<Notify>,
    /// How often the back end refused, so that it is not asked for ever.
    refused: u32,
}

impl Board {
    /// A request's row.
    pub(crate) fn view(&self, id: &RequestId) -> Option<RequestView> {
        self.lock().rows.get(id).map(|row| row.view.clone())
    }

    /// How often the back end refused to sign a request.
    pub(crate) fn times_refused(&self, id: &RequestId) -> u32 {
        self.lock().rows.get(id).map_or(0, |row| row.refused)
    }

    /// Signatures and refusals so far.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let rows = self.lock();
        (rows.signatures, rows.refusals)
    }

    /// Takes a row over that was read from the ledger, unless a newer one is here.
    pub(crate) fn adopt(&self, view: RequestView) {
        let mut rows = self.lock();
        if !rows.rows.contains_key(&view.request) {
            rows.insert(view);
        }
    }

    /// A decision became durable.
    pub(crate) fn publish(&self, decision: &Decision, state: &State) {
        let mut rows = self.lock();
        let id = decision.subject;
        let known = rows.rows.get(&id).map(|row| row.view.stage);
        let before = known.or_else(|| earlier(decision, state));
        let Some(stage) = RequestStage::after(before, &decision.outcome) else {
            return;
        };
        match rows.rows.get_mut(&id) {
            Some(row) => row.decided(decision, stage),
            None => rows.insert(view_of(decision, stage)),
        }
    }

    /// The back end signed.
    pub(crate) fn signed(&self, id: &RequestId, payload: SignedPayload) {
        let mut rows = self.lock();
        rows.signatures += 1;
        rows.change(id, |row| {
            row.view.signed = Some(payload);
            row.view.refusal = None;
            if row.view.stage == RequestStage::Allowed {
                row.view.stage = RequestStage::Signed;
            }
        });
    }

    /// The back end refused.
    pub(crate) fn refused(&self, id: &RequestId, refusal: Refused) {
        let mut rows = self.lock();
        rows.refusals += 1;
        rows.change(id, |row| {
            row.view.refusal = Some(refusal);
            row.refused += 1;
        });
    }

    /// A ceremony wrote a file.
    pub(crate) fn wrote(&self, id: &RequestId, file: Digest) {
        self.lock().change(id, |row| row.view.file = Some(file));
    }

    /// A ceremony is over.
    pub(crate) fn carried_out(&self, id: &RequestId) {
        self.lock().change(id, |row| row.view.stage = RequestStage::Applied);
    }

    /// Waits until `rests` says that a row rests; gives the row, or `None` when there is none.
    pub(crate) async fn wait(
        &self,
        id: &RequestId,
        rests: impl Fn(&RequestView) -> bool,
    ) -> Option<RequestView> {
        loop {
            let bell = self.lock().rows.get(id).map(|row| Arc::clone(&row.bell))?;
            let rung = bell.notified();
            tokio::pin!(rung);
            // Registered before the look, so that no ring between look and wait is missed.
            rung.as_mut().enable();
            let view = self.view(id)?;
            if rests(&view) {
                return Some(view);
            }
            rung.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    fn insert(&mut self, view: RequestView) {
        self.make_room();
        self.order.push_back(view.request);
        self.rows.insert(view.request, Row { view, bell: Arc::default(), refused: 0 });
    }

    /// Forgets the oldest row that is over; the ledger has it.
    fn make_room(&mut self) {
        for _ in 0..self.order.len().saturating_sub(MAX_ROWS - 1).min(MAX_LOOKS) {
            let Some(oldest) = self.order.pop_front() else { return };
            match self.rows.get(&oldest) {
                Some(row) if !row.view.stage.is_over() => self.order.push_back(oldest),
                _ => drop(self.rows.remove(&oldest)),
            }
        }
    }

    fn change(&mut self, id: &RequestId, change: impl FnOnce(&mut Row)) {
        if let Some(row) = self.rows.get_mut(id) {
            change(row);
            row.bell.notify_waiters();
        }
    }
}

impl Row {
    fn decided(&mut self, decision: &Decision, stage: RequestStage) {
        self.view.decision = decision.clone();
        self.view.stage = stage;
        self.view.refusal = None;
        self.bell.notify_waiters();
    }
}

/// A row's first form.
pub(crate) fn view_of(decision: &Decision, stage: RequestStage) -> RequestView {
    RequestView {
        request: decision.subject,
        stage,
        decision: decision.clone(),
        signed: None,
        refusal: None,
        file: None,
    }
}

/// Where a request without a row stood before a denial: a right that was given is not taken back by one.
fn earlier(decision: &Decision, state: &State) -> Option<RequestStage> {
    let Outcome::Deny { .. } = decision.outcome else { return None };
    match state.request(&decision.subject)?.phase {
        Phase::Open | Phase::Denied => None,
        Phase::Allowed => Some(RequestStage::Allowed),
        Phase::Applied => Some(RequestStage::Applied),
        Phase::Settled => Some(RequestStage::Settled),
        Phase::Dead => Some(RequestStage::Dead),
    }
}

/// Rows in memory; older ones are read from the ledger.
const MAX_ROWS: usize = 65_536;
/// How many rows are looked at to find one to forget.
const MAX_LOOKS: usize = 4;
