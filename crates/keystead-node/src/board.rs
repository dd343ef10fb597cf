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
    /// The back end refused, and a fresh certificate may help: nobody outside needs to know yet.
    passing: bool,
    /// How often that was so, so that it is not asked for ever.
    tries: u32,
}

impl Board {
    /// A request's row.
    pub(crate) fn view(&self, id: &RequestId) -> Option<RequestView> {
        self.lock().rows.get(id).map(|row| row.view.clone())
    }

    /// Whether a request has a row.
    pub(crate) fn has(&self, id: &RequestId) -> bool {
        self.lock().rows.contains_key(id)
    }

    /// Whether a request has its signature.
    pub(crate) fn has_signature(&self, id: &RequestId) -> bool {
        self.lock().rows.get(id).is_some_and(|row| row.view.signed.is_some())
    }

    /// Whether a fresh certificate may help where the back end refused.
    pub(crate) fn needs_renewal(&self, id: &RequestId) -> bool {
        self.lock().rows.get(id).is_some_and(|row| row.passing)
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

    /// The back end refused: for good, or until there is a fresh certificate.
    pub(crate) fn refused(&self, id: &RequestId, refusal: Refused) {
        let mut rows = self.lock();
        rows.refusals += 1;
        rows.change(id, |row| {
            row.tries += 1;
            row.passing = is_passing(&refusal.code) && row.tries <= MAX_TRIES;
            row.view.refusal = (!row.passing).then_some(refusal);
        });
    }

    /// A part of it is signed: the next right is no further try of the same.
    pub(crate) fn went_on(&self, id: &RequestId) {
        if let Some(row) = self.lock().rows.get_mut(id) {
            row.tries = 0;
        }
    }

    /// The back end did not carry a ceremony out; people ask for another.
    pub(crate) fn failed(&self, id: &RequestId, refusal: Refused) {
        let mut rows = self.lock();
        rows.refusals += 1;
        rows.change(id, |row| row.view.refusal = Some(refusal));
    }

    /// A ceremony wrote a file.
    pub(crate) fn wrote(&self, id: &RequestId, file: Digest) {
        self.lock().change(id, |row| row.view.file = Some(file));
    }

    /// A ceremony is over, if it was allowed.
    pub(crate) fn carried_out(&self, id: &RequestId) {
        self.lock().change(id, |row| {
            if row.view.stage == RequestStage::Allowed {
                row.view.stage = RequestStage::Applied;
            }
        });
    }

    /// Waits until `rests` says that a row rests; gives the row, or `None` when there is none.
    pub(crate) async fn wait(
        &self,
        id: &RequestId,
        rests: impl Fn(&RequestView) -> bool,
    ) -> Option<RequestView> {
        loop {
            let bell = match self.look(id, &rests)? {
                Ok(view) => return Some(view),
                Err(bell) => bell,
            };
            let rung = bell.notified();
            tokio::pin!(rung);
            // Registered before the second look, so that no ring between look and wait is missed.
            rung.as_mut().enable();
            if let Ok(view) = self.look(id, &rests)? {
                return Some(view);
            }
            rung.await;
        }
    }

    /// A row that rests, or the bell that rings when it changes; none where there is no row.
    fn look(
        &self,
        id: &RequestId,
        rests: &impl Fn(&RequestView) -> bool,
    ) -> Option<Result<RequestView, Arc<Notify>>> {
        let rows = self.lock();
        let row = rows.rows.get(id)?;
        Some(if rests(&row.view) { Ok(row.view.clone()) } else { Err(Arc::clone(&row.bell)) })
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    fn insert(&mut self, view: RequestView) {
        self.make_room();
        self.order.push_back(view.request);
        self.rows.insert(view.request, Row { view, bell: Arc::default(), passing: false, tries: 0 });
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
        self.passing = false;
        self.bell.notify_waiters();
    }
}

/// A refusal that a fresh certificate may answer. A freeze is answered by people.
fn is_passing(code: &str) -> bool {
    let passing = [
        "certificate.old",
        "certificate.policy",
        "certificate.expired",
        "certificate.stale_head",
        "enclave.not_ready",
        "threshold.no_share",
    ];
    passing.contains(&code) || code.starts_with("enclave_client.") || code.starts_with("frame.")
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

/// How often a request is renewed after refusals.
const MAX_TRIES: u32 = 8;
/// Rows in memory; older ones are read from the ledger.
const MAX_ROWS: usize = 65_536;
/// How many rows are looked at to find one to forget.
const MAX_LOOKS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_base::ClusterId;
    use keystead_intent::DangerClass;

    fn id(byte: u8) -> RequestId {
        RequestId(Digest([byte; 32]))
    }

    fn decision(request: RequestId) -> Decision {
        Decision {
            cluster: ClusterId(Digest::ZERO),
            height: 1,
            subject: request,
            policy: keystead_policy::PolicyRef { number: 0, digest: Digest::ZERO },
            rules: Vec::new(),
            outcome: Outcome::Deny { class: Some(DangerClass::Transfer), reasons: Vec::new() },
        }
    }

    fn row(byte: u8, stage: RequestStage) -> RequestView {
        view_of(&decision(id(byte)), stage)
    }

    fn payload() -> SignedPayload {
        SignedPayload {
            signing_digest: Digest::ZERO,
            signature: vec![1].into(),
            raw: vec![2].into(),
            transaction: None,
        }
    }

    #[test]
    fn nothing_is_carried_out_that_was_not_allowed() {
        let board = Board::default();
        let stages =
            [RequestStage::Allowed, RequestStage::Waiting, RequestStage::Denied, RequestStage::Signed];
        let after = (0..).zip(stages).map(|(byte, stage)| {
            board.adopt(row(byte, stage));
            board.carried_out(&id(byte));
            board.view(&id(byte)).unwrap().stage
        });
        let after: Vec<RequestStage> = after.collect();
        assert_eq!((after[0], &after[1..]), (RequestStage::Applied, &stages[1..]));
    }

    #[tokio::test]
    async fn whoever_waits_hears_of_the_signature() {
        let board = Arc::new(Board::default());
        board.adopt(row(1, RequestStage::Allowed));
        let waiting = Arc::clone(&board);
        let waited = tokio::spawn(async move { waiting.wait(&id(1), |it| it.stage.is_over()).await });
        tokio::task::yield_now().await;
        board.wrote(&id(1), Digest::ZERO);
        board.signed(&id(1), payload());
        let view = waited.await.unwrap().unwrap();
        assert_eq!((view.stage, view.signed), (RequestStage::Signed, Some(payload())));
        assert_eq!(board.counts(), (1, 0));
        assert_eq!(board.wait(&id(2), |_| true).await, None, "nobody waits for what is unknown");
    }

    #[test]
    fn a_row_from_the_ledger_never_replaces_a_newer_one() {
        let board = Board::default();
        board.adopt(row(1, RequestStage::Allowed));
        board.signed(&id(1), payload());
        board.adopt(row(1, RequestStage::Waiting));
        assert_eq!(board.view(&id(1)).unwrap().stage, RequestStage::Signed);
    }

    #[test]
    fn only_rows_that_are_over_are_forgotten() {
        let board = Board::default();
        board.adopt(row(0, RequestStage::Waiting));
        let mut number = 0_u64;
        let mut fill = |count: usize| {
            for _ in 0..count {
                number += 1;
                let mut digest = [9; 32];
                digest[..8].copy_from_slice(&number.to_be_bytes());
                board.adopt(view_of(&decision(RequestId(Digest(digest))), RequestStage::Denied));
            }
        };
        fill(MAX_ROWS + 100);
        let rows = board.lock();
        assert!(rows.rows.len() <= MAX_ROWS && rows.order.len() == rows.rows.len());
        assert!(rows.rows.contains_key(&id(0)), "somebody may wait for it");
    }

    #[test]
    fn a_refusal_that_may_pass_is_shown_only_when_it_does_not() {
        let board = Board::default();
        board.adopt(row(1, RequestStage::Allowed));
        let refused = |code: &str| Refused { code: code.to_owned(), text: String::new() };
        for _ in 0..MAX_TRIES {
            board.refused(&id(1), refused("certificate.old"));
            assert!(board.needs_renewal(&id(1)) && board.view(&id(1)).unwrap().refusal.is_none());
        }
        board.refused(&id(1), refused("certificate.old"));
        assert!(!board.needs_renewal(&id(1)) && board.view(&id(1)).unwrap().refusal.is_some());
        board.went_on(&id(1));
        board.refused(&id(1), refused("certificate.expired"));
        assert!(board.needs_renewal(&id(1)), "more of it was signed than at the last try");
        board.adopt(row(2, RequestStage::Allowed));
        board.refused(&id(2), refused("certificate.frozen"));
        assert_eq!(board.view(&id(2)).unwrap().refusal.unwrap().code, "certificate.frozen");
        assert_eq!(board.counts(), (0, u64::from(MAX_TRIES) + 3));
    }
}
