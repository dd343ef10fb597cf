//! What was measured, as tables with the aims beside the figures.

use serde::Serialize;

use super::path::{PathRow, SignRow};
use super::{Floor, millis};
use crate::aim::{self, Aim};
use crate::table;

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Processors of the machine; the floor uses one, the full path shares them all.
    processors: usize,
    floor: Vec<Floor>,
    paths: Vec<PathRow>,
    aims: Vec<Aim>,
}

impl Report {
    pub(crate) fn new(floor: Vec<Floor>, paths: Vec<PathRow>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let aims = paths.iter().flat_map(|path| aims(path, of_the_bare(&floor, path))).collect();
        Self { processors, floor, paths, aims }
    }

    /// Prints all tables.
    pub(crate) fn print(&self) {
        self.print_signatures();
        self.print_ceremonies();
        println!("\n{} processors; ms of CPU from /proc, a floor on one of them", self.processors);
        self.paths.iter().for_each(|path| print_path(path, of_the_bare(&self.floor, path)));
        aim::print(&self.aims);
    }

    fn print_signatures(&self) {
        let mut rows = vec![row([
            "key",
            "t of n",
            "sign",
            "busy",
            "a signer",
            "plain",
            "times",
            "bytes",
            "read a share",
            "share bytes",
        ])];
        rows.extend(self.floor.iter().map(|it| {
            let (sign, plain) = (it.sign_millis, it.plain_millis);
            vec![
                it.scheme.to_owned(),
                format!("{} of {}", it.threshold, it.holders),
                millis(sign),
                millis(it.busy_millis),
                millis(sign / f64::from(it.threshold)),
                millis(plain),
                format!("{:.0}", sign / plain),
                table::nanos(it.sign_bytes),
                millis(it.read_millis),
                table::nanos(it.share_bytes),
            ]
        }));
        table::print("One signature in one process: CPU of all signers, beside the plain one", &rows);
    }

    fn print_ceremonies(&self) {
        let mut rows = vec![row(["key", "t of n", "birth", "bytes", "refresh", "reshare"])];
        rows.extend(self.floor.iter().map(|it| {
            vec![
                it.scheme.to_owned(),
                format!("{} of {}", it.threshold, it.holders),
                millis(it.birth_millis),
                table::nanos(it.birth_bytes),
                millis(it.refresh_millis),
                millis(it.reshare_millis),
            ]
        }));
        table::print("One ceremony in one process: CPU of all holders", &rows);
    }
}

/// Microseconds of CPU of the bare protocol for one signature where all processors are busy, as they are under load: the
/// signers' mathematics, and reading the shares that a run consumes.
fn of_the_bare(floor: &[Floor], path: &PathRow) -> f64 {
    let sharing = path.sharing;
    let same = |it: &&Floor| {
        (it.scheme, it.threshold, it.holders) == (path.scheme, sharing.threshold, sharing.holders)
    };
    let bare = |it: &Floor| it.busy_millis + it.read_millis * f64::from(it.threshold);
    floor.iter().find(same).map_or(f64::NAN, bare) * 1000.0
}

fn print_path(path: &PathRow, bare: f64) {
    let mut rows = vec![row([
        "added",
        "clients",
        "per second",
        "p50",
        "p99",
        "CPU each",
        "enclaves'",
        "times the bare",
        "bytes",
    ])];
    rows.extend(path.loads.iter().map(|it| sign_row(it, bare)));
    table::print(
        &format!("{} {}: the full path, five nodes on one machine", path.scheme, path.sharing),
        &rows,
    );
    let mut rows = vec![row(["added", "birth", "refresh", "reshare"])];
    rows.extend(path.ceremonies.iter().map(|it| {
        vec![
            format!("{} ms", it.added_millis),
            whole_millis(it.birth_millis),
            whole_millis(it.refresh_millis),
            whole_millis(it.reshare_millis),
        ]
    }));
    table::print("  Ceremonies through the log, from the question to the last proof", &rows);
    let (idle, used) = (path.idle_mib, path.used_mib);
    println!(
        "  memory, MiB: node {:.0} idle, {:.0} after the loads; enclave {:.0} and {:.0}",
        idle.node, used.node, idle.enclave, used.enclave
    );
}

fn sign_row(it: &SignRow, bare: f64) -> Vec<String> {
    vec![
        format!("{} ms", it.added_millis),
        it.clients.to_string(),
        format!("{:.1}", it.per_second),
        table::micros(it.p50_micros * 1000.0),
        table::micros(it.p99_micros * 1000.0),
        table::micros(it.cpu_micros * 1000.0),
        table::micros(it.enclave_cpu_micros * 1000.0),
        format!("{:.2}", it.cpu_micros / bare),
        it.peer_bytes.map_or_else(String::new, table::nanos),
    ]
}

/// The aims of issue and decision are for 2 of 3 without distance, at its best load.
fn aims(path: &PathRow, bare: f64) -> Vec<Aim> {
    let near = path.loads.iter().filter(|it| it.added_millis == 0);
    let Some(best) = near.max_by(|a, b| a.per_second.total_cmp(&b.per_second)) else { return Vec::new() };
    let name = format!("{} {}", path.scheme, path.sharing);
    let times = best.cpu_micros / bare;
    let mut aims = vec![
        Aim {
            what: format!("{name}, CPU of the full path over the bare protocol's"),
            aim: format!("<= {AIMED_TIMES}"),
            found: format!("{times:.2}"),
            met: times <= AIMED_TIMES,
        },
        Aim {
            what: format!("{name}, an idle node with its enclave"),
            aim: format!("< {AIMED_MIB:.0} MiB"),
            found: format!("{:.0} MiB", path.idle_mib.node + path.idle_mib.enclave),
            met: path.idle_mib.node + path.idle_mib.enclave < AIMED_MIB,
        },
    ];
    if path.sharing.threshold == 2 {
        let aimed = if path.scheme == "ECDSA" { AIMED_ECDSA } else { AIMED_FROST };
        aims.push(Aim {
            what: format!("{name}, signatures per second"),
            aim: format!(">= {aimed:.0}"),
            found: format!("{:.1} with {} clients", best.per_second, best.clients),
            met: best.per_second >= aimed,
        });
    }
    aims
}

fn whole_millis(millis: f64) -> String {
    format!("{millis:.0} ms")
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

const AIMED_TIMES: f64 = 1.5;
const AIMED_MIB: f64 = 60.0;
const AIMED_ECDSA: f64 = 100.0;
const AIMED_FROST: f64 = 500.0;
