//! What this crate does with a TPM, done with an emulator (`swtpm`): seals, counters, identity, attested release.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test panics to fail"
)]

mod attested;
mod identity;
mod seals;
mod snapshots;

use keystead_base::{Coded as _, Secret};
use keystead_fixture::swtpm::Emulator;
use keystead_tpm::{AuthValue, Tpm, TpmError};

/// The index of every counter here.
const COUNTER: u32 = 0x0180_4b53;

fn tpm(emulator: &Emulator) -> Tpm {
    Tpm::open(&emulator.device()).expect("a TPM")
}

fn auth(text: &str) -> AuthValue {
    AuthValue::new(Secret::new(text.as_bytes().to_vec())).expect("a value")
}

fn code<T: std::fmt::Debug>(result: Result<T, TpmError>) -> &'static str {
    result.expect_err("it is refused").code()
}

/// INVARIANT K1, K5: the program itself, while a secret waits in its pipe.
#[test]
fn k05_the_program_leaves_no_core_and_gains_no_privilege() {
    let disk = snapshots::Disk::new();
    let waiting = disk.waiting();
    let read =
        |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", waiting.process.id())).expect(name);
    let cores = read("limits");
    let cores = cores.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(cores.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
    let status = read("status");
    let is =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).expect(name).trim().to_owned();
    assert_eq!(is("NoNewPrivs:"), "1");
    assert_eq!(waiting.read(), b"the passphrase of the vault");
}
