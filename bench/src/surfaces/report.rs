//! What was measured: as one document, and as tables.

use serde::Serialize;

use crate::load::Figures;
use crate::table;

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Processors of the machine, which servers, enclaves and clients share.
    processors: usize,
    surfaces: Vec<SurfaceRow>,
    simulation: SimulationRow,
    starts: Vec<StartRow>,
}

/// One surface under one number of clients.
#[derive(Debug, Serialize)]
pub(crate) struct SurfaceRow {
    pub(crate) surface: String,
    /// Whether each answer is a decision, and a signature.
    pub(crate) decides: bool,
    pub(crate) clients: usize,
    pub(crate) per_second: f64,
    pub(crate) p50_micros: f64,
    pub(crate) p99_micros: f64,
    /// CPU of coordinator, node and enclave for each answer.
    pub(crate) cpu_micros: f64,
}

/// One client, with and without a run of its transactions.
#[derive(Debug, Serialize)]
pub(crate) struct SimulationRow {
    pub(crate) without_p50_micros: f64,
    pub(crate) with_p50_micros: f64,
    pub(crate) with_p99_micros: f64,
    pub(crate) with_per_second: f64,
    pub(crate) added_p50_millis: f64,
    pub(crate) added_cpu_millis: f64,
}

/// One start.
#[derive(Debug, Serialize)]
pub(crate) struct StartRow {
    pub(crate) keys: usize,
    /// To the first answer about its state.
    pub(crate) answers_millis: f64,
    /// To the first signature after that.
    pub(crate) signs_millis: f64,
    /// Keys made in a second before that, each by a ceremony that two people approve; zero where none was made beside `hot`.
    pub(crate) created_per_second: f64,
    /// To list all of them over the wire.
    pub(crate) lists_millis: f64,
}

impl SurfaceRow {
    pub(super) fn new(surface: &str, decides: bool, it: &Figures) -> Self {
        Self {
            surface: surface.to_owned(),
            decides,
            clients: it.clients,
            per_second: it.per_second,
            p50_micros: it.p50 / 1e3,
            p99_micros: it.p99 / 1e3,
            cpu_micros: it.cpu / 1e3,
        }
    }
}

impl Report {
    pub(super) fn new(surfaces: Vec<SurfaceRow>, simulation: SimulationRow, starts: Vec<StartRow>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { processors, surfaces, simulation, starts }
    }

    pub(super) fn print(&self) {
        println!("{} processors, which servers, enclaves and clients share", self.processors);
        let head = ["surface", "clients", "per second", "p50", "p99", "CPU each", "of its floor"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(self.surfaces.iter().map(|it| self.row(it)));
        table::print(
            "Surfaces: what decides beside the decision alone, what only answers beside /livez",
            &rows,
        );
        let it = &self.simulation;
        println!(
            "\nSimulation, one client: p50 {} with a run and {} without, p99 {}, {:.0} per second\n  a run adds {:.1} ms, and {:.1} ms of CPU",
            table::micros(it.with_p50_micros * 1e3),
            table::micros(it.without_p50_micros * 1e3),
            table::micros(it.with_p99_micros * 1e3),
            it.with_per_second,
            it.added_p50_millis,
            it.added_cpu_millis
        );
        let head = ["keys", "first answer", "first signature", "all listed", "made per second"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(self.starts.iter().map(|it| {
            vec![
                it.keys.to_string(),
                format!("{:.0} ms", it.answers_millis),
                format!("{:.0} ms", it.signs_millis),
                format!("{:.1} ms", it.lists_millis),
                format!("{:.0}", it.created_per_second),
            ]
        }));
        table::print("Start of a node, by the keys in its enclave", &rows);
    }

    fn row(&self, it: &SurfaceRow) -> Vec<String> {
        let floor = if it.decides { "the decision alone" } else { "GET /livez" };
        let floor = self.surfaces.iter().find(|row| row.surface == floor && row.clients == it.clients);
        vec![
            it.surface.clone(),
            it.clients.to_string(),
            format!("{:.0}", it.per_second),
            table::micros(it.p50_micros * 1e3),
            table::micros(it.p99_micros * 1e3),
            table::micros(it.cpu_micros * 1e3),
            floor.map_or_else(String::new, |floor| {
                format!("{:.0} %", 100.0 * it.per_second / floor.per_second)
            }),
        ]
    }
}
