//! A node whose seals need a token beside the passphrase, on a real token of SoftHSM 2.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use keystead_tests::{Anvil, binary};

use crate::desk::{Desk, EXCHANGE, json, loopback, path, succeeds};

const PIN: &str = "4711";

fn module() -> Option<PathBuf> {
    let places = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];
    places.into_iter().map(PathBuf::from).find(|it| it.is_file())
}

fn make_token(folder: &Path) -> PathBuf {
    let (tokens, configuration) = (folder.join("tokens"), folder.join("softhsm2.conf"));
    std::fs::create_dir(&tokens).unwrap();
    let text = format!("directories.tokendir = {}\nobjectstore.backend = file\n", tokens.display());
    std::fs::write(&configuration, text).unwrap();
    let arguments = ["--init-token", "--free", "--label", "custody", "--so-pin", "12345678", "--pin", PIN];
    succeeds(Command::new("softhsm2-util").env("SOFTHSM2_CONF", &configuration).args(arguments));
    configuration
}

/// Names the token in a founded folder.
fn name_token(folder: &Path, module: &Path, configuration: &Path) {
    let file = folder.join("keystead.toml");
    let root = format!(
        "[node.enclave.root]\ntoken = \"custody\"\nmodule = {module:?}\npin = \"token.pin\"\nkey = \"keystead-root\"\n\
         file = \"root.sealed\"\nenvironment = {{ SOFTHSM2_CONF = {configuration:?} }}\n"
    );
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n{root}")).unwrap();
    std::fs::write(folder.join("token.pin"), PIN).unwrap();
}

fn root_make(folder: &Path) -> Output {
    Command::new(binary("keystead")).args(["--json", "--dir", path(folder), "root", "make"]).output().unwrap()
}

fn code(output: &Output) -> String {
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap_or_default();
    error["error"]["code"].as_str().unwrap_or_default().to_owned()
}

/// The folder as a thief has it, all of it or without a part; what `node --check` says of it.
fn check(folder: &Path, change: impl FnOnce(&Path)) -> Output {
    let copied = tempfile::tempdir().unwrap();
    let copy = copied.path().join("desk");
    succeeds(Command::new("cp").args(["-r", path(folder), path(&copy)]));
    let file = copy.join("keystead.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, after) = text.split_once("[node]").unwrap();
    let moved = after.lines().map(|line| match line.starts_with("listen = ") {
        true => format!("listen = \"{}\"", loopback()),
        false => line.to_owned(),
    });
    std::fs::write(&file, format!("{before}[node]{}\n", moved.collect::<Vec<_>>().join("\n"))).unwrap();
    change(&copy);
    Command::new(binary("keystead"))
        .args(["--json", "--dir", path(&copy), "node", "--check"])
        .output()
        .unwrap()
}

#[test]
fn a06_a_node_with_a_token_signs_and_its_disk_alone_opens_nothing() {
    let Some(module) = module() else {
        println!("SKIPPED: no SoftHSM 2 here (apt-get install softhsm2)");
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let configuration = make_token(home.path());
    let allow = format!("exchange={EXCHANGE}");
    let desk = Desk::found(
        Anvil::start(&["--hardfork", "osaka"]),
        &["--allow", &allow, "--cool-off", "0"],
        |folder| {
            assert_eq!(code(&root_make(folder)), "root.unnamed");
            name_token(folder, &module, &configuration);
            assert_eq!(json(&root_make(folder))["token"], "custody");
            assert_eq!(code(&root_make(folder)), "root.exists", "nothing replaces a root");
        },
    );
    let paid = desk.call("eth_sendTransaction", desk.transfer(EXCHANGE, 1_000_000_000_000_000));
    assert!(paid["result"].is_string(), "{paid}");

    let whole = check(&desk.folder, |_| {});
    assert!(whole.status.success(), "{whole:?}");
    let without = check(&desk.folder, |copy| {
        let file = copy.join("keystead.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.split("[node.enclave.root]").next().unwrap()).unwrap();
    });
    assert!(!without.status.success(), "{without:?}");
    assert!(String::from_utf8_lossy(&without.stderr).contains("seal.passphrase"), "{without:?}");
    let wrong = check(&desk.folder, |copy| std::fs::write(copy.join("token.pin"), "0000").unwrap());
    assert!(!wrong.status.success(), "{wrong:?}");
    let lost = check(&desk.folder, |copy| std::fs::remove_file(copy.join("root.sealed")).unwrap());
    assert!(!lost.status.success(), "{lost:?}");
    let late = desk.folder.join("root.sealed");
    std::fs::rename(&late, desk.folder.join("aside")).unwrap();
    assert_eq!(code(&root_make(&desk.folder)), "root.late");
}
