//! The guide through dice and coins: what to do, what is still missing, and what must be kept secret.

use std::io::BufRead as _;
use std::path::Path;

use keystead_base::{Canonical as _, Digest, Name, Secret};
use keystead_entropy::{EntropyError, EntropyPromise, EntropyReceipt, Source, SourceRecord, Symbols, Tally};

use crate::failure::Failure;
use crate::output::{Voice, strong};
use crate::table::Table;

/// Before the first roll: the danger, what the machine gives, and its promise.
pub(crate) fn opening(source: Source, promise: &EntropyPromise) -> String {
    let words = Words::of(source);
    format!(
        "{}\n\n{DANGER}\n\nThe machine's part is drawn and tested:\n\n{}\n{}\n\n    {}\n\n{}\n",
        strong(words.title),
        sources(&promise.sources),
        "It can never be changed to go with yours. Write this digest down now, on paper:",
        in_groups(&promise.digest()),
        words.how,
    )
}

/// Before anything is brought for a key of a node's enclave.
pub(crate) fn for_a_key(key: &Name, source: Source, promise: &EntropyPromise) -> String {
    let how = match source {
        Source::File => "The file's bytes are tested, and go in as they are.",
        by_hand => Words::of(by_hand).how,
    };
    format!(
        "{}\n\n{DANGER_HERE}\n\nThe enclave's part of the seed is drawn and tested:\n\n{}\n{}\n\n    {}\n\n{how}\n",
        strong(&format!("For key `{key}`, of {source} and of this node's enclave")),
        sources(&promise.sources),
        "It can never be changed to go with yours. Write this digest down now, on paper:",
        in_groups(&promise.digest()),
    )
}

/// What was typed, in one line: what a file of rolls has.
pub(crate) fn letters(source: Source, values: &Secret<Vec<u8>>) -> Secret<String> {
    let mut text = Secret::new(String::with_capacity(values.expose().len()));
    for value in values.expose() {
        let letter = match (source, value) {
            (Source::Coins, 0) => 't',
            (Source::Coins, _) => 'h',
            (_, face) => char::from(b'0'.saturating_add(*face)),
        };
        text.expose_mut().push(letter);
    }
    text
}

/// Reads lines until there are enough symbols and an empty line, `done` or the end.
pub(crate) fn typed(source: Source, voice: Voice) -> Result<Symbols, Failure> {
    let mut symbols = Symbols::new(source)?;
    voice.progress(&progress(source, &symbols.tally()));
    for line in std::io::stdin().lock().lines() {
        let line = Secret::new(line.map_err(|error| Failure::file(Path::new("standard input"), &error))?);
        let enough = symbols.tally().missing == 0;
        match line.expose().trim() {
            "" | "done" if enough => break,
            "" | "done" => voice.progress("not enough yet"),
            text => match symbols.take(text) {
                Err(error) if voice.json => return Err(error.into()),
                Err(error) => {
                    voice.progress(&format!("{error}: nothing of this line was taken, type it again"))
                }
                Ok(()) => {}
            },
        }
        voice.progress(&progress(source, &symbols.tally()));
    }
    Ok(symbols)
}

/// What was rolled, or what to do about it.
pub(crate) fn judged(symbols: &Symbols) -> Result<&Secret<Vec<u8>>, Failure> {
    symbols.judged().map_err(|error| {
        let next = match error {
            EntropyError::TooFew { .. } => "begin anew, with the machine's new promise, and go on to the end",
            _ => "roll all of them anew, and another die if it happens twice; never pick or mend single ones",
        };
        Failure { next: next.to_owned(), ..error.into() }
    })
}

/// Afterwards: what lies where, who may see it, and how to check it.
pub(crate) fn closing(folder: &Path, receipt: &EntropyReceipt) -> String {
    let mut table = Table::new(&["file", "who may see it", "what it is"]);
    for [file, who, what] in [
        ["words", "SECRET", "the 24 words: whoever reads them has everything"],
        ["openings.json", "SECRET", "the machine's part: with your rolls it is the seed"],
        ["receipt.json", "anybody", "what went in, and that it was tested"],
    ] {
        table.row([folder.join(file).display().to_string(), who.to_owned(), what.to_owned()]);
    }
    format!(
        "\n{}\n\n{}\n{}\n\n{CHECK}",
        strong("The seed is made of all of these. Whoever knows or chooses some of them knows nothing:"),
        sources(&receipt.sources),
        table.render().trim_end(),
    )
}

