//! The full path: five processes of nodes with their own databases and enclaves, requests in, signatures out. Policy,
//! limits, durable record, certificate, mutual TLS, and the protocol between enclaves are all in it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use keystead_intent::KeyKind;
use keystead_tests::cluster::NodeHome;
use serde::Serialize;
use tokio::runtime::Runtime;

use super::ceremonies::{self, CeremonyRow, Founded};
use crate::cluster::clients::{self, Until};
use crate::cluster::proxy::Road;
use crate::cluster::site::{Pays, Site};
use crate::usage;

/// So many of so many holders.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Sharing {
    pub(crate) threshold: u8,
    pub(crate) holders: u8,
}

impl fmt::Display for Sharing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {}", self.threshold, self.holders)
    }
}

/// What is measured of one sharing.
pub(crate) struct Plan {
    /// Milliseconds that the proxies add, each way, after a stage without any.
    pub(crate) added: &'static [u64],
    pub(crate) clients: &'static [usize],
    pub(crate) span: Duration,
}

/// Everything of one kind of key in one sharing.
#[derive(Debug, Serialize)]
pub(crate) struct PathRow {
    pub(crate) scheme: &'static str,
    pub(crate) sharing: Sharing,
    /// Resident memory of a node and its enclave that have signed nothing yet, the largest of all, in MiB.
    pub(crate) idle_mib: Pair,
    /// The same after all loads.
    pub(crate) used_mib: Pair,
    pub(crate) ceremonies: Vec<CeremonyRow>,
    pub(crate) loads: Vec<SignRow>,
}

/// Of a node, and of its enclave.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Pair {
    pub(crate) node: f64,
    pub(crate) enclave: f64,
}

/// Signatures with one distance, asked for by so many clients.
#[derive(Debug, Serialize)]
pub(crate) struct SignRow {
    pub(crate) added_millis: u64,
    pub(crate) clients: usize,
    pub(crate) signatures: u64,
    pub(crate) per_second: f64,
    pub(crate) p50_micros: f64,
    pub(crate) p99_micros: f64,
    /// CPU of all nodes and enclaves for each signature, decisions included.
    pub(crate) cpu_micros: f64,
    /// Of these, the enclaves'.
    pub(crate) enclave_cpu_micros: f64,
    /// Bytes between nodes for each signature, TLS, votes and answers included, where proxies count them.
    pub(crate) peer_bytes: Option<f64>,
}

/// Measures one sharing.
pub(crate) fn run(runtime: &Runtime, plan: &Plan, kind: KeyKind, sharing: Sharing) -> PathRow {
    let scheme = ceremonies::scheme(kind);
    let road = Arc::new(Road::default());
    let distances: Vec<u64> = [0].into_iter().chain(plan.added.iter().copied()).collect();
    let Founded { homes, rows: ceremonies, pays } =
        runtime.block_on(ceremonies::run(kind, sharing, &road, &distances));
    let load =
        |site: &Arc<Site>, road, clients| load(runtime, site, (scheme, sharing), road, (clients, plan.span));
    let mut loads = Vec::new();
    // Without distance nothing stands between the nodes.
    let (site, idle_mib) = runtime.block_on(started(homes, None, pays.clone()));
    loads.extend(plan.clients.iter().map(|&clients| load(&site, None, clients)));
    let mut used_mib = resident(&site);
    let homes = stopped(site);
    if !plan.added.is_empty() {
        let (site, _) = runtime.block_on(started(homes, Some(&road), pays));
        for &millis in plan.added {
            road.set_delay(Duration::from_millis(millis));
            loads.extend(plan.clients.iter().map(|&clients| load(&site, Some((&road, millis)), clients)));
        }
        road.set_delay(Duration::ZERO);
        used_mib = resident(&site);
        drop(stopped(site));
    }
    PathRow { scheme, sharing, idle_mib, used_mib, ceremonies, loads }
}

/// A site that has signed once for each node, and what it needed before.
async fn started(homes: Vec<NodeHome>, road: Option<&Arc<Road>>, pays: Pays) -> (Arc<Site>, Pair) {
    let nodes = homes.len();
    let site = Arc::new(Site::start(homes, road, pays).await);
    let idle = resident(&site);
    clients::run(&site, nodes, Until::Decisions(nodes as u64)).await;
    (site, idle)
}

fn stopped(site: Arc<Site>) -> Vec<NodeHome> {
    Arc::into_inner(site).expect("no load is running").stop()
}

fn load(
    runtime: &Runtime,
    site: &Arc<Site>,
    (scheme, sharing): (&'static str, Sharing),
    road: Option<(&Arc<Road>, u64)>,
    (clients, span): (usize, Duration),
) -> SignRow {
    let added_millis = road.map_or(0, |(_, millis)| millis);
    eprintln!("{scheme} {sharing}, {added_millis} ms added: {clients} clients");
    let bytes = || road.map(|(road, _)| road.bytes());
    let before = (bytes(), cpu(&site.pids()), cpu(&site.nodes()));
    let seen = runtime.block_on(clients::run(site, clients, Until::Span(span)));
    let signatures = seen.times.len() as u64;
    let each = |total: f64| total / signatures.max(1) as f64;
    let (all, nodes) = (cpu(&site.pids()) - before.1, cpu(&site.nodes()) - before.2);
    SignRow {
        added_millis,
        clients,
        signatures,
        per_second: signatures as f64 / seen.seconds,
        p50_micros: seen.micros(0.50),
        p99_micros: seen.micros(0.99),
        cpu_micros: each(1e6 * all),
        enclave_cpu_micros: each(1e6 * (all - nodes)),
        peer_bytes: bytes().zip(before.0).map(|(now, before)| each((now - before) as f64)),
    }
}

fn cpu(processes: &[u32]) -> f64 {
    processes.iter().filter_map(|pid| usage::cpu_seconds(*pid)).sum()
}

/// The largest node and the largest enclave.
fn resident(site: &Site) -> Pair {
    let largest =
        |processes: &[u32]| processes.iter().filter_map(|pid| usage::resident_mib(*pid)).fold(0.0, f64::max);
    let nodes = site.nodes();
    let enclaves: Vec<u32> = nodes.iter().flat_map(|pid| usage::children(*pid)).collect();
    Pair { node: largest(&nodes), enclave: largest(&enclaves) }
}
