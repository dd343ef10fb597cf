//! Entries that the node itself writes: key events, renewals, settlements, simulations, findings.

use std::sync::Arc;
use std::time::Duration;

use keystead_base::{Canonical, KeyError, Name, RequestId, Signed, Timestamp};
use keystead_decision::{
    Dealing, Entry, Fate, Finding, KeyEvent, KeyStep, Outcome, Renewal, Settlement, Simulation,
};
use keystead_intent::Slot;
use keystead_ledger::SignError;
use keystead_wire::{EntryAnswer, ImportReport, Refused, RequestStage, RequestView};

use crate::error::CallError;
use crate::log_token::Asker;
use crate::shared::Shared;

impl Shared {
    /// Reports to the log what happened to a key.
    pub(crate) async fn report_key(
        &self,
        asker: Asker,
        key: Name,
        step: KeyStep,
    ) -> Result<EntryAnswer, CallError> {
        let event = KeyEvent { cluster: self.cluster, key, step };
        self.submit_own(Entry::Key(self.sign(asker, event).await?)).await
    }

    /// As [`Self::report_key`], without waiting: the back end does not wait for the log.
    pub(crate) fn report_key_later(self: &Arc<Self>, key: Name, step: KeyStep) {
        let shared = Arc::clone(self);
        // One task for each ceremony, and ceremonies need people.
        tokio::spawn(async move {
            if let Err(error) = shared.report_key_at_last(key, step).await {
                shared.postponed("a key event", &error);
            }
        });
    }

    /// As [`Self::report_key`], once this node's key is there: what happened to a key of the vault is told, however late.
    pub(crate) async fn report_key_at_last(
        &self,
        key: Name,
        step: KeyStep,
    ) -> Result<EntryAnswer, CallError> {
        let request = done_for(&step);
        let event = KeyEvent { cluster: self.cluster, key, step };
        let signed = self.sign_at_last("a key event", event).await?;
        let answer = self.submit_own(Entry::Key(signed)).await?;
        // Whoever waits for it hears why it is over.
        if let (Some(request), Some(refused)) = (request, why_not(&answer)) {
            let waits = |it: &RequestView| it.stage == RequestStage::Allowed;
            if self.board.view(&request).as_ref().is_some_and(waits) {
                self.board.failed(&request, refused);
            }
        }
        Ok(answer)
    }

    /// Reports what this node's back end dealt of a key that is whole there, signed once this node's key is there.
    pub(crate) fn report_dealing_later(self: &Arc<Self>, request: RequestId, attempt: u32, dealing: Dealing) {
        let shared = Arc::clone(self);
        // As above.
        tokio::spawn(async move {
            let (what, key) = ("what was dealt of a whole key", dealing.key.clone());
            let reported = match shared.sign_at_last(what, dealing).await {
                Ok(dealing) => {
                    let step = KeyStep::Imported { request, attempt, dealing: Box::new(dealing) };
                    shared.report_key_at_last(key, step).await.map(drop)
                }
                Err(error) => Err(error),
            };
            if let Err(error) = reported {
                shared.postponed(what, &error);
            }
        });
    }

    async fn sign_at_last<T: Canonical + Clone + Send + 'static>(
        &self,
        what: &'static str,
        body: T,
    ) -> Result<Signed<T>, CallError> {
        let mut told = false;
        loop {
            match self.sign(Asker::Node, body.clone()).await {
                Err(CallError::Sign(SignError::Key(error @ (KeyError::Away | KeyError::Busy)))) => {
                    if !std::mem::replace(&mut told, true) {
                        self.postponed(what, &error);
                    }
                    tokio::time::sleep(AWAY_PAUSE).await;
                }
                other => return other,
            }
        }
    }

    /// Brings what a person dealt of a whole key; whether it counts, the log says.
    pub(crate) async fn import(&self, it: ImportReport) -> Result<EntryAnswer, CallError> {
        let ImportReport { request, attempt, dealing } = it;
        let key = dealing.body.key.clone();
        self.report_key(Asker::Peer, key, KeyStep::Imported { request, attempt, dealing: Box::new(dealing) })
            .await
    }

    /// Asks for a fresh certificate.
    pub(crate) async fn renew(&self, request: RequestId, at: Timestamp) -> Result<EntryAnswer, CallError> {
        let renewal = Renewal { cluster: self.cluster, request, at };
        self.submit_own(Entry::Renew(self.sign(Asker::Node, renewal).await?)).await
    }

    /// Reports what became of a transaction.
    pub(crate) async fn settle(
        &self,
        request: RequestId,
        slot: Option<Slot>,
        fate: Fate,
    ) -> Result<EntryAnswer, CallError> {
        let settlement = Settlement { cluster: self.cluster, request, slot, fate };
        self.submit_own(Entry::Settlement(self.sign(Asker::Node, settlement).await?)).await
    }

    /// Reports what came of running a request.
    pub(crate) async fn report_simulation(&self, simulation: Simulation) -> Result<EntryAnswer, CallError> {
        self.submit_own(Entry::Simulation(self.sign(Asker::Node, simulation).await?)).await
    }

    /// Reports what the log did not allow.
    pub(crate) async fn report_finding(&self, finding: Finding) -> Result<EntryAnswer, CallError> {
        self.submit_own(Entry::Finding(self.sign(Asker::Node, finding).await?)).await
    }

    async fn sign<T: Canonical + Send + 'static>(
        &self,
        asker: Asker,
        body: T,
    ) -> Result<Signed<T>, CallError> {
        let node = self.node.clone();
        let signed = self.key.sign(asker, move |key| Signed::new(body, node, key)).await;
        Ok(signed.map_err(SignError::Key)?)
    }
}

/// How long what could not be signed waits before it is signed.
const AWAY_PAUSE: Duration = Duration::from_secs(2);

/// The request that a node reports as carried out.
fn done_for(step: &KeyStep) -> Option<RequestId> {
    match step {
        KeyStep::Created { request, .. }
        | KeyStep::BackedUp { request, .. }
        | KeyStep::Restored { request, .. }
        | KeyStep::InTokens { request, .. }
        | KeyStep::Left { request, .. } => Some(*request),
        _ => None,
    }
}

/// Why the log does not count a report; none where it does.
pub(crate) fn why_not(answer: &EntryAnswer) -> Option<Refused> {
    match answer {
        EntryAnswer::Refused(refused) => Some(refused.clone()),
        EntryAnswer::Decided(decisions) => decisions.iter().find_map(|it| match &it.outcome {
            Outcome::Deny { reasons, .. } => reasons.first().map(Refused::of),
            _ => None,
        }),
        EntryAnswer::Requests(_) => None,
    }
}
