//! `cargo xtask mutants`: mutation testing of the crates that decide.

use crate::places::{is_installed, root};
use crate::step::{Failure, Step};

/// Changes one place at a time, runs that crate's tests, and prints the changes that no test noticed.
///
/// Arguments go to `cargo mutants`: `--file PATH` or `--shard 1/8` bound a run that otherwise takes hours.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    install_when_missing()?;
    let status = step().with(arguments).status()?;
    let survivors = survivors()?;
    println!("\nmutants that no test noticed: {}", survivors.len());
    for survivor in &survivors {
        println!("  {survivor}");
    }
    match status.code() {
        Some(0) => Ok(()),
        Some(SOME_SURVIVED | SOME_TIMED_OUT) => {
            Err(Failure::Found { check: "surviving mutants", count: survivors.len() })
        }
        _ => Err(Failure::Step { line: "cargo mutants".to_owned(), status: status.to_string() }),
    }
}

/// The crates in which a wrong branch could release a signature.
const CRATES: [&str; 4] = ["keystead-chain", "keystead-policy", "keystead-quorum", "keystead-decision"];

/// The source tree is never changed: each mutant is built in a copy of it.
fn step() -> Step {
    let options = ["--profile", "release", "--no-shuffle", "--colors", "never", "--output", OUTPUT];
    let packages = CRATES.iter().flat_map(|name| ["--package", name]);
    let words: Vec<String> = options.into_iter().chain(packages).map(str::to_owned).collect();
    Step::new(&["cargo", "mutants"]).with(&words)
}

fn install_when_missing() -> Result<(), Failure> {
    if is_installed("cargo-mutants") {
        return Ok(());
    }
    Step::new(&["cargo", "install", "cargo-mutants", "--locked", "--version", VERSION]).run()
}

/// The file is not there when nothing was tried, as with `--list`.
fn survivors() -> Result<Vec<String>, Failure> {
    let path = root().join(OUTPUT).join("mutants.out/missed.txt");
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Failure::file(&path)(error)),
    }
}

const VERSION: &str = "27.1.0";
/// Ignored by git.
const OUTPUT: &str = "target";
/// Exit codes of `cargo mutants`.
const SOME_SURVIVED: i32 = 2;
const SOME_TIMED_OUT: i32 = 3;
