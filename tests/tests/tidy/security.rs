//! SECURITY.md lists every invariant once, and a row that is not open names a test that exists.

use std::collections::BTreeSet;

use crate::sources::Source;
use crate::{assert_none, read};

/// The invariants by letter, with how many each has.
const INVARIANTS: [(&str, usize); 8] =
    [("S", 14), ("K", 6), ("E", 3), ("D", 4), ("L", 4), ("R", 2), ("Q", 1), ("Z", 1)];

struct Row {
    invariant: String,
    test: String,
    mutant: String,
    status: String,
}

#[test]
fn each_invariant_has_one_row() {
    let expected =
        INVARIANTS.iter().flat_map(|(letter, count)| (1..=*count).map(move |n| format!("{letter}{n}")));
    let mut expected: Vec<String> = expected.collect();
    let mut found: Vec<String> = rows().into_iter().map(|row| row.invariant).collect();
    expected.sort();
    found.sort();
    assert_eq!(expected, found, "left: the invariants, right: SECURITY.md");
}

#[test]
fn each_row_is_open_or_names_its_test_and_its_mutant() {
    let tests = test_functions();
    let findings = rows().into_iter().filter_map(|row| problem(&row, &tests)).collect();
    assert_none("a row of SECURITY.md claims more than is there", findings);
}

fn problem(row: &Row, tests: &BTreeSet<String>) -> Option<String> {
    let named: Vec<&str> = row.test.split('`').skip(1).step_by(2).collect();
    let unknown = named.iter().find(|name| !tests.contains(name.rsplit("::").next().unwrap_or_default()));
    let words = match (row.status.as_str(), unknown) {
        (_, Some(name)) => format!("there is no test `{name}`"),
        ("open", None) => return None,
        ("carried", None) if named.is_empty() => "carried by no test".to_owned(),
        ("carried", None) if row.mutant.is_empty() => "kills no mutant".to_owned(),
        ("carried", None) => return None,
        (other, None) => format!("the status is `open` or `carried`, not `{other}`"),
    };
    Some(format!("{}: {words}", row.invariant))
}

fn rows() -> Vec<Row> {
    let page = read(&keystead_tests::root().join("SECURITY.md"));
    page.lines().filter_map(row).collect()
}

/// A row starts with the invariant's number in bold.
fn row(line: &str) -> Option<Row> {
    let (invariant, rest) = line.strip_prefix("| **")?.split_once("**")?;
    let cells: Vec<&str> = rest.trim_end_matches('|').split('|').map(str::trim).collect();
    let [_, _, test, mutant, status] = cells[..] else { panic!("not five cells: {line}") };
    let owned = str::to_owned;
    Some(Row { invariant: owned(invariant), test: owned(test), mutant: owned(mutant), status: owned(status) })
}

/// The names of all functions in test code; the names in SECURITY.md are compared with these.
fn test_functions() -> BTreeSet<String> {
    let sources = Source::below(&["apart", "clients", "crates", "simulator", "tests", "xtask"]);
    let lines = sources.iter().flat_map(|source| source.test_lines().into_iter().map(str::to_owned));
    lines.filter_map(|line| Some(line.split_once("fn ")?.1.split('(').next()?.trim().to_owned())).collect()
}
