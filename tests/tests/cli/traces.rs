//! One request, one trace: what a collector that reads OTLP by its own means is told by processes of the program.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use keystead_tests::canary::Canaries;
use keystead_tests::{Anvil, Collector};
use serde_json::{Value, json};

use crate::crash::beside;
use crate::desk::{Desk, EXCHANGE};
use crate::plain::{get, post};
use crate::rest::Serving;

const CALLER: &str = "00f067aa0ba902b7";

/// A desk whose node tells a collector, and a coordinator in a process of its own that does, too.
struct Told {
    collector: Collector,
    desk: Desk,
    serving: Serving,
    _home: tempfile::TempDir,
}

impl Told {
    fn open() -> Self {
        let collector = Collector::start();
        let (allow, telemetry) = (format!("exchange={EXCHANGE}"), collector.configuration());
        let anvil = Anvil::start(&["--hardfork", "osaka"]);
        let policy = ["--allow", &allow, "--cool-off", "0"];
        let desk = Desk::found(anvil, &policy, |folder| {
            change(folder, |text| text.replace("deadline_seconds = 60", "deadline_seconds = 1") + &telemetry);
        });
        let (home, serving) = coordinator(&desk, "coordinator-traced", |text| text);
        Self { collector, desk, serving, _home: home }
    }

    /// Sends so much, as a part of a caller's trace.
    fn sends(&self, wei: u128, traceparent: &str) -> Value {
        let params = self.desk.transfer(EXCHANGE, wei);
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_sendTransaction", "params": params});
        let headers = format!("traceparent: {traceparent}\r\n");
        post(&self.serving.url, "/", &headers, &body.to_string()).json()
    }

    /// The spans of a trace by their names, once these are among them.
    fn waits_for(&self, trace: &str, names: &[&str]) -> BTreeMap<String, Value> {
        let mut found = BTreeMap::new();
        until(&format!("{names:?}"), || {
            let named = |span: Value| (span["name"].as_str().expect("a name").to_owned(), span);
            found = self.collector.trace(trace).into_iter().map(named).collect();
            names.iter().all(|name| found.contains_key(*name))
        });
        found
    }
}

/// A coordinator beside, with a configuration of its own.
fn coordinator(
    desk: &Desk,
    data: &str,
    other: impl FnOnce(String) -> String,
) -> (tempfile::TempDir, Serving) {
    let home = beside(desk);
    change(home.path(), |text| other(text.replace("data = \"coordinator\"", &format!("data = \"{data}\""))));
    let serving = Serving::start(home.path());
    (home, serving)
}

