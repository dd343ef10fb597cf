//! The far end of the queue: spans in batches to the collector, one post at a time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keystead_base::{ClusterId, Name};
use keystead_transmit::{Courier, Network, Roots, TransmitError};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use crate::otlp;
use crate::tracer::{Finished, Tally};

/// Where spans go.
#[derive(Debug)]
pub struct Collector(Courier);

impl Collector {
    /// The collector at `url`, whose path `/v1/traces` is posted to. It is on this machine, in one of `networks`, or behind
    /// `https`.
    ///
    /// # Errors
    ///
    /// [`TransmitError`] when the URL is none, or nobody could vouch for it.
    pub fn new(url: &str, mut networks: Vec<Network>, roots: &Roots) -> Result<Self, TransmitError> {
        networks.extend(LOOPBACK.iter().filter_map(|it| it.parse::<Network>().ok()));
        let url = format!("{}/v1/traces", url.trim_end_matches('/'));
        Courier::new(&url, networks, roots).map(Self)
    }
}

/// Whose spans they are.
#[derive(Clone, Debug)]
pub struct Resource {
    /// What the process is.
    pub service: &'static str,
    /// Which one: its name in the roster.
    pub instance: Name,
    /// The version of the program.
    pub version: &'static str,
    /// The cluster.
    pub cluster: ClusterId,
}

/// Until the last span is gone.
pub(crate) async fn run(
    mut waiting: mpsc::Receiver<Finished>,
    collector: Collector,
    resource: Resource,
    tally: Arc<Tally>,
) {
    let mut was_taken = true;
    loop {
        let batch = gather(&mut waiting).await;
        if batch.is_empty() {
            return;
        }
        let count = |of: &AtomicU64| of.fetch_add(batch.len() as u64, Ordering::Relaxed);
        match collector.0.post(otlp::PROTOBUF, otlp::request(&resource, &batch)).await {
            Ok(()) => {
                count(&tally.sent);
                was_taken = true;
            }
            Err(error) => {
                count(&tally.dropped);
                if std::mem::take(&mut was_taken) {
                    report(&resource, &error);
                }
                sleep(PAUSE).await;
            }
        }
    }
}

/// What waits, and what comes soon after it; nothing when nobody makes spans any more.
async fn gather(waiting: &mut mpsc::Receiver<Finished>) -> Vec<Finished> {
    let mut batch = Vec::new();
    waiting.recv_many(&mut batch, MAX_BATCH).await;
    let latest = Instant::now() + LINGER;
    while !batch.is_empty() && batch.len() < MAX_BATCH {
        let room = MAX_BATCH - batch.len();
        match timeout_at(latest, waiting.recv_many(&mut batch, room)).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => break,
        }
    }
    batch
}

/// Says once on standard error that the collector does not take spans; what follows is counted.
#[expect(clippy::print_stderr, reason = "a service's log is its standard error")]
fn report(resource: &Resource, error: &dyn fmt::Display) {
    eprintln!("{}: the collector of traces: {error}", resource.service);
}

const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];
const MAX_BATCH: usize = 512;
/// How long a span waits for others.
const LINGER: Duration = Duration::from_millis(500);
/// After a post that failed: a collector that is away is asked no oftener.
const PAUSE: Duration = Duration::from_secs(2);
