//! The identity key: vouched for by the maker, living in the very TPM, quoting what was booted.

use keystead_attest::tpm::{CredentialChallenge, Endorsement, Pcrs, TpmEvidence, TpmIdentity, TpmVerifier};
use keystead_attest::{EvidenceError, Makers, Report, Tcb, Verifier as _};
use keystead_base::{Canonical as _, Coded as _, Timestamp};
use keystead_fixture::swtpm::Emulator;
use keystead_tpm::{Device, Tpm};

use super::{code, tpm};

/// The certificates of the emulator are made at the moment of the test.
pub(crate) fn now() -> Timestamp {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp(u64::try_from(elapsed.as_millis()).unwrap())
}

pub(crate) fn makers(emulator: &Emulator) -> Makers {
    let (root, between) = emulator.maker();
    Makers { roots: vec![der(&root)], intermediates: vec![der(&between)], revocations: Vec::new() }
}

fn der(pem: &str) -> Vec<u8> {
    use rustls_pki_types::{CertificateDer, pem::PemObject as _};
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

pub(crate) fn count() -> impl FnMut(&mut [u8]) {
    let mut next = 0_u8;
    move |bytes: &mut [u8]| {
        for byte in bytes {
            *byte = next;
            next = next.wrapping_add(1);
        }
    }
}

pub(crate) fn enrolled(device: &mut Device<'_>, makers: &Makers) -> TpmIdentity {
    let endorsement = Endorsement::new(makers, &device.certificate().unwrap(), now()).unwrap();
    let (challenge, credential) =
        CredentialChallenge::new(&endorsement, &device.key().public, &mut count()).unwrap();
    let found = device.activate(&credential).unwrap();
    challenge.complete(found.expose()).unwrap()
}

fn pcrs() -> Pcrs {
    "0,4,7".parse().unwrap()
}

#[test]
fn an_identity_key_is_enrolled_by_activating_a_credential() {
    let (ours, other) = (Emulator::start(), Emulator::start());
    let (mut tpm, mut elsewhere) = (tpm(&ours), tpm(&other));
    let mut device = Device::generate(&mut tpm).unwrap();
    let mut stranger = Device::generate(&mut elsewhere).unwrap();
    let identity = enrolled(&mut device, &makers(&ours));
    assert_ne!(identity.device(), enrolled(&mut stranger, &makers(&other)).device());

    // A credential for one device's endorsement key and another one's identity key opens nowhere.
    let endorsement = Endorsement::new(&makers(&ours), &device.certificate().unwrap(), now()).unwrap();
    let (_, mixed) = CredentialChallenge::new(&endorsement, &stranger.key().public, &mut count()).unwrap();
    assert_eq!(code(stranger.activate(&mixed)), "tpm.refused");
    assert_eq!(code(device.activate(&mixed)), "tpm.refused");
    let (challenge, _) = CredentialChallenge::new(&endorsement, &device.key().public, &mut count()).unwrap();
    assert_eq!(challenge.complete(&[0; 32]).unwrap_err(), EvidenceError::Binding);
}

#[test]
fn a_certificate_of_another_maker_or_of_another_time_is_refused() {
    let (ours, other) = (Emulator::start(), Emulator::start());
    let mut tpm = tpm(&ours);
    let certificate = Device::generate(&mut tpm).unwrap().certificate().unwrap();
    let code = |makers: &Makers, at| Endorsement::new(makers, &certificate, at).unwrap_err().code();
    assert_eq!(code(&makers(&other), now()), "evidence.chain");
    assert_eq!(code(&makers(&ours), Timestamp(0)), "evidence.chain");
    assert_eq!(code(&Makers { intermediates: Vec::new(), ..makers(&ours) }, now()), "evidence.chain");
    Endorsement::new(&makers(&ours), &certificate, now()).unwrap();
}

#[test]
fn a_quote_says_what_was_booted_and_nothing_else_passes_for_it() {
    let emulator = Emulator::start();
    let makers = makers(&emulator);
    let mut tpm = tpm(&emulator);
    let firmware = tpm.status().unwrap().firmware;
    let mut device = Device::generate(&mut tpm).unwrap();
    let identity = enrolled(&mut device, &makers);
    let verifier = TpmVerifier::new(identity.clone(), pcrs());
    let evidence = device.quote(pcrs(), &[7; 32]).unwrap();
    let report = verifier.read(&evidence.to_document(), now()).unwrap();
    assert_eq!(
        (report.data.as_slice(), report.device, report.debug),
        ([7; 32].as_slice(), identity.device(), false)
    );

    assert_eq!(report.tcb, Tcb(vec![firmware]), "a floor means the same for every key of this TPM");

    let read = |evidence: &TpmEvidence| verifier.read(&evidence.to_document(), now());
    let code = |result: Result<Report, EvidenceError>| result.unwrap_err().code();
    for at in 0..evidence.quote.len() {
        let mut altered = evidence.clone();
        altered.quote[at] ^= 1;
        assert_eq!(code(read(&altered)), "evidence.signature", "byte {at}");
    }
    let others = device.quote("0,4".parse().unwrap(), &[7; 32]).unwrap();
    assert_eq!(code(read(&others)), "evidence.other_pcrs");
    drop(device);
    // Another key of the same TPM is another identity.
    let mut second = Device::generate(&mut tpm).unwrap();
    assert_eq!(code(read(&second.quote(pcrs(), &[7; 32]).unwrap())), "evidence.signature");
}

#[test]
fn an_identity_key_is_loaded_again_from_its_file_and_by_its_own_tpm_alone() {
    let (ours, other) = (Emulator::start(), Emulator::start());
    let mut device = tpm(&ours);
    let key = Device::generate(&mut device).unwrap().key().clone();
    drop(device);
    let load = |tpm: &mut Tpm| Device::load(tpm, key.clone()).quote(pcrs(), &[1; 32]).map(drop);
    load(&mut tpm(&ours)).unwrap();
    assert_eq!(code(load(&mut tpm(&other))), "tpm.other_tpm");
}