fn sources(records: &[SourceRecord]) -> String {
    let mut table = Table::new(&["source", "samples", "bits"]);
    for record in records {
        table.row([record.source.to_string(), record.samples.to_string(), record.bits().to_string()]);
    }
    table.render()
}

/// ` 34 of 99  ███████░░░░░░░░░░░░░  1·5  2·6  3·7  4·6  5·5  6·5   65 to go`
fn progress(source: Source, tally: &Tally) -> String {
    let needed = source.claim().fewest;
    let found: u32 = tally.counts.iter().sum();
    let full = (found.min(needed) * BAR_WIDTH / needed) as usize;
    let bar: String = ["█".repeat(full), "░".repeat(BAR_WIDTH as usize - full)].concat();
    let faces = Words::of(source).faces;
    let counts: Vec<String> =
        faces.iter().zip(&tally.counts).map(|(face, count)| format!("{face}·{count}")).collect();
    let left = match tally.missing {
        0 => "enough: an empty line ends, or go on".to_owned(),
        missing => format!("{missing} to go"),
    };
    format!("{found:>4} of {needed}  {bar}  {}   {left}", counts.join("  "))
}

/// Four letters and a blank: people compare and write down what has a shape.
fn in_groups(digest: &Digest) -> String {
    let text = digest.to_string();
    let groups: Vec<&str> = (0..text.len()).step_by(4).filter_map(|at| text.get(at..at + 4)).collect();
    let lines: Vec<String> = groups.chunks(8).map(|it| it.join(" ")).collect();
    lines.join("\n    ")
}

/// What differs between a die and a coin.
struct Words {
    title: &'static str,
    how: &'static str,
    faces: &'static [&'static str],
}

impl Words {
    fn of(source: Source) -> Self {
        match source {
            Source::Coins => Self {
                title: "A seed from a coin, and from this machine",
                how: "Flip a coin at least 256 times. Type h for heads and t for tails, as many as you like on a line, and keep\n\
                      them on paper. An empty line ends it. Never choose, mend or leave out a flip.",
                faces: &["t", "h"],
            },
            _ => Self {
                title: "A seed from a die, and from this machine",
                how: "Roll a die at least 99 times. Type what it shows, 1 to 6, as many as you like on a line, and keep them on\n\
                      paper. An empty line ends it. Never choose, mend or leave out a roll.",
                faces: &["1", "2", "3", "4", "5", "6"],
            },
        }
    }
}

const BAR_WIDTH: u32 = 20;
const DANGER: &str = "\
DANGER: whoever sees what you type, together with the machine's part, has the key. Take this machine off every network,
let no camera see table or screen, and clear the terminal and its history when you are done.";
const DANGER_HERE: &str = "\
DANGER: do this on the node's own machine, let no camera see table or screen, and clear the terminal and its history when you
are done. What you bring guards the key against a machine whose own randomness is weak; whoever owns the machine has the key anyway.";
/// For a key of an enclave.
pub(crate) const COMPUTE_AGAIN: &str = "\
on a machine that is not this one, `tests/python/seed.py KEY.json openings.json ROLLS --promise DIGEST`, with what
      `keystead key show KEY --json` says (specs/entropy.md). Then destroy rolls and openings: together they are the key.";
const CHECK: &str = "\
next: compute the seed again on a machine that is not this one, from your rolls, openings.json and receipt.json
      (specs/entropy.md, tests/python/seed.py --promise DIGEST). Then destroy rolls and openings, or keep them as you keep the words.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_says_what_is_there_and_what_is_missing() {
        let some = Tally { counts: vec![5, 6, 7, 6, 5, 5], missing: 65 };
        let line = progress(Source::Dice, &some);
        assert_eq!(line, "  34 of 99  ██████░░░░░░░░░░░░░░  1·5  2·6  3·7  4·6  5·5  6·5   65 to go");
        let all = Tally { counts: vec![128, 200], missing: 0 };
        let line = progress(Source::Coins, &all);
        assert_eq!(
            line,
            " 328 of 256  ████████████████████  t·128  h·200   enough: an empty line ends, or go on"
        );
    }

    #[test]
    fn what_is_kept_is_what_was_typed() {
        assert_eq!(letters(Source::Dice, &Secret::new(vec![1, 6, 3])).expose(), "163");
        assert_eq!(letters(Source::Coins, &Secret::new(vec![1, 0])).expose(), "ht");
    }

    #[test]
    fn digests_are_shown_in_groups() {
        let shown = in_groups(&Digest([0xab; 32]));
        assert_eq!(shown.split_whitespace().collect::<String>(), Digest([0xab; 32]).to_string());
        assert_eq!(shown.lines().count(), 2);
    }
}
