//! An enclave whose self-tests fail: it signs nothing, says why, and stays so.

use keystead_decision::Outcome;
use keystead_intent::KeyCeremony;
use keystead_signing::{ClientError, EnclaveClient, EnclaveControls, Strict, Struck, power_on};

use crate::Test;
use crate::fixture::{Cluster, advance, ceremony, create, grant, message, name, sign};

pub(crate) const TESTS: &[Test] = &[
    ("s07_each_failing_self_test_stops_everything", s07_each_failing_self_test_stops_everything),
    ("s07_the_self_tests_passed_before_the_first_word", s07_the_self_tests_passed_before_the_first_word),
    ("s07_a_key_whose_halves_do_not_fit_is_never_used", s07_a_key_whose_halves_do_not_fit_is_never_used),
    ("s07_a_faulty_signature_ends_in_the_error_state", s07_a_faulty_signature_ends_in_the_error_state),
];

/// Lets a fault strike: the n-th self-test, the fresh pair, or the third signature.
#[derive(Clone)]
pub(crate) struct Faulty(pub(crate) String);

impl EnclaveControls for Faulty {
    fn strike(&self, at: Struck, bytes: &mut [u8]) {
        let struck = match at {
            Struck::SelfTest(name) | Struck::Pair(name) => self.0 == name,
            Struck::Signature => self.0 == "signature",
            _ => false,
        };
        if struck {
            bytes.iter_mut().rev().take(1).for_each(|byte| *byte ^= 1);
        }
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T, ClientError>) -> (String, String) {
    match result {
        Err(ClientError::Refused(refusal)) => (refusal.code, refusal.text),
        other => panic!("not refused: {other:?}"),
    }
}

fn with_fault(cluster: &Cluster, fault: &str) -> EnclaveClient {
    cluster.start("signer", &["fault", fault])
}

fn s07_each_failing_self_test_stops_everything() {
    let mut cluster = Cluster::new();
    let (mut well, sealed, held) = cluster.with_hot_key(&[]);
    let file = cluster.backup(&mut well);
    let payload = message(&held, "hello");
    let good = cluster.certificate(Outcome::Allow(grant(&payload)));
    let tests = power_on(&Strict).unwrap();
    for test in &tests {
        let mut enclave = with_fault(&cluster, test);
        let mut refusals = vec![
            refused(enclave.open(vec![sealed.clone()])),
            refused(enclave.hello(cluster.hello())),
            refused(enclave.ask_fresh()),
            refused(enclave.create(good.clone())),
            refused(enclave.restore(file.clone())),
            refused(enclave.public(name("hot"))),
        ];
        let signed = sign(&mut enclave, &good, &payload);
        assert_eq!(signed, Err("self_test.answer".to_owned()), "{test}");
        // It never gets well again.
        refusals.push(refused(enclave.hello(cluster.hello())));
        for (code, text) in refusals {
            assert_eq!(code, "self_test.answer", "{test}");
            assert!(text.contains(test) && text.contains("started anew"), "{text}");
        }
    }
    println!("{} self-tests, each failed once", tests.len());
    sign(&mut well, &good, &payload).unwrap();
}

fn s07_the_self_tests_passed_before_the_first_word() {
    let cluster = Cluster::new();
    let mut enclave = cluster.start("signer", &[]);
    let ready = enclave.hello(cluster.hello()).unwrap();
    assert_eq!(ready.self_tests, power_on(&Strict).unwrap());
}

fn s07_a_key_whose_halves_do_not_fit_is_never_used() {
    let mut cluster = Cluster::new();
    let mut enclave = with_fault(&cluster, "secp256k1 key");
    enclave.hello(cluster.hello()).unwrap();
    cluster.confirm(&mut enclave).unwrap();
    let certificate = cluster.certificate(ceremony(create("hot")));
    for _ in 0..2 {
        let (code, text) = refused(enclave.create(certificate.clone()));
        assert!(code == "self_test.pair" && text.contains("secp256k1 key"), "{code}: {text}");
        assert_eq!(enclave.unwell().map(|it| it.code.as_str()), Some("self_test.pair"));
    }
    assert_eq!(refused(enclave.public(name("hot"))).0, "vault.unknown", "it was wiped");
    // Freezes are still heard of.
    advance(&mut enclave, vec![cluster.next_policy()], None);
}

/// The fault comes after the key was made: nothing of the faulty signature leaves, and nothing at all any more.
fn s07_a_faulty_signature_ends_in_the_error_state() {
    let mut cluster = Cluster::new();
    let (_, sealed, held) = cluster.with_hot_key(&[]);
    let mut enclave = cluster.signer(vec![sealed], &["fault", "signature"]).unwrap();
    let payload = message(&held, "hello");
    let good = cluster.certificate(Outcome::Allow(grant(&payload)));
    assert_eq!(sign(&mut enclave, &good, &payload), Err("self_test.signature".to_owned()));
    let backup = KeyCeremony::Backup { key: name("hot"), recipients: vec![name("ann")] };
    let (code, text) = refused(enclave.backup(cluster.certificate(ceremony(backup))));
    assert!(code == "self_test.signature" && text.contains("started anew"), "{code}: {text}");
    let good = cluster.certificate(Outcome::Allow(grant(&payload)));
    assert_eq!(sign(&mut enclave, &good, &payload), Err("self_test.signature".to_owned()));
}
