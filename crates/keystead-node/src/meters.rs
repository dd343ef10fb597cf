//! What a node counts, in the text form that Prometheus reads (OpenMetrics 1.0).

use keystead_base::Timestamp;
use keystead_decision::{Applied, Key, KeyState, Phase, State};
use keystead_trace::Counted;
use keystead_wire::{ChainWatch, NodeStatus, WindowView};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use self::peers::PeerGauges;

mod peers;

/// Counters that go up as things happen, and gauges that are set when somebody asks.
pub(crate) struct Meters {
    registry: Registry,
    signing_ops: Family<Word, Counter>,
    runs: Family<Word, Counter>,
    policy_decisions: Family<Word, Counter>,
    group_commit_size: Histogram,
    ledger_write_seconds: Histogram,
    approval_age_seconds: Gauge,
    drill_age_seconds: Gauge,
    requests: Family<Word, Gauge>,
    log_height: Gauge,
    peers_reachable: Gauge,
    runs_under_way: Gauge,
    peers: PeerGauges,
    chain_head: Family<Chain, Gauge>,
    reorged: Family<Chain, Counter>,
    trace_spans: Family<Word, Counter>,
    window_used: Family<Window, Gauge<f64, std::sync::atomic::AtomicU64>>,
}

/// How something came out, as a word of a closed set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Word {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Chain {
    chain: u64,
}

/// One count of a limit window; what it is not split by is empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Window {
    window: String,
    key: String,
    destination: String,
    chain: String,
}

impl Default for Meters {
    fn default() -> Self {
        let mut it = Self {
            registry: Registry::default(),
            signing_ops: Family::default(),
            runs: Family::default(),
            policy_decisions: Family::default(),
            group_commit_size: Histogram::new(exponential_buckets(1.0, 2.0, 12)),
            ledger_write_seconds: Histogram::new(exponential_buckets(0.0001, 2.0, 16)),
            approval_age_seconds: Gauge::default(),
            drill_age_seconds: Gauge::default(),
            requests: Family::default(),
            log_height: Gauge::default(),
            peers_reachable: Gauge::default(),
            runs_under_way: Gauge::default(),
            peers: PeerGauges::default(),
            chain_head: Family::default(),
            reorged: Family::default(),
            trace_spans: Family::default(),
            window_used: Family::default(),
        };
        it.register();
        it
    }
}

impl Meters {
    fn register(&mut self) {
        let it = &mut self.registry;
        it.register("signing_ops", "Payloads that the enclave signed or refused", self.signing_ops.clone());
        let help = "Runs of keys in shares that ended in this node's enclave";
        it.register("threshold_runs", help, self.runs.clone());
        it.register("policy_decisions", "What the log decided", self.policy_decisions.clone());
        let help = "Entries of the log that one transaction of the ledger made durable";
        it.register("ledger_group_commit_size", help, self.group_commit_size.clone());
        let help = "How long a transaction of the ledger took, its sync included";
        it.register("ledger_write_seconds", help, self.ledger_write_seconds.clone());
        let help = "For how long the oldest request has waited for people";
        it.register("approval_age_seconds", help, self.approval_age_seconds.clone());
        let help = "How long ago the backup was restored last of the key that waits longest for a drill";
        it.register("backup_drill_age_seconds", help, self.drill_age_seconds.clone());
        let help = "Requests that wait for people or delays, and requests that are allowed and not final";
        it.register("requests", help, self.requests.clone());
        it.register("log_height", "The height of the last durable block", self.log_height.clone());
        let help = "Other nodes to which a connection is open";
        it.register("peers_reachable", help, self.peers_reachable.clone());
        let help = "Runs of keys in shares that are wanted or under way, at most 64";
        it.register("threshold_runs_under_way", help, self.runs_under_way.clone());
        self.peers.register(it);
        let help = "The highest block that enough endpoints have reached";
        it.register("chain_head", help, self.chain_head.clone());
        let help = "Signed transactions whose block a chain gave up";
        it.register("transactions_reorged", help, self.reorged.clone());
        it.register(
            "trace_spans",
            "Spans for the collector of traces: sent, dropped",
            self.trace_spans.clone(),
        );
        let help = "How full a limit window is, from 0 to 1; of the fullest ones";
        it.register("limit_window_used_ratio", help, self.window_used.clone());
    }

