//! A report of a real Milan, from `sev`.

use keystead_attest::{Platform, Verifier as _};
use keystead_attest_tee::AmdVerifier;
use keystead_base::Timestamp;

use super::{code, data};

const NOW: Timestamp = Timestamp(1_764_000_000_000);

fn report() -> Vec<u8> {
    const_hex::decode(String::from_utf8(data("report_milan.hex")).unwrap().trim()).unwrap()
}

#[test]
fn a_genuine_report_of_sev_snp_is_read_and_a_tampered_one_refused() {
    let verifier = AmdVerifier::new(data("vcek_milan.der"));
    let read = verifier.read(&report(), NOW).unwrap();
    assert_eq!((read.platform, read.tcb.0.len(), read.data.len()), (Platform::SevSnp, 4, 64));
    // Version, policy, report data, measurement, TCB, chip: everything that is signed.
    for at in [4, 8, 0x50, 0x90, 0x180, 0x1a0, 0x29f] {
        let mut altered = report();
        altered[at] ^= 1;
        assert!(matches!(code(verifier.read(&altered, NOW)), "evidence.signature" | "evidence.form"), "byte {at:#x}");
    }
    assert_eq!(code(verifier.read(&report()[..1183], NOW)), "evidence.form");
}

#[test]
fn a_key_that_amd_did_not_certify_signs_nothing() {
    let mut forged = data("vcek_milan.der");
    let at = forged.len() - 1;
    forged[at] ^= 1;
    assert_eq!(code(AmdVerifier::new(forged).read(&report(), NOW)), "evidence.chain");
    assert_eq!(code(AmdVerifier::new(vec![0x30, 0]).read(&report(), NOW)), "evidence.chain");
}
