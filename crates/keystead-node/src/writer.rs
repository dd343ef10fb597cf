//! The writer: makes what the replica wants durable, many turns in one transaction, and only then lets it out.
//!
//! A record waits until something rests on it: what others said costs no sync of its own, and most of it is over with
//! its height before it was ever written.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use keystead_base::{Canonical as _, HybridSigner, RequestId};
use keystead_decision::{Applied, Decision, Entry, Frozen, Outcome, State, Transition};
use keystead_intent::KeyCeremony;
use keystead_ledger::{Appended, Batch, MarkedSnapshot, RecordRow, SignatureRecord};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use crate::NodeError;
use crate::blocks::{Durable, activated};
use crate::consensus::{Act, Built, Turn, own_vote};
use crate::log_token::Asker;
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
    pub(crate) inbox: mpsc::Receiver<Turn>,
    /// The place of the next line of the record.
    pub(crate) position: u64,
    pub(crate) published: watch::Sender<Arc<State>>,
    pub(crate) out: mpsc::Sender<Durable>,
    pub(crate) signer_ended: oneshot::Receiver<()>,
    pub(crate) snapshot_blocks: u64,
    pub(crate) frozen_before: Frozen,
    /// Records on which nothing rests so far.
    pub(crate) held: Vec<Act>,
}

impl Writer {
    pub(crate) async fn run(mut self) -> Result<(), NodeError> {
        let mut linger: Option<Instant> = None;
        loop {
            let mut turns = Vec::new();
            tokio::select! {
                biased;
                count = self.inbox.recv_many(&mut turns, MAX_GROUP_TURNS) => {
                    if count == 0 {
                        return self.finish().await;
                    }
                    self.held.extend(turns.into_iter().flat_map(|turn| turn.0));
                    if !self.has_to_write() {
                        linger.get_or_insert_with(|| Instant::now() + LINGER);
                        continue;
                    }
                }
                () = self.shared.unstored.bell.notified(), if linger.is_none() => {
                    linger = Some(Instant::now() + LINGER);
                    continue;
                }
                () = sleep_until(linger.unwrap_or_else(Instant::now)), if linger.is_some() => {}
            }
            linger = None;
            self.write_held().await?;
        }
    }

    /// Whether something rests on what is held, or there is too much of it.
    fn has_to_write(&self) -> bool {
        self.held.len() >= MAX_HELD_RECORDS || self.held.iter().any(|act| !matches!(act, Act::Record(..)))
    }

    async fn write_held(&mut self) -> Result<(), NodeError> {
        let acts = std::mem::take(&mut self.held);
        self.write(acts).await
    }

    /// INVARIANT S1: record, vote, block and decisions are durable before anything rests on them.
    async fn write(&mut self, acts: Vec<Act>) -> Result<(), NodeError> {
        let (batch, start, began) = (self.batch(&acts), Instant::now(), SystemTime::now());
        if !batch.is_empty() {
            self.shared.ledger.write(&batch).await?;
        }
        let commits = acts.iter().filter_map(|act| match act {
            Act::Commit(built) => Some(&built.committed.applied),
            Act::Record(..) | Act::Send(..) => None,
        });
        let commits: Vec<&Applied> = commits.collect();
        if !batch.is_empty() {
            self.shared.health.synced(start.elapsed());
            self.shared.meters.wrote(&commits, start.elapsed().as_secs_f64());
            self.shared.traces.wrote(&commits, began);
        }
        // Rows before the state: whoever waits for a height finds the row of what was decided there.
        commits.iter().for_each(|applied| self.show(applied));
        if let Some(applied) = commits.last() {
            self.published.send_replace(Arc::new(applied.state.clone()));
        }
        for act in acts {
            match act {
                Act::Record(..) => {}
                Act::Send(to, document) => self.shared.peers.send(&to, &document),
                Act::Commit(built) => self.release(*built).await,
            }
        }
        Ok(())
    }

