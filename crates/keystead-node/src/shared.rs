//! What all parts of a node share. Nothing in it changes but the board, and by channels.

use std::sync::{Arc, Mutex, PoisonError};

use keystead_base::{ClusterId, Coded, HybridSigner, Name};
use keystead_decision::{SignedGenesis, State};
use keystead_ledger::Ledger;
use keystead_wire::{ChainStatus, Protection, Refused};
use tokio::sync::{Notify, mpsc, watch};

use crate::blocks::Submission;
use crate::board::Board;
use crate::{Event, Events};

/// The common ground.
pub(crate) struct Shared {
    pub(crate) genesis: SignedGenesis,
    pub(crate) cluster: ClusterId,
    pub(crate) node: Name,
    pub(crate) boot: u64,
    pub(crate) key: Arc<HybridSigner>,
    pub(crate) ledger: Ledger,
    pub(crate) board: Board,
    /// The last durable state.
    pub(crate) state: watch::Receiver<Arc<State>>,
    /// To the builder.
    pub(crate) inbox: mpsc::Sender<Submission>,
    /// Rung when something allowed could not be signed.
    pub(crate) sweep: Notify,
    pub(crate) protections: Mutex<Vec<Protection>>,
    pub(crate) chains: Mutex<Vec<ChainStatus>>,
    pub(crate) events: Arc<dyn Events>,
}

impl Shared {
    /// The last durable state.
    pub(crate) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.borrow())
    }

    pub(crate) fn event(&self, event: Event) {
        self.events.event(event);
    }

    pub(crate) fn postponed(&self, what: &'static str, error: &impl Coded) {
        self.event(Event::Postponed { what, refused: Refused::of(error) });
    }

    pub(crate) fn protections(&self) -> Vec<Protection> {
        self.protections.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_protections(&self, protections: Vec<Protection>) {
        *self.protections.lock().unwrap_or_else(PoisonError::into_inner) = protections;
    }

    pub(crate) fn chains(&self) -> Vec<ChainStatus> {
        self.chains.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_chains(&self, chains: Vec<ChainStatus>) {
        *self.chains.lock().unwrap_or_else(PoisonError::into_inner) = chains;
    }
}
