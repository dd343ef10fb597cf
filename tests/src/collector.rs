//! A collector of traces that reads what it is sent with the specification's own types (Python's `opentelemetry-proto`).

use std::path::PathBuf;

use serde_json::Value;

use crate::{Service, python_program, root};

/// A running collector.
#[derive(Debug)]
pub struct Collector {
    url: String,
    file: PathBuf,
    _service: Service,
    _kept: tempfile::TempDir,
}

impl Collector {
    /// Starts one on a free port.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start() -> Self {
        let kept = tempfile::tempdir().expect("a folder");
        let folder = tempfile::tempdir().expect("a folder").keep();
        let file = kept.path().join("spans");
        let script = root().join("tests/python/collector.py");
        let command = [python_program("python"), script, file.clone()];
        let service = Service::start(&folder, &command, "collector ");
        let url = service.ready_line().trim_start_matches("collector ").to_owned();
        Self { url, file, _service: service, _kept: kept }
    }

    /// Where it takes spans.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What a configuration says to tell it.
    pub fn configuration(&self) -> String {
        format!("\n[telemetry]\notlp = \"{}\"\n", self.url)
    }

    /// The spans that it took so far.
    ///
    /// # Panics
    ///
    /// When what it wrote is no JSON.
    pub fn spans(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Those of one trace.
    pub fn trace(&self, trace: &str) -> Vec<Value> {
        self.spans().into_iter().filter(|span| span["trace"] == trace).collect()
    }
}
