//! As many keys as an enclave takes: they survive a restart, none comes in over the limit, and none of them can be read.

use std::process::{Command, Stdio};

use keystead_base::Secret;
use keystead_decision::Outcome;
use keystead_intent::{AccountRef, KeyCeremony};
use keystead_keys::{HdSeed, Kdf, Purpose, SealLabel, Sealed, SealingKey};
use keystead_signing::{
    ClientError, EnclaveClient, HeldKey, MAX_BATCH_ITEMS, MAX_KEYS, Reply, Request, read_frame, write_frame,
};

use crate::Test;
use crate::attacker::search_memory;
use crate::confinement::whole_kernel;
use crate::fixture::{Cluster, ceremony, grant, message, name, sign};
use crate::memory::{PUBLIC, first_16, is_root, secrets};

pub(crate) const TESTS: &[Test] = &[
    ("thousands_of_keys_survive_a_restart", survive),
    ("k5_a_destroyed_key_of_thousands_is_gone_and_the_others_sign", destroyed),
    ("a_page_and_an_enclave_have_their_limits", limits),
    ("thousands_of_keys_stay_shut_under_another_passphrase", another_passphrase),
    ("k1_root_finds_none_of_thousands_of_secrets", root_finds_none),
];

/// Two pages and a part of a third.
const THOUSANDS: u32 = 2_100;

fn survive() {
    let mut cluster = Cluster::new();
    for _ in 0..2 {
        let mut enclave = cluster.signer(seals(&cluster, THOUSANDS), &[]).unwrap();
        for number in [0, 1_023, 1_024, THOUSANDS - 1] {
            assert_eq!(signs(&mut cluster, &mut enclave, number), Ok(()), "key {number}");
        }
    }
}

fn destroyed() {
    let mut cluster = Cluster::new();
    let mut enclave = cluster.signer(seals(&cluster, THOUSANDS), &[]).unwrap();
    assert_eq!(signs(&mut cluster, &mut enclave, 7), Ok(()));
    let certificate = cluster.certificate(ceremony(KeyCeremony::Destroy { key: key_name(7) }));
    enclave.destroy(certificate).unwrap();
    assert_eq!(signs(&mut cluster, &mut enclave, 7), Err("vault.unknown".to_owned()));
    for number in [6, 8] {
        assert_eq!(signs(&mut cluster, &mut enclave, number), Ok(()), "key {number}");
    }
}

fn limits() {
    let cluster = Cluster::new();
    let mut seals = seals(&cluster, MAX_KEYS as u32 + 1);
    let one_more = seals.pop().unwrap();
    let mut enclave = cluster.start("signer", &[]);
    assert_eq!(enclave.open(seals.clone()).unwrap().len(), MAX_KEYS);
    assert_eq!(code(enclave.open(vec![one_more])), "vault.full");
    enclave.hello(cluster.hello()).unwrap();

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["enclave", &cluster.id().to_string()])
        .arg(cluster.passphrase_file())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let page = seals[..=MAX_BATCH_ITEMS].to_vec();
    write_frame(child.stdin.as_mut().unwrap(), &Request::Open(page)).unwrap();
    match read_frame::<Reply>(child.stdout.as_mut().unwrap()).unwrap() {
        Some(Reply::Refused(refusal)) => assert_eq!(refusal.code, "enclave.batch_size"),
        other => panic!("{other:?}"),
    }
    drop(child.stdin.take());
    child.wait().unwrap();
}

fn another_passphrase() {
    let cluster = Cluster::new();
    let seals = seals(&cluster, THOUSANDS);
    std::fs::write(cluster.passphrase_file(), "another passphrase").unwrap();
    let mut enclave = cluster.start("signer", &[]);
    assert_eq!(code(enclave.open(seals)), "seal.passphrase");
    enclave.hello(cluster.hello()).unwrap();
    assert_eq!(code(enclave.public(key_name(0))), "vault.unknown");
}

fn root_finds_none() {
    if !is_root() || !whole_kernel() {
        return println!("SKIPPED: needs root and memfd_secret");
    }
    let mut cluster = Cluster::new();
    let mut enclave = cluster.signer(seals(&cluster, THOUSANDS), &[]).unwrap();
    let numbers = [0, 1_024, THOUSANDS - 1];
    for number in numbers {
        assert_eq!(signs(&mut cluster, &mut enclave, number), Ok(()));
    }
    // Asked for, so that what is public lies in ordinary memory, too.
    assert_eq!(enclave.public(key_name(0)).unwrap(), held(0));
    let mut needles = vec![first_16(&held(0).account.chain_code.0)];
    needles.extend(numbers.into_iter().flat_map(|it| secrets(&seed(it), cluster.passphrase.as_bytes())));
    let (found, reach) = search_memory(enclave.id(), &needles);
    assert!(found.contains(&PUBLIC), "the search must find what is public: {reach:?}");
    assert!(found.iter().all(|index| *index == PUBLIC), "secrets in ordinary memory: {found:?}");
}

fn signs(cluster: &mut Cluster, enclave: &mut EnclaveClient, number: u32) -> Result<(), String> {
    let payload = message(&held(number), "hello");
    let mut granted = grant(&payload);
    granted.account = AccountRef { key: key_name(number), index: 0 };
    let certificate = cluster.certificate(Outcome::Allow(granted));
    sign(enclave, &certificate, &payload).map(drop)
}

/// As a parent finds them on its disk: one passphrase, stretched once.
pub(crate) fn seals(cluster: &Cluster, count: u32) -> Vec<Sealed> {
    let kdf = Kdf::new(&mut |bytes| bytes.fill(5));
    let sealing = SealingKey::derive(cluster.passphrase.as_bytes(), kdf).unwrap();
    let seal = |number: u32| {
        let (cluster, purpose) = (Some(cluster.id()), Purpose::HdSeed);
        let label = SealLabel { cluster, name: key_name(number), purpose, epoch: 0 };
        let mut nonce = |bytes: &mut [u8]| bytes[..4].copy_from_slice(&number.to_be_bytes());
        sealing.seal(label, seed(number).entropy().expose(), &mut nonce).unwrap()
    };
    (0..count).map(seal).collect()
}

/// No half of it is in this binary.
fn seed(number: u32) -> HdSeed {
    HdSeed::from_entropy(Secret::new(keystead_base::tagged_hash("seed", &number.to_be_bytes()).0))
}

fn key_name(number: u32) -> keystead_base::Name {
    name(&format!("key-{number:05}"))
}

fn held(number: u32) -> HeldKey {
    let account = seed(number).root().unwrap().ethereum().unwrap().public();
    HeldKey { key: key_name(number), epoch: 0, account }
}

fn code<T>(result: Result<T, ClientError>) -> String {
    match result {
        Err(ClientError::Refused(refusal)) => refusal.code,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was not refused"),
    }
}
