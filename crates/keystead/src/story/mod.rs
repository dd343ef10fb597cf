//! The story of quickstart: its acts in order, what each must come to, and how long it took.

mod acts;
mod cast;
mod faults;
mod payloads;

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;

use crate::failure::Failure;
use crate::output::{Report, Voice, strong};
use crate::table::Table;
use cast::Cast;

/// One act, over.
#[derive(Debug, Serialize)]
struct Act {
    title: &'static str,
    expected: &'static str,
    found: Vec<String>,
    holds: bool,
    milliseconds: u64,
}

/// What an act came to: what was found, and whether that is what had to be.
type Ending = Result<(Vec<String>, bool), Failure>;

/// Everything that was told so far.
struct Story {
    voice: Voice,
    acts: Vec<Act>,
}

/// Tells the whole story in a folder.
pub(crate) async fn tell(folder: &Path, voice: Voice) -> Result<Report, Failure> {
    let start = Instant::now();
    let mut story = Story { voice, acts: Vec::new() };
    let begun = Instant::now();
    let mut cast = Cast::assemble(folder, voice).await?;
    story.end(FOUNDED, begun, Ok((cast.introduction(), true)));
    let begun = Instant::now();
    let key = cast.birth_of_a_key().await;
    story.end(KEY, begun, key);
    if story.acts.iter().all(|act| act.holds) {
        story.acts_on_the_chain(&mut cast).await;
    }
    cast.leave().await?;
    Ok(story.report(folder, start.elapsed()))
}

impl Story {
    async fn acts_on_the_chain(&mut self, cast: &mut Cast) {
        let begun = Instant::now();
        let ending = cast.inside_the_limits().await;
        self.end(INSIDE, begun, ending);
        let begun = Instant::now();
        let ending = cast.above_the_limits().await;
        self.end(ABOVE, begun, ending);
        let begun = Instant::now();
        let ending = cast.permit().await;
        self.end(PERMIT, begun, ending);
        let begun = Instant::now();
        let ending = cast.bybit().await;
        self.end(BYBIT, begun, ending);
        let begun = Instant::now();
        let ending = cast.limit_reached().await;
        self.end(LIMIT, begun, ending);
        let begun = Instant::now();
        let ending = cast.a_node_is_killed().await;
        self.end(KILLED, begun, ending);
        let begun = Instant::now();
        let ending = cast.a_node_lies().await;
        self.end(LIES, begun, ending);
        let begun = Instant::now();
        let ending = cast.verify().await;
        self.end(VERIFY, begun, ending);
    }

    fn end(&mut self, (title, expected): (&'static str, &'static str), begun: Instant, ending: Ending) {
        let (found, holds) = ending.unwrap_or_else(|failure| (vec![failure.to_string()], false));
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let act = Act { title, expected, found, holds, milliseconds };
        if !self.voice.json {
            self.voice.line(&act.text(self.acts.len() + 1));
        }
        self.acts.push(act);
    }

    fn report(self, folder: &Path, took: Duration) -> Report {
        let holds = self.acts.iter().all(|act| act.holds);
        let folder = folder.display();
        let verdict = match holds {
            true => format!("All of it held, in {:.1} s.", took.as_secs_f64()),
            false => {
                "NOT all of it held: see above. This is a bug, or a machine that lacks something.".to_owned()
            }
        };
        let text = format!("{}\n\nWhere to look next\n{}", strong(&verdict), next_steps(&folder.to_string()));
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let json = json!({"holds": holds, "milliseconds": milliseconds, "folder": folder.to_string(), "acts": self.acts});
        Report { holds, ..Report::new(json, text) }
    }
}

fn next_steps(folder: &str) -> String {
    let mut table = Table::pairs();
    table
        .pair(&format!("keystead up {folder} --devnet"), "run it, and point a wallet or `cast` at it")
        .pair(&format!("keystead --dir {folder} status"), "one screen, while it runs")
        .pair(
            &format!("keystead --dir {folder} audit verify --folder {folder}/log"),
            "verify this log again, offline",
        )
        .pair(&format!("{folder}/keystead.toml"), "what is configured; docs/cli.md explains it");
    table.render().lines().map(|line| format!("  {line}\n")).collect()
}

impl Act {
    fn text(&self, number: usize) -> String {
        let mark = if self.holds { "✔" } else { "✘" };
        let mut text = strong(&format!("{number}. {} {mark} ({} ms)", self.title, self.milliseconds));
        text.push_str(&format!("\n   {}\n", self.expected));
        self.found.iter().for_each(|line| text.push_str(&format!("     {}\n", crate::table::plain(line))));
        text
    }
}

const FOUNDED: (&str, &str) = (
    "Genesis",
    "Three founders sign the first policy and roster; four nodes, their enclaves and a coordinator start.",
);
const KEY: (&str, &str) = (
    "A key is born",
    "Born in one node's enclave after two approvals; no address before its backup was restored and proved control.",
);
const INSIDE: (&str, &str) =
    ("A transfer inside the limits", "Signed at once, nobody is asked, executed on the chain.");
const ABOVE: (&str, &str) =
    ("A transfer above them", "Waits for two approvers; each one's machine reads the raw bytes for itself.");
const PERMIT: (&str, &str) =
    ("A typed-data permit", "Refused by name of a rule: whoever holds the signature could take the tokens.");
const BYBIT: (&str, &str) = (
    "Bybit's shape",
    "A Safe transaction that is a delegate call: refused, and why (February 2025, 1.5 billion dollars).",
);
const LIMIT: (&str, &str) =
    ("The limit is reached", "Refused with the sum: what was allowed, used and asked.");
const KILLED: (&str, &str) = (
    "A node is killed",
    "The one that proposes, and that the coordinator talks to. The other three go on; it comes back and catches up.",
);
const LIES: (&str, &str) = (
    "A node lies",
    "The one that proposes counts no limits any more. The others do not vote for its block, and say why.",
);
const VERIFY: (&str, &str) = (
    "The log, from outside",
    "Every vote, rule and root is checked again from the genesis on, without the node.",
);
