//! `cargo xtask bench cluster`: what it costs to agree, on one machine, with and without distance between nodes.
//!
//! docs/bench.md says what each figure is. A load runs for a time; fsyncs and bytes are counted in a pass of their
//! own; the log that all of it left is played again at the end.

pub(crate) mod clients;
mod count;
mod empty;
mod proof;
pub(crate) mod proxy;
mod report;
pub(crate) mod site;

use std::sync::Arc;
use std::time::Duration;

use keystead_policy::Roster;
use keystead_tests::cluster::NodeHome;
use tokio::runtime::Runtime;

use self::clients::Until;
use self::proxy::Road;
use self::report::{ClusterRow, LoadRow, Report, Stage};
use self::site::{Pays, Site};
use crate::{floors, usage};

/// How much is measured, and how it is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    quick: bool,
    json: bool,
    /// Only clusters of this size.
    nodes: Option<u8>,
}

impl Options {
    /// Reads the words after `cluster`; gives the one that it does not know back.
    pub(crate) fn parse(words: &[String]) -> Result<Self, &str> {
        let mut options = Self { quick: false, json: false, nodes: None };
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            match word {
                "--quick" => options.quick = true,
                "--json" => options.json = true,
                "--nodes" => match words.next().unwrap_or("") {
                    size @ ("1" | "3" | "4") => options.nodes = size.parse().ok(),
                    unknown => return Err(unknown),
                },
                unknown => return Err(unknown),
            }
        }
        Ok(options)
    }
}

/// What is measured.
struct Plan {
    nodes: &'static [u8],
    /// Milliseconds that the proxies add, each way, after a stage without proxies.
    added: &'static [u64],
    clients: &'static [usize],
    /// How long each load runs, and each floor.
    span: Duration,
    /// Clients and decisions of the counted passes.
    counted: &'static [(usize, u64)],
}

const FULL: Plan = Plan {
    nodes: &[1, 3, 4],
    added: &[1, 10, 40],
    clients: &[1, 16, 64],
    span: Duration::from_secs(3),
    counted: &[(1, 100), (64, 512)],
};

/// Every figure once, too short to mean much: for the test that all of them are there.
const QUICK: Plan = Plan {
    nodes: &[1, 3, 4],
    added: &[1],
    clients: &[1, 16],
    span: Duration::from_millis(500),
    counted: &[(1, 8), (16, 32)],
};

/// Measures and prints everything.
pub(crate) fn run(runtime: &Runtime, options: Options) {
    let plan = if options.quick { &QUICK } else { &FULL };
    let sizes = plan.nodes.iter().filter(|it| options.nodes.is_none_or(|nodes| nodes == **it));
    let clusters = sizes.map(|&nodes| cluster(runtime, plan, nodes)).collect();
    let report = Report::new(clusters);
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report).expect("a report"));
    } else {
        report.print();
    }
}

fn cluster(runtime: &Runtime, plan: &Plan, nodes: u8) -> ClusterRow {
    eprintln!("{nodes} nodes: founding, key ceremony");
    let homes = runtime.block_on(site::found(nodes));
    let (road, mut stages) = (Arc::new(Road::default()), Vec::new());
    // Without distance nothing stands between the nodes.
    let site = runtime.block_on(started(homes, None));
    let ledger = site.ledger_bytes();
    let mut decisions = 0;
    stages.push(stage(runtime, plan, &site, None));
    let site = runtime.block_on(started(stopped(site), Some(&road)));
    // Distance is nothing to one node.
    for &millis in plan.added.iter().filter(|_| nodes > 1) {
        road.set_delay(Duration::from_millis(millis));
        stages.push(stage(runtime, plan, &site, Some((&road, millis))));
    }
    decisions += stages.iter().flat_map(|it| &it.loads).map(|it| it.decisions).sum::<u64>();
    road.set_delay(Duration::ZERO);
    let counts = plan.counted.iter().filter_map(|&(clients, decisions)| {
        eprintln!("{nodes} nodes, {clients} clients: counting syncs and bytes of {decisions} decisions");
        runtime.block_on(count::count(&site, &road, clients, decisions))
    });
    let counts: Vec<_> = counts.collect();
    decisions += counts.iter().map(|it| it.decisions).sum::<u64>();
    let ledger_bytes_per_decision =
        site.ledger_bytes().saturating_sub(ledger) as f64 / decisions.max(1) as f64;
    eprintln!("{nodes} nodes: certificates, and the whole log again from its genesis");
    let shown = runtime.block_on(clients::run(&site, 1, Until::Decisions(CERTIFICATES)));
    let certificate = runtime.block_on(proof::certificate(&site, &shown.requests));
    let log = runtime.block_on(proof::log(&site));
    let quorum = Roster::quorum_of(nodes.into());
    ClusterRow { nodes, quorum, stages, counts, ledger_bytes_per_decision, certificate, log }
}

