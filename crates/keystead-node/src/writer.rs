//! The writer: makes finished blocks durable, many in one transaction, and only then lets them out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keystead_base::RequestId;
use keystead_decision::{Commit, Entry, KeyStep, State};
use keystead_ledger::{Appended, Batch, SignatureRecord};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use crate::NodeError;
use crate::blocks::{Built, Durable, activated};
use crate::shared::Shared;

/// Signatures that were made and are not stored yet. The back end runs at most a few blocks behind the
/// writer, which bounds them. Losing them in a crash is harmless: they are made again, the same (RFC 6979).
#[derive(Debug, Default)]
pub(crate) struct Unstored {
    records: Mutex<Vec<SignatureRecord>>,
    bell: Notify,
}

impl Unstored {
    pub(crate) fn add(&self, record: SignatureRecord) {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
        self.bell.notify_one();
    }

    fn take(&self) -> Vec<SignatureRecord> {
        std::mem::take(&mut self.records.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The stage.
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) unstored: Arc<Unstored>,
    pub(crate) inbox: mpsc::Receiver<Built>,
    pub(crate) published: watch::Sender<Arc<State>>,
    pub(crate) out: mpsc::Sender<Durable>,
    pub(crate) signer_ended: oneshot::Receiver<()>,
    pub(crate) snapshot_blocks: u64,
    pub(crate) frozen_before: bool,
}

impl Writer {
    pub(crate) async fn run(mut self) -> Result<(), NodeError> {
        let mut linger: Option<Instant> = None;
        loop {
            let mut blocks = Vec::new();
            tokio::select! {
                biased;
                count = self.inbox.recv_many(&mut blocks, MAX_GROUP_BLOCKS) => {
                    if count == 0 {
                        return self.finish().await;
                    }
                }
                () = self.unstored.bell.notified(), if linger.is_none() => {
                    linger = Some(Instant::now() + LINGER);
                    continue;
                }
                () = sleep_until(linger.unwrap_or_else(Instant::now)), if linger.is_some() => {}
            }
            linger = None;
            self.write(blocks).await?;
        }
    }

    /// INVARIANT S1: vote, block and decisions are durable before anything rests on them.
    async fn write(&mut self, built: Vec<Built>) -> Result<(), NodeError> {
        let row = |it: &Built| Appended::new(&it.applied, it.vote.round, it.votes.clone());
        let batch = Batch {
            votes: built.iter().map(|it| it.vote).collect(),
            blocks: built.iter().map(row).collect(),
            signatures: self.unstored.take(),
        };
        self.shared.ledger.write(&batch).await?;
        if let Some(last) = built.last() {
            self.published.send_replace(Arc::new(last.applied.state.clone()));
        }
        for block in built {
            self.release(block).await;
        }
        Ok(())
    }

    async fn release(&mut self, built: Built) {
        let Built { applied, vote, votes, waiting } = built;
        let (decisions, state) = (applied.decisions, applied.state);
        for decision in &decisions {
            self.shared.board.publish(decision, &state);
        }
        applied.block.entries.iter().filter_map(finished_ceremony).for_each(|id| {
            self.shared.board.carried_out(&id);
        });
        self.keep_snapshot(&state);
        let commit = Commit { header: applied.block.header, round: vote.round, votes };
        let replies: Vec<_> =
            waiting.into_iter().map(|(subject, placed)| (subject.select(&decisions), placed)).collect();
        let next_policy = activated(&decisions, &state);
        let durable = Durable { commit, decisions, state, next_policy };
        let frozen = durable.commit.header.frozen.clone();
        if durable.matters(self.frozen_before) {
            // A signer that ended is reported by its own stage.
            let _ = self.out.send(durable).await;
        }
        self.frozen_before = frozen.everything || !frozen.keys.is_empty();
        for (answer, placed) in replies {
            // The caller may be gone.
            let _ = placed.send(answer);
        }
    }

    fn keep_snapshot(&self, state: &State) {
        if state.height().is_multiple_of(self.snapshot_blocks.max(1)) {
            let (shared, state) = (Arc::clone(&self.shared), state.clone());
            tokio::spawn(async move {
                let kept = shared.ledger.save_snapshot(&state, &shared.node, &shared.key).await;
                if let Err(error) = kept {
                    shared.postponed("a snapshot", &error);
                }
            });
        }
    }

    /// Waits for the last signatures, and stores them.
    async fn finish(self) -> Result<(), NodeError> {
        let Self { shared, unstored, out, signer_ended, .. } = self;
        drop(out);
        // An error here means that the signer is gone, which is what is waited for.
        let _ = signer_ended.await;
        let signatures = unstored.take();
        if !signatures.is_empty() {
            shared.ledger.write(&Batch { signatures, ..Batch::default() }).await?;
        }
        Ok(())
    }
}

/// The request whose ceremony this entry reports as done.
fn finished_ceremony(entry: &Entry) -> Option<RequestId> {
    match entry {
        Entry::Key(signed) => match &signed.body.step {
            KeyStep::Created { request, .. } | KeyStep::BackedUp { request, .. } => Some(*request),
            KeyStep::Drilled { .. } | KeyStep::Protected { .. } | KeyStep::Destroyed => None,
        },
        _ => None,
    }
}

/// The most blocks of one transaction.
const MAX_GROUP_BLOCKS: usize = 64;
/// How long signatures wait for a block to be stored with.
const LINGER: Duration = Duration::from_millis(50);
