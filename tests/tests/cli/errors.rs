//! Mistakes that people make: each has a stable code, says what was found, and what to do next.

use std::path::Path;
use std::process::Command;

use keystead_tests::binary;
use serde_json::Value;

use crate::desk::{path, succeeds};

#[test]
fn every_mistake_says_what_to_do_next() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("desk");
    succeeds(Command::new(binary("keystead")).args(["init", path(&folder), "--node-listen", "127.0.0.1:1"]));
    std::fs::write(home.path().join("wrong"), "another").unwrap();
    std::fs::write(home.path().join("empty"), "").unwrap();
    let (wrong, empty) = (home.path().join("wrong"), home.path().join("empty"));
    let here = |rest: &[&str]| {
        [&["--dir", path(&folder)], rest].concat().iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()
    };
    let bare = |rest: &[&str]| rest.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    for (arguments, code, word) in [
        (bare(&["stauts"]), "cli.usage", "status"),
        (bare(&["key", "create"]), "cli.usage", "KEY"),
        (bare(&["status", "--through", "http://x", "--node", "y"]), "cli.usage", "--node"),
        (bare(&["--dir", "/nowhere", "status"]), "cli.file", "keystead init"),
        (here(&["--as", "zoe", "status"]), "cli.file", "zoe.key"),
        (here(&["status"]), "wire.io", "keystead up"),
        (here(&["--node", "nowhere", "status"]), "wire.io", "nowhere"),
        (here(&["--through", "ftp://x", "status"]), "transmit.url", "https://"),
        (here(&["--through", "http://127.0.0.1:1", "status"]), "endpoint.unreachable", "refused"),
        (here(&["--passphrase-file", path(&wrong), "status"]), "seal.", "passphrase"),
        (here(&["--passphrase-file", path(&empty), "status"]), "cli.usage", "found 0"),
        (here(&["serve", "--listen", "somewhere"]), "config.listen", "127.0.0.1:8545"),
        (here(&["request", "show", "12"]), "cli.usage", "64"),
        (
            here(&["request", "transfer", "--key", "hot", "--to", "bob", "--wei", "1"]),
            "cli.usage",
            "40 hexadecimal",
        ),
        (here(&["audit", "verify", "--folder", path(home.path())]), "log.file", "audit export"),
    ] {
        let output = Command::new(binary("keystead")).arg("--json").args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        let error: Value =
            serde_json::from_slice(&output.stderr).unwrap_or_else(|error| panic!("{error}: {output:?}"));
        let said = |part: &str| error["error"][part].as_str().unwrap_or_default().to_owned();
        assert!(said("code").starts_with(code) && !said("code").is_empty(), "{arguments:?}: {error}");
        assert!(
            said("what").contains(word) || said("next").contains(word),
            "{arguments:?} says not {word}: {error}"
        );
        assert!(!said("next").is_empty(), "{error}");
    }
    an_unknown_key_of_the_file_is_named(&folder);
}

fn an_unknown_key_of_the_file_is_named(folder: &Path) {
    let file = folder.join("keystead.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("[client]\n", "[client]\nnodes = \"x\"\n")).unwrap();
    let output = Command::new(binary("keystead")).args(["--dir", path(folder), "status"]).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(
        words.contains("error[config.toml]") && words.contains("nodes") && words.contains("docs/cli.md"),
        "{words}"
    );
}
