//! Requests of many callers under one hybrid signature, so that its price is shared.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keystead_base::{Canonical as _, HybridSigner, Name, RequestId, Signed};
use keystead_decision::Entry;
use keystead_intent::{Intent, MAX_BATCH_INTENTS, RequestBatch};
use keystead_trace::current;
use keystead_wire::{EntryAnswer, NodeClient, RequestView, TraceContext, TraceMark};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::RequestError;

/// The most bytes of intents under one signature, unless a single intent is longer.
pub const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// Gathers requests while earlier ones are on their way. Clones share the queue.
#[derive(Clone, Debug)]
pub struct Batcher {
    queue: mpsc::Sender<Ask>,
}

type Answer = oneshot::Sender<Result<RequestView, RequestError>>;

#[derive(Debug)]
struct Ask {
    id: RequestId,
    bytes: usize,
    intent: Intent,
    trace: Option<TraceContext>,
    answer: Answer,
}

impl Batcher {
    /// Signs as `service` and submits to `node`. It ends with its last clone.
    #[must_use]
    pub fn start(node: NodeClient, service: Name, signer: HybridSigner) -> Self {
        let (queue, waiting) = mpsc::channel(MAX_WAITING);
        let round = Arc::new(Round { node, service, signer, under_way: AtomicUsize::new(0) });
        tokio::spawn(gather(waiting, round));
        Self { queue }
    }

    /// Submits one request; gives it back denied, waiting or signed.
    ///
    /// # Errors
    ///
    /// [`RequestError`] when it is malformed, refused, or the node does not answer.
    pub async fn ask(&self, intent: Intent) -> Result<RequestView, RequestError> {
        // One malformed request would have the node refuse the whole batch.
        intent.check()?;
        let bytes = intent.to_document().len();
        let (answer, view) = oneshot::channel();
        let ask = Ask { id: intent.id(), bytes, intent, trace: current(), answer };
        self.queue.send(ask).await.map_err(|_| RequestError::Busy)?;
        view.await.unwrap_or(Err(RequestError::Busy))
    }
}

/// While so many batches are on their way, requests gather for the next one.
async fn gather(mut waiting: mpsc::Receiver<Ask>, round: Arc<Round>) {
    let places = Arc::new(Semaphore::new(ROUNDS_IN_FLIGHT));
    let mut held = None;
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let first = match held.take() {
            Some(ask) => ask,
            None => match waiting.recv().await {
                Some(ask) => ask,
                None => return,
            },
        };
        let mut asks = vec![first];
        held = fill(&mut asks, &mut waiting, round.under_way.load(Ordering::Relaxed)).await;
        let (round, count) = (Arc::clone(&round), asks.len());
        round.under_way.fetch_add(count, Ordering::Relaxed);
        tokio::spawn(async move {
            round.submit(asks).await;
            round.under_way.fetch_sub(count, Ordering::Relaxed);
            drop(place);
        });
    }
}

/// Takes what waits, as far as it fits; gives back what did not.
///
/// A batch has a price of its own (a hybrid signature, a block, a vote, a sync), so while another batch of
/// `under_way` requests has not come back, this one is held until it is as large, or for [`LINGER`].
/// Callers that were answered together ask again one after the other; without this, the first of them
/// would have a batch to itself.
async fn fill(asks: &mut Vec<Ask>, waiting: &mut mpsc::Receiver<Ask>, under_way: usize) -> Option<Ask> {
    let latest = Instant::now() + LINGER;
    let mut bytes: usize = asks.iter().map(|ask| ask.bytes).sum();
    while asks.len() < MAX_BATCH_INTENTS {
        let ask = match waiting.try_recv() {
            Ok(ask) => ask,
            Err(_) if asks.len() >= under_way => return None,
            Err(_) => timeout_at(latest, waiting.recv()).await.ok()??,
        };
        bytes = bytes.saturating_add(ask.bytes);
        // A request that somebody repeats while it is on its way goes into the next batch.
        if bytes > MAX_BATCH_BYTES || asks.iter().any(|other| other.id == ask.id) {
            return Some(ask);
        }
        asks.push(ask);
    }
    None
}

struct Round {
    node: NodeClient,
    service: Name,
    signer: HybridSigner,
    /// Requests that were submitted and are not answered.
    under_way: AtomicUsize,
}

impl Round {
    async fn submit(&self, asks: Vec<Ask>) {
        let mut answers = HashMap::with_capacity(asks.len());
        let mut intents = Vec::with_capacity(asks.len());
        let mark = |ask: &Ask| Some(TraceMark { request: ask.id, context: ask.trace? });
        let marks = asks.iter().filter_map(mark).collect();
        for ask in asks {
            answers.insert(ask.id, ask.answer);
            intents.push(ask.intent);
        }
        match self.views(RequestBatch { intents }, marks).await {
            Ok(views) => {
                for view in views {
                    let Some(answer) = answers.remove(&view.request) else { continue };
                    // A caller that hung up does not take its request back.
                    drop(answer.send(Ok(view)));
                }
            }
            Err(error) => answers.into_values().for_each(|answer| drop(answer.send(Err(error.clone())))),
        }
    }

    async fn views(
        &self,
        batch: RequestBatch,
        marks: Vec<TraceMark>,
    ) -> Result<Vec<RequestView>, RequestError> {
        let signed = Signed::new(batch, self.service.clone(), &self.signer)?;
        let answers = self.node.submit_traced(vec![Entry::Requests(signed)], marks).await?;
        match answers.into_iter().next() {
            Some(EntryAnswer::Requests(views)) => Ok(views),
            Some(EntryAnswer::Refused(refused)) => Err(RequestError::Refused(refused)),
            Some(EntryAnswer::Decided(_)) | None => Err(RequestError::Busy),
        }
    }
}

/// Batches on their way at once: while the node writes one, the next one is already there.
const ROUNDS_IN_FLIGHT: usize = 2;
/// How long a batch is held for others at most. Nobody waits while nothing is on its way.
const LINGER: Duration = Duration::from_millis(2);
/// Requests that wait for a batch.
const MAX_WAITING: usize = 4096;
