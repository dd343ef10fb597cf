//! Every home under one suite, on real tokens, which are made in a folder of their own: SoftHSM 2's, or Kryoptic's (`cargo xtask kryoptic`).
//!
//! This test is its own child, without libtest: a token's process speaks over standard output, and a module reads its
//! configuration from the environment in which it was started.
// The whole binary is a test, which the lints cannot see without libtest.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod births;
mod conformance;
mod lattices;
mod losing;
mod pins;
mod staying;
mod testimony;
mod tokens;

use std::panic::catch_unwind;
use std::process::{Command, exit};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["token", label, pin] => tokens::become_process(label, pin),
        ["make"] => tokens::become_maker(),
        filter if tokens::are_made() => run_tests(filter),
        filter => run_with_tokens(filter),
    }
}

/// Makes the tokens, and runs the tests in a process that knows where they are.
fn run_with_tokens(filter: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    if !tokens::make(folder.path()) {
        println!("test homes ... SKIPPED: no SoftHSM 2 here (apt-get install softhsm2)");
        return;
    }
    let mut tests = Command::new(std::env::current_exe().unwrap());
    let status = tokens::with_tokens(tests.args(filter), folder.path());
    drop(folder);
    exit(status.code().unwrap_or(1));
}

fn run_tests(filter: &[&str]) {
    let names: Vec<&&str> = filter.iter().filter(|word| !word.starts_with('-')).collect();
    let mut failed = 0;
    let all = [
        conformance::TESTS,
        staying::TESTS,
        testimony::TESTS,
        births::TESTS,
        lattices::TESTS,
        pins::TESTS,
        losing::TESTS,
    ];
    for (name, test) in all.concat() {
        if !names.is_empty() && !names.iter().any(|word| name.contains(**word)) {
            continue;
        }
        let outcome = catch_unwind(test);
        println!("test homes::{name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
        failed += usize::from(outcome.is_err());
    }
    println!("homes: {failed} failed");
    exit(i32::from(failed > 0));
}

/// A test by its name.
type Test = (&'static str, fn());
