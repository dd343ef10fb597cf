//! Mutation testing of the crates that decide.
//!
//! Every mutant is written into a copy of the sources behind a switch (`if on(17) { … } else { … }`), all of
//! them are built at once, and then the tests run once for each mutant that they reach, with that switch on.
//! So a mutant costs a run of some tests instead of a build.

mod compile;
mod edits;
mod operators;
mod options;
mod report;
mod run;
mod sources;
mod tree;

use std::process::ExitCode;

use options::Options;

fn main() -> ExitCode {
    match all() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("mutants: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every mutant was noticed.
fn all() -> Result<bool, Failure> {
    let options = Options::parse(std::env::args().skip(1))?;
    let mut mutants = sources::collect(&options)?;
    println!("{} mutants in {}", mutants.count(), options.crates.join(", "));
    if options.list {
        mutants.all().for_each(|mutant| println!("{mutant}"));
        return Ok(true);
    }
    if options.fresh {
        run::forget(&options);
    }
    tree::copy(&options)?;
    let binaries = compile::build(&options, &mut mutants)?;
    let results = run::all(&options, &mutants, &binaries)?;
    report::print(&options, &mutants, &results);
    Ok(results.survivors() == 0)
}

/// Why the run did not come to its end: what was done, and what the system says.
type Failure = String;

/// For `map_err` on anything that says what it was about.
fn because<E: std::fmt::Display>(what: impl Into<String>) -> impl FnOnce(E) -> Failure {
    let what = what.into();
    move |error| format!("{what}: {error}")
}
