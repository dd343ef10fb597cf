//! `cargo xtask test`: the one command that runs everything.

use crate::step::{Failure, Step};
use crate::{apart, debian, npm, python};

/// Installs what is missing, builds all targets, runs all tests. The last lines are those of `cargo test`, which
/// goes on after a failure, so that one run names them all. Whoever asks for some tests alone means the workspace's.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    debian::install_what_is_missing()?;
    npm::install_when_changed()?;
    python::install_when_changed()?;
    build()?;
    let apart = if arguments.is_empty() { apart::test() } else { Ok(()) };
    Step::new(&["cargo", "test", "--release", "--locked", "--workspace", "--no-fail-fast"])
        .with(arguments)
        .run()?;
    apart
}

/// `cargo test` builds a binary only for the tests of its own package, and the stories run `keystead` from
/// another one. With `--all-targets` the dependencies get the features they have in `cargo test`, so nothing is
/// compiled twice.
fn build() -> Result<(), Failure> {
    Step::new(&["cargo", "build", "--release", "--locked", "--workspace", "--all-targets"]).run()
}