    /// A transaction of the ledger that made these blocks durable.
    pub(crate) fn wrote(&self, blocks: &[&Applied], seconds: f64) {
        self.ledger_write_seconds.observe(seconds);
        let entries: usize = blocks.iter().map(|applied| applied.block.entries.len()).sum();
        if entries > 0 {
            self.group_commit_size.observe(entries as f64);
        }
        for outcome in blocks.iter().flat_map(|applied| &applied.decisions).map(|it| it.outcome.word()) {
            self.policy_decisions.get_or_create(&Word { outcome }).inc();
        }
    }

    /// A run of a key in shares ended.
    pub(crate) fn ran(&self, outcome: &'static str) {
        self.runs.get_or_create(&Word { outcome }).inc();
    }

    /// What became of spans so far.
    pub(crate) fn spans(&self, so_far: Counted) {
        for (outcome, count) in [("sent", so_far.sent), ("dropped", so_far.dropped)] {
            let counter = self.trace_spans.get_or_create(&Word { outcome });
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }

    /// A chain gave up the block of a signed transaction.
    pub(crate) fn reorged(&self, chain: u64) {
        self.reorged.get_or_create(&Chain { chain }).inc();
    }

    /// Everything as text, with gauges as `status` and `state` have them at `now`.
    pub(crate) fn text(
        &self,
        status: &NodeStatus,
        state: &State,
        now: Timestamp,
    ) -> Result<String, std::fmt::Error> {
        self.raise("signed", status.signatures);
        self.raise("refused", status.refusals);
        self.log_height.set(whole(status.height));
        self.peers_reachable.set(whole(status.peers.iter().filter(|it| it.reachable).count() as u64));
        self.runs_under_way.set(whole(status.runs.len() as u64));
        self.peers.show(&status.peers);
        self.approval_age_seconds.set(whole(oldest(state, now)));
        let drills = |key: &Key| key.state == KeyState::Active && !key.kind.is_in_tokens();
        let signs = state.keys().filter(|(_, key)| drills(key));
        let drilled = signs.map(|(_, key)| key.drill_age(now)).max();
        self.drill_age_seconds.set(whole(drilled.unwrap_or_default()));
        for (outcome, count) in [("open", status.open), ("unsettled", status.unsettled)] {
            self.requests.get_or_create(&Word { outcome }).set(whole(count));
        }
        self.show_chains(status);
        self.window_used.clear();
        status.windows.iter().for_each(|view| {
            self.window_used.get_or_create(&Window::of(view)).set(ratio(view));
        });
        let mut text = String::new();
        encode(&mut text, &self.registry).map(|()| text)
    }

    /// Of a chain on which the endpoints do not agree there is no sample.
    fn show_chains(&self, status: &NodeStatus) {
        self.chain_head.clear();
        for it in &status.chains {
            if let ChainWatch::Agreed { head } = it.watch {
                self.chain_head.get_or_create(&Chain { chain: it.chain }).set(whole(head));
            }
        }
    }

    /// Somebody else counts these.
    fn raise(&self, outcome: &'static str, to: u64) {
        let counter = self.signing_ops.get_or_create(&Word { outcome });
        counter.inc_by(to.saturating_sub(counter.get()));
    }
}

impl Window {
    fn of(view: &WindowView) -> Self {
        Self {
            window: view.window.to_string(),
            key: view.key.as_ref().map(ToString::to_string).unwrap_or_default(),
            destination: view.destination.map(|it| format!("{it:#x}")).unwrap_or_default(),
            chain: view.chain.map(|it| it.to_string()).unwrap_or_default(),
        }
    }
}

/// Seconds since the oldest open request was announced; 0 when none waits.
fn oldest(state: &State, now: Timestamp) -> u64 {
    let open = state.requests().filter(|(_, request)| request.phase == Phase::Open);
    let announced = open.map(|(_, request)| request.announced).min();
    announced.map_or(0, |at| now.0.saturating_sub(at.0) / 1000)
}

/// A window without room is full.
fn ratio(view: &WindowView) -> f64 {
    let (used, limit) = (f64::from(view.used.0), f64::from(view.limit.0));
    if limit > 0.0 { used / limit } else { 1.0 }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
