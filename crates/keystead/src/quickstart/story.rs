//! The telling: numbered acts with timings, or one JSON document with the same content.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Trouble;

/// The story so far.
pub(crate) struct Story<'a> {
    json: bool,
    out: &'a mut (dyn Write + Send),
    start: Instant,
    acts: Vec<Act>,
}

/// One act.
#[derive(Debug, Serialize)]
struct Act {
    title: String,
    held: bool,
    millis: u128,
    lines: Vec<String>,
}

/// An act that is being played.
pub(crate) struct Playing {
    title: String,
    start: Instant,
    lines: Vec<String>,
    held: bool,
}

impl<'a> Story<'a> {
    pub(crate) fn begin(json: bool, out: &'a mut (dyn Write + Send)) -> Self {
        Self { json, out, start: Instant::now(), acts: Vec::new() }
    }

    /// The heading.
    pub(crate) fn title(&mut self, title: &str, about: &str) {
        self.write(&format!("\n  {title}\n  {about}\n"));
    }

    /// Begins an act.
    pub(crate) fn act(&self, title: impl Into<String>) -> Playing {
        Playing { title: title.into(), start: Instant::now(), lines: Vec::new(), held: true }
    }

    /// Ends an act and tells it.
    pub(crate) fn tell(&mut self, playing: Playing) {
        let took = playing.start.elapsed();
        let mark = if playing.held { "ok" } else { "FAILED" };
        let number = self.acts.len() + 1;
        let mut text = format!("\n{number:>2}. {:<62} {:>8}  {mark}\n", playing.title, shown(took));
        playing.lines.iter().for_each(|line| text.push_str(&format!("    {line}\n")));
        self.write(&text);
        let Playing { title, lines, held, .. } = playing;
        self.acts.push(Act { title, held, millis: took.as_millis(), lines });
    }

    /// The last words; true when every act held.
    pub(crate) fn end(mut self, folder: &Path) -> Result<bool, Trouble> {
        let held = self.acts.iter().all(|act| act.held);
        let folder = folder.display();
        if self.json {
            let document = serde_json::json!({
                "held": held,
                "millis": self.start.elapsed().as_millis(),
                "folder": folder.to_string(),
                "acts": self.acts,
            });
            writeln!(self.out, "{document:#}").map_err(Trouble::of("printing"))?;
            return Ok(held);
        }
        let word = if held { "All of it held." } else { "Something did not hold; see FAILED above." };
        let took = shown(self.start.elapsed());
        self.write(&format!(
            "\n  {word} {took} in all.\n\n  Where to look next\n    \
             {folder}/log               the log as it can be checked anywhere\n    \
             {folder}/policy.json       the policy that decided\n    \
             keystead audit verify --log {folder}/log\n    \
             keystead init DIR, keystead up DIR     a desk of your own\n\n"
        ));
        Ok(held)
    }

    fn write(&mut self, text: &str) {
        if !self.json {
            // A reader that went away changes nothing about what held.
            let _ = self.out.write_all(text.as_bytes());
        }
    }
}

impl Playing {
    /// A line of the act.
    pub(crate) fn say(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// Something that must be so.
    pub(crate) fn expect(&mut self, what: impl Into<String>, held: bool) {
        let mark = if held { "+" } else { "!" };
        self.lines.push(format!("{mark} {}", what.into()));
        self.held &= held;
    }
}

fn shown(took: Duration) -> String {
    match took.as_millis() {
        0 => format!("{} us", took.as_micros()),
        millis @ 1..10_000 => format!("{millis} ms"),
        millis => format!("{} s", millis / 1000),
    }
}
