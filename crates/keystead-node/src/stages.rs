//! Starts the stages, watches over them, and ends them in the order of the data.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::{Event, NodeError, shared::Shared};

/// What a stage ended with.
type Ended = (&'static str, Result<(), NodeError>);

/// The running stages of a node.
pub(crate) struct Stages {
    ended: mpsc::Receiver<Ended>,
    report: mpsc::Sender<Ended>,
    running: usize,
    stop: watch::Sender<bool>,
}

/// Reports that a stage is gone, whatever became of it.
struct Report {
    stage: &'static str,
    to: mpsc::Sender<Ended>,
    result: Result<(), NodeError>,
}

impl Report {
    fn ended(mut self, result: Result<(), NodeError>) {
        self.result = result;
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let result = std::mem::replace(&mut self.result, Ok(()));
        // The queue has room for every stage; nobody listens any more when it is closed.
        let _ = self.to.try_send((self.stage, result));
    }
}

impl Stages {
    pub(crate) fn new() -> Self {
        let (report, ended) = mpsc::channel(MAX_STAGES);
        let (stop, _) = watch::channel(false);
        Self { ended, report, running: 0, stop }
    }

    /// Tells stages to end.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// A stage that waits more than it works.
    pub(crate) fn task(
        &mut self,
        stage: &'static str,
        work: impl Future<Output = Result<(), NodeError>> + Send + 'static,
    ) {
        let report = self.report(stage);
        tokio::spawn(async move { report.ended(work.await) });
    }

    /// A stage that works so much, or blocks so long, that it has a thread of its own.
    pub(crate) fn thread(
        &mut self,
        stage: &'static str,
        work: impl Future<Output = Result<(), NodeError>> + Send + 'static,
    ) -> Result<(), NodeError> {
        let report = self.report(stage);
        let runtime = Handle::current();
        std::thread::Builder::new()
            .name(stage.to_owned())
            .spawn(move || report.ended(runtime.block_on(work)))
            .map(drop)
            .map_err(NodeError::Thread)
    }

    fn report(&mut self, stage: &'static str) -> Report {
        self.running += 1;
        // Until it ends in its own words, a stage counts as broken: a panic unwinds past them.
        Report { stage, to: self.report.clone(), result: Err(NodeError::Stage { stage }) }
    }

    /// Waits for an order to stop, or for a stage that ends by itself; then ends them all.
    pub(crate) async fn watch(
        mut self,
        shared: Arc<Shared>,
        mut ordered: watch::Receiver<bool>,
    ) -> Result<(), NodeError> {
        let mut result = tokio::select! {
            // A handle that was dropped orders it too.
            _ = ordered.wait_for(|stop| *stop) => Ok(()),
            Some((stage, result)) = self.ended.recv() => {
                self.running -= 1;
                result.and(Err(NodeError::Stage { stage }))
            }
        };
        self.stop.send_replace(true);
        while self.running > 0 {
            match timeout(STOP_TIME, self.ended.recv()).await {
                Ok(Some((_, ended))) => result = worse(result, ended),
                Ok(None) | Err(_) => {
                    result = result.and(Err(NodeError::Stage { stage: "last stage" }));
                    break;
                }
            }
            self.running -= 1;
        }
        shared.ledger.close().await;
        shared.event(Event::Stopped);
        result
    }
}

/// The cause rather than its consequences: a stage that fails ends those beside it.
fn worse(first: Result<(), NodeError>, second: Result<(), NodeError>) -> Result<(), NodeError> {
    match (first, second) {
        (Err(NodeError::Stage { .. }), Err(second)) => Err(second),
        (Ok(()), second) => second,
        (first, _) => first,
    }
}

const MAX_STAGES: usize = 16;
/// How long the last blocks and signatures may take.
const STOP_TIME: Duration = Duration::from_secs(30);
