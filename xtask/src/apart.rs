//! The packages that have a workspace of their own (docs/decisions/0063), and how cargo is called for them.

use std::path::{Path, PathBuf};

use crate::places::root;
use crate::step::{Failure, Step};

/// Their folders.
pub(crate) const FOLDERS: &[&str] = &["apart/keystead-attest-intel"];

/// `cargo xtask apart`: what `.ci/run` asks of the workspace, of each of them: formatting, lints, documentation.
pub(crate) fn check(_: &[String]) -> Result<(), Failure> {
    for folder in folders() {
        Step::new(&["cargo", "fmt", "--check"]).within(&folder).run()?;
        // `--no-deps`: our own crates below it are the workspace's to judge.
        let clippy = ["cargo", "clippy", "--release", "--locked", "--all-targets", "--no-deps", "--"];
        cargo(&clippy, &folder).with(&["-D".to_owned(), "warnings".to_owned()]).run()?;
        let doc = ["cargo", "doc", "--release", "--locked", "--no-deps"];
        cargo(&doc, &folder).setting("RUSTDOCFLAGS", "-D warnings").run()?;
    }
    Ok(())
}

/// Their tests. All of them run, and the first failure is told.
pub(crate) fn test() -> Result<(), Failure> {
    let words = ["cargo", "test", "--release", "--locked", "--no-fail-fast"];
    let ended: Vec<_> = folders().iter().map(|folder| cargo(&words, folder).run()).collect();
    ended.into_iter().collect()
}

fn folders() -> Vec<PathBuf> {
    FOLDERS.iter().map(|folder| root().join(folder)).collect()
}

/// With the workspace's own target folder, so that what is the same in both is compiled once.
fn cargo(words: &[&str], folder: &Path) -> Step {
    let target =
        std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| root().join("target").display().to_string());
    Step::new(words).within(folder).setting("CARGO_TARGET_DIR", &target)
}
