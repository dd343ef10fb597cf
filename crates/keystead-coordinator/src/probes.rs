//! Whether this program lives, whether it can work, and what it counts: for whoever looks after it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Weak;
use std::time::{Duration, Instant};

use alloy_primitives::Address;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::coordinator::Inner;
use crate::http::Served;
use crate::journal::Entry;
use crate::meters::{OPENMETRICS, Outcome};
use crate::nonces;
use crate::relay::Relay;

pub(crate) fn routes() -> Router<Served> {
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).route("/metrics", get(metrics))
}

/// An answer in plain text, as probes and web3signer's clients read it.
pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Response {
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], text.into()).into_response()
}

async fn livez() -> Response {
    text(StatusCode::OK, "ok")
}

async fn readyz(State(served): State<Served>) -> Response {
    match served.coordinator.inner.has_node().await {
        true => text(StatusCode::OK, "ok"),
        // What exactly is wrong with it is nothing for strangers.
        false => text(StatusCode::SERVICE_UNAVAILABLE, "no node answers"),
    }
}

async fn metrics(State(served): State<Served>) -> Response {
    match served.coordinator.inner.measured() {
        Ok(text) => (StatusCode::OK, [(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

/// Finds what gauges show, again and again, until the coordinator is gone.
pub(crate) async fn measure(coordinator: Weak<Inner>) {
    let mut ticks = interval(MEASURE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(inner) = coordinator.upgrade() else { return };
        inner.meters.node_up.set(i64::from(inner.has_node().await));
        inner.measure_gaps(&inner.unfinished()).await;
    }
}

impl Inner {
    /// Whether a node answers, for as long as a probe has patience. Strangers may ask, so a node is asked once a second
    /// at most, however many they are.
    pub(crate) async fn has_node(&self) -> bool {
        let mut looked = self.looked.lock().await;
        if let Some((_, answered)) = looked.filter(|(at, _)| at.elapsed() < LOOK_AGAIN_AFTER) {
            return answered;
        }
        let answered = matches!(timeout(LOOK_TIME, self.node.status()).await, Ok(Ok(_)));
        *looked = Some((Instant::now(), answered));
        answered
    }

    /// Counters as they are, and gauges as they were found last: nobody is asked for a scrape, so that none waits for an
    /// endpoint or a node that does not answer.
    fn measured(&self) -> Result<String, std::fmt::Error> {
        self.meters.callers_waiting.set(i64::try_from(self.callers_waiting()).unwrap_or(i64::MAX));
        let carried = self.lines.get().map(Relay::carried).unwrap_or_default();
        self.meters.relayed_connections.set(i64::try_from(carried).unwrap_or(i64::MAX));
        self.measure_stages(&self.unfinished());
        let tracer = self.tracer();
        if tracer.is_on() {
            self.meters.spans(tracer.counted());
        }
        self.meters.text()
    }

    fn unfinished(&self) -> Vec<Entry> {
        self.journal().pending().into_iter().map(|(_, entry)| entry).collect()
    }

    fn measure_stages(&self, pending: &[Entry]) {
        self.meters.broadcasts.clear();
        for entry in pending {
            let outcome = Outcome { outcome: entry.stage.word() };
            self.meters.broadcasts.get_or_create(&outcome).inc();
        }
    }

    /// Of an account whose pending count is not known there is no sample.
    async fn measure_gaps(&self, pending: &[Entry]) {
        let Some(chain) = &self.chain else { return };
        let mut held: BTreeMap<Address, BTreeSet<u64>> = BTreeMap::new();
        for place in pending.iter().filter(|entry| !entry.lost).filter_map(|entry| entry.promise.place) {
            held.entry(place.account).or_default().insert(place.nonce);
        }
        let mut gaps = Vec::new();
        for (account, held) in held.into_iter().take(MAX_MEASURED_ACCOUNTS) {
            if let Ok(Ok(next)) = timeout(LOOK_TIME, chain.pending_nonce(account)).await {
                gaps.push((account, nonces::gap(next, &held)));
            }
        }
        self.meters.nonce_gap.clear();
        gaps.into_iter().for_each(|(account, gap)| self.meters.gap(account, gap));
    }
}

/// The others are left out of one answer.
const MAX_MEASURED_ACCOUNTS: usize = 64;
/// How old what gauges show may be, while everything answers.
const MEASURE_EVERY: Duration = Duration::from_secs(5);
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);
const LOOK_TIME: Duration = Duration::from_secs(5);
