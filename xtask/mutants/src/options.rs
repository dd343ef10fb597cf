//! The command line.

use std::path::{Path, PathBuf};

use crate::Failure;

/// What to mutate, and how to run.
pub(crate) struct Options {
    /// The workspace.
    pub(crate) root: PathBuf,
    /// Cargo's folder, shared with the ordinary builds so that dependencies are not compiled again.
    pub(crate) target: PathBuf,
    /// The crates, by their short names.
    pub(crate) crates: Vec<String>,
    /// Only files whose path contains one of these; all where there is none.
    pub(crate) files: Vec<String>,
    /// Only every n-th mutant, beginning with the k-th.
    pub(crate) shard: (usize, usize),
    /// Test programs at once.
    pub(crate) jobs: usize,
    /// Print the mutants and do nothing.
    pub(crate) list: bool,
    /// Forget earlier results.
    pub(crate) fresh: bool,
}

/// In the order of the data's way back: the smallest first.
const CRATES: [&str; 4] = ["quorum", "decision", "policy", "chain"];

const USAGE: &str = "[CRATE ...] [--file PART ...] [--shard K/N] [--jobs N] [--list] [--fresh]";

impl Options {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = root.canonicalize().map_err(crate::because("the workspace"))?;
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let mut options = Self {
            root,
            target,
            crates: Vec::new(),
            files: Vec::new(),
            shard: (0, 1),
            jobs: 1,
            list: false,
            fresh: false,
        };
        while let Some(word) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{word} needs a value; usage: {USAGE}"));
            match word.as_str() {
                "--file" => options.files.push(value()?),
                "--shard" => options.shard = shard(&value()?)?,
                "--jobs" => options.jobs = value()?.parse().map_err(crate::because("--jobs"))?,
                "--list" => options.list = true,
                "--fresh" => options.fresh = true,
                name if CRATES.contains(&name) => options.crates.push(word),
                _ => return Err(format!("`{word}` is not understood; usage: {USAGE}")),
            }
        }
        if options.crates.is_empty() {
            options.crates = CRATES.map(str::to_owned).to_vec();
        }
        Ok(options)
    }

    /// Whether the mutants of this file are tried.
    pub(crate) fn wants(&self, file: &str) -> bool {
        self.files.is_empty() || self.files.iter().any(|part| file.contains(part.as_str()))
    }

    /// Where this tool keeps its copy of the tree and its results.
    pub(crate) fn folder(&self) -> PathBuf {
        self.target.join("mutants")
    }

    /// The copy that is changed; the tree itself never is.
    pub(crate) fn copy(&self) -> PathBuf {
        self.folder().join("tree")
    }
}

/// `2/5` is the second of five shards.
fn shard(text: &str) -> Result<(usize, usize), Failure> {
    let numbers: Option<(usize, usize)> =
        text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    match numbers {
        Some((k, n)) if 1 <= k && k <= n => Ok((k - 1, n)),
        _ => Err(format!("a shard is written K/N with 1 <= K <= N, found {text:?}")),
    }
}
