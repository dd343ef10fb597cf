//! The one error of the shell: a stable code, what happened, and what to do next.

use std::fmt;
use std::path::Path;

use keystead_base::{Blame, Coded};

/// What went wrong, for people.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) what: String,
    pub(crate) next: String,
}

impl Failure {
    pub(crate) fn new(code: &str, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { code: code.to_owned(), what: what.into(), next: next.into() }
    }

    pub(crate) fn file(path: &Path, error: &std::io::Error) -> Self {
        let next = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path, or make the folder with `keystead init DIR`",
            std::io::ErrorKind::PermissionDenied => {
                "check who owns the file; secrets are readable by you alone"
            }
            _ => "look at the disk and try again",
        };
        Self::new("cli.file", format!("{}: {error}", path.display()), next)
    }

    pub(crate) fn usage(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new("cli.usage", what, next)
    }
}

/// Every error of the house comes in by its code; who has to act becomes the advice.
impl<E: Coded> From<E> for Failure {
    fn from(error: E) -> Self {
        let next = match error.blame() {
            Blame::Caller => "change the command or the file that it names, and try again",
            Blame::Peer => {
                "the other side broke the protocol: check that it is the one you mean, and its log"
            }
            Blame::Environment => "check configuration, disk and network; `keystead status` shows the node",
        };
        Self::new(error.code(), error.to_string(), next)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}\n next: {}", self.code, self.what, self.next)
    }
}

/// Replaces the general advice by a better one.
pub(crate) trait Advise<T> {
    fn advise(self, next: &str) -> Result<T, Failure>;
}

impl<T, E: Into<Failure>> Advise<T> for Result<T, E> {
    fn advise(self, next: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure { next: next.to_owned(), ..error.into() })
    }
}
