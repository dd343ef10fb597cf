//! What no genuine quote shows: debuggers, revoked machines and authorities, each state of the firmware, and a release.

use keystead_attest::{
    AllowList, AllowedProgram, Challenge, Custodian, Platform, ReleaseError, Tcb, Verifier as _, release,
    report_data,
};
use keystead_base::{ClusterId, Coded as _, Digest, Secret, Timestamp};
use keystead_keys::RecipientKey;
use sha2::{Digest as _, Sha256};

use super::machine::{BETWEEN, MACHINE, Machine, SIGNER, Says};
use super::{DAY, NOW, code};

const PLATFORMS: [Platform; 2] = [Platform::Sgx, Platform::Tdx];

/// A machine, and what is read from its quote when a test changed something.
fn read(machine: &Machine, change: impl FnOnce(&mut Says)) -> Result<(u64, bool), &'static str> {
    let mut says = machine.says();
    change(&mut says);
    let read = machine.verifier(&says).read(&machine.quote(&says), NOW);
    read.map(|report| (report.tcb.0[0], report.debug)).map_err(|error| error.code())
}

#[test]
fn firmware_ranks_as_intel_speaks_of_it() {
    for platform in PLATFORMS {
        let machine = Machine::new(platform);
        for (status, expected) in [
            ("UpToDate", Ok((5, false))),
            ("SWHardeningNeeded", Ok((4, false))),
            ("ConfigurationNeeded", Ok((3, false))),
            ("ConfigurationAndSWHardeningNeeded", Ok((2, false))),
            ("OutOfDate", Ok((1, false))),
            ("OutOfDateConfigurationNeeded", Ok((1, false))),
            ("Revoked", Err("evidence.revoked")),
        ] {
            assert_eq!(read(&machine, |it| it.status = status), expected, "{platform:?} {status}");
        }
        assert!(read(&machine, |it| it.status = "Splendid").is_err(), "{platform:?}");
    }
}

#[test]
fn a_program_that_others_look_into_says_so_and_a_quoting_enclave_in_debug_mode_vouches_for_nobody() {
    let (enclave, domain) = (Machine::new(Platform::Sgx), Machine::new(Platform::Tdx));
    assert_eq!(read(&enclave, |it| it.flags = 0b111), Ok((5, true)), "DEBUG");
    assert_eq!(read(&domain, |it| it.flags = 1), Ok((5, true)), "DEBUG");
    assert_eq!(read(&domain, |it| it.flags = 1 << 4), Ok((5, true)), "profiling");
    for machine in [enclave, domain] {
        assert_eq!(read(&machine, |it| it.quoting_flags |= 2), Err("evidence.chain"));
    }
}

#[test]
fn a_domain_that_can_be_taken_elsewhere_or_read_by_faults_is_refused() {
    let domain = Machine::new(Platform::Tdx);
    for (security, what) in [(0x30, "MIGRATABLE"), (0, "without SEPT_VE_DISABLE"), (0x11, "a reserved bit")] {
        assert_eq!(read(&domain, |it| it.security = security), Err("evidence.form"), "{what}");
    }
}

/// A service domain can take its domain to another machine.
#[test]
fn a_domain_with_a_service_domain_is_refused() {
    let domain = Machine::new(Platform::Tdx);
    assert_eq!(read(&domain, |it| it.service = Some(0)), Ok((5, false)), "TDX 1.5 without one");
    assert_eq!(read(&domain, |it| it.service = Some(1)), Err("evidence.form"));
}

#[test]
fn whoever_intel_revoked_vouches_for_nothing_and_an_old_list_for_nobody() {
    for platform in PLATFORMS {
        let machine = Machine::new(platform);
        assert_eq!(read(&machine, |_| ()), Ok((5, false)));
        let between = |serial| read(&machine, |it| it.revoked_between = vec![serial]);
        assert_eq!(between(MACHINE), Err("evidence.revoked"), "{platform:?}: the machine");
        assert_eq!(between(77), Ok((5, false)), "{platform:?}: another machine");
        for (serial, who) in [(1, "the root"), (BETWEEN, "the authority"), (SIGNER, "who signs")] {
            let revoked = read(&machine, |it| it.revoked_by_root = vec![serial]);
            assert_eq!(revoked, Err("evidence.revoked"), "{platform:?}: {who}");
        }
        assert_eq!(read(&machine, |it| it.lists_until = 19), Err("evidence.stale"), "{platform:?}");
    }
}

