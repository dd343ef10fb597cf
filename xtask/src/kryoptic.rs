//! `cargo xtask kryoptic`: the suite of all homes over a second PKCS#11 module that shares nothing with the first.

use std::path::{Path, PathBuf};

use crate::places::root;
use crate::step::{Failure, Step};

/// Builds Kryoptic's module, with an OpenSSL of its own that has ML-DSA, and runs the tests of the homes' crate with its tokens.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let target = target();
    let apart = target.join("kryoptic");
    println!("the first build compiles OpenSSL: some minutes");
    Step::new(&["cargo", "build", "--release", "--locked"])
        .within(&root().join("xtask/kryoptic"))
        .setting("CARGO_TARGET_DIR", &apart.display().to_string())
        .run()?;
    let module = apart.join("release/libkryoptic_module.so");
    // All members at once: with fewer of them dependencies have other features, and are compiled again.
    let test = ["cargo", "test", "--release", "--locked", "--workspace", "--test", "homes"];
    Step::new(&test).with(arguments).setting("KEYSTEAD_TEST_KRYOPTIC", &module.display().to_string()).run()
}

/// Outside the tree where it is so set; always whole, since two folders are worked in.
fn target() -> PathBuf {
    let set = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = set.unwrap_or_else(|| Path::new("target").to_owned());
    root().join(target)
}
