//! Entries that the node itself writes: key events, renewals, settlements, simulations, findings.

use std::sync::Arc;
use std::time::Duration;

use keystead_base::{Coded as _, KeyError, Name, RequestId, Signed, Timestamp};
use keystead_decision::{Entry, Fate, Finding, KeyEvent, KeyStep, Renewal, Settlement, Simulation};
use keystead_intent::Slot;
use keystead_ledger::SignError;
use keystead_wire::{EntryAnswer, ImportReport};

use crate::error::CallError;
use crate::shared::Shared;

impl Shared {
    /// Reports to the log what happened to a key.
    pub(crate) async fn report_key(&self, key: Name, step: KeyStep) -> Result<EntryAnswer, CallError> {
        let event = KeyEvent { cluster: self.cluster, key, step };
        let entry = Entry::Key(self.sign(event)?);
        self.submit_own(entry).await
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
        let mut told = false;
        loop {
            match self.report_key(key.clone(), step.clone()).await {
                Err(error) if error.code() == KeyError::Away.code() => {
                    if !std::mem::replace(&mut told, true) {
                        self.postponed("a key event", &error);
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
        self.report_key(key, KeyStep::Imported { request, attempt, dealing: Box::new(dealing) }).await
    }

    /// Asks for a fresh certificate.
    pub(crate) async fn renew(&self, request: RequestId, at: Timestamp) -> Result<EntryAnswer, CallError> {
        let renewal = Renewal { cluster: self.cluster, request, at };
        self.submit_own(Entry::Renew(self.sign(renewal)?)).await
    }

    /// Reports what became of a transaction.
    pub(crate) async fn settle(
        &self,
        request: RequestId,
        slot: Option<Slot>,
        fate: Fate,
    ) -> Result<EntryAnswer, CallError> {
        let settlement = Settlement { cluster: self.cluster, request, slot, fate };
        self.submit_own(Entry::Settlement(self.sign(settlement)?)).await
    }

    /// Reports what came of running a request.
    pub(crate) async fn report_simulation(&self, simulation: Simulation) -> Result<EntryAnswer, CallError> {
        self.submit_own(Entry::Simulation(self.sign(simulation)?)).await
    }

    /// Reports what the log did not allow.
    pub(crate) async fn report_finding(&self, finding: Finding) -> Result<EntryAnswer, CallError> {
        self.submit_own(Entry::Finding(self.sign(finding)?)).await
    }

    pub(crate) fn sign<T: keystead_base::Canonical>(&self, body: T) -> Result<Signed<T>, CallError> {
        Ok(Signed::new(body, self.node.clone(), &self.key).map_err(SignError::Key)?)
    }
}

/// How long what could not be signed waits before it is signed.
const AWAY_PAUSE: Duration = Duration::from_secs(2);
