//! What the coordinator counts, in the text form that Prometheus reads (OpenMetrics 1.0).

use std::time::Duration;

use alloy_primitives::Address;
use keystead_base::Coded as _;
use keystead_trace::Counted;
use keystead_wire::{RequestStage, RequestView};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::RequestError;
use crate::coordinator::Obtained;

/// The media type of [`Meters::text`].
pub(crate) const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Counters that go up as things happen, and gauges that are set when somebody asks.
pub(crate) struct Meters {
    registry: Registry,
    signing_ops: Family<Outcome, Counter>,
    policy_decisions: Family<Outcome, Counter>,
    policy_decision_seconds: Histogram,
    http_requests: Family<Answer, Counter>,
    http_request_seconds: Family<Route, Histogram, fn() -> Histogram>,
    webhook_deliveries: Family<Outcome, Counter>,
    trace_spans: Family<Outcome, Counter>,
    pub(crate) callers_waiting: Gauge,
    pub(crate) node_up: Gauge,
    pub(crate) relayed_connections: Gauge,
    pub(crate) broadcasts: Family<Outcome, Gauge>,
    pub(crate) nonce_gap: Family<Sender, Gauge>,
}

/// How something came out, as a word of a closed set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Outcome {
    pub(crate) outcome: &'static str,
}

/// An account that sends.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Sender {
    pub(crate) account: String,
}

/// A route as it is written in the router, not as it was called: callers choose no label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Route {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    route: String,
    status: u16,
}

impl Default for Meters {
    fn default() -> Self {
        let mut it = Self {
            registry: Registry::default(),
            signing_ops: Family::default(),
            policy_decisions: Family::default(),
            policy_decision_seconds: seconds(),
            http_requests: Family::default(),
            http_request_seconds: Family::new_with_constructor(seconds),
            webhook_deliveries: Family::default(),
            trace_spans: Family::default(),
            callers_waiting: Gauge::default(),
            node_up: Gauge::default(),
            relayed_connections: Gauge::default(),
            broadcasts: Family::default(),
            nonce_gap: Family::default(),
        };
        it.register();
        it
    }
}

impl Meters {
    fn register(&mut self) {
        let it = &mut self.registry;
        it.register("signing_ops", "Calls for a signature, by how they came out", self.signing_ops.clone());
        let help = "What the log said to new requests: allow, wait or deny";
        it.register("policy_decisions", help, self.policy_decisions.clone());
        let help = "From handing a request to a node until the log has decided about it";
        it.register("policy_decision_seconds", help, self.policy_decision_seconds.clone());
        it.register("http_requests", "Answers by route and status", self.http_requests.clone());
        let help = "From the head of a request until its answer begins";
        it.register("http_request_seconds", help, self.http_request_seconds.clone());
        let help = "What became of news for webhooks: delivered, dropped, or why not in the end";
        it.register("webhook_deliveries", help, self.webhook_deliveries.clone());
        it.register(
            "trace_spans",
            "Spans for the collector of traces: sent, dropped",
            self.trace_spans.clone(),
        );
        let help = "Callers that are kept until people have decided";
        it.register("callers_waiting", help, self.callers_waiting.clone());
        it.register("node_up", "Whether a node answers this coordinator", self.node_up.clone());
        let help = "Connections between nodes that this coordinator carries";
        it.register("relayed_connections", help, self.relayed_connections.clone());
        let help = "Promised broadcasts that are not over, by where they stand";
        it.register("broadcasts", help, self.broadcasts.clone());
        let help =
            "Nonces that nobody holds below the highest one that is held: what stands behind them waits";
        it.register("nonce_gap", help, self.nonce_gap.clone());
    }

    /// A request was handed to a node, and this came back.
    pub(crate) fn decided(&self, view: &RequestView, took: Duration) {
        let outcome = match view.stage {
            RequestStage::Denied => "deny",
            RequestStage::Waiting => "wait",
            RequestStage::Allowed
            | RequestStage::Signed
            | RequestStage::Reorged
            | RequestStage::Applied
            | RequestStage::Settled
            | RequestStage::Dead
            | RequestStage::Failed => "allow",
        };
        self.policy_decisions.get_or_create(&Outcome { outcome }).inc();
        self.policy_decision_seconds.observe(took.as_secs_f64());
    }

    /// A caller got a signature, or an error with its stable code.
    pub(crate) fn signing(&self, found: &Result<Obtained, RequestError>) {
        let outcome = found.as_ref().map_or_else(|error| error.code(), |_| "signed");
        self.signing_ops.get_or_create(&Outcome { outcome }).inc();
    }

    /// What became of one piece of news for one webhook.
    pub(crate) fn delivery(&self, outcome: &'static str) {
        self.webhook_deliveries.get_or_create(&Outcome { outcome }).inc();
    }

    /// An answer went out.
    pub(crate) fn answered(&self, route: &str, status: u16, took: Duration) {
        self.http_requests.get_or_create(&Answer { route: route.to_owned(), status }).inc();
        let route = Route { route: route.to_owned() };
        self.http_request_seconds.get_or_create(&route).observe(took.as_secs_f64());
    }

    /// Sets how many nonces of an account stand open.
    pub(crate) fn gap(&self, account: Address, gap: u64) {
        let sender = Sender { account: format!("{account:#x}") };
        self.nonce_gap.get_or_create(&sender).set(i64::try_from(gap).unwrap_or(i64::MAX));
    }

    /// What became of spans so far.
    pub(crate) fn spans(&self, so_far: Counted) {
        for (outcome, count) in [("sent", so_far.sent), ("dropped", so_far.dropped)] {
            let counter = self.trace_spans.get_or_create(&Outcome { outcome });
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }

    /// Everything, as text.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry).map(|()| text)
    }
}

/// From a millisecond to half a minute.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 16))
}
