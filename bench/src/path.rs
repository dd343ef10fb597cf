//! The full path: JSON-RPC `eth_signTransaction` inside the limits, against the real processes.

use std::collections::BTreeMap;
use tokio::runtime::Runtime;

use crate::desk::{Desk, free_port, paying};
use crate::floors::{CLIENTS, Floors, SPAN};
use crate::load::{self, Figures, Load};
use crate::{table, usage};

/// Measures the path and prints it beside the floors of the same run.
pub(crate) fn run(runtime: &Runtime, floors: &Floors) {
    let port = free_port().to_string();
    let desk = Desk::start_under(&paying(FRIEND), &[], &["--devnet", "--devnet-port", &port]);
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
        let right = |it: &str| it.contains("\"result\":\"0x02");
        let load = Load { address: desk.coordinator, clients, span: SPAN, path: "/".to_owned(), right };
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

const FRIEND: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
