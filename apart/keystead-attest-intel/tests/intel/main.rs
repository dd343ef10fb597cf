//! Quotes that real machines made, and what no real one shows by a machine under a root of our own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test panics to fail"
)]

mod genuine;
mod machine;
mod own;

use keystead_attest::{EvidenceError, Report};
use keystead_base::{Coded as _, Timestamp};

/// 2025-06-20: the collateral is in force from June 19 to July 19.
const NOW: Timestamp = Timestamp(1_750_377_600_000);
const DAY: u64 = 86_400;

fn data(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn collateral(name: &str) -> serde_json::Value {
    serde_json::from_slice(&data(name)).unwrap()
}

fn code(result: Result<Report, EvidenceError>) -> &'static str {
    result.expect_err("it is refused").code()
}
