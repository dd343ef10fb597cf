//! Documents in the form of Nitro's, under a root of our own: no genuine one is published in any crate we know.

use keystead_attest::{Challenge, NitroVerifier, Platform, Verifier as _, report_data};
use keystead_base::{Coded as _, Secret, Timestamp};
use keystead_keys::RecipientKey;
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384, SigningKey as _,
};

use super::{code, fixed};

const NOW: Timestamp = Timestamp(1_764_000_000_000);

struct Hypervisor {
    root: Vec<u8>,
    between: Vec<u8>,
    certificate: Vec<u8>,
    key: KeyPair,
}

impl Hypervisor {
    fn new() -> Self {
        let key = || KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let authority = |name: &str| {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params
        };
        let (root_key, between_key, own) = (key(), key(), key());
        let (root, between) = (authority("root"), authority("zone"));
        let root_certificate = root.self_signed(&root_key).unwrap().der().to_vec();
        let root = Issuer::new(root, root_key);
        let between_certificate = between.signed_by(&between_key, &root).unwrap().der().to_vec();
        let between = Issuer::new(between, between_key);
        let leaf = CertificateParams::new(Vec::new()).unwrap().signed_by(&own, &between).unwrap();
        Self {
            root: root_certificate,
            between: between_certificate,
            certificate: leaf.der().to_vec(),
            key: own,
        }
    }

    fn document(&self, data: &[u8], pcr0: u8) -> Vec<u8> {
        let pcrs = [(0, pcr0), (1, 2), (2, 3)].map(|(at, byte)| (vec![at], bytes(&[byte; 48])));
        let payload = map(&[
            (text("module_id"), text("i-0123-enc4567")),
            (text("digest"), text("SHA384")),
            (text("timestamp"), [&[0x1b], NOW.0.to_be_bytes().as_slice()].concat()),
            (text("pcrs"), map(&pcrs)),
            (text("certificate"), bytes(&self.certificate)),
            (text("cabundle"), [vec![0x81], bytes(&self.between)].concat()),
            (text("public_key"), vec![NULL]),
            (text("user_data"), bytes(data)),
            (text("nonce"), vec![NULL]),
        ]);
        self.sign(&map(&[(vec![1], ES384.to_vec())]), &payload)
    }

    fn sign(&self, protected: &[u8], payload: &[u8]) -> Vec<u8> {
        let message = [vec![0x84], text("Signature1"), bytes(protected), bytes(&[]), bytes(payload)].concat();
        let signature = fixed(&self.key.sign(&message).unwrap());
        [vec![0x84], bytes(protected), map(&[]), bytes(payload), bytes(&signature)].concat()
    }
}

/// The head of an item of CBOR.
fn head(major: u8, count: usize) -> Vec<u8> {
    let major = major << 5;
    match (u8::try_from(count), u16::try_from(count)) {
        (Ok(count @ 0..=23), _) => vec![major | count],
        (Ok(count), _) => vec![major | 24, count],
        (_, Ok(count)) => [&[major | 25], count.to_be_bytes().as_slice()].concat(),
        _ => panic!("{count} bytes"),
    }
}

fn bytes(it: &[u8]) -> Vec<u8> {
    [head(2, it.len()).as_slice(), it].concat()
}

fn text(it: &str) -> Vec<u8> {
    [head(3, it.len()).as_slice(), it.as_bytes()].concat()
}

fn map(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let entries_of: Vec<u8> =
        entries.iter().flat_map(|(key, value)| [key.as_slice(), value].concat()).collect();
    [head(5, entries.len()), entries_of].concat()
}

const NULL: u8 = 0xf6;
/// −35.
const ES384: [u8; 2] = [0x38, 0x22];

#[test]
fn a_document_is_read_and_what_is_tampered_foreign_or_late_is_refused() {
    let (ours, other) = (Hypervisor::new(), Hypervisor::new());
    let verifier = NitroVerifier::new(ours.root.clone());
    let document = ours.document(&[5; 32], 1);
    let report = verifier.read(&document, NOW).unwrap();
    assert_eq!((report.platform, report.debug, report.data), (Platform::Nitro, false, vec![5; 32]));
    assert!(verifier.read(&ours.document(&[5; 32], 0), NOW).unwrap().debug, "zeros are debug mode");
    let last = document.len() - 1;
    for at in [3, 40, document.len() / 2, last] {
        let mut altered = document.clone();
        altered[at] ^= 1;
        assert!(verifier.read(&altered, NOW).is_err(), "byte {at}");
    }
    let mut altered = document.clone();
    altered[last] ^= 1;
    assert_eq!(code(verifier.read(&altered, NOW)), "evidence.signature");
    assert_eq!(code(verifier.read(&other.document(&[5; 32], 1), NOW)), "evidence.chain");
    assert_eq!(code(verifier.read(&document, Timestamp(0))), "evidence.chain");
    let tagged = [[0xd2].as_slice(), &document].concat();
    verifier.read(&tagged, NOW).unwrap();
    assert_eq!(code(verifier.read(&[document, vec![0]].concat(), NOW)), "evidence.form");
    // ES256 and another header: signed all the same.
    let payload = map(&[]);
    for protected in [map(&[(vec![1], vec![0x26])]), map(&[(vec![4], ES384.to_vec())]), map(&[])] {
        assert_eq!(code(verifier.read(&ours.sign(&protected, &payload), NOW)), "evidence.form");
    }
    assert_eq!(code(verifier.read(&vec![0; 16 * 1024 + 1], NOW)), "evidence.form");
}

#[test]
fn a_document_answers_its_challenge_alone() {
    let hypervisor = Hypervisor::new();
    let verifier = NitroVerifier::new(hypervisor.root.clone());
    let key = RecipientKey::from_seed(&Secret::new([3; 32])).unwrap().public();
    let ask = |byte| Challenge::new(NOW, &mut |bytes: &mut [u8]| bytes.fill(byte));
    let document = hypervisor.document(&report_data(&ask(1).nonce(), &key).0, 1);
    ask(1).answer(&verifier, &document, &key, NOW).unwrap();
    let stale = ask(2).answer(&verifier, &document, &key, NOW);
    assert_eq!(stale.unwrap_err().code(), "evidence.binding");
}
