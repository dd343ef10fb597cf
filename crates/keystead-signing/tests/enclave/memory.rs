//! Whether a key can be read out of the running process: by its own user, by root, from a core.

use std::io::Read as _;
use std::process::{Command, Stdio};

use keystead_decision::Outcome;
use keystead_intent::KeyCeremony;
use keystead_keys::HdSeed;
use keystead_signing::EnclaveClient;

use crate::Test;
use crate::attacker::{search, search_memory};
use crate::confinement::whole_kernel;
use crate::fixture::{Cluster, ceremony, grant, message, name, sign};
use crate::gathering::{self, Circle};

pub(crate) const TESTS: &[Test] = &[
    ("k1_root_finds_no_secret_in_the_memory_of_the_enclave", root_finds_nothing),
    ("k1_the_same_user_cannot_read_the_enclave", same_user),
    ("k1_a_core_dump_holds_no_secret", core_dump),
    (
        "k1_words_of_shares_leave_nothing_in_the_memory_of_a_scratch_enclave",
        k1_words_of_shares_leave_nothing_in_the_memory_of_a_scratch_enclave,
    ),
    ("k05_of_a_destroyed_key_root_finds_nothing", k05_of_a_destroyed_key_root_finds_nothing),
];

fn root_finds_nothing() {
    if !is_root() || !whole_kernel() {
        return println!("SKIPPED: needs root and memfd_secret");
    }
    let (enclave, needles) = busy_enclave(&[]);
    let (found, reach) = search_memory(enclave.id(), &needles);
    assert!(found.contains(&PUBLIC), "the search must find what is public: {reach:?}");
    assert_eq!(found.len(), 1, "secrets in ordinary memory: {found:?} of {}", needles.len());
    assert!(reach.refused >= 2 * 1024 * 1024 && reach.read > 0 && reach.remote > 0, "{reach:?}");
}

fn same_user() {
    if !is_root() {
        return println!("SKIPPED: needs root to become another user");
    }
    let unprivileged: &[&str] = if whole_kernel() { &["nobody", "strict"] } else { &["nobody"] };
    let (enclave, _) = busy_enclave(unprivileged);
    assert_eq!(peek(enclave.id()), "mem=false vm_readv=false maps=false");
    let mut open = Command::new(std::env::current_exe().unwrap())
        .arg("open-book")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    open.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
    assert_eq!(peek(open.id()), "mem=true vm_readv=true maps=true", "the attacker must be able to attack");
    drop(open.stdin.take());
    open.wait().unwrap();
}

