//! A coordinator that is killed keeps its promises when it comes back.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use keystead_tests::binary;

use crate::desk::{Desk, EXCHANGE, call_at, path};

/// A second coordinator of the same cluster, with a journal of its own.
struct Coordinator {
    process: Child,
    url: String,
}

impl Coordinator {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new(binary("keystead"));
        command.args(["--dir", path(folder), "serve", "--listen", "127.0.0.1:0"]);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, url: line.split_whitespace().last().unwrap().to_owned() }
    }
}

impl Drop for Coordinator {
    /// SIGKILL: no last words.
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn d4_a_promised_broadcast_survives_a_kill() {
    let desk = Desk::open();
    let home = tempfile::tempdir().unwrap();
    for shared in ["members", "genesis", "keystead.toml"] {
        symlink(desk.folder.join(shared), home.path().join(shared)).unwrap();
    }
    let coordinator = Coordinator::start(home.path());
    let params = desk.transfer(EXCHANGE, 2_000_000_000_000_000_000);
    let waiting = call_at(&coordinator.url, "eth_sendTransaction", params);
    let id = waiting["error"]["data"]["request"].as_str().unwrap_or_else(|| panic!("{waiting}")).to_owned();
    drop(coordinator);

    // People approve while it is gone; the signature waits at the node.
    ["ana", "ben"].iter().for_each(|who| drop(desk.as_person(who, &["approve", &id, "--yes"])));
    let shown = desk.as_person("cleo", &["request", "show", &id]);
    let hash = shown["detail"]["view"]["signed"]["transaction"].as_str().unwrap_or_else(|| panic!("{shown}"));
    let hash = format!("0x{hash}");
    let seen = call_at(&desk.anvil.url(), "eth_getTransactionByHash", serde_json::json!([hash]));
    assert!(seen["result"].is_null(), "nobody sent it yet: {seen}");

    let _back = Coordinator::start(home.path());
    let receipt = desk.cast(&["receipt", &hash, "--confirmations", "1"], &desk.anvil.url());
    assert!(receipt.contains("success"), "{receipt}");
}
