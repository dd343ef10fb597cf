//! Tokens of SoftHSM 2, or of the module that was named, and the processes that serve them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use keystead_homes::{
    Home as _, Label, Pin, ProcessHome, Scheme, TokenHome, TokenPlace, TokenProcess, serve,
};

/// The tokens: three that hold the same keys, and others that tests break.
pub(crate) const LABELS: [&str; 7] = ["alone", "one", "two", "three", "away", "strict", "swapped"];
/// The label of two tokens, which nobody can tell apart.
pub(crate) const TWINS: &str = "twins";
/// Tells a process of the tests that tokens are made, and where.
const MADE: &str = "KEYSTEAD_TEST_TOKENS";
const PIN: &str = "4711-0815";
const OFFICER: &str = "12345678";

/// Whose module it is that the tests run with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maker {
    /// SoftHSM 2, as Debian has it.
    SoftHsm,
    /// Kryoptic, whose module `KEYSTEAD_TEST_KRYOPTIC` names.
    Kryoptic,
}

pub(crate) fn maker() -> Maker {
    if std::env::var_os(KRYOPTIC).is_some() { Maker::Kryoptic } else { Maker::SoftHsm }
}

/// Makes them; false where there is no module. One that is there and makes none is no reason to pass.
pub(crate) fn make(folder: &Path) -> bool {
    if module().is_none() {
        return false;
    }
    fs::create_dir(folder.join("tokens")).unwrap();
    fs::write(folder.join("pin"), format!("{PIN}\n")).unwrap();
    fs::write(folder.join("wrong-pin"), "0000-0000").unwrap();
    fs::write(configuration(folder), configured(folder)).unwrap();
    match maker() {
        Maker::SoftHsm => labels().for_each(|label| {
            let made = Command::new("softhsm2-util")
                .envs(environment(folder))
                .args(["--init-token", "--free", "--label", label, "--so-pin", OFFICER, "--pin", PIN])
                .output()
                .unwrap_or_else(|error| panic!("softhsm2-util is not there beside its module: {error}"));
            assert!(made.status.success(), "softhsm2-util makes no token `{label}`: {made:?}");
        }),
        Maker::Kryoptic => {
            let mut other = Command::new(std::env::current_exe().unwrap());
            assert!(other.arg("make").envs(environment(folder)).status().unwrap().success());
        }
    }
    true
}

/// Gives the module's slots tokens, in a process that has its configuration.
pub(crate) fn become_maker() {
    let module = Pkcs11::new(module().unwrap()).unwrap();
    module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let (officer, pin): (AuthPin, AuthPin) = (OFFICER.into(), PIN.into());
    let slots = module.get_all_slots().unwrap();
    assert_eq!(slots.len(), labels().count());
    for (slot, label) in slots.into_iter().zip(labels()) {
        module.init_token(slot, &officer, label).unwrap();
        let session = module.open_rw_session(slot).unwrap();
        session.login(UserType::So, Some(&officer)).unwrap();
        session.init_pin(&pin).unwrap();
    }
}

/// What the module's tokens make keys of.
pub(crate) fn schemes() -> Vec<Scheme> {
    match maker() {
        Maker::SoftHsm => Scheme::ALL.to_vec(),
        Maker::Kryoptic => vec![Scheme::EcdsaP256, Scheme::Ed25519],
    }
}

/// A curve on which the module makes keys for tests of which any will do: chains' own, where it does.
pub(crate) fn curve() -> Scheme {
    schemes()[0]
}

/// Whether tokens of the module send each other keys, as a group of them does (`CKM_AES_KEY_WRAP_PAD`). Kryoptic has that wrapping under
/// a later number alone, which the bindings do not know.
pub(crate) fn send() -> bool {
    let send = here("alone").abilities().unwrap().sends;
    match maker() {
        Maker::SoftHsm => assert!(send, "SoftHSM 2 wraps keys"),
        Maker::Kryoptic if send => {}
        Maker::Kryoptic => println!("SKIPPED: Kryoptic's tokens send each other no keys"),
    }
    send
}

fn labels() -> impl Iterator<Item = &'static str> {
    LABELS.into_iter().chain([TWINS; 2])
}

fn configuration(folder: &Path) -> PathBuf {
    folder.join("tokens.conf")
}

fn configured(folder: &Path) -> String {
    let tokens = folder.join("tokens");
    match maker() {
        Maker::SoftHsm => {
            format!(
                "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
                tokens.display()
            )
        }
        Maker::Kryoptic => {
            let slot = |(number, _)| {
                let place = tokens.join(format!("{number}.sql"));
                format!("[[slots]]\nslot = {number}\ndbtype = \"sqlite\"\ndbargs = {place:?}\n")
            };
            labels().enumerate().map(slot).collect()
        }
    }
}

/// Where the module looks for its configuration, and the tests for its tokens.
fn environment(folder: &Path) -> Vec<(OsString, OsString)> {
    let name = match maker() {
        Maker::SoftHsm => "SOFTHSM2_CONF",
        Maker::Kryoptic => "KRYOPTIC_CONF",
    };
    vec![(name.into(), configuration(folder).into()), (MADE.into(), folder.into())]
}

/// Runs `tests` in a process that knows where the tokens are.
pub(crate) fn with_tokens(tests: &mut Command, folder: &Path) -> std::process::ExitStatus {
    tests.envs(environment(folder)).status().unwrap()
}

fn module() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(KRYOPTIC) {
        return Some(named.into());
    }
    let places = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];
    places.into_iter().map(PathBuf::from).find(|it| it.is_file())
}

/// Whether this process was started with tokens.
pub(crate) fn are_made() -> bool {
    std::env::var_os(MADE).is_some()
}

/// The folder of the tokens that this process was started with.
pub(crate) fn folder() -> PathBuf {
    std::env::var_os(MADE).unwrap().into()
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
    let mut environment = environment(&folder());
    environment.extend(std::env::var_os(KRYOPTIC).map(|module| (KRYOPTIC.into(), module)));
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

/// Names another module than SoftHSM's (`cargo xtask kryoptic`).
const KRYOPTIC: &str = "KEYSTEAD_TEST_KRYOPTIC";