/// A site that has decided once at each node: connections are open, the enclave has its head confirmed.
async fn started(homes: Vec<NodeHome>, road: Option<&Arc<Road>>) -> Arc<Site> {
    let nodes = homes.len();
    let site = Arc::new(Site::start(homes, road, Pays::Ether).await);
    clients::run(&site, nodes, Until::Decisions(nodes as u64)).await;
    site
}

fn stopped(site: Arc<Site>) -> Vec<NodeHome> {
    Arc::into_inner(site).expect("no load is running").stop()
}

/// All loads with one distance, and the floor of the same moment.
fn stage(runtime: &Runtime, plan: &Plan, site: &Arc<Site>, road: Option<(&Arc<Road>, u64)>) -> Stage {
    let nodes = u8::try_from(site.homes.len()).expect("few nodes");
    let added_millis = road.map_or(0, |(_, millis)| millis);
    let delay = Duration::from_millis(added_millis);
    let fsync_micros = floors::fsync_nanos() / 1000.0;
    let message_micros = match nodes {
        1 => 0.0,
        _ => proxy::message_nanos(road.map(|_| delay)) / 1000.0,
    };
    eprintln!("{nodes} nodes, {added_millis} ms added: empty blocks");
    let empty = empty::run(runtime.handle(), nodes, delay, plan.span);
    let loads = plan.clients.iter().map(|&clients| {
        eprintln!("{nodes} nodes, {added_millis} ms added: {clients} clients");
        load(runtime, site, road.map(|(road, _)| &**road), clients, plan.span)
    });
    let loads = loads.collect();
    Stage { added_millis, message_micros, fsync_micros, empty, loads }
}

fn load(runtime: &Runtime, site: &Arc<Site>, road: Option<&Road>, clients: usize, span: Duration) -> LoadRow {
    let height = runtime.block_on(site.height(0));
    let bytes = road.map(Road::bytes);
    let before = (cpu(&site.pids()), cpu(&[std::process::id()]), usage::threads(&site.pids()));
    let seen = runtime.block_on(clients::run(site, clients, Until::Span(span)));
    let decisions = seen.times.len() as u64;
    let each = |total: f64| total / decisions.max(1) as f64;
    let used = |now: f64, before: f64| each(1e6 * (now - before));
    let blocks = runtime.block_on(site.height(0)) - height;
    let mut threads = usage::threads(&site.pids());
    threads.iter_mut().for_each(|(name, seconds)| {
        *seconds = used(*seconds, before.2.get(name).copied().unwrap_or_default());
    });
    LoadRow {
        clients,
        decisions,
        blocks,
        per_second: decisions as f64 / seen.seconds,
        blocks_per_second: blocks as f64 / seen.seconds,
        p50_micros: seen.micros(0.50),
        p99_micros: seen.micros(0.99),
        cpu_micros: used(cpu(&site.pids()), before.0),
        load_cpu_micros: used(cpu(&[std::process::id()]), before.1),
        cpu_by_thread: threads,
        peer_bytes: bytes.zip(road).map(|(bytes, road)| each((road.bytes() - bytes) as f64)),
    }
}

fn cpu(processes: &[u32]) -> f64 {
    processes.iter().filter_map(|pid| usage::cpu_seconds(*pid)).sum()
}

/// Certificates that the light client is timed with.
const CERTIFICATES: u64 = 64;
