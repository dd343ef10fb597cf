//! A cluster founded and driven by the real program, beside a real chain.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use keystead_tests::{Anvil, Service, binary, free_port, npm_package};
use serde_json::{Value, json};

pub(crate) const EXCHANGE: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
pub(crate) const STRANGER: &str = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";

/// A cluster founded by the real program, running beside a real chain.
pub(crate) struct Desk {
    pub(crate) anvil: Anvil,
    pub(crate) url: String,
    pub(crate) folder: PathBuf,
    pub(crate) account: String,
    /// Where the node says how it is and what it counts.
    pub(crate) metrics: String,
    _up: Service,
    _home: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn open() -> Self {
        let allow = format!("exchange={EXCHANGE}");
        let anvil = Anvil::start(&["--hardfork", "osaka"]);
        Self::found(anvil, &["--allow", &allow, "--cool-off", "0"], short_deadline)
    }

    /// The same beside a chain that runs already, with a policy that these arguments of `init` make.
    pub(crate) fn found(anvil: Anvil, policy: &[&str], change: impl FnOnce(&Path)) -> Self {
        let home = tempfile::Builder::new().prefix("keystead-cli-").tempdir().unwrap();
        let folder = home.path().join("desk");
        let (node, coordinator) = (loopback(), loopback());
        let arguments = [
            "init",
            path(&folder),
            "--endpoint",
            &anvil.url(),
            "--confirmations",
            "1",
            "--node-listen",
            &node,
            "--coordinator-listen",
            &coordinator,
        ];
        succeeds(Command::new(binary("keystead")).args(arguments).args(policy));
        let metrics = loopback();
        configure(&folder, &metrics);
        change(&folder);
        let scratch = tempfile::Builder::new().prefix("keystead-up-").tempdir().unwrap().keep();
        let program = binary("keystead");
        let up = Service::start(&scratch, &[path(&program), "up", path(&folder)], "ready");
        let mut desk = Self {
            anvil,
            url: format!("http://{coordinator}"),
            folder,
            account: String::new(),
            metrics: format!("http://{metrics}"),
            _up: up,
            _home: home,
        };
        desk.account = desk.make_key();
        desk
    }

    /// The way that people take, with three people's commands.
    fn make_key(&self) -> String {
        self.approved(&["key", "create", "hot"]);
        self.as_person("ana", &["status"]);
        self.backed_up();
        let drilled = self.as_person("ana", &["key", "drill", "hot"]);
        let address = drilled["key"]["address"].as_str().expect("an address after the drill").to_owned();
        self.cast(&["rpc", "anvil_setBalance", &address, "0x3635c9adc5dea00000"], &self.anvil.url());
        address
    }

    fn backed_up(&self) {
        // The key reaches the log right after its ceremony; asking again is harmless.
        for _ in 0..200 {
            let asked = self.command("ana", &["key", "backup", "hot", "--to", "ana,ben"]);
            if asked.status.success() {
                let id = json(&asked)["request"]["request"].as_str().unwrap().to_owned();
                return ["ben", "cleo"]
                    .iter()
                    .for_each(|who| drop(self.as_person(who, &["approve", &id, "--yes"])));
            }
        }
        panic!("the key never reached the log");
    }

    pub(crate) fn approved(&self, command: &[&str]) {
        let asked = self.as_person("ana", command);
        let id = asked["request"]["request"].as_str().expect("a request id").to_owned();
        for who in ["ben", "cleo"] {
            self.as_person(who, &["approve", &id, "--yes"]);
        }
    }

    pub(crate) fn command(&self, who: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary("keystead"));
        command.args(["--json", "--dir", path(&self.folder), "--as", who]).args(arguments);
        command.output().expect("the program starts")
    }

    pub(crate) fn as_person(&self, who: &str, arguments: &[&str]) -> Value {
        let output = self.command(who, arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        json(&output)
    }

    pub(crate) fn cast(&self, arguments: &[&str], url: &str) -> String {
        let output = succeeds(cast().args(arguments).args(["--rpc-url", url]));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub(crate) fn call(&self, method: &str, params: Value) -> Value {
        call_at(&self.url, method, params)
    }

    pub(crate) fn post(&self, body: &str, headers: &str) -> (u16, Value) {
        post_to(&self.url, body, headers)
    }

    pub(crate) fn transfer(&self, to: &str, wei: u128) -> Value {
        json!([{"from": self.account, "to": to, "value": format!("{wei:#x}"), "gas": "0x5208"}])
    }
}

pub(crate) fn call_at(url: &str, method: &str, params: Value) -> Value {
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    post_to(url, &body.to_string(), "").1
}

/// The same; none when nobody answers.
pub(crate) fn try_call_at(url: &str, method: &str, params: Value) -> Option<Value> {
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    try_post_to(url, &body.to_string(), "").map(|(_, answer)| answer)
}

pub(crate) fn post_to(url: &str, body: &str, headers: &str) -> (u16, Value) {
    try_post_to(url, body, headers).expect("an answer")
}

/// A bare HTTP/1.1 client: status and JSON body.
fn try_post_to(url: &str, body: &str, headers: &str) -> Option<(u16, Value)> {
    let mut socket = TcpStream::connect(url.trim_start_matches("http://")).ok()?;
    let head = format!(
        "POST / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).ok()?;
    socket.write_all(body.as_bytes()).ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()?))
}

pub(crate) fn cast() -> Command {
    Command::new(npm_package("@foundry-rs/cast-linux-amd64/bin/cast"))
}

pub(crate) fn loopback() -> String {
    format!("127.0.0.1:{}", free_port())
}

/// Callers of this test are not kept for a minute, and the node says what it counts.
fn configure(folder: &Path, metrics: &str) {
    rewrite(folder, "[node]\n", &format!("[node]\nmetrics = \"{metrics}\"\n"));
}

fn short_deadline(folder: &Path) {
    rewrite(folder, "deadline_seconds = 60", "deadline_seconds = 1");
}

pub(crate) fn rewrite(folder: &Path, from: &str, to: &str) {
    let file = folder.join("keystead.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(from, to)).unwrap();
}

pub(crate) fn succeeds(command: &mut Command) -> Output {
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}
