//! Quotes of real machines, from `dcap-qvl`, under Intel's own root, at a moment when their collateral was in force.

use keystead_attest::{Platform, Tcb, Verifier as _, measurement};
use keystead_attest_intel::IntelVerifier;
use keystead_base::Timestamp;
use serde_json::Value;

use super::{DAY, NOW, code, collateral, data};

const SGX: &str = "sgx_quote_collateral.json";
const TDX: &str = "tdx_quote_collateral.json";
const OUTDATED: &str = "tdx_quote_outdated_collateral.json";
const NEWER: &str = "tdx_quote_td15ex_collateral.json";
/// 2026-02-20: that of the machine with old firmware is in force from February 18 to March 20.
const LATER: Timestamp = Timestamp(1_771_545_600_000);
/// 2026-10-10: that of the machine with TDX 1.5 is in force from October 8 to November 6.
const AUTUMN: Timestamp = Timestamp(1_791_590_400_000);
/// The body stands behind a header of 48 bytes.
const BODY: usize = 48;
const SGX_SIGNED: usize = BODY + 384;
const TDX_SIGNED: usize = BODY + 584;

fn with(collateral: &Value) -> IntelVerifier {
    IntelVerifier::new(data("intel_root.der"), collateral.to_string().as_bytes()).unwrap()
}

fn verifier(name: &str) -> IntelVerifier {
    with(&collateral(name))
}

#[test]
fn a_genuine_quote_of_tdx_says_what_runs() {
    let quote = data("tdx_quote");
    let read = verifier(TDX).read(&quote, NOW).unwrap();
    let raw = [&quote[BODY + 136..BODY + 184], &quote[BODY + 328..BODY + 520]].concat();
    assert_eq!(read.measurement, measurement(Platform::Tdx, &raw), "MRTD, RTMR0 to RTMR3");
    assert_eq!(read.data, quote[TDX_SIGNED - 64..TDX_SIGNED]);
    assert_eq!((read.platform, read.tcb, read.debug), (Platform::Tdx, Tcb(vec![5]), false));
}

#[test]
fn a_genuine_quote_of_tdx_1_5_says_what_runs() {
    let quote = data("tdx_quote_td15ex");
    let (verifier, body) = (verifier(NEWER), BODY + 6);
    let read = verifier.read(&quote, AUTUMN).unwrap();
    let raw = [&quote[body + 136..body + 184], &quote[body + 328..body + 520]].concat();
    assert_eq!(read.measurement, measurement(Platform::Tdx, &raw), "MRTD, RTMR0 to RTMR3");
    assert_eq!(read.data, quote[body + 520..body + 584]);
    assert_eq!((read.platform, read.tcb, read.debug), (Platform::Tdx, Tcb(vec![5]), false));
    // What the newer form adds is signed as well.
    for at in [body + 600, body + 649, body + 884] {
        let mut altered = quote.clone();
        altered[at] ^= 1;
        assert!(verifier.read(&altered, AUTUMN).is_err(), "byte {at}");
    }
}

#[test]
fn a_genuine_quote_of_sgx_says_what_runs() {
    let quote = data("sgx_quote");
    let read = verifier(SGX).read(&quote, NOW).unwrap();
    let raw = [&quote[BODY + 64..BODY + 96], &quote[BODY + 128..BODY + 160]].concat();
    assert_eq!(read.measurement, measurement(Platform::Sgx, &raw), "MRENCLAVE, MRSIGNER");
    assert_eq!(read.data, quote[SGX_SIGNED - 64..SGX_SIGNED]);
    // Intel: firmware is new, but hyper-threading or software needs a setting.
    assert_eq!((read.platform, read.tcb, read.debug), (Platform::Sgx, Tcb(vec![2]), false));
    assert!(!Tcb(vec![2]).reaches(&Tcb(vec![5])));
}

/// Where each of these begins.
fn places_of(quote: &[u8], word: &[u8]) -> Vec<usize> {
    (0..quote.len()).filter(|at| quote[*at..].starts_with(word)).collect()
}

