//! Commands as people type them, with what each must answer: steps of a story, run one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use keystead_tests::binary;
use serde_json::Value;

use crate::desk::json;

/// One command line and its answer.
pub(crate) struct Step {
    who: &'static str,
    line: &'static str,
    code: i32,
    has: Vec<(&'static str, &'static str)>,
    keeps: Vec<(&'static str, &'static str)>,
}

/// The command works.
pub(crate) fn ok(who: &'static str, line: &'static str) -> Step {
    Step { who, line, code: 0, has: Vec::new(), keeps: Vec::new() }
}

/// The command works, and the answer is no.
pub(crate) fn no(who: &'static str, line: &'static str) -> Step {
    Step { code: 2, ..ok(who, line) }
}

/// An error with this stable code.
pub(crate) fn fails(who: &'static str, line: &'static str, code: &'static str) -> Step {
    Step { code: 1, has: vec![("/error/code", code)], ..ok(who, line) }
}

impl Step {
    /// The answer holds this text at this place (RFC 6901); the empty text is held by whatever is there.
    pub(crate) fn has(mut self, place: &'static str, text: &'static str) -> Self {
        self.has.push((place, text));
        self
    }

    /// Later lines name what stands there as `{name}`.
    pub(crate) fn keep(mut self, name: &'static str, place: &'static str) -> Self {
        self.keeps.push((name, place));
        self
    }
}

/// Runs steps in one folder and remembers which commands were run.
pub(crate) struct Script {
    folder: String,
    words: BTreeMap<String, String>,
    ran: BTreeSet<String>,
}

impl Script {
    pub(crate) fn new(folder: &Path) -> Self {
        let folder = folder.to_str().expect("a plain path").to_owned();
        Self { folder, words: BTreeMap::new(), ran: BTreeSet::new() }
    }

    /// `{name}` stands for this text from now on.
    pub(crate) fn set(&mut self, name: &str, text: impl Into<String>) {
        self.words.insert(name.to_owned(), text.into());
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.words.get(name).unwrap_or_else(|| panic!("nothing was kept as {{{name}}}"))
    }

    /// Notes a command that a test runs in another way.
    pub(crate) fn note(&mut self, leaf: &str) {
        self.ran.insert(leaf.to_owned());
    }

    /// Notes commands below one.
    pub(crate) fn notes(&mut self, branch: &str, leaves: &[&str]) {
        leaves.iter().for_each(|leaf| self.note(&format!("{branch} {leaf}")));
    }

    pub(crate) fn ran(&self) -> &BTreeSet<String> {
        &self.ran
    }

    pub(crate) fn play(&mut self, steps: impl IntoIterator<Item = Step>) {
        steps.into_iter().for_each(|step| drop(self.step(&step)));
    }

    /// Runs one step with `--json`: exit code, shape, and what is kept of it.
    pub(crate) fn step(&mut self, step: &Step) -> Value {
        let arguments = self.arguments(step.line);
        let output = self.run(step.who, &[vec!["--json".to_owned()], arguments.clone()].concat());
        assert_eq!(output.status.code(), Some(step.code), "{}: {output:?}", step.line);
        let answer = match step.code {
            1 => error(step.line, &output),
            _ => json(&output),
        };
        for (place, text) in &step.has {
            let found =
                answer.pointer(place).unwrap_or_else(|| panic!("{}: no {place} in {answer}", step.line));
            assert!(
                said(found).contains(&self.filled(text)),
                "{}: {place} is {found}, not {text}",
                step.line
            );
        }
        for (name, place) in &step.keeps {
            let found =
                answer.pointer(place).unwrap_or_else(|| panic!("{}: no {place} in {answer}", step.line));
            self.words.insert((*name).to_owned(), said(found));
        }
        self.ran.extend(leaf(&arguments));
        answer
    }

    /// What people see of a command that works.
    pub(crate) fn text(&self, who: &str, line: &str) -> String {
        let output = self.run(who, &self.arguments(line));
        assert!(output.status.code() != Some(1), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The answer of a command that works, without what it has.
    pub(crate) fn answer(&self, who: &str, line: &str) -> Value {
        let output = self.run(who, &[vec!["--json".to_owned()], self.arguments(line)].concat());
        assert!(output.status.success(), "{line}: {output:?}");
        json(&output)
    }

    /// The answer of a command, once it works.
    pub(crate) fn until_it_works(&mut self, who: &'static str, line: &'static str) -> Value {
        for _ in 0..TRIES {
            let output = self.run(who, &[vec!["--json".to_owned()], self.arguments(line)].concat());
            if output.status.success() {
                self.ran.extend(leaf(&self.arguments(line)));
                return json(&output);
            }
        }
        panic!("{line} never worked");
    }

    fn run(&self, who: &str, arguments: &[String]) -> Output {
        let mut command = Command::new(binary("keystead"));
        command.args(["--dir", &self.folder, "--as", who]).args(arguments);
        command.env("COLUMNS", "110").output().expect("the program starts")
    }

    /// Words at blanks, but not between single quotes.
    fn arguments(&self, line: &str) -> Vec<String> {
        let pieces = line.split('\'').enumerate();
        let split = |(at, piece): (usize, &str)| match at % 2 {
            0 => piece.split_whitespace().map(|word| self.filled(word)).collect(),
            _ => vec![self.filled(piece)],
        };
        pieces.flat_map(split).collect()
    }

    fn filled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.words {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }
}

/// An error says what happened and what to do next, on standard error, and nothing on standard output.
fn error(line: &str, output: &Output) -> Value {
    assert!(output.stdout.is_empty(), "{line}: {output:?}");
    let answer: Value =
        serde_json::from_slice(&output.stderr).unwrap_or_else(|error| panic!("{line}: {error}: {output:?}"));
    for part in ["what", "next"] {
        let text = answer["error"][part].as_str().unwrap_or_default();
        assert!(!text.trim().is_empty(), "{line}: no {part}: {answer}");
    }
    answer
}

/// How often something that follows a decision at once is asked for.
const TRIES: usize = 200;

fn said(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The words of the command in a command line: options and their values come before or after them.
fn leaf(arguments: &[String]) -> Option<String> {
    let leaves = crate::help::leaves();
    let at =
        arguments.iter().position(|word| leaves.iter().any(|leaf| leaf.split(' ').next() == Some(word)))?;
    let two = arguments.get(at..at + 2).map(|words| words.join(" "));
    two.filter(|words| leaves.contains(words)).or_else(|| Some(arguments[at].clone()))
}
