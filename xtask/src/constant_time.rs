//! `cargo xtask constant-time`: whether branches, addresses or time depend on secrets in our own code.

use std::path::Path;

use crate::places::{is_installed, root};
use crate::step::{Failure, Step};

/// Under Valgrind secrets count as undefined memory, so that each branch and each address that depends on one is an error; the
/// statistics are printed, and judged by a person.
pub(crate) fn run(_: &[String]) -> Result<(), Failure> {
    if !is_installed("valgrind") {
        return Err(Failure::Missing("`valgrind` is not installed: apt-get install valgrind".to_owned()));
    }
    // As it ships, and with the names of functions that were put inside others: what is given out is known by them.
    let names = "profile.release.package.keystead-keys.debug='line-tables-only'";
    let example = ["cargo", "rustc", "--release", "--locked", "--package", "keystead-keys", "--config", names];
    let rest = ["--example", "constant_time", "--", "-C", "strip=none"];
    Step::new(&example).with(&rest.map(str::to_owned)).run()?;
    let own = std::env::current_exe().map_err(Failure::file(Path::new("xtask")))?;
    let program = own.with_file_name("examples").join("constant_time").display().to_string();
    let known = root().join("crates/keystead-keys/examples/constant_time/declassified.supp");
    let known = format!("--suppressions={}", known.display());
    let valgrind =
        ["valgrind", "--quiet", "--error-exitcode=1", "--expensive-definedness-checks=yes", &known];
    let under = |what: &str| Step::new(&valgrind).with(&[program.clone(), what.to_owned()]);
    under("marked").run()?;
    // A comparison that ends at the first difference and a table that a secret indexes must be errors, or the run above says nothing.
    for control in ["leaky-branch", "leaky-address"] {
        if under(control).status()?.success() {
            return Err(Failure::Found {
                check: "constant-time: a leaking control went unnoticed",
                count: 1,
            });
        }
    }
    println!(
        "constant-time: no branch and no address depends on a secret; both leaking controls were noticed"
    );
    Step::new(&[&program, "statistics"]).run()
}
