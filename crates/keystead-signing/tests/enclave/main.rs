//! The enclave as a real process: what it signs, what it refuses, and what an attacker finds in it.
//!
//! This test is its own child: without libtest, so that standard output belongs to the protocol.
#![allow(unsafe_code)]
// The whole binary is a test, which the lints cannot see without libtest.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod attacker;
mod certificates;
mod confinement;
mod creating;
mod fixture;
mod gathering;
mod importing;
mod in_tokens;
mod memory;
mod quantum;
mod restoring;
mod rooted;
mod run_vectors;
mod self_tests;
mod sharing;
mod spending;
mod thousands;
mod vectors;

use std::alloc::System;
use std::panic::catch_unwind;

use zeroizing_alloc::ZeroAlloc;

/// INVARIANT K5: what is freed is wiped first, whoever held it. Keys pass through libraries that wipe nothing.
#[global_allocator]
static WIPING: ZeroAlloc<System> = ZeroAlloc(System);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["enclave", rest @ ..] => fixture::become_enclave(rest),
        ["token", label, pin] => rooted::become_token(label, pin),
        ["probe"] => confinement::probe(),
        ["peek", pid] => attacker::peek(pid),
        ["open-book"] => attacker::open_book(),
        filter => run_tests(filter),
    }
}

fn run_tests(filter: &[&str]) {
    let names: Vec<&&str> = filter.iter().filter(|word| !word.starts_with('-')).collect();
    let mut failed = 0;
    let tests = [
        certificates::TESTS,
        confinement::TESTS,
        creating::TESTS,
        gathering::TESTS,
        importing::TESTS,
        in_tokens::TESTS,
        memory::TESTS,
        quantum::TESTS,
        restoring::TESTS,
        rooted::TESTS,
        self_tests::TESTS,
        sharing::TESTS,
        spending::TESTS,
        thousands::TESTS,
        vectors::TESTS,
    ]
    .concat();
    for (name, test) in tests {
        if !names.is_empty() && !names.iter().any(|word| name.contains(**word)) {
            continue;
        }
        let outcome = catch_unwind(test);
        println!("test enclave::{name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
        failed += usize::from(outcome.is_err());
    }
    println!("enclave: {failed} failed");
    std::process::exit(i32::from(failed > 0));
}

/// A test by its name.
type Test = (&'static str, fn());
