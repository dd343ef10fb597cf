//! Tokens of SoftHSM 2, and the processes that serve them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keystead_homes::{Label, Pin, ProcessHome, TokenHome, TokenPlace, TokenProcess, serve};

/// Where SoftHSM looks for its configuration.
pub(crate) const CONFIGURATION: &str = "SOFTHSM2_CONF";

/// The tokens: three that hold the same keys, and others that tests break.
pub(crate) const LABELS: [&str; 7] = ["alone", "one", "two", "three", "away", "strict", "swapped"];
const PIN: &str = "4711-0815";

pub(crate) fn configuration(folder: &Path) -> PathBuf {
    folder.join("softhsm2.conf")
}

/// The label of two tokens, which nobody can tell apart.
pub(crate) const TWINS: &str = "twins";

/// Makes them; false where there is no SoftHSM. One that is there and makes none is no reason to pass.
pub(crate) fn make(folder: &Path) -> bool {
    if module().is_none() {
        return false;
    }
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        folder.join("tokens").display()
    );
    fs::create_dir(folder.join("tokens")).unwrap();
    fs::write(configuration(folder), text).unwrap();
    fs::write(folder.join("pin"), format!("{PIN}\n")).unwrap();
    fs::write(folder.join("wrong-pin"), "0000-0000").unwrap();
    for label in LABELS.iter().chain(&[TWINS; 2]) {
        let made = Command::new("softhsm2-util")
            .env(CONFIGURATION, configuration(folder))
            .args(["--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin", PIN])
            .output()
            .unwrap_or_else(|error| panic!("softhsm2-util is not there beside its module: {error}"));
        assert!(made.status.success(), "softhsm2-util makes no token `{label}`: {made:?}");
    }
    true
}

fn module() -> Option<PathBuf> {
    let places = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];
    places.into_iter().map(PathBuf::from).find(|it| it.is_file())
}

/// The folder of the tokens that this process was started with.
pub(crate) fn folder() -> PathBuf {
    let configuration = PathBuf::from(std::env::var_os(CONFIGURATION).unwrap());
    configuration.parent().unwrap().to_owned()
}

pub(crate) fn place(label: &str) -> TokenPlace {
    TokenPlace { module: module().unwrap(), label: label.to_owned() }
}

/// A token in this very process.
pub(crate) fn here(label: &str) -> TokenHome {
    TokenHome::new(place(label), Pin::read(fs::File::open(folder().join("pin")).unwrap()).unwrap())
}

/// A token in a process of its own.
pub(crate) fn apart(label: &str) -> ProcessHome {
    with_pin(label, &folder().join("pin"))
}

pub(crate) fn with_pin(label: &str, pin: &Path) -> ProcessHome {
    let environment = vec![(OsString::from(CONFIGURATION), configuration(&folder()).into_os_string())];
    let arguments = vec!["token".into(), label.into(), pin.into()];
    let program = std::env::current_exe().unwrap();
    let name = format!("token `{label}`");
    ProcessHome::start(TokenProcess { name, program, arguments, environment }).unwrap()
}

/// What a started process does.
pub(crate) fn become_process(label: &str, pin: &str) {
    if let Err(error) = serve(place(label), pin.into()) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

pub(crate) fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}
