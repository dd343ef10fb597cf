//! Seals that open with a token and not without it: a real token of SoftHSM 2, in a process that the enclave starts.

use std::path::{Path, PathBuf};
use std::process::Command;

use keystead_homes::{Label, TokenPlace, TokenProcess};
use keystead_signing::{Feature, Status, TokenRoot};

use crate::Test;
use crate::certificates::code;
use crate::fixture::{Cluster, ceremony, create, name};

pub(crate) const TESTS: &[Test] =
    &[("a06_a_seal_opens_with_passphrase_and_token_and_with_neither_alone", sealed)];

const CONFIGURATION: &str = "SOFTHSM2_CONF";
const PIN: &str = "4711";

fn module() -> Option<PathBuf> {
    let places = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];
    places.into_iter().map(PathBuf::from).find(|it| it.is_file())
}

/// Whether there is a SoftHSM; where there is none, that is said.
pub(crate) fn is_here(test: &str) -> bool {
    let is_here = module().is_some();
    if !is_here {
        println!("test enclave::{test} ... SKIPPED: no SoftHSM 2 here (apt-get install softhsm2)");
    }
    is_here
}

pub(crate) fn make_tokens(folder: &Path) {
    let (tokens, configuration) = (folder.join("tokens"), folder.join("softhsm2.conf"));
    std::fs::create_dir(&tokens).unwrap();
    let text = format!("directories.tokendir = {}\nobjectstore.backend = file\n", tokens.display());
    std::fs::write(&configuration, text).unwrap();
    std::fs::write(folder.join("pin"), PIN).unwrap();
    for label in ["custody", "foreign"] {
        let arguments = ["--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin", PIN];
        let made = Command::new("softhsm2-util")
            .env(CONFIGURATION, &configuration)
            .args(arguments)
            .output()
            .unwrap();
        assert!(made.status.success());
    }
}

/// What the words after `root` say: the folder, and the token.
pub(crate) fn root(words: &[&str]) -> TokenRoot {
    let folder = Path::new(words[0]);
    TokenRoot { process: process(folder, words[1]), key: key(), file: folder.join("root") }
}

pub(crate) fn process(folder: &Path, label: &str) -> TokenProcess {
    TokenProcess {
        name: format!("token `{label}`"),
        program: std::env::current_exe().unwrap(),
        arguments: vec!["token".into(), label.into(), folder.join("pin").into()],
        environment: vec![(CONFIGURATION.into(), folder.join("softhsm2.conf").into())],
    }
}

fn key() -> Label {
    Label::new("keystead-root").unwrap()
}

pub(crate) fn become_token(label: &str, pin: &str) {
    let place = TokenPlace { module: module().unwrap(), label: label.to_owned() };
    if let Err(error) = keystead_homes::serve(place, pin.into()) {
        eprintln!("token: {error}");
    }
}

fn sealed() {
    if !is_here("rooted") {
        return;
    }
    let mut cluster = Cluster::new();
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().to_str().unwrap();
    make_tokens(folder.path());
    let wrapped = TokenRoot::make(process(folder.path(), "custody"), &key(), cluster.id()).unwrap();
    std::fs::write(folder.path().join("root"), &wrapped).unwrap();
    let with = ["root", at, "custody"];

    let mut enclave = cluster.signer(Vec::new(), &with).unwrap();
    let certificate = cluster.certificate(ceremony(create("hot")));
    let sealed = enclave.create(certificate).unwrap().sealed;
    drop(enclave);
    let mut again = cluster.start("signer", &with);
    assert_eq!(again.open(vec![sealed.clone()]).unwrap()[0].key, name("hot"));
    let ready = again.hello(cluster.hello()).unwrap();
    for feature in [Feature::Seccomp, Feature::NotDumpable] {
        assert_eq!(ready.hardening.status(feature), Status::On, "a token costs no protection");
    }
    drop(again);

    // INVARIANT K5: the disk and the passphrase, without the token.
    assert_eq!(code(cluster.start("signer", &[]).open(vec![sealed.clone()])), "seal.passphrase");
    // The token without the passphrase.
    let passphrase = std::fs::read(cluster.passphrase_file()).unwrap();
    std::fs::write(cluster.passphrase_file(), "another passphrase").unwrap();
    assert_eq!(code(cluster.start("signer", &with).open(vec![sealed.clone()])), "seal.passphrase");
    std::fs::write(cluster.passphrase_file(), passphrase).unwrap();
    // Another token, another PIN, an altered root: the enclave ends before it was told anything.
    let ends =
        |token: &str| cluster.start("signer", &["root", at, token]).open(vec![sealed.clone()]).is_err();
    assert!(ends("foreign") && !ends("custody"));
    std::fs::write(folder.path().join("pin"), "0000").unwrap();
    assert!(ends("custody"));
    std::fs::write(folder.path().join("pin"), PIN).unwrap();
    let mut altered = wrapped.clone();
    altered[20] ^= 1;
    std::fs::write(folder.path().join("root"), &altered).unwrap();
    assert!(ends("custody"));
    // Of another cluster: what a token encrypted is bound to its use.
    let other = TokenRoot::make(
        process(folder.path(), "custody"),
        &key(),
        keystead_base::ClusterId(keystead_base::Digest([9; 32])),
    );
    std::fs::write(folder.path().join("root"), other.unwrap()).unwrap();
    assert!(ends("custody"));
    std::fs::write(folder.path().join("root"), &wrapped).unwrap();
    assert!(!ends("custody"), "and as it was, it opens");
}
