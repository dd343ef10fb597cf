//! A desk of one node that is made and run by the product's own commands.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use keystead_policy::{AddressEntry, PolicyVersion};
use keystead_tests::fixture::{self, BIRTH, CHAIN, name};
use serde_json::Value;

use crate::usage;

/// A desk made and run by the product's own commands.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
    up: Child,
    /// Where the coordinator listens.
    pub(crate) coordinator: SocketAddr,
    /// The first address of the key `hot`.
    pub(crate) address: String,
}

/// A policy that lets this address be paid. The sample of `init` forbids nonces far ahead, and each client of a load has its
/// own.
pub(crate) fn paying(friend: &str) -> PolicyVersion {
    let address = friend.parse().expect("an address");
    let entry = AddressEntry { chain: CHAIN, address, name: name("friend"), usable_from: BIRTH };
    PolicyVersion { address_book: vec![entry], ..fixture::Desk::default().policy() }
}

impl Desk {
    /// Founds one node under a policy with these arguments of `init`, starts it with these of `up`, and makes the key
    /// `hot`.
    pub(crate) fn start_under(policy: &PolicyVersion, init: &[&str], up: &[&str]) -> Self {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), serde_json::to_vec(policy).expect("JSON")).expect("a written policy");
        Self::start(&[&["--policy", &file.path().display().to_string()], init].concat(), up)
    }

    fn start(init: &[&str], up: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = folder.path().join("desk");
        let (node, coordinator) = (free_port(), free_port());
        let place = desk.display().to_string();
        let (node, listen) = (format!("127.0.0.1:{node}"), format!("127.0.0.1:{coordinator}"));
        let ports = ["--node-listen", &node, "--coordinator-listen", &listen];
        keystead(&desk, &[&["init", &place], &ports[..], init].concat());
        let up = Command::new(binary())
            .args(["up", &place])
            .args(up)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("keystead up");
        let coordinator = SocketAddr::from(([127, 0, 0, 1], coordinator));
        wait_for(coordinator);
        let address = make_a_key(&desk);
        Self { folder, up, coordinator, address }
    }

    /// How far its node is.
    pub(crate) fn counts(&self) -> Counts {
        let shown = keystead(&self.folder.path().join("desk"), &["status", "--as", "ana"]);
        let count = |name: &str| shown["status"][name].as_u64().expect("a count");
        Counts { height: count("height"), signatures: count("signatures") }
    }

    /// What runs, by its name.
    pub(crate) fn processes(&self) -> Vec<(&'static str, u32)> {
        let up = self.up.id();
        let enclave = usage::children(up).into_iter().map(|pid| ("enclave", pid));
        [("node + coordinator", up)].into_iter().chain(enclave).collect()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.up.kill();
        let _ = self.up.wait();
        // The folder goes with its field; named here so that nobody drops it earlier.
        let _ = &self.folder;
    }
}

/// Creates `hot`, backs it up, drills the backup: its first address.
fn make_a_key(desk: &Path) -> String {
    for ceremony in [
        vec!["key", "create", "hot", "--as", "ana"],
        vec!["key", "backup", "hot", "--to", "ana", "--as", "ana"],
    ] {
        let asked = keystead(desk, &ceremony);
        let request = find(&asked, "request").expect("a request");
        keystead(desk, &["approve", &request, "--yes", "--as", "ben"]);
        keystead(desk, &["approve", &request, "--yes", "--as", "cleo"]);
    }
    keystead(desk, &["key", "drill", "hot", "--as", "ana"]);
    let keys = keystead(desk, &["key", "list", "--as", "ana"]);
    find(&keys, "address").expect("an address")
}

fn keystead(desk: &Path, arguments: &[&str]) -> Value {
    let output = Command::new(binary())
        .args(["--json", "--dir", &desk.display().to_string()])
        .args(arguments)
        .output()
        .expect("the keystead binary");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "keystead {}: {out}{err}", arguments.join(" "));
    serde_json::from_str(&out).unwrap_or(Value::Null)
}

/// The first text with this name, anywhere in the document.
fn find(value: &Value, name: &str) -> Option<String> {
    match value {
        Value::Object(fields) => match fields.get(name) {
            Some(Value::String(text)) => Some(text.clone()),
            _ => fields.values().find_map(|it| find(it, name)),
        },
        Value::Array(items) => items.iter().find_map(|it| find(it, name)),
        _ => None,
    }
}

fn binary() -> PathBuf {
    keystead_tests::binary("keystead")
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port()
}

fn wait_for(address: SocketAddr) {
    let end = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < end, "nothing listens on {address}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How far a node is.
pub(crate) struct Counts {
    height: u64,
    signatures: u64,
}

impl Counts {
    /// Signatures in a block since then, in the mean.
    pub(crate) fn in_one_block(&self, before: &Self) -> f64 {
        (self.signatures - before.signatures) as f64 / (self.height - before.height).max(1) as f64
    }
}