fn core_dump() {
    let debugger = Command::new("gdb").arg("--version").stdout(Stdio::null()).status();
    if !is_root() || debugger.is_err() || !whole_kernel() {
        return println!("SKIPPED: needs root, gdb and memfd_secret");
    }
    let cluster = Cluster::new();
    let (enclave, needles) = busy_enclave(&[]);
    let core = cluster.path("core");
    let dumped = Command::new("gcore")
        .arg("-o")
        .arg(&core)
        .arg(enclave.id().to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(dumped.success());
    let bytes = std::fs::read(format!("{}.{}", core.display(), enclave.id())).unwrap();
    let mut found = search(&bytes, &needles);
    found.dedup();
    assert!(found.contains(&PUBLIC), "the search must find what is public");
    assert!(found.iter().all(|index| *index == PUBLIC), "secrets in the core: {found:?}");
}

/// The words came and went through its heap, in frames.
fn k1_words_of_shares_leave_nothing_in_the_memory_of_a_scratch_enclave() {
    if !is_root() || !whole_kernel() {
        return println!("SKIPPED: needs root and memfd_secret");
    }
    let circle = Circle::new();
    let mut scratch = circle.cluster.start("scratch", &[]);
    let said = scratch.open_share(circle.to_open("ann")).unwrap().into_secret();
    let words = circle.words();
    scratch.drill_shares(circle.gathering(&words, gathering::aim())).unwrap();
    let mut needles = vec![first_16(&circle.held.account.chain_code.0)];
    for text in [said.expose(), &words[0], &words[1]] {
        needles.extend([64, 128].map(|at| first_16(&text.as_bytes()[at..])));
    }
    let (found, reach) = search_memory(scratch.id(), &needles);
    assert!(found.contains(&PUBLIC), "the search must find what is public: {reach:?}");
    assert_eq!(found.len(), 1, "words in ordinary memory: {found:?} of {}", needles.len());
}

/// In an enclave whose pages nobody hides from root, so that what is in them is found as long as the key lives.
fn k05_of_a_destroyed_key_root_finds_nothing() {
    if !is_root() {
        return println!("SKIPPED: needs root");
    }
    let mut cluster = Cluster::new();
    let (mut enclave, mut needles) = busy(&mut cluster, &["unlockable"]);
    // The passphrase opens other keys, too.
    needles.truncate(needles.len() - 4);
    let found = |enclave: &EnclaveClient| {
        let (mut found, reach) = search_memory(enclave.id(), &needles);
        assert!(found.remove(&PUBLIC) && reach.read > 0, "{reach:?}");
        found
    };
    // Both halves of the entropy and of an account's scalar, which are kept.
    let kept = found(&enclave);
    assert!(kept.contains(&1) && kept.contains(&3) && kept.len() >= 4, "{kept:?}");
    let destroy = KeyCeremony::Destroy { key: name("hot") };
    let right = cluster.certificate(ceremony(destroy));
    enclave.destroy(right).unwrap();
    assert_eq!(found(&enclave), [].into(), "of a destroyed key");
}

/// Which of the needles is no secret.
pub(crate) const PUBLIC: usize = 0;

/// An enclave that has created, backed up and used a key, and what an attacker looks for.
fn busy_enclave(options: &[&str]) -> (EnclaveClient, Vec<[u8; 16]>) {
    busy(&mut Cluster::new(), options)
}

fn busy(cluster: &mut Cluster, options: &[&str]) -> (EnclaveClient, Vec<[u8; 16]>) {
    let (mut enclave, _, held) = cluster.with_hot_key(options);
    let file = cluster.backup(&mut enclave);
    for text in ["one", "two", "three"] {
        let payload = message(&held, text);
        let certificate = cluster.certificate(Outcome::Allow(grant(&payload)));
        sign(&mut enclave, &certificate, &payload).unwrap();
    }
    let ann = cluster.ann.open(cluster.passphrase.as_bytes()).unwrap();
    let seed = file.restore(&name("ann"), &ann.recipient().unwrap()).unwrap();
    let mut needles = vec![first_16(&held.account.chain_code.0)];
    needles.extend(secrets(&seed, cluster.passphrase.as_bytes()));
    (enclave, needles)
}

/// Both halves of every secret, in both byte orders: libraries keep scalars in limbs.
pub(crate) fn secrets(seed: &HdSeed, passphrase: &[u8]) -> Vec<[u8; 16]> {
    let mnemonic = seed.mnemonic().unwrap();
    let node = seed.root().unwrap().ethereum().unwrap();
    let account = node.account(0).unwrap();
    let long = [
        seed.entropy().expose().to_vec(),
        mnemonic.seed("").expose().to_vec(),
        mnemonic.words().expose().as_bytes().to_vec(),
        node.scalar().expose().to_vec(),
        account.scalar().expose().to_vec(),
        passphrase.to_vec(),
    ];
    let halves = long.iter().flat_map(|bytes| [first_16(bytes), first_16(&bytes[16..])]);
    halves.flat_map(|half| [half, reversed(half)]).collect()
}

pub(crate) fn first_16(bytes: &[u8]) -> [u8; 16] {
    bytes[..16].try_into().unwrap()
}

fn reversed(mut bytes: [u8; 16]) -> [u8; 16] {
    bytes.reverse();
    bytes
}

fn peek(pid: u32) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args(["peek", &pid.to_string()]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