    fn batch(&mut self, acts: &[Act]) -> Batch {
        let mut batch = Batch { signatures: self.shared.unstored.take(), ..Batch::default() };
        let boot = self.shared.roster_boot();
        let committed = acts.iter().filter_map(Act::commits).max().unwrap_or_default();
        for act in acts {
            match act {
                Act::Send(..) => {}
                Act::Commit(built) => {
                    let commit = &built.committed.commit;
                    let row = Appended::new(&built.committed.applied, commit.round, commit.votes.clone());
                    batch.blocks.push(row);
                }
                Act::Record(height, record) => {
                    batch.votes.extend(own_vote(record, &self.shared.node, self.shared.cluster, boot));
                    // Of a height that the same transaction commits the ledger would keep no line.
                    if *height <= committed {
                        continue;
                    }
                    let position = self.position;
                    self.position += 1;
                    let document = record.to_document();
                    batch.records.push(RecordRow { position, height: *height, document });
                }
            }
        }
        batch
    }

    /// What was decided, for those who ask and for the signatures of others.
    fn show(&self, applied: &Applied) {
        for decision in &applied.decisions {
            self.shared.board.publish(decision, &applied.state);
        }
        self.shared.recent.keep(applied.block.header.height, &applied.decisions);
    }

    async fn release(&mut self, built: Built) {
        let Built { committed, waiting } = built;
        let (applied, commit) = (committed.applied, committed.commit);
        applied.carried_out().iter().for_each(|id| self.shared.board.carried_out(id));
        let (decisions, state) = (applied.decisions, applied.state);
        decisions.iter().filter_map(lifted).for_each(|id| self.shared.board.carried_out(&id));
        self.keep_snapshot(&state);
        let replies: Vec<_> =
            waiting.into_iter().map(|(subject, placed)| (subject.select(&decisions), placed)).collect();
        let next_policy = activated(&decisions, &state)
            .map(|policy| Transition::of(commit.clone(), policy, &applied.block.entries));
        let durable = Durable { commit, decisions, state, next_policy };
        let frozen = durable.commit.header.frozen.clone();
        let ticked = applied.block.entries.iter().any(|it| matches!(it, Entry::Tick));
        if durable.matters(&self.frozen_before, ticked) {
            // A signer that ended is reported by its own stage.
            let _ = self.out.send(durable).await;
        }
        self.frozen_before = frozen;
        for (answer, placed) in replies {
            // The caller may be gone.
            let _ = placed.send(answer);
        }
    }

    fn keep_snapshot(&self, state: &State) {
        if state.height().is_multiple_of(self.snapshot_blocks.max(1)) {
            let (shared, state) = (Arc::clone(&self.shared), state.clone());
            tokio::spawn(async move {
                let node = shared.node.clone();
                let mark = move |key: &HybridSigner| MarkedSnapshot::new(&state, node, key);
                let kept = match shared.key.sign(Asker::Node, mark).await {
                    Ok(marked) => shared.ledger.save_marked(marked).await,
                    Err(error) => Err(error.into()),
                };
                if let Err(error) = kept {
                    shared.postponed("a snapshot", &error);
                }
            });
        }
    }

    /// Waits for the last signatures, and stores them.
    async fn finish(mut self) -> Result<(), NodeError> {
        self.write_held().await?;
        let Self { shared, out, signer_ended, .. } = self;
        drop(out);
        // An error here means that the signer is gone, which is what is waited for.
        let _ = signer_ended.await;
        let signatures = shared.unstored.take();
        if !signatures.is_empty() {
            shared.ledger.write(&Batch { signatures, ..Batch::default() }).await?;
        }
        Ok(())
    }
}

/// What holders do on this decision alone, and report to nobody.
fn lifted(decision: &Decision) -> Option<RequestId> {
    match &decision.outcome {
        Outcome::Ceremony { ceremony: KeyCeremony::Lift { .. }, .. } => Some(decision.subject),
        _ => None,
    }
}

/// The most turns of one transaction.
const MAX_GROUP_TURNS: usize = 64;
/// Records that nothing rests on and that are held all the same.
const MAX_HELD_RECORDS: usize = 256;
/// How long signatures and records wait for something to be stored with.
const LINGER: Duration = Duration::from_millis(50);
