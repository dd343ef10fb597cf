//! `cargo xtask secrets`: a whole scenario, and then every byte that it left or held searched for its secrets.

use crate::step::{Failure, Step};
use crate::swap::Swap;

/// Builds the programs, runs the scenario as its test does, and prints what was searched. A secret that is found fails it.
pub(crate) fn run(_: &[String]) -> Result<(), Failure> {
    Step::new(&["cargo", "build", "--release", "--locked", "--workspace", "--bins"]).run()?;
    let test = ["cargo", "test", "--release", "--locked", "--package", "keystead-tests"];
    let scan = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|&it| it.to_owned()).collect();
        Step::new(&test).with(&words)
    };
    // First that the search finds what is planted, then that it finds nothing.
    scan(&["--lib", "canary::", "--", "--nocapture"]).run()?;
    let search = scan(&["--test", "cli", "secrets::", "--", "--nocapture", "--test-threads=1"]);
    match Swap::on() {
        Ok(swap) => search.setting("KEYSTEAD_SWAP", &swap.file().display().to_string()).run(),
        Err(why) => {
            println!("SKIPPED: swap is not searched: {why}");
            search.run()
        }
    }
}
