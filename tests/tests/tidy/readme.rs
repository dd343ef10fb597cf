//! The commands in README.md exist: each is given to the real program, with `--help` behind it.

use std::process::Command;

use keystead_tests::binary;

use crate::{assert_none, read};

#[test]
fn the_two_commands_for_a_fresh_machine_are_there() {
    let commands = commands();
    for command in ["cargo run --release -- quickstart", "cargo xtask test"] {
        assert!(commands.iter().any(|found| found == command), "README.md does not show `{command}`");
    }
}

#[test]
fn each_command_exists() {
    let unknown = commands().into_iter().filter(|command| !exists(command));
    assert_none("README.md shows a command that the program refuses", unknown.collect());
}

/// The lines of README.md's shell blocks that start one of our programs, without prompt and comment.
fn commands() -> Vec<String> {
    let page = read(&keystead_tests::root().join("README.md"));
    let blocks = page.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n"));
    let joined: Vec<String> = blocks.map(|block| block.replace("\\\n", " ")).collect();
    let lines = joined.iter().flat_map(|block| block.lines()).map(without_decoration);
    lines.filter(|line| PROGRAMS.iter().any(|(start, _)| line.starts_with(start))).collect()
}

fn without_decoration(line: &str) -> String {
    let line = line.trim().trim_start_matches("$ ");
    line.split(" #").next().unwrap_or_default().trim().to_owned()
}

/// Everything before `--help` has to be known to the program; nothing is done.
fn exists(command: &str) -> bool {
    let (start, program) =
        PROGRAMS.iter().find(|(start, _)| command.starts_with(start)).expect("one of ours");
    let arguments = words(&command[start.len()..]);
    let output = Command::new(binary(program)).args(arguments).arg("--help").output().expect("it starts");
    output.status.success()
}

/// Splits at blanks, but not between single or double quotes.
fn words(text: &str) -> Vec<String> {
    let pieces = text.split(['\'', '"']).enumerate();
    let split = |(at, piece): (usize, &str)| match at % 2 {
        0 => piece.split_whitespace().map(str::to_owned).collect(),
        _ => vec![piece.to_owned()],
    };
    pieces.flat_map(split).collect()
}

/// How a command line starts, and the binary that gets the rest.
const PROGRAMS: [(&str, &str); 3] =
    [("cargo run --release -- ", "keystead"), ("cargo xtask ", "xtask"), ("keystead ", "keystead")];

#[test]
fn words_keep_quotes_together() {
    assert_eq!(words("request --note 'two words' x"), ["request", "--note", "two words", "x"]);
}
