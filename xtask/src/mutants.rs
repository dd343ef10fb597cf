//! `cargo xtask mutants`: mutation testing of the crates that decide.

use crate::places::root;
use crate::step::{Failure, Step};

/// Changes one place at a time, runs the tests that reach it, and prints the changes that no test noticed.
///
/// The tool is a package of its own in `xtask/mutants`, so that nobody else compiles a parser of Rust for it.
/// It builds all mutants at once, each behind a switch, in a copy of the tree under `target/mutants`; what
/// was killed is remembered there, so that a run that was broken off goes on where it was.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let manifest = root().join(MANIFEST).display().to_string();
    let cargo = ["cargo", "run", "--release", "--locked", "--quiet", "--manifest-path", &manifest, "--"];
    Step::new(&cargo).with(arguments).run()
}

const MANIFEST: &str = "xtask/mutants/Cargo.toml";
