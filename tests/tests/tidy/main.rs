//! The rules of the house that the compiler does not keep. Each failure lists every place it found.

mod layers;
mod purity;
mod readme;
mod security;
mod seeds;
mod sources;
mod specs;
mod style;

use std::path::Path;

/// Fails with all findings at once, one per line.
fn assert_none(rule: &str, findings: Vec<String>) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}

/// A file of the workspace as text.
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
