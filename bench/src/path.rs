//! The full path: JSON-RPC `eth_signTransaction` inside the limits, against the real processes.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::runtime::Runtime;

use crate::floors::{CLIENTS, Floors, SPAN};
use crate::load::{self, Figures, Load};
use crate::{table, usage};

/// Measures the path and prints it beside the floors of the same run.
pub(crate) fn run(runtime: &Runtime, floors: &Floors) {
    let desk = Desk::start();
    println!("\nMemory at rest");
    desk.processes().iter().for_each(|(what, pid)| {
        println!("  {what:<22} {:>6.1} MiB", usage::resident_mib(*pid).unwrap_or_default());
    });
    let mut rows = vec![
        [
            "clients",
            "per second",
            "p50",
            "p99",
            "CPU each",
            "CPU of the load",
            "in one block",
            "of bare",
            "of durable",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    let pids: Vec<u32> = desk.processes().into_iter().map(|(_, pid)| pid).collect();
    let mut threads = BTreeMap::new();
    for (index, clients) in CLIENTS.into_iter().enumerate() {
        let address = desk.address.clone();
        let body = move |client, number| request(&address, nonce(index, client, number));
        let load = Load { address: desk.coordinator, clients, span: SPAN, needle: "\"result\":\"0x02" };
        let before = desk.counts();
        let figures = runtime.block_on(load::run(&load, &pids, body));
        assert_eq!(figures.wrong, 0, "every answer is a signed transaction");
        rows.push(row(&figures, floors, index, desk.counts().in_one_block(&before)));
        threads = figures.threads;
    }
    table::print("Full path: eth_signTransaction inside the limits", &rows);
    table::print("Where the microseconds of a request go, with the most clients", &shares(&threads));
}

/// CPU by thread, the dearest first, and their sum.
fn shares(threads: &BTreeMap<String, f64>) -> Vec<Vec<String>> {
    let sum: f64 = threads.values().sum();
    let row = |name: &str, used: f64| {
        let share = format!("{:.0} %", 100.0 * used / sum);
        vec![name.to_owned(), table::micros(used), share, work_of(name).to_owned()]
    };
    let mut dearest: Vec<_> = threads.iter().collect();
    dearest.sort_by(|a, b| b.1.total_cmp(a.1));
    let mut rows = vec![["thread", "CPU each", "share", "its work"].map(str::to_owned).to_vec()];
    rows.extend(dearest.into_iter().map(|(name, used)| row(name, *used)));
    rows.push(row("all", sum));
    rows
}

/// What a thread of the product does for a request; Linux cuts names after 15 bytes.
fn work_of(thread: &str) -> &'static str {
    match thread {
        "keystead" => "enclave: verify the commit, sign, recover the signer",
        "replica" => "decode, effects, policy, limits, vote",
        "signer" => "build and frame payloads, assemble transactions",
        "sqlx-sqlite-wor" => "SQLite: rows, write-ahead log, sync",
        "tokio-rt-worker" => "HTTP, JSON, TLS, batches, intake, documents for the disk",
        _ => "",
    }
}

/// How far a node is.
struct Counts {
    height: u64,
    signatures: u64,
}

impl Counts {
    fn in_one_block(&self, before: &Self) -> f64 {
        (self.signatures - before.signatures) as f64 / (self.height - before.height).max(1) as f64
    }
}

fn row(figures: &Figures, floors: &Floors, index: usize, in_one_block: f64) -> Vec<String> {
    let ratio = |floor: &[Figures]| match floor.get(index) {
        Some(floor) => format!("{:.0} %", 100.0 * figures.per_second / floor.per_second),
        None => String::new(),
    };
    vec![
        figures.clients.to_string(),
        format!("{:.0}", figures.per_second),
        table::micros(figures.p50),
        table::micros(figures.p99),
        table::micros(figures.cpu),
        table::micros(figures.load_cpu),
        format!("{in_one_block:.0}"),
        ratio(&floors.bare),
        ratio(&floors.durable),
    ]
}

/// Every request of every run has a nonce of its own.
fn nonce(run: usize, client: usize, number: u64) -> u64 {
    (run as u64) << 40 | (client as u64) << 24 | number
}

fn request(address: &str, nonce: u64) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"eth_signTransaction","params":[{{"from":"{address}","to":"{FRIEND}",
           "value":"0x0","nonce":"{nonce:#x}","gas":"0x5208","maxFeePerGas":"0x1","maxPriorityFeePerGas":"0x1"}}]}}"#
    )
}