fn change(folder: &Path, by: impl FnOnce(String) -> String) {
    let file = folder.join("keystead.toml");
    let text = std::fs::read_to_string(&file).expect("a configuration");
    std::fs::remove_file(&file).expect("a file or a link");
    std::fs::write(&file, by(text)).expect("a folder");
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn k01_a_request_is_one_trace_across_its_processes_and_the_log_knows_nothing_of_it() {
    let told = Told::open();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let sent = told.sends(1_000_000_000_000_000, &format!("00-{trace}-{CALLER}-01"));
    assert!(sent["result"].is_string(), "{sent}");
    let spans = told.waits_for(trace, &WAY.map(|(name, ..)| name));
    is_nested(&spans);
    it_waits_for_people_and_goes_on_in_the_same_trace(&told);
    what_a_caller_says_badly_or_wants_told_to_nobody(&told);
    a_coordinator_that_is_told_of_no_collector_tells_none(&told);
    nothing_of_a_trace_is_in_the_log(&told.desk.folder, trace);
    a_collector_that_is_away_is_missed_by_nobody(&told);
}

/// Names, what they are a part of, which process says so, and which end of a call it is.
const WAY: [(&str, &str, &str, &str); 12] = [
    ("POST /", "", "keystead-coordinator", "SPAN_KIND_SERVER"),
    ("eth_sendTransaction", "POST /", "keystead-coordinator", "SPAN_KIND_INTERNAL"),
    ("coordinator.fill", "eth_sendTransaction", "keystead-coordinator", "SPAN_KIND_INTERNAL"),
    ("coordinator.submit", "eth_sendTransaction", "keystead-coordinator", "SPAN_KIND_CLIENT"),
    ("node.submit", "coordinator.submit", "keystead-node", "SPAN_KIND_SERVER"),
    ("node.admit", "node.submit", "keystead-node", "SPAN_KIND_INTERNAL"),
    ("node.decide", "node.submit", "keystead-node", "SPAN_KIND_INTERNAL"),
    ("node.simulate", "node.submit", "keystead-node", "SPAN_KIND_INTERNAL"),
    ("node.commit", "node.submit", "keystead-node", "SPAN_KIND_INTERNAL"),
    ("enclave.sign", "node.submit", "keystead-node", "SPAN_KIND_CLIENT"),
    ("coordinator.broadcast", "eth_sendTransaction", "keystead-coordinator", "SPAN_KIND_CLIENT"),
    ("node.settle", "node.submit", "keystead-node", "SPAN_KIND_INTERNAL"),
];

fn is_nested(spans: &BTreeMap<String, Value>) {
    for (name, parent, service, kind) in WAY {
        let span = &spans[name];
        let expected = if parent.is_empty() { &json!(CALLER) } else { &spans[parent]["span"] };
        assert_eq!(&span["parent"], expected, "{name} is a part of {parent:?}: {span}");
        assert_eq!(span["resource"]["service.name"], service, "{name}");
        assert_eq!((&span["kind"], &span["scope"]), (&kind.into(), &"keystead".into()), "{name}");
        assert_eq!(span["status"], "STATUS_CODE_UNSET", "{span}");
        assert!(span["start"].as_u64() > Some(0) && span["end"].as_u64() > Some(0), "{span}");
    }
    assert_eq!(spans["POST /"]["attributes"]["http.response.status_code"], 200);
    // `init` with an endpoint asks for a run of every transaction: that is decided first.
    assert_eq!(spans["node.decide"]["attributes"]["keystead.outcome"], "simulate");
    assert_eq!(spans["node.simulate"]["attributes"]["keystead.outcome"], "allow");
    let request = &spans["coordinator.submit"]["attributes"]["keystead.request"];
    assert!(request.is_string() && spans["enclave.sign"]["attributes"]["keystead.request"] == *request);
}

fn it_waits_for_people_and_goes_on_in_the_same_trace(told: &Told) {
    let trace = "5bf92f3577b34da6a3ce929d0e0e4736";
    let waiting = told.sends(2_000_000_000_000_000_000, &format!("00-{trace}-{CALLER}-01"));
    let id = waiting["error"]["data"]["request"].as_str().unwrap_or_else(|| panic!("{waiting}"));
    for who in ["ana", "ben"] {
        told.desk.as_person(who, &["approve", id, "--yes"]);
    }
    let spans = told.waits_for(trace, &["coordinator.wait", "node.approvals", "enclave.sign", "POST /"]);
    assert_eq!(spans["eth_sendTransaction"]["attributes"]["error.type"], "request.waiting");
    assert_eq!(spans["eth_sendTransaction"]["status"], "STATUS_CODE_ERROR");
    assert_eq!(spans["node.approvals"]["attributes"]["keystead.request"], id);
}

fn what_a_caller_says_badly_or_wants_told_to_nobody(told: &Told) {
    let (upper, quiet) = ("6BF92F3577B34DA6A3CE929D0E0E4736", "7bf92f3577b34da6a3ce929d0e0e4736");
    told.sends(1, &format!("00-{quiet}-{CALLER}-00"));
    let starts = |span: &Value| span["name"] == "POST /" && span["parent"] == "";
    let before = told.collector.spans().iter().filter(|it| starts(it)).count();
    told.sends(2, &format!("00-{upper}-{CALLER}-01"));
    until("a trace of its own", || told.collector.spans().iter().filter(|it| starts(it)).count() > before);
    let of = |trace: &str| told.collector.trace(&trace.to_lowercase());
    assert_eq!((of(upper), of(quiet)), (Vec::new(), Vec::new()));
}

/// Its node, which is told of one, begins a trace that names the request.
fn a_coordinator_that_is_told_of_no_collector_tells_none(told: &Told) {
    let (_home, silent) = coordinator(&told.desk, "coordinator-silent", |text| {
        text.split("\n[telemetry]").next().expect("a part").to_owned()
    });
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "personal_sign", "params": ["0x68656c6c6f", told.desk.account]});
    let headers = format!("traceparent: 00-8bf92f3577b34da6a3ce929d0e0e4736-{CALLER}-01\r\n");
    let alone = |span: &Value| span["name"] == "node.submit" && span["parent"] == "";
    let before = told.collector.spans().iter().filter(|it| alone(it)).count();
    let signed = post(&silent.url, "/", &headers, &body.to_string()).json();
    assert!(signed["result"].is_string(), "{signed}");
    until("a node's own trace", || told.collector.spans().iter().filter(|it| alone(it)).count() > before);
    assert_eq!(told.collector.trace("8bf92f3577b34da6a3ce929d0e0e4736"), Vec::<Value>::new());
    assert!(!get(&silent.url, "/metrics", "").body.contains("trace_spans_total"));
}

/// Neither in a block, nor in a decision, nor in anything else that a node or a coordinator keeps.
fn nothing_of_a_trace_is_in_the_log(folder: &Path, trace: &str) {
    let mut needles = Canaries::default();
    let bytes: Vec<u8> =
        (0..16).map(|at| u8::from_str_radix(&trace[2 * at..2 * at + 2], 16).expect("hex")).collect();
    needles.add("the trace", &bytes);
    let (found, looked_at) = needles.found_below(folder, &|_| false);
    assert_eq!(found, Vec::<String>::new());
    assert!(looked_at > 10_000, "{looked_at} bytes");
}

fn a_collector_that_is_away_is_missed_by_nobody(told: &Told) {
    assert_eq!(post(told.collector.url(), "/away", "", "").status, 200);
    let (serving, node) = (told.serving.url.as_str(), told.desk.metrics.as_str());
    let dropped = |url: &str| {
        let text = get(url, "/metrics", "").body;
        let line = text.lines().find_map(|it| it.strip_prefix("trace_spans_total{outcome=\"dropped\"} "));
        line.unwrap_or_else(|| panic!("{text}")).parse::<u64>().expect("a count")
    };
    let before = (dropped(serving), dropped(node));
    until("spans are dropped and counted", || {
        let answer = told.sends(3, "");
        assert!(answer["result"].is_string(), "{answer}");
        dropped(serving) > before.0 && dropped(node) > before.1
    });
}
