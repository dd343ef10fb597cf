//! `keystead tpm`, and a node whose vault opens by its machine's TPM: sealed, started, put back, found out, accepted.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use keystead_fixture::swtpm::Emulator;
use keystead_tests::{binary, free_port};
use serde_json::Value;

fn keystead(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary("keystead"));
    command.arg("--json").arg("--dir").arg(folder).args(arguments).output().unwrap()
}

fn ok(folder: &Path, arguments: &[&str]) -> Value {
    let output = keystead(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(output.stdout.split(|byte| *byte == b'\n').next().unwrap()).unwrap()
}

fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = keystead(folder, arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{arguments:?} is refused");
    let line = said.lines().last().unwrap_or_default().to_owned();
    let failure: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{said}"));
    failure["error"]["code"].as_str().unwrap().to_owned()
}

/// A cluster of one whose configuration names the emulator.
fn founded(emulator: &Emulator) -> std::path::PathBuf {
    let folder = emulator.folder().join("treasury");
    let listen = format!("127.0.0.1:{}", free_port());
    let asked = ["--json", "init", "--node-listen", &listen];
    let made = Command::new(binary("keystead")).args(asked).arg(&folder).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    std::fs::write(folder.join("members/tpm.auth"), "a value of ours\n").unwrap();
    let file = folder.join("keystead.toml");
    let before = std::fs::read_to_string(&file).unwrap();
    let section = format!(
        "[node.enclave.tpm]\ndevice = \"{}\"\nseal = \"members/vault.seal\"\nauth = \"members/tpm.auth\"\nmark = \"node/mark\"\n",
        emulator.device()
    );
    std::fs::write(&file, format!("{before}\n{section}")).unwrap();
    std::fs::create_dir_all(folder.join("node")).unwrap();
    folder
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

#[test]
fn s05_a_node_of_a_tpm_opens_by_it_and_knows_a_disk_that_was_put_back() {
    let emulator = Emulator::start();
    let folder = founded(&emulator);
    assert_eq!(refused(&folder, &["tpm", "seal", "--pcrs", "7,16"]), "cli.usage");
    assert_eq!(refused(&folder, &["tpm", "seal", "--pcrs", "23"]), "cli.usage");
    assert_eq!(ok(&folder, &["tpm", "seal", "--pcrs", "0,2,4,7"])["counter"], 1);
    // The passphrase lies elsewhere now, and the node starts all the same.
    std::fs::rename(folder.join("members/vault.passphrase"), emulator.folder().join("kept")).unwrap();
    ok(&folder, &["node", "--check"]);
    let snapshot = emulator.folder().join("snapshot");
    copy(&folder.join("node"), &snapshot);
    ok(&folder, &["node", "--check"]);
    std::fs::remove_dir_all(folder.join("node")).unwrap();
    copy(&snapshot, &folder.join("node"));
    assert_eq!(refused(&folder, &["node", "--check"]), "tpm.rolled_back");
    assert_eq!(refused(&folder, &["tpm", "accept-restore"]), "cli.usage");
    ok(&folder, &["tpm", "accept-restore", "--yes"]);
    ok(&folder, &["node", "--check"]);
    assert!(!folder.join("node/vault.pipe").exists(), "no pipe is left behind");
    // Another program was booted: people seal anew from the passphrase that they keep.
    emulator.measure(4, &[1; 32]);
    assert_eq!(refused(&folder, &["node", "--check"]), "tpm.measured");
    std::fs::copy(emulator.folder().join("kept"), folder.join("members/vault.passphrase")).unwrap();
    ok(&folder, &["tpm", "seal", "--pcrs", "0,2,4,7"]);
    std::fs::remove_file(folder.join("members/vault.passphrase")).unwrap();
    ok(&folder, &["node", "--check"]);
    // Without its mark nobody knows what the disk is.
    std::fs::remove_file(folder.join("node/mark")).unwrap();
    assert_eq!(refused(&folder, &["node", "--check"]), "node.file");
}

#[test]
fn the_identity_key_is_made_once_and_quotes() {
    let emulator = Emulator::start();
    let (device, folder) = (emulator.device(), emulator.folder());
    let key = folder.join("identity.tpm").display().to_string();
    let first = ok(folder, &["tpm", "identity", "--device", &device, "--key", &key]);
    assert_eq!(ok(folder, &["tpm", "identity", "--device", &device, "--key", &key]), first);
    let data = "05".repeat(32);
    let quote = ["tpm", "quote", "--device", &device, "--key", &key, "--pcrs", "0,7", "--data", &data];
    assert!(ok(folder, &quote)["evidence"].as_str().unwrap().contains(&data));
    let status = ok(folder, &["tpm", "status", "--device", &device]);
    assert!(status["max_tries"].as_u64().unwrap() > 0, "{status}");
    assert_eq!(refused(folder, &["tpm", "status", "--device", "device:/nowhere"]), "tpm.device");
    assert_eq!(refused(folder, &["tpm", "seal", "--pcrs", "7"]), "cli.file");
}

/// A node, until it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a command says, asked again until it says what is waited for.
fn until(folder: &Path, arguments: &[&str], is_so: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..2_000 {
        let output = keystead(folder, arguments);
        let told = output.status.success().then(|| serde_json::from_slice::<Value>(&output.stdout).unwrap());
        if let Some(told) = told.filter(&is_so) {
            return told;
        }
    }
    panic!("{arguments:?} never said so: {:?}", keystead(folder, arguments));
}

/// Ana asks for a key, Ben and Cleo approve.
fn asked_for(folder: &Path, key: &str) -> String {
    let asked = until(folder, &["--as", "ana", "key", "create", key], |_| true);
    let id = asked["request"]["request"].as_str().unwrap().to_owned();
    for who in ["ben", "cleo"] {
        ok(folder, &["--as", who, "approve", &id, "--yes"]);
    }
    id
}

#[test]
fn e1_a_seed_has_the_tpm_for_a_source_and_without_it_there_is_none() {
    let mut emulator = Emulator::start();
    let folder = founded(&emulator);
    ok(&folder, &["tpm", "seal", "--pcrs", "0,2,4,7"]);
    let mut node = Command::new(binary("keystead"));
    node.arg("--dir")
        .arg(&folder)
        .arg("node")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _node = Running(node.spawn().unwrap());
    asked_for(&folder, "hot");
    until(&folder, &["--as", "ana", "key", "show", "hot"], |told| told["key"]["state"] == "created");

    emulator.switch_off();
    let id = asked_for(&folder, "cold");
    let refused = |told: &Value| told.to_string().contains("tpm.device");
    until(&folder, &["--as", "ana", "request", "show", &id], refused);
    // The blocks of what was asked since carry it.
    let receipt = |told: &Value| told["key"]["life"]["receipts"].as_object()?.values().next().cloned();
    let shown = until(&folder, &["--as", "ana", "key", "show", "hot"], |told| receipt(told).is_some());
    let sources = receipt(&shown).unwrap()["sources"].as_array().unwrap().clone();
    let tpm = sources.iter().find(|it| it["source"] == "tpm").unwrap_or_else(|| panic!("{shown}"));
    assert_eq!(tpm["samples"], 256);
    assert!(keystead(&folder, &["--as", "ana", "key", "list"]).status.success(), "the node goes on");
}
