//! Where things are: the workspace, what cargo built, what npm installed.

use std::path::{Path, PathBuf};

/// The workspace's root folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests crate lies in the workspace")
}

/// The folder with what cargo built for the running test, for instance `target/release`.
pub fn target_folder() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let folder = test.parent().expect("a test lies in a folder");
    if folder.ends_with("deps") {
        folder.parent().expect("deps has a parent").to_owned()
    } else {
        folder.to_owned()
    }
}

/// A binary of the workspace, `keystead` for instance, as cargo built it.
///
/// `cargo test` alone does not build the binaries of other packages, so this says what does.
pub fn binary(name: &str) -> PathBuf {
    let path = target_folder().join(name);
    assert!(
        path.is_file(),
        "{} is not built: run `cargo xtask test`, or `cargo build --release --workspace --all-targets`",
        path.display()
    );
    path
}

/// Where npm installed what `tests/npm/package-lock.json` names.
pub fn node_modules() -> PathBuf {
    root().join("tests/npm/node_modules")
}

/// A program of the Python packages that `tests/python/requirements.txt` names.
pub fn python_program(name: &str) -> PathBuf {
    let path = root().join("tests/python/venv/bin").join(name);
    assert!(path.is_file(), "{} is missing: run `cargo xtask test`", path.display());
    path
}

/// A file or folder of an installed npm package, for instance `@openzeppelin/contracts/token`.
pub fn npm_package(path: &str) -> PathBuf {
    let path = node_modules().join(path);
    assert!(
        path.exists(),
        "{} is missing: run `cargo xtask test`, or `npm ci --ignore-scripts` in tests/npm",
        path.display()
    );
    path
}