/// By the id that Intel gave it, which stands in its certificate.
#[test]
fn a_machine_is_one_device_whichever_program_runs_on_it() {
    for platform in PLATFORMS {
        let machine = Machine::new(platform);
        let says = machine.says();
        let read = machine.verifier(&says).read(&machine.quote(&says), NOW).unwrap();
        assert_eq!(read.device, Digest(Sha256::digest([9; 16]).into()), "{platform:?}");
    }
}

#[test]
fn one_machine_does_not_speak_for_another_one() {
    for platform in PLATFORMS {
        let (machine, other) = (Machine::new(platform), Machine::new(platform));
        let quote = other.quote(&other.says());
        assert_eq!(code(machine.verifier(&machine.says()).read(&quote, NOW)), "evidence.chain");
    }
    // What is said of enclaves does not hold of domains.
    let (enclave, domain) = (Machine::new(Platform::Sgx), Machine::new(Platform::Tdx));
    assert!(enclave.verifier(&enclave.says()).read(&domain.quote(&domain.says()), NOW).is_err());
}

/// An answer to a challenge, and what a custodian that allows the program makes of it.
fn ask(platform: Platform, floor: u64, change: impl FnOnce(&mut Says)) -> Result<Vec<u8>, ReleaseError> {
    let machine = Machine::new(platform);
    let key = RecipientKey::from_seed(&Secret::new([3; 32])).unwrap();
    let challenge = challenge(1);
    let nonce = challenge.nonce();
    let mut says = machine.says();
    says.data = bound(report_data(&nonce, &key.public()).0);
    change(&mut says);
    let (verifier, quote) = (machine.verifier(&says), machine.quote(&says));
    let report = verifier.read(&quote, NOW).unwrap();
    let attested = challenge.answer(&verifier, &quote, &key.public(), NOW).unwrap();
    let program = AllowedProgram { platform, measurement: report.measurement, floor: Tcb(vec![floor]) };
    let list = AllowList {
        cluster: ClusterId(Digest([1; 32])),
        number: 0,
        previous: Digest::ZERO,
        proposer: "dora".parse().unwrap(),
        expires: NOW.plus_seconds(DAY),
        programs: vec![program],
        revoked: Vec::new(),
    };
    let custodian = Custodian::new(list).unwrap();
    let secret = Secret::new(b"a share".to_vec());
    let released = release(attested, &custodian, secret, NOW, &mut |bytes: &mut [u8]| bytes.fill(8))?;
    Ok(released.open(&key, &nonce)?.expose().clone())
}

fn challenge(byte: u8) -> Challenge {
    Challenge::new(NOW, &mut |bytes: &mut [u8]| bytes.fill(byte))
}

/// Zeros stand behind what is bound.
fn bound(data: [u8; 32]) -> [u8; 64] {
    [data, [0; 32]].concat().try_into().unwrap()
}

#[test]
fn a_secret_goes_to_an_allowed_program_without_debugger_on_firmware_above_the_floor() {
    for platform in PLATFORMS {
        assert_eq!(ask(platform, 5, |_| ()).unwrap(), b"a share");
        let hardened = |it: &mut Says| it.status = "SWHardeningNeeded";
        assert_eq!(ask(platform, 4, hardened).unwrap(), b"a share");
        assert_eq!(ask(platform, 5, hardened).unwrap_err().code(), "release.tcb", "{platform:?}");
        let debug = |it: &mut Says| it.flags |= if platform == Platform::Sgx { 2 } else { 1 };
        assert_eq!(ask(platform, 5, debug).unwrap_err(), ReleaseError::Debug, "{platform:?}");
    }
}

#[test]
fn a_quote_answers_its_challenge_for_its_key_alone() {
    let public = |byte| RecipientKey::from_seed(&Secret::new([byte; 32])).unwrap().public();
    for platform in PLATFORMS {
        let machine = Machine::new(platform);
        let mut says = machine.says();
        says.data = bound(report_data(&challenge(1).nonce(), &public(3)).0);
        let (verifier, quote) = (machine.verifier(&says), machine.quote(&says));
        challenge(1).answer(&verifier, &quote, &public(3), NOW).unwrap();
        for (nonce, key) in [(2, 3), (1, 4)] {
            let other = challenge(nonce).answer(&verifier, &quote, &public(key), NOW);
            assert_eq!(other.unwrap_err().code(), "evidence.binding", "{platform:?} {nonce} {key}");
        }
        let late = challenge(1).answer(&verifier, &quote, &public(3), Timestamp(NOW.0 + 61_000));
        assert_eq!(late.unwrap_err().code(), "evidence.late", "{platform:?}");
    }
}
