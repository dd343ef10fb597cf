//! The npm packages that the tests need: anvil, cast, contracts, public vectors.

use std::path::Path;

use crate::places::root;
use crate::step::{Failure, Step};

/// Runs `npm ci` when the lock file is not the one that is installed. No package's script ever runs.
pub(crate) fn install_when_changed() -> Result<(), Failure> {
    let folder = root().join("tests/npm");
    let lock = folder.join("package-lock.json");
    let wanted = std::fs::read(&lock).map_err(Failure::file(&lock))?;
    let stamp = folder.join("node_modules/.installed-lock.json");
    if std::fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        println!("npm packages: as in tests/npm/package-lock.json");
        return Ok(());
    }
    install(&folder)?;
    std::fs::write(&stamp, wanted).map_err(Failure::file(&stamp))
}

fn install(folder: &Path) -> Result<(), Failure> {
    Step::new(&["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]).within(folder).run()
}
