//! What this crate does with a TPM, done with an emulator (`swtpm`): seals, counters, identity, attested release.

mod attested;
mod identity;
mod seals;
mod snapshots;

use keystead_base::{Coded as _, Secret};
use keystead_fixture::swtpm::Emulator;
use keystead_tpm::{AuthValue, Tpm, TpmError};
use tss_esapi::handles::PcrHandle;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::structures::{Digest, DigestValues};
use tss_esapi::{Context, TctiNameConf};

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

/// Measures a program into a register, as firmware does at boot.
fn measure(emulator: &Emulator, register: PcrHandle, program: &[u8; 32]) {
    let conf: TctiNameConf = emulator.device().parse().expect("a device");
    let mut context = Context::new(conf).expect("a TPM");
    let mut digests = DigestValues::new();
    digests.set(HashingAlgorithm::Sha256, Digest::try_from(program.as_slice()).expect("32 bytes"));
    context
        .execute_with_nullauth_session(|context| context.pcr_extend(register, digests))
        .expect("a measurement");
}
