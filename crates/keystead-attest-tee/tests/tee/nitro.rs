//! Documents in the form of Nitro's, under a root of our own: no genuine one is published in any crate we know.

use ciborium::Value;
use keystead_attest::{Challenge, Platform, Verifier as _, report_data};
use keystead_attest_tee::NitroVerifier;
use keystead_base::{Coded as _, Secret, Timestamp};
use keystead_keys::RecipientKey;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384, SigningKey as _};

use super::code;

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
        Self { root: root_certificate, between: between_certificate, certificate: leaf.der().to_vec(), key: own }
    }

    fn document(&self, data: &[u8], pcr0: u8) -> Vec<u8> {
        let text = |text: &str| Value::Text(text.to_owned());
        let pcrs = [(0, pcr0), (1, 2), (2, 3)];
        let pcrs = pcrs.map(|(at, byte): (u8, u8)| (Value::from(at), Value::Bytes(vec![byte; 48])));
        let payload = Value::Map(vec![
            (text("module_id"), text("i-0123-enc4567")),
            (text("digest"), text("SHA384")),
            (text("timestamp"), Value::from(NOW.0)),
            (text("pcrs"), Value::Map(pcrs.to_vec())),
            (text("certificate"), Value::Bytes(self.certificate.clone())),
            (text("cabundle"), Value::Array(vec![Value::Bytes(self.between.clone())])),
            (text("public_key"), Value::Null),
            (text("user_data"), Value::Bytes(data.to_vec())),
            (text("nonce"), Value::Null),
        ]);
        let protected = cbor(&Value::Map(vec![(Value::from(1), Value::from(-35))]));
        self.sign(&protected, &cbor(&payload))
    }

    fn sign(&self, protected: &[u8], payload: &[u8]) -> Vec<u8> {
        let bytes = |it: &[u8]| Value::Bytes(it.to_vec());
        let message =
            Value::Array(vec![Value::Text("Signature1".to_owned()), bytes(protected), bytes(&[]), bytes(payload)]);
        let signature = fixed(&self.key.sign(&cbor(&message)).unwrap());
        cbor(&Value::Array(vec![bytes(protected), Value::Map(Vec::new()), bytes(payload), bytes(&signature)]))
    }
}

fn cbor(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

/// `r || s` of a signature in DER.
fn fixed(der: &[u8]) -> Vec<u8> {
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
    assert_eq!(code(verifier.read(&[document, vec![0]].concat(), NOW)), "evidence.form");
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
