//! The copy of the workspace that is changed and built; the workspace itself never is.

use std::path::Path;
use std::process::Command;

use crate::options::Options;
use crate::{Failure, because};

/// Copies what git knows and what is new, and only what differs, so that the rest is not built again.
pub(crate) fn copy(options: &Options) -> Result<(), Failure> {
    let copy = options.copy();
    let files = listed(&options.root)?;
    let list = options.folder().join("tree.txt");
    let before = std::fs::read_to_string(&list).unwrap_or_default();
    for gone in before.lines().filter(|file| !files.iter().any(|it| it == file)) {
        // A file that is gone already is what is wanted.
        let _ = std::fs::remove_file(copy.join(gone));
    }
    for file in &files {
        let bytes = std::fs::read(options.root.join(file)).map_err(because(file.clone()))?;
        write(&copy.join(file), &bytes)?;
    }
    write(&list, files.join("\n").as_bytes())?;
    unoptimized(options)?;
    modules_of_npm(options)
}

/// Writes a file unless it is there with the same bytes.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if std::fs::read(path).is_ok_and(|found| found == bytes) {
        return Ok(());
    }
    let failed = || because(path.display().to_string());
    std::fs::create_dir_all(path.parent().unwrap_or(path)).map_err(failed())?;
    std::fs::write(path, bytes).map_err(failed())
}

fn listed(root: &Path) -> Result<Vec<String>, Failure> {
    let git = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(git).current_dir(root).output().map_err(because("git"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter(|file| root.join(file).is_file()).map(str::to_owned).collect())
}

/// Our own crates are built quickly; the dependencies stay those of the ordinary release build.
fn unoptimized(options: &Options) -> Result<(), Failure> {
    let manifest = options.root.join("Cargo.toml");
    let mut text = std::fs::read_to_string(&manifest).map_err(because("Cargo.toml"))?;
    let folders = std::fs::read_dir(options.root.join("crates")).map_err(because("crates"))?;
    let crates = folders.flatten().map(|it| it.file_name().to_string_lossy().into_owned());
    for name in crates.chain(["keystead-tests".to_owned()]) {
        text += &format!("\n[profile.release.package.{name}]\nopt-level = 0\ncodegen-units = 64\n");
    }
    write(&options.copy().join("Cargo.toml"), text.as_bytes())
}

/// Contracts and vectors that the tests read.
fn modules_of_npm(options: &Options) -> Result<(), Failure> {
    let (from, to) = ("tests/npm/node_modules", options.copy().join("tests/npm/node_modules"));
    if to.exists() || !options.root.join(from).exists() {
        return Ok(());
    }
    std::os::unix::fs::symlink(options.root.join(from), to).map_err(because(from))
}
