//! `cargo xtask miri`: tests of crates that call no C, run by Rust's own interpreter, which notices undefined behavior.

use std::process::Command;

use crate::step::{Failure, Step};

/// The crates of the workspace in whose trees of dependencies nothing links C: `cargo tree -p CRATE -e normal,build,dev` has no `-sys`.
const CRATES: [&str; 1] = ["keystead-speech"];

/// Runs their tests under Miri where a nightly toolchain has it, and says so where none has: it is reported, and nothing rests on it.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let found = Command::new("cargo").args(["+nightly", "miri", "--version"]).output();
    if !found.is_ok_and(|it| it.status.success()) {
        println!(
            "SKIPPED: no nightly toolchain has Miri here: `rustup toolchain install nightly --profile minimal --component miri,rust-src`"
        );
        return Ok(());
    }
    for package in CRATES {
        let test = ["cargo", "+nightly", "miri", "test", "--locked", "--package", package];
        Step::new(&test).with(arguments).run()?;
    }
    let which = if arguments.is_empty() { "the" } else { "those" };
    println!("Miri found nothing in {which} tests of {}", CRATES.join(", "));
    Ok(())
}
