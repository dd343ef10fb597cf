//! The crates, their order and the edges between them: the table in ARCHITECTURE.md is the rule.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::{assert_none, read};

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    sentence: String,
    may_use: BTreeSet<String>,
}

#[test]
fn the_crates_are_those_of_architecture_md() {
    let listed: BTreeSet<String> = table().into_iter().map(|row| row.name).collect();
    let folders = keystead_tests::root().join("crates").read_dir().unwrap().flatten();
    let found: BTreeSet<String> = folders.map(|entry| entry.file_name().display().to_string()).collect();
    assert_eq!(listed, found, "left: ARCHITECTURE.md, right: crates/");
}

#[test]
fn each_crate_is_described_by_the_same_sentence_twice() {
    let differs = |row: &&Row| !manifest(&row.name).contains(&format!("description = \"{}\"", row.sentence));
    let findings = table().iter().filter(differs).map(|row| row.name.clone()).collect();
    assert_none("Cargo.toml's description is not ARCHITECTURE.md's sentence", findings);
}

#[test]
fn each_edge_is_allowed() {
    let findings = table().iter().flat_map(forbidden_edges).collect();
    assert_none(
        "an edge that ARCHITECTURE.md does not allow (change it there first, with the reason)",
        findings,
    );
}

#[test]
fn all_edges_point_the_same_way() {
    let names: Vec<String> = table().into_iter().map(|row| row.name).collect();
    let before =
        |name: &str| names.iter().take_while(|other| *other != name).cloned().collect::<BTreeSet<_>>();
    let turns = |row: &Row| row.may_use.difference(&before(&row.name)).cloned().collect::<Vec<_>>();
    let named =
        |row: &Row| turns(row).into_iter().map(|to| format!("{} → {to}", row.name)).collect::<Vec<_>>();
    assert_none("a crate may use only those above it in the table", table().iter().flat_map(named).collect());
}

/// The rows of ARCHITECTURE.md's table, in its order.
pub(crate) fn table() -> Vec<Row> {
    let page = read(&keystead_tests::root().join("ARCHITECTURE.md"));
    let rows: Vec<Row> = page.lines().filter(|line| line.starts_with("| `keystead")).map(row).collect();
    assert!(!rows.is_empty(), "ARCHITECTURE.md has no table of crates");
    rows
}

fn row(line: &str) -> Row {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [name, sentence, may_use] = cells[..] else { panic!("not three cells: {line}") };
    let full = |short: &str| format!("keystead-{}", short.trim());
    let may_use = may_use.split(',').filter(|short| short.trim() != "–").map(full).collect();
    Row { name: name.trim_matches('`').to_owned(), sentence: sentence.to_owned(), may_use }
}

fn forbidden_edges(row: &Row) -> Vec<String> {
    let used = dependencies(&row.name).into_iter().filter(|name| name.starts_with("keystead-"));
    used.filter(|name| !row.may_use.contains(name)).map(|name| format!("{} → {name}", row.name)).collect()
}

/// What a crate's product code depends on: every kind of dependency but the development ones.
pub(crate) fn dependencies(name: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut counts = false;
    for line in manifest(name).lines() {
        if let Some(section) = line.strip_prefix('[') {
            counts = section.contains("dependencies") && !section.contains("dev-dependencies");
            names.extend(
                section.strip_prefix("dependencies.").map(|rest| rest.trim_end_matches(']').to_owned()),
            );
        } else if counts && line.contains('=') {
            names.push(line.split(['.', '=', ' ']).next().unwrap_or_default().to_owned());
        }
    }
    names
}

fn manifest(name: &str) -> String {
    let folder: PathBuf = keystead_tests::root().join("crates").join(name);
    read(&folder.join("Cargo.toml"))
}
