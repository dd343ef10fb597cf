//! Pure crates: no input or output, no clock, no randomness. Time and randomness are arguments there.

use crate::assert_none;
use crate::layers::dependencies;
use crate::sources::Source;

/// The crates that only compute.
const PURE: [&str; 18] = [
    "keystead-base",
    "keystead-intent",
    "keystead-chain",
    "keystead-words",
    "keystead-rehearsal",
    "keystead-speech",
    "keystead-bitcoin",
    "keystead-solana",
    "keystead-policy",
    "keystead-quorum",
    "keystead-decision",
    "keystead-consensus",
    "keystead-keys",
    "keystead-quantum",
    "keystead-near",
    "keystead-entropy",
    "keystead-attest",
    "keystead-threshold",
];

/// What only computes in a workspace of its own.
const PURE_APART: [&str; 1] = ["apart/keystead-attest-intel/src"];

/// Paths that reach the world outside.
const IMPURE_PATHS: &[&str] = &[
    "std::env",
    "std::fs",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "io::stdin",
    "io::stdout",
    "io::stderr",
    "SystemTime",
    "Instant::now",
    "time::Instant",
    "getrandom",
    "rand::",
    "OsRng",
    "SysRng",
    "thread_rng",
    "SystemRandom",
    "PqdsaKeyPair::generate",
    "KeyPair::generate()",
    "RandomState",
    "tokio",
    "println!",
    "include_bytes!(\"/",
];

/// Members of `use std::{…}` that reach outside.
const IMPURE_MEMBERS: [&str; 6] = ["env", "fs", "net", "os", "process", "thread"];

/// Crates whose purpose is the world outside.
const IMPURE_CRATES: &[&str] = &[
    "axum",
    "getrandom",
    "hyper",
    "hyper-util",
    "landlock",
    "libc",
    "rand",
    "rustix",
    "seccompiler",
    "sqlx",
    "tempfile",
    "tokio",
    "tokio-rustls",
];

#[test]
fn pure_crates_reach_nothing_outside() {
    let folders: Vec<String> = PURE.iter().map(|name| format!("crates/{name}/src")).collect();
    let folders = folders.iter().map(String::as_str).chain(PURE_APART);
    let folders: Vec<&str> = folders.collect();
    let sources = Source::below(&folders);
    assert!(sources.len() >= PURE.len(), "the pure crates have sources");
    let product = sources.iter().filter(|source| !source.is_test());
    assert_none("a pure crate reaches outside", product.flat_map(impure_places).collect());
}

#[test]
fn pure_crates_depend_on_nothing_that_does() {
    let named = |name: &&str| {
        let impure = dependencies(name).into_iter().filter(|it| IMPURE_CRATES.contains(&it.as_str()));
        impure.map(|it| format!("{name} → {it}")).collect::<Vec<_>>()
    };
    assert_none("a pure crate depends on one that is not", PURE.iter().flat_map(named).collect());
}

fn impure_places(source: &Source) -> Vec<String> {
    let code = source.code();
    let paths = IMPURE_PATHS.iter().filter(|path| names(&code, path)).map(|path| (*path).to_owned());
    let members = grouped_imports(&code).into_iter().filter(|it| IMPURE_MEMBERS.contains(&it.as_str()));
    paths.chain(members).map(|what| format!("{}: {what}", source.path)).collect()
}

/// Where a word begins: `errand::` is not `rand::`.
fn names(code: &str, path: &str) -> bool {
    let is_of_a_word = |it: char| it.is_alphanumeric() || it == '_';
    code.match_indices(path).any(|(at, _)| !code[..at].ends_with(is_of_a_word))
}

/// The first segments inside each `use std::{…};`.
fn grouped_imports(code: &str) -> Vec<String> {
    let groups = code.split("use std::{").skip(1).filter_map(|rest| rest.split("};").next());
    let members = groups.flat_map(|group| group.split([',', '{', '}']));
    members.map(|member| member.trim().split("::").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn grouped_imports_are_seen() {
    assert_eq!(grouped_imports("use std::{fs::File, net};\n"), ["fs", "net"]);
}
