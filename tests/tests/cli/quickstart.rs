//! The story that a newcomer sees first: it ends with exit code 0 only if all of it held.

use std::path::Path;
use std::process::{Command, Output};

use keystead_tests::binary;
use serde_json::Value;

fn keystead(arguments: &[&str]) -> Output {
    Command::new(binary("keystead")).args(arguments).output().expect("the program starts")
}

fn text(folder: &Path) -> &str {
    folder.to_str().expect("a plain path")
}

#[test]
fn quickstart_holds_and_its_log_verifies_offline_afterwards() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("first-steps");
    let told = keystead(&["quickstart", "--json", "--folder", text(&folder)]);
    assert!(told.status.success(), "{told:?}");
    let story: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(story["holds"], true);
    let acts = story["acts"].as_array().unwrap();
    assert_eq!(acts.len(), 10);
    assert!(acts.iter().all(|act| act["holds"] == true), "{acts:#?}");
    for (act, words) in [
        (4, "no-signed-rights"),
        (5, "no-delegate-calls"),
        (6, "used 9.500126 ETH (9500126000000000000 wei)"),
        (7, "was killed with SIGKILL"),
        (8, "did not vote for it: these entries lead to header"),
    ] {
        assert!(acts[act]["found"].to_string().contains(words), "{}", acts[act]);
    }

    // Nothing runs any more: only the folder is left.
    let log = folder.join("log");
    let verify = ["--dir", text(&folder), "--json", "audit", "verify", "--folder", text(&log)];
    let verified = keystead(&verify);
    assert!(verified.status.success(), "{verified:?}");
    let report: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(report["report"]["decisions"]["deny"], 4);

    l2_a_changed_byte_is_found(&log, &verify);
}

fn l2_a_changed_byte_is_found(log: &Path, verify: &[&str]) {
    let tile = std::fs::read_dir(log.join("tile/entries")).unwrap().next().unwrap().unwrap().path();
    let file =
        if tile.is_dir() { std::fs::read_dir(&tile).unwrap().next().unwrap().unwrap().path() } else { tile };
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let refused = keystead(verify);
    assert_eq!(refused.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&refused.stderr).unwrap();
    assert!(error["error"]["code"].is_string() && error["error"]["next"].is_string(), "{error}");
}

#[test]
fn a_ceremony_never_writes_over_a_cluster() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("treasury");
    let founded = keystead(&["--json", "init", text(&folder), "--chain", "1"]);
    assert!(founded.status.success(), "{founded:?}");
    let again = keystead(&["init", text(&folder)]);
    assert_eq!(again.status.code(), Some(1));
    let words = String::from_utf8_lossy(&again.stderr);
    assert!(words.contains("error[init.exists]") && words.contains("next: "), "{words}");
    k1_secrets_are_readable_by_their_owner_alone(&folder);
}

fn k1_secrets_are_readable_by_their_owner_alone(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let members: Vec<_> = std::fs::read_dir(folder.join("members")).unwrap().flatten().collect();
    assert_eq!(members.len(), 11, "five members with two files each, and the vault's passphrase");
    for file in members {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.path());
    }
}
