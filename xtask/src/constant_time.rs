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
    let example = [
        "cargo",
        "build",
        "--release",
        "--locked",
        "--package",
        "keystead-keys",
        "--example",
        "constant_time",
    ];
    Step::new(&example).run()?;
    let own = std::env::current_exe().map_err(Failure::file(Path::new("xtask")))?;
    let program = own.with_file_name("examples").join("constant_time").display().to_string();
    let known = format!(
        "--suppressions={}",
        root().join("crates/keystead-keys/examples/constant_time/declassified.supp").display()
    );
    let valgrind = ["valgrind", "--quiet", "--error-exitcode=1", &known];
    let under = |what: &str| Step::new(&valgrind).with(&[program.clone(), what.to_owned()]);
    under("marked").run()?;
    // A comparison that ends at the first difference must be an error, or the run above says nothing.
    if under("leaky").status()?.success() {
        return Err(Failure::Found { check: "constant-time: the leaking control went unnoticed", count: 1 });
    }
    println!(
        "constant-time: no branch, no address depends on a secret but as declassified; the control was noticed"
    );
    Step::new(&[&program, "statistics"]).run()
}
