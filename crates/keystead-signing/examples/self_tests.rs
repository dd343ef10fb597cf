//! What an enclave's self-tests cost when it starts, beside the stretching of its passphrase. A person judges; nothing is asserted.
#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program for the terminal of whoever measures"
)]

use std::time::Instant;

use keystead_keys::{Kdf, SealingKey};
use keystead_signing::{Strict, power_on};

fn main() {
    let mut all: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            power_on(&Strict).expect("every self-test passes");
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    all.sort_by(f64::total_cmp);
    let start = Instant::now();
    SealingKey::derive(b"a passphrase", Kdf::new(&mut |bytes| bytes.fill(7))).expect("a sealing key");
    let stretched = start.elapsed().as_secs_f64() * 1e3;
    let (fastest, median) =
        (all.first().copied().unwrap_or_default(), all.get(RUNS / 2).copied().unwrap_or_default());
    println!(
        "self-tests: {fastest:.1} ms at best, {median:.1} ms at the median of {RUNS}; a passphrase stretched: {stretched:.1} ms"
    );
}

const RUNS: usize = 11;
