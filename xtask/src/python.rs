//! The Python packages that the tests need: Schemathesis, web3.py, what signs for eth-account, Bitcoin Core's
//! validation, and the types of traces.

use std::path::Path;

use crate::places::root;
use crate::step::{Failure, Step};

/// Makes a virtual environment when the lock file is not the one that is installed. Wheels alone, each by its digest: no
/// package's script ever runs.
pub(crate) fn install_when_changed() -> Result<(), Failure> {
    let folder = root().join("tests/python");
    let lock = folder.join("requirements.txt");
    let wanted = std::fs::read(&lock).map_err(Failure::file(&lock))?;
    let stamp = folder.join("venv/.installed-requirements.txt");
    if std::fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        println!("python packages: as in tests/python/requirements.txt");
        return Ok(());
    }
    install(&folder)?;
    std::fs::write(&stamp, wanted).map_err(Failure::file(&stamp))
}

fn install(folder: &Path) -> Result<(), Failure> {
    Step::new(&["python3", "-m", "venv", "--clear", "venv"]).within(folder).run()?;
    let pip = ["venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let locked = ["--require-hashes", "--only-binary", ":all:", "--requirement", "requirements.txt"];
    let words: Vec<String> = locked.iter().map(|&word| word.to_owned()).collect();
    Step::new(&pip).with(&words).within(folder).run()
}
