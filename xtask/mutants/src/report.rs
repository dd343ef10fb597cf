//! The survivors by place, those that docs/mutants.md explains apart, and a table of rates.

use std::collections::BTreeMap;

use crate::options::Options;
use crate::run::{Fate, Results};
use crate::sources::{Mutant, Mutants};

/// Prints both.
pub(crate) fn print(options: &Options, mutants: &Mutants, results: &Results) {
    let explained = explained(options);
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    let (mut open, mut known) = (Vec::new(), 0);
    for mutant in mutants.all() {
        let row = rows.entry(&mutant.of).or_default();
        row.all += 1;
        row.unbuilt += usize::from(!mutant.builds);
        match results.0.get(&mutant.id) {
            Some(Fate::Killed) => row.killed += 1,
            Some(Fate::TimedOut) => row.timed_out += 1,
            Some(Fate::Survived | Fate::Unreached) if explained.iter().any(|it| it.is(mutant)) => {
                row.explained += 1;
                known += 1;
            }
            Some(fate) => {
                row.survived += 1;
                open.push((mutant, *fate));
            }
            None => {}
        }
    }
    println!(
        "\nmutants that no test noticed: {} ({known} more are explained in docs/mutants.md)",
        open.len()
    );
    for (mutant, fate) in &open {
        let unreached = if *fate == Fate::Unreached { " (no test runs this place)" } else { "" };
        println!("  {mutant}{unreached}");
    }
    println!(
        "\n{:<10} {:>7} {:>7} {:>7} {:>8} {:>9} {:>9} {:>6}",
        "crate", "mutants", "unbuilt", "killed", "timeouts", "explained", "survived", "rate"
    );
    rows.iter().for_each(|(name, row)| row.print(name));
}

#[derive(Default)]
struct Row {
    all: usize,
    unbuilt: usize,
    killed: usize,
    timed_out: usize,
    explained: usize,
    survived: usize,
}

impl Row {
    fn print(&self, name: &str) {
        let noticed = self.killed + self.timed_out;
        let tried = noticed + self.survived;
        let rate = (noticed * 1000).checked_div(tried).unwrap_or_default();
        println!(
            "{name:<10} {:>7} {:>7} {:>7} {:>8} {:>9} {:>9} {:>4}.{} %",
            self.all,
            self.unbuilt,
            self.killed,
            self.timed_out,
            self.explained,
            self.survived,
            rate / 10,
            rate % 10
        );
    }
}

/// A row of the table in docs/mutants.md.
struct Explained {
    file: String,
    function: String,
    change: String,
}

impl Explained {
    fn is(&self, mutant: &Mutant) -> bool {
        mutant.file.ends_with(&self.file) && mutant.function == self.function && mutant.change == self.change
    }
}

/// Rows are `| file | function | change | why … |`; lines drift, so that they are not named.
fn explained(options: &Options) -> Vec<Explained> {
    let page = std::fs::read_to_string(options.root.join("docs/mutants.md")).unwrap_or_default();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.filter_map(|line| {
        // A `|` of an operator is written `\|` in a table.
        let line = line.replace("\\|", "\u{1}");
        let mut cells = line.split('|').skip(1).map(|cell| cell.trim().replace('\u{1}', "|"));
        let bare = |cell: String| cell.trim_matches('`').to_owned();
        Some(Explained { file: bare(cells.next()?), function: bare(cells.next()?), change: cells.next()? })
    })
    .collect()
}
