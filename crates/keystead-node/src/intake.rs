//! Intake: verifies who sent an entry, answers what is known already, and waits for the rest.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use keystead_base::{Canonical as _, Coded, Name, RequestId, Timestamp};
use keystead_consensus::MAX_ENTRY_BYTES;
use keystead_decision::{Decision, Entry, Outcome};
use keystead_intent::RequestBatch;
use keystead_trace::Kind;
use keystead_wire::{EntryAnswer, MAX_SUBMITTED_ENTRIES, Refused, RequestStage, RequestView};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::blocks::Submission;
use crate::error::CallError;
use crate::shared::Shared;
use crate::{Event, traces, views};

/// An entry under way.
enum Pending {
    Answered(EntryAnswer),
    Requests(Vec<RequestId>, oneshot::Receiver<Vec<Decision>>),
    Known(Vec<RequestId>),
    Other(oneshot::Receiver<Vec<Decision>>),
}

impl Shared {
    /// Takes entries from a peer; answers when all of them are durable and at rest.
    pub(crate) async fn submit(
        self: &Arc<Self>,
        peer: &Name,
        entries: Vec<Entry>,
    ) -> Result<Vec<EntryAnswer>, CallError> {
        let found = entries.len();
        if found == 0 || found > MAX_SUBMITTED_ENTRIES {
            return Err(CallError::Entries { limit: MAX_SUBMITTED_ENTRIES, found });
        }
        let (start, asked) = (SystemTime::now(), self.asked_for(&entries));
        self.traces.received(&asked);
        let mut pending = Vec::with_capacity(found);
        for entry in entries {
            pending.push(self.take(peer, entry).await?);
        }
        let mut answers = Vec::with_capacity(found);
        for it in pending {
            answers.push(self.finish(it).await?);
        }
        self.traces.answered(&asked, start);
        Ok(answers)
    }

    /// The requests of entries; none where nobody is told of them.
    fn asked_for(&self, entries: &[Entry]) -> Vec<RequestId> {
        match self.traces.is_on() {
            true => entries.iter().flat_map(traces::requests).collect(),
            false => Vec::new(),
        }
    }

    /// Submits an entry of the node's own and gives what its block decided about it.
    pub(crate) async fn submit_own(&self, entry: Entry) -> Result<EntryAnswer, CallError> {
        match self.send(entry).await? {
            Ok(placed) => {
                let decisions = placed.await.map_err(|_| CallError::Stopping)?;
                Ok(EntryAnswer::Decided(decisions))
            }
            Err(refused) => Ok(EntryAnswer::Refused(refused)),
        }
    }

    async fn take(&self, peer: &Name, entry: Entry) -> Result<Pending, CallError> {
        // A peer could replay what this node wrote into the log.
        if is_a_nodes_own(&entry) {
            return Ok(Pending::Answered(EntryAnswer::Refused(Refused::of(&CallError::OwnEntry))));
        }
        let requests = match &entry {
            Entry::Requests(signed) => Some(ids(&signed.body)),
            _ => None,
        };
        if let Some(ids) = &requests
            && self.are_known(ids).await?
        {
            return Ok(Pending::Known(only_ids(ids)));
        }
        Ok(match (self.send(entry).await?, requests) {
            (Err(refused), _) => {
                self.event(Event::NotAdmitted { peer: peer.clone(), refused: refused.clone() });
                Pending::Answered(EntryAnswer::Refused(refused))
            }
            (Ok(placed), Some(ids)) => Pending::Requests(only_ids(&ids), placed),
            (Ok(placed), None) => Pending::Other(placed),
        })
    }

