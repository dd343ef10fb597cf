//! Verifiers of hardware that is not here: held against evidence that a real machine made, and under roots of our own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test panics to fail"
)]

mod amd;
mod nitro;

use keystead_attest::{EvidenceError, Report};
use keystead_base::Coded as _;

fn data(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn code(result: Result<Report, EvidenceError>) -> &'static str {
    result.expect_err("it is refused").code()
}

/// `r || s` of a signature in DER.
pub(crate) fn fixed(der: &[u8]) -> Vec<u8> {
    let number = |der: &[u8]| {
        let length = usize::from(der[1]);
        let value = &der[2..2 + length];
        let value = value.strip_prefix(&[0]).unwrap_or(value);
        ([vec![0; 48 - value.len()], value.to_vec()].concat(), 2 + length)
    };
    let (r, used) = number(&der[2..]);
    let (s, _) = number(&der[2 + used..]);
    [r, s].concat()
}
