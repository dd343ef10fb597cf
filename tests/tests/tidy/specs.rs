//! Every wire form has a page in `specs/`, and vectors in `specs/vectors/`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::sources::Source;
use crate::{assert_none, read};

#[test]
fn each_domain_has_a_page() {
    let pages: Vec<String> = files(&folder(), "md").iter().map(|path| read(path)).collect();
    let missing = domains().into_iter().filter(|domain| !pages.iter().any(|page| names(page, domain)));
    assert_none("a domain that no page in specs/ describes", missing.collect());
}

/// Domains of what never leaves a process: a node's own snapshots and its places in chains, and a share in its seal.
const INTERNAL: [&str; 5] = [
    "keystead/coins-reconciled/v1",
    "keystead/reconciled/v1",
    "keystead/state/v1",
    "keystead/taproot-share/v1",
    "keystead/threshold-holding/v1",
];

#[test]
fn each_domain_has_vectors() {
    let vectors: Vec<String> =
        files(&folder().join("vectors"), "json").iter().map(|path| read(path)).collect();
    let shown = |domain: &String| {
        INTERNAL.contains(&domain.as_str()) || vectors.iter().any(|file| names(file, domain))
    };
    let missing = domains().into_iter().filter(|domain| !shown(domain));
    assert_none("a domain that no file in specs/vectors/ shows", missing.collect());
}

#[test]
fn vectors_that_a_page_names_exist() {
    let missing = files(&folder(), "md").into_iter().flat_map(|page| missing_vectors(&page)).collect();
    assert_none("a page names vectors that do not exist", missing);
}

/// The domains of canonical documents and of tagged hashes: literals such as `keystead/intent/v1`.
fn domains() -> BTreeSet<String> {
    let sources = Source::below(&["crates"]);
    let product = sources.iter().filter(|source| !source.is_test());
    let domains: BTreeSet<String> = product.flat_map(|source| domain_literals(&source.code())).collect();
    assert!(!domains.is_empty(), "the sources have canonical types");
    domains
}

fn domain_literals(code: &str) -> Vec<String> {
    let literals = code.split("\"keystead/").skip(1).filter_map(|rest| rest.split('"').next());
    literals.filter(|rest| is_versioned(rest)).map(|rest| format!("keystead/{rest}")).collect()
}

fn is_versioned(rest: &str) -> bool {
    let last = rest.rsplit('/').next().unwrap_or_default();
    last.strip_prefix('v').is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Whether a text contains a domain as a whole: `…/v1` is not named by `…/v10`.
fn names(text: &str, domain: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '/');
    text.match_indices(domain).any(|(at, _)| ends(&text[at + domain.len()..]))
}

fn missing_vectors(page: &Path) -> Vec<String> {
    let text = read(page);
    let named: BTreeSet<&str> = text.split("vectors/").skip(1).filter_map(file_name).collect();
    let missing = named.into_iter().filter(|name| !folder().join("vectors").join(name).is_file());
    missing.map(|name| format!("{}: {name}", page.display())).collect()
}

fn file_name(rest: &str) -> Option<&str> {
    let end = rest.find(".json")?;
    let name = rest.get(..end + ".json".len())?;
    (!name.contains(|letter: char| letter.is_whitespace() || "*<".contains(letter))).then_some(name)
}

fn folder() -> PathBuf {
    keystead_tests::root().join("specs")
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let paths = folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|it| it == extension)).collect()
}

#[test]
fn domains_are_literals_with_a_version() {
    assert_eq!(
        domain_literals(r#"const DOMAIN: &str = "keystead/intent/v1"; "keystead/x""#),
        ["keystead/intent/v1"]
    );
    assert!(names("`a/v1`", "a/v1") && !names("`a/v10`", "a/v1"));
}