#[test]
fn a_tampered_quote_is_refused_wherever_it_was_changed() {
    for (name, quote, signed) in [(TDX, data("tdx_quote"), TDX_SIGNED), (SGX, data("sgx_quote"), SGX_SIGNED)]
    {
        let verifier = verifier(name);
        let read = |at: usize, bit: u8| {
            let mut altered = quote.clone();
            altered[at] ^= bit;
            verifier.read(&altered, NOW)
        };
        // Version of the quoting enclave, firmware, measurements, and the last byte of what the program bound.
        for at in [8, BODY, BODY + 64, BODY + 128, BODY + 140, BODY + 330, signed - 1] {
            assert_eq!(code(read(at, 1)), "evidence.signature", "{name}: byte {at}");
        }
        // The signature, and the key that it is by: the quoting enclave's report does not name another one.
        for at in [signed + 4, signed + 4 + 63, signed + 4 + 64, signed + 4 + 127] {
            assert_eq!(code(read(at, 1)), "evidence.signature", "{name}: byte {at}");
        }
        // Version, kind of key, kind of hardware, vendor.
        for at in [0, 2, 4, 12] {
            assert_eq!(code(read(at, 0x20)), "evidence.form", "{name}: byte {at}");
        }
        // Everything behind it up to the root, which is pinned: the quoting enclave's report, the certificates of the machine and of the
        // authority between. Free are ends of lines, and the number of a form that has one form alone.
        let root = places_of(&quote, b"-----BEGIN")[2];
        for at in (signed + 4 + 130..root).step_by(11).filter(|at| quote[*at] != b'\n') {
            assert!(read(at, 1).is_err(), "{name}: byte {at}");
        }
        for length in [0, 1, BODY, signed, signed + 4, quote.len() / 2] {
            assert_eq!(code(verifier.read(&quote[..length], NOW)), "evidence.form", "{name}: {length} bytes");
        }
    }
    let longest = |more: usize| verifier(TDX).read(&vec![0; 16 * 1024 + more], NOW).unwrap_err().to_string();
    assert!(longest(1).contains("16 KiB") && !longest(0).contains("16 KiB"));
}

#[test]
fn what_intel_said_is_in_force_for_its_time_alone() {
    for (name, quote) in [(TDX, data("tdx_quote")), (SGX, data("sgx_quote"))] {
        let verifier = verifier(name);
        verifier.read(&quote, NOW.plus_seconds(25 * DAY)).unwrap();
        for days in [31, 365, 5 * 365] {
            let later = NOW.plus_seconds(days * DAY);
            assert_eq!(code(verifier.read(&quote, later)), "evidence.stale", "{name}, {days} days later");
        }
        for before in [NOW.0 - 3 * DAY * 1000, 0] {
            let read = verifier.read(&quote, Timestamp(before));
            assert_eq!(code(read), "evidence.stale", "{name}, {before}: before it was said");
        }
    }
}

#[test]
fn what_intel_did_not_say_is_refused() {
    let quote = data("tdx_quote");
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut collateral = collateral(TDX);
        change(&mut collateral);
        code(with(&collateral).read(&quote, NOW))
    };
    let replaced = |field: &'static str, from: &'static str, to: &'static str| {
        changed(&move |it: &mut Value| {
            let text = it[field].as_str().unwrap();
            assert!(text.contains(from), "{field} has {from}");
            it[field] = text.replace(from, to).into();
        })
    };
    // A later end, better firmware, another signer of the quoting enclave.
    assert_eq!(replaced("tcb_info", "2025-07-19", "2029-07-19"), "evidence.signature");
    assert_eq!(replaced("tcb_info", "OutOfDate", "UpToDate"), "evidence.signature");
    assert_eq!(replaced("qe_identity", "2025-07-19", "2029-07-19"), "evidence.signature");
    assert_eq!(replaced("qe_identity", "DC9E2A7C", "DC9E2A7D"), "evidence.signature");
    for list in ["root_ca_crl", "pck_crl"] {
        let tampered = |it: &mut Value| {
            let mut text = it[list].as_str().unwrap().to_owned();
            let last = if text.pop() == Some('0') { '1' } else { '0' };
            text.push(last);
            it[list] = text.into();
        };
        assert_eq!(changed(&tampered), "evidence.chain", "{list}: another signature");
        assert_eq!(changed(&|it| it[list] = "".into()), "evidence.chain", "{list}: none");
    }
    // What Intel says of the other kind of hardware, or of another model, says nothing of this machine.
    let other = collateral(SGX);
    for fields in [["tcb_info", "tcb_info_signature"], ["qe_identity", "qe_identity_signature"]] {
        let swapped = |it: &mut Value| fields.iter().for_each(|field| it[*field] = other[*field].clone());
        assert_eq!(changed(&swapped), "evidence.chain", "{fields:?} of SGX");
    }
    assert_eq!(code(verifier(OUTDATED).read(&quote, LATER)), "evidence.chain", "another model");
    let unlike = IntelVerifier::new(data("intel_root.der"), b"{}").unwrap_err();
    assert!(unlike.to_string().contains("collateral"), "{unlike}");
    let long = IntelVerifier::new(data("intel_root.der"), &vec![b' '; 1024 * 1024 + 1]).unwrap_err();
    assert!(long.to_string().contains("1 MiB"), "{long}");
    let root = super::machine::Machine::new(Platform::Sgx).root();
    let elsewhere = IntelVerifier::new(root, collateral(TDX).to_string().as_bytes()).unwrap();
    assert_eq!(code(elsewhere.read(&quote, NOW)), "evidence.chain", "under another root");
}

#[test]
fn a_genuine_machine_with_firmware_below_all_that_intel_lists_is_refused() {
    let quote = data("tdx_quote_outdated");
    assert_eq!(code(verifier(OUTDATED).read(&quote, LATER)), "evidence.stale");
}
