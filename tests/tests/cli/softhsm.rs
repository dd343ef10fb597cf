//! Tokens of SoftHSM 2 for the program to use, and a node's folder as a thief has it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use keystead_tests::binary;

use crate::desk::{loopback, path, succeeds};

pub(crate) const PIN: &str = "4711";

/// The module, where it is installed.
pub(crate) fn module() -> Option<PathBuf> {
    let places = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];
    places.into_iter().map(PathBuf::from).find(|it| it.is_file())
}

/// Makes a store with these tokens in a folder; gives its configuration.
pub(crate) fn make_tokens(folder: &Path, labels: &[&str]) -> PathBuf {
    let (tokens, configuration) = (folder.join("tokens"), folder.join("softhsm2.conf"));
    std::fs::create_dir(&tokens).unwrap();
    let text = format!("directories.tokendir = {}\nobjectstore.backend = file\n", tokens.display());
    std::fs::write(&configuration, text).unwrap();
    for label in labels {
        let arguments = ["--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin", PIN];
        succeeds(Command::new("softhsm2-util").env("SOFTHSM2_CONF", &configuration).args(arguments));
    }
    configuration
}

/// A store with one token for a node's signing key; gives the file that `--node-token` reads.
pub(crate) fn make_log_token(folder: &Path, module: &Path) -> PathBuf {
    let configuration = make_tokens(folder, &["log"]);
    std::fs::write(folder.join("log.pin"), PIN).unwrap();
    let file = folder.join("log-token.toml");
    let text = format!(
        "token = \"log\"\nmodule = {module:?}\npin = \"log.pin\"\nenvironment = {{ SOFTHSM2_CONF = {configuration:?} }}\n"
    );
    std::fs::write(&file, text).unwrap();
    file
}

/// The code of an error that the program printed as JSON.
pub(crate) fn code(output: &Output) -> String {
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap_or_default();
    error["error"]["code"].as_str().unwrap_or_default().to_owned()
}

/// The folder of a running node as a thief has it, changed; what `node --check` says of it.
pub(crate) fn check_copy(folder: &Path, change: impl FnOnce(&Path)) -> Output {
    let copied = tempfile::tempdir().unwrap();
    let copy = copied.path().join("copy");
    succeeds(Command::new("cp").args(["-r", path(folder), path(&copy)]));
    let file = copy.join("keystead.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, after) = text.split_once("[node]").unwrap();
    // The node of the folder is running: its ports are taken.
    let moved = after.lines().filter(|line| !line.starts_with("metrics = ")).map(|line| {
        match line.starts_with("listen = ") {
            true => format!("listen = \"{}\"", loopback()),
            false => line.to_owned(),
        }
    });
    std::fs::write(&file, format!("{before}[node]{}\n", moved.collect::<Vec<_>>().join("\n"))).unwrap();
    change(&copy);
    Command::new(binary("keystead"))
        .args(["--json", "--dir", path(&copy), "node", "--check"])
        .output()
        .unwrap()
}
