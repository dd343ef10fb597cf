//! The builder: owns the state, makes blocks of what waits, and votes for them.
//!
//! It goes on with the next block while the last one is on its way to the disk. Nothing of a block is
//! seen outside before the writer has it durable (S1).

use std::sync::Arc;

use keystead_base::{HybridPublicKey, HybridSigner, Name, Timestamp};
use keystead_decision::{Admitted, Entry, State, Strict, propose, sign_vote, vote_for};
use tokio::sync::{mpsc, oneshot, watch};

use crate::blocks::{Built, Subject, Submission};
use crate::{NodeError, NodeLimits, clock};

/// The stage.
pub(crate) struct Builder {
    pub(crate) state: State,
    pub(crate) node: Name,
    pub(crate) key: Arc<HybridSigner>,
    pub(crate) limits: NodeLimits,
    pub(crate) inbox: mpsc::Receiver<Submission>,
    pub(crate) out: mpsc::Sender<Built>,
    pub(crate) stop: watch::Receiver<bool>,
}

/// What goes into one block.
#[derive(Default)]
struct Draft {
    entries: Vec<Admitted>,
    waiting: Vec<(Subject, oneshot::Sender<Vec<keystead_decision::Decision>>)>,
    bytes: usize,
}

impl Builder {
    pub(crate) async fn run(mut self) -> Result<(), NodeError> {
        let mut held = None;
        loop {
            // Room first: what arrives while the disk works goes into one block.
            let Ok(room) = self.out.clone().reserve_owned().await else { return Ok(()) };
            let Some(draft) = self.gather(&mut held).await else { return Ok(()) };
            let built = self.build(draft)?;
            room.send(built);
        }
    }

    /// What waits, or a tick when something is due; `None` when the node stops.
    async fn gather(&mut self, held: &mut Option<Submission>) -> Option<Draft> {
        let mut draft = Draft::default();
        let first = match held.take() {
            Some(first) => Some(first),
            None => tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => return None,
                first = self.inbox.recv() => Some(first?),
                () = due(self.state.next_due()) => None,
            },
        };
        match first {
            Some(first) => draft.take(first),
            // Time passes without a sender.
            None => draft.entries.extend(self.state.admit(Entry::Tick).ok()),
        }
        while draft.entries.len() < self.limits.block_entries {
            let Ok(next) = self.inbox.try_recv() else { break };
            if draft.bytes + next.bytes > self.limits.block_bytes {
                *held = Some(next);
                break;
            }
            draft.take(next);
        }
        Some(draft)
    }

    fn build(&mut self, draft: Draft) -> Result<Built, NodeError> {
        commits_alone(&self.state, &self.node, self.key.public())?;
        let time = clock::now().max(Timestamp(self.state.time().0.saturating_add(1)));
        let applied = propose(&self.state, time, draft.entries, &Strict::default());
        let vote = vote_for(&applied.block.header, ROUND);
        let signature = sign_vote(&vote, self.node.clone(), &self.key)?;
        self.state = applied.state.clone();
        Ok(Built { applied, vote, votes: vec![signature], waiting: draft.waiting })
    }
}

impl Draft {
    fn take(&mut self, submission: Submission) {
        self.waiting.push((Subject::of(submission.admitted.entry()), submission.placed));
        self.bytes += submission.bytes;
        self.entries.push(submission.admitted);
    }
}

/// Whether this node's vote alone commits a block. A policy may end that; then nothing more is built.
pub(crate) fn commits_alone(state: &State, name: &Name, key: &HybridPublicKey) -> Result<(), NodeError> {
    let roster = state.roster();
    match roster.node(name) {
        Some(node) if node.key == *key && roster.quorum <= 1 => Ok(()),
        Some(node) if node.key == *key => Err(NodeError::Quorum { found: roster.quorum }),
        _ => Err(NodeError::NotInRoster { cluster: state.cluster(), name: name.clone() }),
    }
}

async fn due(moment: Option<Timestamp>) {
    match moment {
        Some(moment) => tokio::time::sleep(clock::until(moment)).await,
        None => std::future::pending().await,
    }
}

/// A node that commits alone never needs a second round.
const ROUND: u32 = 0;
