//! What was measured: as one document, and as tables with the aims beside the figures.

use std::collections::BTreeMap;

use serde::Serialize;

use super::count::CountRow;
use super::empty::Empty;
use super::proof::{CertificateRow, LogRow};
use crate::aim::{self, Aim};
use crate::table;

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Processors of the machine, which nodes, enclaves, clients and proxies share.
    processors: usize,
    clusters: Vec<ClusterRow>,
    aims: Vec<Aim>,
}

/// One size of cluster.
#[derive(Debug, Serialize)]
pub(crate) struct ClusterRow {
    pub(crate) nodes: u8,
    pub(crate) quorum: u32,
    pub(crate) stages: Vec<Stage>,
    pub(crate) counts: Vec<CountRow>,
    /// Growth of one node's database.
    pub(crate) ledger_bytes_per_decision: f64,
    pub(crate) certificate: CertificateRow,
    pub(crate) log: LogRow,
}

/// One distance between its nodes.
#[derive(Debug, Serialize)]
pub(crate) struct Stage {
    /// What the proxies add each way.
    pub(crate) added_millis: u64,
    /// How long a message takes, the measured addition included.
    pub(crate) message_micros: f64,
    /// How long one sync takes at this moment.
    pub(crate) fsync_micros: f64,
    pub(crate) empty: Empty,
    pub(crate) loads: Vec<LoadRow>,
}

/// One number of clients.
#[derive(Debug, Serialize)]
pub(crate) struct LoadRow {
    pub(crate) clients: usize,
    pub(crate) decisions: u64,
    pub(crate) blocks: u64,
    pub(crate) per_second: f64,
    pub(crate) blocks_per_second: f64,
    pub(crate) p50_micros: f64,
    pub(crate) p99_micros: f64,
    /// CPU of all nodes and enclaves for each decision.
    pub(crate) cpu_micros: f64,
    /// CPU of clients and proxies for each decision.
    pub(crate) load_cpu_micros: f64,
    /// CPU of all nodes for each decision, by the names of their threads.
    pub(crate) cpu_by_thread: BTreeMap<String, f64>,
    /// Bytes between nodes for each decision, where proxies count them.
    pub(crate) peer_bytes: Option<f64>,
}

impl Report {
    pub(crate) fn new(clusters: Vec<ClusterRow>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let aims = clusters.iter().filter(|it| it.nodes == AIMED_NODES).flat_map(aims).collect();
        Self { processors, clusters, aims }
    }

    /// Prints all tables.
    pub(crate) fn print(&self) {
        println!("\nCluster on one machine of {} processors, which all of it shares", self.processors);
        self.clusters.iter().for_each(ClusterRow::print);
        aim::print(&self.aims);
    }
}

fn aims(cluster: &ClusterRow) -> Vec<Aim> {
    let mut aims = Vec::new();
    for stage in &cluster.stages {
        for load in &stage.loads {
            if load.clients == AIMED_CLIENTS && stage.added_millis == 0 {
                aims.push(Aim {
                    what: format!("{} nodes, {} clients, decisions per second", cluster.nodes, load.clients),
                    aim: format!(">= {AIMED_PER_SECOND:.0}"),
                    found: format!("{:.0}", load.per_second),
                    met: load.per_second >= AIMED_PER_SECOND,
                });
            }
            if load.clients == 1 {
                aims.push(latency_aim(cluster, stage, load));
            }
        }
    }
    let found = cluster.certificate.verify_micros;
    aims.push(Aim {
        what: format!("certificate verification, {} votes", cluster.certificate.votes),
        aim: format!("< {}", table::micros(AIMED_VERIFY_MICROS * 1000.0)),
        found: table::micros(found * 1000.0),
        met: found < AIMED_VERIFY_MICROS,
    });
    aims
}

fn latency_aim(cluster: &ClusterRow, stage: &Stage, load: &LoadRow) -> Aim {
    let aim = AIMED_FSYNCS * stage.fsync_micros + AIMED_MESSAGES * stage.message_micros;
    Aim {
        what: format!("{} nodes, {} ms added, 1 client, p50", cluster.nodes, stage.added_millis),
        aim: format!(
            "<= {} (6 x {} + 4 x {})",
            table::micros(aim * 1000.0),
            table::micros(stage.fsync_micros * 1000.0),
            table::micros(stage.message_micros * 1000.0)
        ),
        found: table::micros(load.p50_micros * 1000.0),
        met: load.p50_micros <= aim,
    }
}

