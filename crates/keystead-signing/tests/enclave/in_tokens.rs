//! Keys in tokens: real tokens of SoftHSM 2, each in a process that the enclave starts.

use std::path::Path;
use std::process::Command;

use keystead_base::{Digest, RequestId};
use keystead_decision::{Grant, Outcome, drill_challenge};
use keystead_intent::{AccountRef, KeyCeremony};
use keystead_signing::{EnclaveClient, HeldKey, TokenGroup, TokenReport};

use crate::Test;
use crate::certificates::code;
use crate::fixture::{Cluster, ceremony, create, grant, message, name, sign};
use crate::rooted::{is_here, make_tokens, process};

pub(crate) const TESTS: &[Test] = &[
    ("s03_a_key_in_tokens_signs_what_the_log_allows_and_nothing_else", signs),
    ("s02_a_swapped_payload_is_refused_of_a_key_in_tokens_and_the_twin_signs_it", swapped),
    ("d01_one_token_is_killed_and_no_signature_fails", killed),
    ("k05_a_key_in_tokens_is_wiped_in_each_of_them", wiped),
];

/// What the words after `tokens` say: the folder, and the labels.
pub(crate) fn groups(words: &[&str]) -> Vec<TokenGroup> {
    let (folder, labels) = (Path::new(words[0]), words[1].split(','));
    let tokens = labels.map(|label| process(folder, label)).collect();
    vec![TokenGroup { name: name("hsm"), tokens }]
}

/// A cluster, a folder with two tokens, and the key `vault` in them.
struct Desk {
    cluster: Cluster,
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        make_tokens(folder.path());
        Self { cluster: Cluster::new(), folder }
    }

    fn options(&self) -> [String; 3] {
        ["tokens".to_owned(), self.folder.path().to_str().unwrap().to_owned(), "custody,foreign".to_owned()]
    }

    fn start(&self, seals: Vec<keystead_keys::Sealed>, more: &[&str]) -> EnclaveClient {
        let options = self.options();
        let words: Vec<&str> = more.iter().copied().chain(options.iter().map(String::as_str)).collect();
        self.cluster.signer(seals, &words).unwrap()
    }

    fn born(&mut self, more: &[&str]) -> (EnclaveClient, HeldKey, keystead_keys::Sealed) {
        let mut enclave = self.start(Vec::new(), more);
        let born = enclave.create(self.cluster.certificate(ceremony(in_tokens("vault", "hsm")))).unwrap();
        (enclave, born.held, born.sealed)
    }
}

fn in_tokens(key: &str, tokens: &str) -> KeyCeremony {
    KeyCeremony::CreateInTokens { key: name(key), home: name("node-1"), tokens: name(tokens) }
}

fn of_vault(unsigned: &keystead_chain::Unsigned) -> Grant {
    Grant { account: AccountRef { key: name("vault"), index: 0 }, ..grant(unsigned) }
}

/// The processes of the tokens, by what they say of themselves.
fn kill_token(enclave: &EnclaveClient, label: &str) {
    let listed = Command::new("ps").args(["-o", "pid=,args=", "--ppid", &enclave.id().to_string()]).output();
    let text = String::from_utf8(listed.unwrap().stdout).unwrap();
    let line = text.lines().find(|it| it.contains(&format!(" token {label} "))).unwrap();
    let id = line.split_whitespace().next().unwrap();
    assert!(Command::new("kill").args(["-9", id]).status().unwrap().success());
}

fn lost(reports: &[TokenReport]) -> Vec<&str> {
    reports.iter().filter(|it| it.lost.is_some()).map(|it| it.token.as_str()).collect()
}