/// A desk made and run by the product's own commands.
struct Desk {
    folder: tempfile::TempDir,
    up: Child,
    coordinator: SocketAddr,
    address: String,
}

impl Desk {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = folder.path().join("desk");
        let (node, coordinator, devnet) = (free_port(), free_port(), free_port());
        keystead(
            &desk,
            &[
                "init",
                &desk.display().to_string(),
                "--allow",
                &format!("friend={FRIEND}"),
                "--node-listen",
                &format!("127.0.0.1:{node}"),
                "--coordinator-listen",
                &format!("127.0.0.1:{coordinator}"),
            ],
        );
        let up = Command::new(binary())
            .args(["up", &desk.display().to_string(), "--devnet", "--devnet-port", &devnet.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("keystead up");
        let coordinator = SocketAddr::from(([127, 0, 0, 1], coordinator));
        wait_for(coordinator);
        let address = make_a_key(&desk);
        Self { folder, up, coordinator, address }
    }

    fn counts(&self) -> Counts {
        let shown = keystead(&self.folder.path().join("desk"), &["status", "--as", "ana"]);
        let count = |name: &str| shown["status"][name].as_u64().expect("a count");
        Counts { height: count("height"), signatures: count("signatures") }
    }

    fn processes(&self) -> Vec<(&'static str, u32)> {
        let up = self.up.id();
        let enclave = usage::children(up).into_iter().map(|pid| ("enclave", pid));
        [("node + coordinator", up)].into_iter().chain(enclave).collect()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.up.kill();
        let _ = self.up.wait();
        // The folder goes with its field; named here so that nobody drops it earlier.
        let _ = &self.folder;
    }
}

/// Creates `hot`, backs it up, drills the backup: its first address.
fn make_a_key(desk: &Path) -> String {
    for ceremony in [
        vec!["key", "create", "hot", "--as", "ana"],
        vec!["key", "backup", "hot", "--to", "ana", "--as", "ana"],
    ] {
        let asked = keystead(desk, &ceremony);
        let request = find(&asked, "request").expect("a request");
        keystead(desk, &["approve", &request, "--yes", "--as", "ben"]);
        keystead(desk, &["approve", &request, "--yes", "--as", "cleo"]);
    }
    keystead(desk, &["key", "drill", "hot", "--as", "ana"]);
    let keys = keystead(desk, &["key", "list", "--as", "ana"]);
    find(&keys, "address").expect("an address")
}

fn keystead(desk: &Path, arguments: &[&str]) -> Value {
    let output = Command::new(binary())
        .args(["--json", "--dir", &desk.display().to_string()])
        .args(arguments)
        .output()
        .expect("the keystead binary");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "keystead {}: {out}{err}", arguments.join(" "));
    serde_json::from_str(&out).unwrap_or(Value::Null)
}

/// The first text with this name, anywhere in the document.
fn find(value: &Value, name: &str) -> Option<String> {
    match value {
        Value::Object(fields) => match fields.get(name) {
            Some(Value::String(text)) => Some(text.clone()),
            _ => fields.values().find_map(|it| find(it, name)),
        },
        Value::Array(items) => items.iter().find_map(|it| find(it, name)),
        _ => None,
    }
}

fn binary() -> PathBuf {
    keystead_tests::binary("keystead")
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port()
}

fn wait_for(address: SocketAddr) {
    let end = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < end, "nothing listens on {address}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

const FRIEND: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