    async fn send(
        &self,
        entry: Entry,
    ) -> Result<Result<oneshot::Receiver<Vec<Decision>>, Refused>, CallError> {
        let bytes = borsh::object_length(&entry).unwrap_or(usize::MAX);
        if bytes > MAX_ENTRY_BYTES {
            let error = CallError::EntryTooLong { limit: MAX_ENTRY_BYTES, found: bytes };
            return Ok(Err(Refused::of(&error)));
        }
        let (start, asked) = (SystemTime::now(), self.asked_for(std::slice::from_ref(&entry)));
        let admitted = self.state().admit(entry);
        let code = admitted.as_ref().err().map(Coded::code);
        self.traces.part(&asked, ("node.admit", Kind::Internal), start, code);
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(error) => return Ok(Err(Refused::of(&error))),
        };
        let (placed, answer) = oneshot::channel();
        let digest = admitted.entry().digest();
        let submission = Submission { admitted, digest, placed };
        // Back-pressure: at the limit of the queue the peer waits.
        self.inbox.send(submission).await.map_err(|_| CallError::Stopping)?;
        Ok(Ok(answer))
    }

    /// Whether every request of a batch was decided about before.
    async fn are_known(&self, ids: &[(RequestId, Timestamp)]) -> Result<bool, CallError> {
        let state = self.state();
        for (id, expires) in ids {
            // What the state has forgotten has expired.
            let maybe = state.request(id).is_some() || *expires <= state.time();
            let known = self.board.has(id) || (maybe && views::restore(self, id).await?);
            if !known {
                return Ok(false);
            }
        }
        Ok(!ids.is_empty())
    }

    async fn finish(&self, pending: Pending) -> Result<EntryAnswer, CallError> {
        match pending {
            Pending::Answered(answer) => Ok(answer),
            Pending::Other(placed) => placed.await.map(EntryAnswer::Decided).map_err(|_| CallError::Stopping),
            Pending::Requests(ids, placed) => {
                placed.await.map_err(|_| CallError::Stopping)?;
                self.at_rest(ids).await
            }
            Pending::Known(ids) => self.at_rest(ids).await,
        }
    }

    async fn at_rest(&self, ids: Vec<RequestId>) -> Result<EntryAnswer, CallError> {
        let mut rows = Vec::with_capacity(ids.len());
        for id in &ids {
            if !self.board.has(id) && !views::restore(self, id).await? {
                // Its sender was admitted, and no longer is.
                return Ok(EntryAnswer::Refused(Refused::of(&CallError::NotAdmitted)));
            }
            let row = match timeout(REST_TIME, self.board.wait(id, rests)).await {
                Ok(row) => row,
                Err(_) => self.board.view(id),
            };
            rows.push(row.ok_or(CallError::Stopping)?);
        }
        Ok(EntryAnswer::Requests(rows))
    }
}

fn is_a_nodes_own(entry: &Entry) -> bool {
    matches!(
        entry,
        Entry::Settlement(_)
            | Entry::Key(_)
            | Entry::Renew(_)
            | Entry::Tick
            | Entry::Rebuild(_)
            | Entry::Simulation(_)
            | Entry::Finding(_)
    )
}

/// Nothing more happens to it soon: it waits for people, or is signed, refused, or denied.
pub(crate) fn rests(view: &RequestView) -> bool {
    match view.stage {
        RequestStage::Allowed => {
            let ceremony = matches!(view.decision.outcome, Outcome::Ceremony { .. });
            ceremony || view.refusal.is_some()
        }
        // The nodes are at it.
        RequestStage::Waiting => !matches!(view.decision.outcome, Outcome::Simulate { .. }),
        RequestStage::Denied
        | RequestStage::Signed
        | RequestStage::Applied
        | RequestStage::Settled
        | RequestStage::Dead
        | RequestStage::Reorged
        | RequestStage::Failed => true,
    }
}

fn ids(batch: &RequestBatch) -> Vec<(RequestId, Timestamp)> {
    batch.intents.iter().map(|intent| (intent.id(), intent.expires)).collect()
}

fn only_ids(ids: &[(RequestId, Timestamp)]) -> Vec<RequestId> {
    ids.iter().map(|(id, _)| *id).collect()
}

/// How long an answer waits for the back end.
const REST_TIME: Duration = Duration::from_secs(30);
