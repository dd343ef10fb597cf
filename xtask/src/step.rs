//! One external command of a chore: shown before it runs, and an error when it fails.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::places::root;

/// A command that runs in the workspace's root unless told otherwise.
pub(crate) struct Step {
    words: Vec<String>,
    folder: PathBuf,
    variables: Vec<(&'static str, String)>,
}

impl Step {
    /// A step that runs these words.
    pub(crate) fn new(words: &[&str]) -> Self {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        Self { words, folder: root(), variables: Vec::new() }
    }

    /// With further words.
    pub(crate) fn with(mut self, words: &[String]) -> Self {
        self.words.extend_from_slice(words);
        self
    }

    /// In another folder.
    pub(crate) fn within(mut self, folder: &Path) -> Self {
        self.folder = folder.to_owned();
        self
    }

    /// With an environment variable.
    pub(crate) fn setting(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// Shows the step, runs it on this terminal, and fails when it fails.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let status = self.status()?;
        if status.success() { Ok(()) } else { Err(self.failed(status)) }
    }

    /// Shows and runs the step; how it ended is the caller's to judge.
    pub(crate) fn status(&self) -> Result<ExitStatus, Failure> {
        println!("+ {}", self.line());
        self.command()?.status().map_err(|error| self.unstarted(&error))
    }

    /// Runs the step silently and returns what it printed.
    pub(crate) fn output(self) -> Result<Vec<u8>, Failure> {
        let mut command = self.command()?;
        let output = command.stderr(Stdio::inherit()).output().map_err(|error| self.unstarted(&error))?;
        if output.status.success() { Ok(output.stdout) } else { Err(self.failed(output.status)) }
    }

    fn command(&self) -> Result<Command, Failure> {
        let Some((program, arguments)) = self.words.split_first() else {
            return Err(Failure::Missing("a step without words".to_owned()));
        };
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.folder);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }

    fn line(&self) -> String {
        let variables = self.variables.iter().map(|(name, value)| format!("{name}={value} "));
        variables.collect::<String>() + &self.words.join(" ")
    }

    fn failed(&self, status: ExitStatus) -> Failure {
        Failure::Step { line: self.line(), status: status.to_string() }
    }

    fn unstarted(&self, error: &std::io::Error) -> Failure {
        Failure::Step { line: self.line(), status: error.to_string() }
    }
}

/// Why a chore did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A command failed or did not start.
    Step {
        /// The command.
        line: String,
        /// How it ended.
        status: String,
    },
    /// Something is missing, and the text says what to do about it.
    Missing(String),
    /// A file could not be read or written.
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A tool's answer is not what this chore understands.
    Answer {
        /// The tool.
        tool: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The check ran to its end and found this much; it printed what.
    Found {
        /// The check.
        check: &'static str,
        /// How many findings.
        count: usize,
    },
}

impl Failure {
    /// For `map_err` on an operation on `path`.
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |error| Self::File { path, error }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step { line, status } => write!(f, "`{line}` failed: {status}"),
            Self::Missing(what) => f.write_str(what),
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Answer { tool, reason } => write!(f, "the answer of {tool} is not understood: {reason}"),
            Self::Found { check, count } => write!(f, "{check}: {count} found"),
        }
    }
}
