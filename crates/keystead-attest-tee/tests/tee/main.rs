//! Verifiers of hardware that is not here, held against evidence that real machines made, and Nitro's against our own root.

mod amd;
mod intel;
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
