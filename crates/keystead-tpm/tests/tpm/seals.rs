//! Seals: the right machine, booted as it was, and the right value; and too many wrong ones.

use keystead_attest::tpm::{MarkKey, Pcrs};
use keystead_base::Secret;
use keystead_fixture::swtpm::Emulator;
use keystead_tpm::{Tpm, Unsealed};

use super::{COUNTER, auth, code, tpm};

fn secret(text: &str) -> Unsealed {
    Unsealed { mark: MarkKey(Secret::new([9; 32])), secret: Secret::new(text.as_bytes().to_vec()) }
}

fn pcrs() -> Pcrs {
    "0,4,7".parse().expect("registers")
}

fn opened(unsealed: Unsealed) -> Vec<u8> {
    assert_eq!(unsealed.mark.0.expose(), &[9; 32]);
    unsealed.secret.expose().clone()
}

#[test]
fn a_seal_opens_again_and_again_and_leaves_no_handle_behind() {
    let mut emulator = Emulator::start();
    let mut device = tpm(&emulator);
    let seal = device.seal(&secret("the root"), pcrs(), &auth("right value"), COUNTER).unwrap();
    // A TPM has room for three objects and three sessions: whoever leaves one behind fails here.
    for _ in 0..8 {
        assert_eq!(opened(device.unseal(&seal, &auth("right value")).unwrap()), b"the root");
    }
    drop(device);
    emulator.reboot();
    assert_eq!(opened(tpm(&emulator).unseal(&seal, &auth("right value")).unwrap()), b"the root");
    let (short, long) = (secret(""), secret(&"x".repeat(97)));
    for refused in [short, long] {
        let sealed = tpm(&emulator).seal(&refused, pcrs(), &auth("right value"), COUNTER);
        assert_eq!(code(sealed), "tpm.secret_length");
    }
}

#[test]
fn wrong_values_lock_the_tpm_for_the_right_one_too() {
    let emulator = Emulator::start();
    let mut device = tpm(&emulator);
    let seal = device.seal(&secret("the root"), pcrs(), &auth("right value"), COUNTER).unwrap();
    device.unseal(&seal, &auth("right value")).unwrap();
    let tries = device.status().unwrap().max_tries;
    assert!(tries > 0);
    let wrong = |device: &mut Tpm| code(device.unseal(&seal, &auth("wrong value")));
    for _ in 0..tries {
        assert_eq!(wrong(&mut device), "tpm.auth");
    }
    assert_eq!(wrong(&mut device), "tpm.locked_out");
    assert_eq!(code(device.unseal(&seal, &auth("right value"))), "tpm.locked_out");
    assert_eq!(device.status().unwrap().failed_tries, tries);
}

#[test]
fn a_tpm_that_lets_everybody_guess_seals_nothing() {
    let emulator = Emulator::start();
    let seal = || tpm(&emulator).seal(&secret("the root"), pcrs(), &auth("right value"), COUNTER).map(drop);
    // How many wrong values lock it, and after how many seconds it forgives one.
    for (tries, seconds, sealed) in
        [(32, 600, true), (33, 600, false), (0, 600, false), (32, 0, false), (1, 1, true)]
    {
        emulator.set_lock_out(tries, seconds);
        match sealed {
            true => seal().unwrap(),
            false => assert_eq!(code(seal()), "tpm.no_lock_out", "{tries} tries, {seconds} seconds"),
        }
    }
}

/// The value of the counter is that of the seal: guessing it there locks as well.
#[test]
fn wrong_values_at_the_counter_count_as_well() {
    let emulator = Emulator::start();
    let mut device = tpm(&emulator);
    device.define_counter(None, COUNTER, &auth("right value")).unwrap();
    let before = device.status().unwrap().failed_tries;
    assert_eq!(code(device.counter(None, COUNTER, &auth("wrong value"))), "tpm.auth");
    assert_eq!(device.status().unwrap().failed_tries, before + 1);
}

#[test]
fn another_program_in_measured_boot_opens_nothing() {
    let mut emulator = Emulator::start();
    let seal = tpm(&emulator).seal(&secret("the root"), pcrs(), &auth("right value"), COUNTER).unwrap();
    emulator.measure(8, &[1; 32]);
    assert_eq!(opened(tpm(&emulator).unseal(&seal, &auth("right value")).unwrap()), b"the root", "not bound");
    emulator.measure(7, &[1; 32]);
    assert_eq!(code(tpm(&emulator).unseal(&seal, &auth("right value"))), "tpm.measured");
    emulator.reboot();
    assert_eq!(opened(tpm(&emulator).unseal(&seal, &auth("right value")).unwrap()), b"the root");
}

#[test]
fn another_tpm_opens_nothing() {
    let (ours, other) = (Emulator::start(), Emulator::start());
    let seal = tpm(&ours).seal(&secret("the root"), pcrs(), &auth("right value"), COUNTER).unwrap();
    assert_eq!(code(tpm(&other).unseal(&seal, &auth("right value"))), "tpm.other_tpm");
    let mut foreign = tpm(&other).seal(&secret("another"), pcrs(), &auth("right value"), COUNTER).unwrap();
    foreign.private = seal.private;
    assert_eq!(code(tpm(&other).unseal(&foreign, &auth("right value"))), "tpm.refused");
}

#[test]
fn e1_a_tpm_gives_other_bytes_each_time() {
    let emulator = Emulator::start();
    let mut tpm = tpm(&emulator);
    let [one, two] = [(); 2].map(|()| tpm.random().unwrap());
    assert_eq!(one.expose().len(), keystead_attest::tpm::TPM_RANDOM_BYTES);
    assert_ne!(one.expose(), two.expose());
    let errand = keystead_attest::tpm::Errand::Random { device: emulator.device() };
    let reply = keystead_tpm::run(errand).unwrap();
    let keystead_attest::tpm::ErrandReply::Random { samples } = &reply else { panic!("{reply:?}") };
    assert_eq!(samples.0.len(), 2 * keystead_attest::tpm::TPM_RANDOM_BYTES);
    assert!(!format!("{reply:?}").contains(&samples.0), "printed nowhere");
}
