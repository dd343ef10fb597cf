//! A closed loop of clients: each asks for its next transfer when the last one is signed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keystead_base::RequestId;
use keystead_wire::RequestStage;
use tokio::task::JoinSet;

use super::site::Site;

/// When a load ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// After this time.
    Span(Duration),
    /// After so many decisions.
    Decisions(u64),
}

/// What the clients saw.
#[derive(Debug)]
pub(crate) struct Seen {
    /// From the first question to the last answer.
    pub(crate) seconds: f64,
    /// From question to signature, ascending, in nanoseconds.
    pub(crate) times: Vec<u64>,
    /// The requests, in the order of each client's asking.
    pub(crate) requests: Vec<RequestId>,
}

impl Seen {
    /// The latency that this share of the requests did not exceed, in microseconds.
    pub(crate) fn micros(&self, share: f64) -> f64 {
        let place = (self.times.len() as f64 * share) as usize;
        self.times.get(place).or(self.times.last()).copied().unwrap_or_default() as f64 / 1000.0
    }
}

/// Runs so many clients, spread over the nodes. Every answer must be a signature.
pub(crate) async fn run(site: &Arc<Site>, clients: usize, until: Until) -> Seen {
    let left = Arc::new(AtomicU64::new(match until {
        Until::Span(_) => u64::MAX,
        Until::Decisions(count) => count,
    }));
    let start = Instant::now();
    let end = match until {
        Until::Span(span) => start + span,
        Until::Decisions(_) => start + PATIENCE,
    };
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        tasks.spawn(one_client(Arc::clone(site), client, end, Arc::clone(&left)));
    }
    let (mut times, mut requests) = (Vec::new(), Vec::new());
    for (time, request) in tasks.join_all().await.into_iter().flatten() {
        times.push(time);
        requests.push(request);
    }
    times.sort_unstable();
    Seen { seconds: start.elapsed().as_secs_f64(), times, requests }
}

async fn one_client(
    site: Arc<Site>,
    client: usize,
    end: Instant,
    left: Arc<AtomicU64>,
) -> Vec<(u64, RequestId)> {
    let desk = &site.desks[client % site.desks.len()];
    let mut seen = Vec::new();
    let take = |left: u64| left.checked_sub(1);
    while Instant::now() < end && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
        let intent = site.intent();
        let id = intent.id();
        let start = Instant::now();
        let view = desk.ask(intent).await.expect("an answer");
        let time = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        assert_eq!(view.stage, RequestStage::Signed, "{view:?}");
        seen.push((time, id));
    }
    seen
}

/// Longer than any count of decisions takes.
const PATIENCE: Duration = Duration::from_secs(300);