impl ClusterRow {
    fn print(&self) {
        let mut rows = vec![row(LOAD_HEAD)];
        for stage in &self.stages {
            rows.extend(stage.loads.iter().map(|load| load_row(stage, load)));
        }
        table::print(&format!("{} nodes, quorum {}", self.nodes, self.quorum), &rows);
        self.print_floors();
        self.print_counts();
        self.print_threads();
        let it = &self.certificate;
        println!(
            "  certificate: {} bytes ({} of them header and {} votes, shared by a block), verified in {}",
            it.bytes,
            it.commit_bytes,
            it.votes,
            table::micros(it.verify_micros * 1000.0)
        );
        println!("  ledger: {:.0} bytes per decision at each node", self.ledger_bytes_per_decision);
        let LogRow { blocks, verified, later_rounds } = self.log;
        let word = if verified { "verifies, the same at every node" } else { "DOES NOT VERIFY" };
        println!("  log: {blocks} blocks, {later_rounds} of them in a later round; {word}");
    }

    fn print_floors(&self) {
        let head = ["added", "fsync", "message", "empty blocks per second", "CPU each"];
        let mut rows = vec![row(head)];
        rows.extend(self.stages.iter().map(|it| {
            vec![
                format!("{} ms", it.added_millis),
                table::micros(it.fsync_micros * 1000.0),
                table::micros(it.message_micros * 1000.0),
                format!("{:.0}", it.empty.per_second),
                table::micros(it.empty.cpu_micros * 1000.0),
            ]
        }));
        table::print(
            "  Floors: a sync, a message, the same engine deciding empty blocks in one process",
            &rows,
        );
    }

    fn print_counts(&self) {
        let head = [
            "clients",
            "decisions",
            "blocks",
            "syncs per decision",
            "per block and node",
            "bytes between nodes",
        ];
        let mut rows = vec![row(head)];
        rows.extend(self.counts.iter().map(|it| {
            vec![
                it.clients.to_string(),
                it.decisions.to_string(),
                it.blocks.to_string(),
                format!("{:.2}", it.fsyncs_per_decision),
                format!("{:.2}", it.fsyncs_per_block_and_node),
                it.peer_bytes_per_decision.map_or_else(String::new, |it| format!("{it:.0}")),
            ]
        }));
        table::print(
            "  Counted under strace, in a pass of its own (it slows the nodes: blocks hold more)",
            &rows,
        );
    }

    /// Of the load with the most clients and no distance.
    fn print_threads(&self) {
        let Some(load) = self.stages.first().and_then(|it| it.loads.last()) else { return };
        let mut threads: Vec<_> = load.cpu_by_thread.iter().collect();
        threads.sort_by(|a, b| b.1.total_cmp(a.1));
        let words = threads.iter().filter(|(_, micros)| **micros >= 1.0);
        let words: Vec<_> = words.map(|(name, micros)| format!("{name} {micros:.0}")).collect();
        println!("\n  CPU of {} clients' decisions by thread, us: {}", load.clients, words.join(", "));
    }
}

fn load_row(stage: &Stage, load: &LoadRow) -> Vec<String> {
    vec![
        format!("{} ms", stage.added_millis),
        load.clients.to_string(),
        format!("{:.0}", load.per_second),
        table::micros(load.p50_micros * 1000.0),
        table::micros(load.p99_micros * 1000.0),
        table::micros(load.cpu_micros * 1000.0),
        table::micros(load.load_cpu_micros * 1000.0),
        format!("{:.1}", load.decisions as f64 / load.blocks.max(1) as f64),
        load.peer_bytes.map_or_else(String::new, |it| format!("{it:.0}")),
        format!("{:.2}", load.per_second / stage.empty.per_second),
        format!("{:.2}", load.blocks_per_second / stage.empty.per_second),
    ]
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

const LOAD_HEAD: [&str; 11] = [
    "added",
    "clients",
    "per second",
    "p50",
    "p99",
    "CPU each",
    "CPU of the load",
    "per block",
    "bytes",
    "of empty",
    "blocks of empty",
];

const AIMED_NODES: u8 = 4;
const AIMED_CLIENTS: usize = 64;
const AIMED_PER_SECOND: f64 = 1_000.0;
const AIMED_FSYNCS: f64 = 6.0;
const AIMED_MESSAGES: f64 = 4.0;
const AIMED_VERIFY_MICROS: f64 = 1_000.0;
