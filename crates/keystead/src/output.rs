//! What a command says: text for people, JSON for scripts, progress on standard error.

use std::io::{IsTerminal as _, Write as _};

use serde_json::{Value, json};

use crate::failure::Failure;

/// The result of a command.
pub(crate) struct Report {
    pub(crate) json: Value,
    pub(crate) text: String,
    /// Whether the command did what it was asked; the exit code says so, too.
    pub(crate) holds: bool,
}

impl Report {
    pub(crate) fn new(json: impl Into<Value>, text: impl Into<String>) -> Self {
        Self { json: json.into(), text: text.into(), holds: true }
    }
}

/// How to speak.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Voice {
    pub(crate) json: bool,
}

impl Voice {
    /// The result, on standard output.
    pub(crate) fn report(self, report: &Report) {
        let text = if self.json { report.json.to_string() } else { report.text.trim_end().to_owned() };
        out(&text);
    }

    /// A line for people while a command runs; scripts get its whole result at the end.
    pub(crate) fn line(self, text: &str) {
        if !self.json {
            out(text);
        }
    }

    /// A program that goes on running serves from now on: one object for scripts, a few lines for people.
    pub(crate) fn ready(self, json: &Value, text: &str) {
        out(&if self.json { json!({"ready": json}).to_string() } else { text.trim_end().to_owned() });
    }

    /// Progress of long work; scripts do not see it.
    pub(crate) fn progress(self, text: &str) {
        if !self.json {
            // A closed terminal ends nothing.
            let _ = writeln!(std::io::stderr(), "{}", dim(text));
        }
    }

    pub(crate) fn failure(self, failure: &Failure) {
        let text = if self.json {
            json!({"error": {"code": failure.code, "what": failure.what, "next": failure.next}}).to_string()
        } else if std::io::stderr().is_terminal() {
            format!("\u{1b}[31merror\u{1b}[0m[{}]: {}\n next: {}", failure.code, failure.what, failure.next)
        } else {
            failure.to_string()
        };
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

fn out(text: &str) {
    // Whoever reads us may have hung up; there is nobody to tell.
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn dim(text: &str) -> String {
    if std::io::stderr().is_terminal() { format!("\u{1b}[2m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Bold on a terminal.
pub(crate) fn strong(text: &str) -> String {
    if std::io::stdout().is_terminal() { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
}
