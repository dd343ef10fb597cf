//! `cargo xtask fuzz`: one parser of outside bytes under libFuzzer.

use std::process::Command;

use crate::places::{is_installed, root};
use crate::step::{Failure, Step};

/// Feeds one target of `fuzz/src/targets.rs` until something fails or somebody stops it.
///
/// The tests run the same functions without this, bounded and on the stable toolchain. Inputs that libFuzzer
/// keeps stand in `target/fuzz/corpus/TARGET`; one that fails is moved to `fuzz/seeds/TARGET` by hand, where
/// the tests feed it for ever.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let Some((target, rest)) = arguments.split_first() else {
        return Err(Failure::Missing(format!("name a target:\n  {}", names()?.join("\n  "))));
    };
    if !names()?.contains(target) {
        return Err(Failure::Missing(format!(
            "no target is called `{target}`:\n  {}",
            names()?.join("\n  ")
        )));
    }
    check_tools()?;
    let corpus = root().join(format!("target/fuzz/corpus/{target}"));
    std::fs::create_dir_all(&corpus).map_err(Failure::file(&corpus))?;
    let corpus = corpus.display().to_string();
    let more: Vec<String> = rest.iter().filter(|it| *it != "--").cloned().collect();
    // Our own code has no `unsafe` that a sanitizer could watch here, and is twice as fast without one.
    let fuzz = [
        "cargo",
        "+nightly",
        "fuzz",
        "run",
        "--fuzz-dir",
        ".",
        "--sanitizer",
        "none",
        "target",
        &corpus,
        "--",
    ];
    Step::new(&fuzz)
        .with(&more)
        .within(&root().join("fuzz/engine"))
        .setting("KEYSTEAD_FUZZ", target)
        .setting("KEYSTEAD_CORPUS", &corpus)
        .run()
}

fn check_tools() -> Result<(), Failure> {
    let missing =
        |what: &str, how: &str| Failure::Missing(format!("{what} is missing; install it with `{how}`"));
    let toolchains = Command::new("rustup").args(["toolchain", "list"]).output();
    let nightly = toolchains.is_ok_and(|it| String::from_utf8_lossy(&it.stdout).contains("nightly"));
    if !nightly {
        return Err(missing("a nightly toolchain", "rustup toolchain install nightly --profile minimal"));
    }
    if !is_installed("cargo-fuzz") {
        return Err(missing("cargo-fuzz", "cargo install cargo-fuzz --locked"));
    }
    Ok(())
}

/// The names in the table of targets, read from its source: this chore links none of the product.
fn names() -> Result<Vec<String>, Failure> {
    let path = root().join("fuzz/src/targets.rs");
    let text = std::fs::read_to_string(&path).map_err(Failure::file(&path))?;
    let rows = text.lines().map(str::trim).filter(|line| {
        ["document!(\"", "other(\"", "Target { name: \""].iter().any(|start| line.starts_with(start))
    });
    Ok(rows.filter_map(|row| row.split('"').nth(1).map(str::to_owned)).collect())
}