fn signs() {
    if !is_here("in_tokens") {
        return;
    }
    let mut desk = Desk::new();
    let (mut enclave, held, sealed) = desk.born(&["strict"]);
    assert!(held.account.is_lone() && held.account.address(1).is_none());
    assert_eq!(
        code(enclave.create(desk.cluster.certificate(ceremony(in_tokens("vault", "hsm"))))),
        "vault.known"
    );
    let nowhere = desk.cluster.certificate(ceremony(in_tokens("other", "nowhere")));
    assert_eq!(code(enclave.create(nowhere)), "tokens.no_group");

    // The log is told by a signature that nothing else makes.
    let request = RequestId(Digest([8; 32]));
    let proof = enclave.prove(name("vault"), request).unwrap();
    let challenge = drill_challenge(desk.cluster.id(), &name("vault"), 0, &request.0, None);
    assert!(held.account.proves_control(&challenge, &proof));
    assert!(!held.account.proves_control(&Digest([8; 32]), &proof));

    // INVARIANT S7: SoftHSM's s is high every other time; none leaves that is.
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..24 {
        let payload = message(&held, &format!("payment {number}"));
        let good = desk.cluster.certificate(Outcome::Allow(of_vault(&payload)));
        let signature = sign(&mut enclave, &good, &payload).unwrap();
        let signer = signature.recover(&payload.signing_digest()).unwrap();
        assert_eq!(signer, held.account.compressed());
        assert!(seen.insert(signature.r()), "an r twice");
    }
    let payload = message(&held, "changed");
    let mut refused = |change: &dyn Fn(&mut Grant), expected: &str| {
        let mut grant = of_vault(&payload);
        change(&mut grant);
        let certificate = desk.cluster.certificate(Outcome::Allow(grant));
        assert_eq!(sign(&mut enclave, &certificate, &payload).unwrap_err(), expected);
    };
    refused(&|it| it.epoch = 1, "enclave.epoch");
    refused(&|it| it.chain = keystead_intent::ChainId(10), "enclave.chain");
    refused(&|it| it.account.index = 1, "enclave.account");
    refused(&|it| it.signing_digest = Digest([9; 32]), "certificate.digest");
    let backup = KeyCeremony::Backup { key: name("vault"), recipients: vec![name("ann")] };
    let certificate = desk.cluster.certificate(ceremony(backup));
    assert_eq!(code(enclave.backup(certificate)), "vault.unknown", "no token lets it out");

    // A key of the vault beside it, whose seed the tokens' generator is a source of.
    let hot = enclave.create(desk.cluster.certificate(ceremony(create("hot")))).unwrap();
    for twice in [in_tokens("hot", "hsm"), create("vault")] {
        let twice = desk.cluster.certificate(ceremony(twice));
        assert_eq!(code(enclave.create(twice)), "vault.known", "one name, two keys");
    }
    drop(enclave);
    let mut again = desk.start(vec![hot.sealed, sealed.clone()], &["strict"]);
    assert_eq!(again.public(name("vault")).unwrap(), held);
    let good = desk.cluster.certificate(Outcome::Allow(of_vault(&payload)));
    sign(&mut again, &good, &payload).unwrap();
    drop(again);
    // INVARIANT A6: the disk and the passphrase, without the tokens: the enclave knows the place, and nobody is there.
    let mut without = desk.cluster.signer(vec![sealed], &[]).unwrap();
    let good = desk.cluster.certificate(Outcome::Allow(of_vault(&payload)));
    assert_eq!(sign(&mut without, &good, &payload).unwrap_err(), "tokens.no_group");
}

/// The theft that a lying node would like: a right to one payload, and another one signed.
fn swapped() {
    if !is_here("in_tokens") {
        return;
    }
    for (twin, expected) in [(false, Err("certificate.digest".to_owned())), (true, Ok(()))] {
        let mut desk = Desk::new();
        let (mut enclave, held, _) = desk.born(if twin { &["twin"] } else { &[] });
        let (granted, stolen) = (message(&held, "to the exchange"), message(&held, "to the thief"));
        let certificate = desk.cluster.certificate(Outcome::Allow(of_vault(&granted)));
        assert_eq!(sign(&mut enclave, &certificate, &stolen).map(drop), expected);
    }
}

fn killed() {
    if !is_here("in_tokens") {
        return;
    }
    let mut desk = Desk::new();
    let (mut enclave, held, _) = desk.born(&[]);
    let hot = enclave.create(desk.cluster.certificate(ceremony(create("hot")))).unwrap().held;
    let reports = enclave.tokens().unwrap();
    assert_eq!((reports.len(), lost(&reports)), (2, vec![]));
    let mut pay = |enclave: &mut EnclaveClient, number: u32| {
        let payload = message(&held, &format!("payment {number}"));
        let good = desk.cluster.certificate(Outcome::Allow(of_vault(&payload)));
        sign(enclave, &good, &payload)
    };
    (0..10).for_each(|number| assert!(pay(&mut enclave, number).is_ok()));
    let answered: Vec<u64> = enclave.tokens().unwrap().iter().map(|it| it.answered).collect();
    assert!(answered.iter().all(|it| *it >= 5), "the load is shared: {answered:?}");
    kill_token(&enclave, "custody");
    (10..30).for_each(|number| assert!(pay(&mut enclave, number).is_ok()));
    assert_eq!(lost(&enclave.tokens().unwrap()), ["token `custody`"]);
    kill_token(&enclave, "foreign");
    assert_eq!(pay(&mut enclave, 30).unwrap_err(), "home.lost");
    assert_eq!(lost(&enclave.tokens().unwrap()).len(), 2);
    // What lives in the vault goes on.
    let payload = message(&hot, "hello");
    let good = desk.cluster.certificate(Outcome::Allow(grant(&payload)));
    sign(&mut enclave, &good, &payload).unwrap();
}

fn wiped() {
    if !is_here("in_tokens") {
        return;
    }
    let mut desk = Desk::new();
    let (mut enclave, held, sealed) = desk.born(&[]);
    let payload = message(&held, "hello");
    let destroy =
        |desk: &mut Desk| desk.cluster.certificate(ceremony(KeyCeremony::Destroy { key: name("vault") }));
    // A token that is away keeps the key: nobody says that it is wiped.
    kill_token(&enclave, "foreign");
    let certificate = destroy(&mut desk);
    assert_eq!(code(enclave.destroy(certificate)), "home.lost");
    drop(enclave);
    let mut again = desk.start(vec![sealed.clone()], &[]);
    let certificate = destroy(&mut desk);
    assert_eq!(again.destroy(certificate).unwrap(), name("vault"));
    let good = desk.cluster.certificate(Outcome::Allow(of_vault(&payload)));
    assert_eq!(sign(&mut again, &good, &payload).unwrap_err(), "vault.unknown");
    drop(again);
    // Not even a place that somebody kept finds it again.
    let mut kept = desk.start(vec![sealed], &[]);
    let good = desk.cluster.certificate(Outcome::Allow(of_vault(&payload)));
    assert_eq!(sign(&mut kept, &good, &payload).unwrap_err(), "home.unknown");
}
