//! What `--help` shows: the tree of commands, and an example for each.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::OnceLock;

use keystead_tests::binary;

/// Every command that does something, as its words: `key create`.
pub(crate) fn leaves() -> &'static BTreeSet<String> {
    static LEAVES: OnceLock<BTreeSet<String>> = OnceLock::new();
    LEAVES.get_or_init(walk)
}

fn walk() -> BTreeSet<String> {
    let mut leaves = BTreeSet::new();
    let mut branches = vec![Vec::new()];
    while let Some(path) = branches.pop() {
        let below = subcommands(&help(&path));
        match (below.is_empty(), path.is_empty()) {
            (true, false) => drop(leaves.insert(path.join(" "))),
            (true, true) => panic!("keystead --help lists no commands"),
            (false, _) => branches.extend(below.into_iter().map(|word| [path.clone(), vec![word]].concat())),
        }
    }
    leaves
}

fn help(path: &[String]) -> String {
    let output = Command::new(binary("keystead")).args(path).arg("--help").output().unwrap();
    assert!(output.status.success(), "{path:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The words under `Commands:`; what is indented further belongs to the sentence of a word.
fn subcommands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = lines
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let words = listed.filter_map(|line| line.split_whitespace().next());
    words.filter(|word| *word != "help").map(str::to_owned).collect()
}

#[test]
fn every_command_teaches_with_an_example_that_starts_with_itself() {
    let leaves = leaves();
    assert!(leaves.len() >= 40, "{leaves:?}");
    let silent = leaves.iter().filter(|leaf| {
        let path: Vec<String> = leaf.split(' ').map(str::to_owned).collect();
        !help(&path).contains(&format!("Example: keystead {leaf}"))
    });
    assert_eq!(silent.collect::<Vec<_>>(), Vec::<&String>::new(), "no example in its --help");
}

/// The enclave is started by a node; nobody is taught to start it.
#[test]
fn the_enclave_is_not_listed_and_says_who_starts_it() {
    assert!(leaves().iter().all(|leaf| !leaf.starts_with("enclave")));
    let output = Command::new(binary("keystead")).arg("enclave").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("error[cli.usage]"), "{output:?}");
}
