//! Unmodified wallets and scripts: `cast` against anvil through the coordinator, and the table of methods.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use keystead_tests::{Anvil, Service, binary, free_port, npm_package};
use serde_json::{Value, json};

const EXCHANGE: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const STRANGER: &str = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";

/// A cluster founded by the real program, running beside a real chain.
struct Desk {
    anvil: Anvil,
    url: String,
    folder: PathBuf,
    account: String,
    _up: Service,
    _home: tempfile::TempDir,
}

impl Desk {
    fn open() -> Self {
        let anvil = Anvil::start(&["--hardfork", "osaka"]);
        let home = tempfile::Builder::new().prefix("keystead-cli-").tempdir().unwrap();
        let folder = home.path().join("desk");
        let (node, coordinator) = (loopback(), loopback());
        let allow = format!("exchange={EXCHANGE}");
        let arguments = [
            "init",
            path(&folder),
            "--endpoint",
            &anvil.url(),
            "--confirmations",
            "1",
            "--allow",
            &allow,
            "--node-listen",
            &node,
            "--coordinator-listen",
            &coordinator,
        ];
        succeeds(Command::new(binary("keystead")).args(arguments));
        short_deadline(&folder);
        let scratch = tempfile::Builder::new().prefix("keystead-up-").tempdir().unwrap().keep();
        let program = binary("keystead");
        let up = Service::start(&scratch, &[path(&program), "up", path(&folder)], "ready");
        let mut desk = Self {
            anvil,
            url: format!("http://{coordinator}"),
            folder,
            account: String::new(),
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

    fn approved(&self, command: &[&str]) {
        let asked = self.as_person("ana", command);
        let id = asked["request"]["request"].as_str().expect("a request id").to_owned();
        for who in ["ben", "cleo"] {
            self.as_person(who, &["approve", &id, "--yes"]);
        }
    }

    fn command(&self, who: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary("keystead"));
        command.args(["--json", "--dir", path(&self.folder), "--as", who]).args(arguments);
        command.output().expect("the program starts")
    }

    fn as_person(&self, who: &str, arguments: &[&str]) -> Value {
        let output = self.command(who, arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        json(&output)
    }

    fn cast(&self, arguments: &[&str], url: &str) -> String {
        let output = succeeds(cast().args(arguments).args(["--rpc-url", url]));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn call(&self, method: &str, params: Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        self.post(&body.to_string(), "").1
    }

    /// A bare HTTP/1.1 client: status and JSON body.
    fn post(&self, body: &str, headers: &str) -> (u16, Value) {
        let address = self.url.trim_start_matches("http://");
        let mut socket = TcpStream::connect(address).unwrap();
        let head = format!(
            "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        );
        socket.write_all(head.as_bytes()).unwrap();
        socket.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap())
    }

    fn transfer(&self, to: &str, wei: u128) -> Value {
        json!([{"from": self.account, "to": to, "value": format!("{wei:#x}"), "gas": "0x5208"}])
    }
}

#[test]
fn unmodified_wallets_and_scripts_get_what_policy_allows() {
    let desk = Desk::open();
    cast_sends_without_a_key_of_its_own(&desk);
    signatures_are_those_of_the_account(&desk);
    what_is_not_allowed_says_why(&desk);
    what_needs_people_waits_and_goes_on_without_its_caller(&desk);
    batches_and_envelopes_keep_their_limits(&desk);
    the_log_verifies_over_the_wire(&desk);
}

fn cast_sends_without_a_key_of_its_own(desk: &Desk) {
    assert_eq!(desk.cast(&["chain-id"], &desk.url), "31337");
    assert_eq!(
        desk.call("eth_accounts", json!([]))["result"][0].as_str().unwrap(),
        desk.account.to_lowercase()
    );
    let before = desk.cast(&["balance", EXCHANGE], &desk.anvil.url());
    let arguments = ["send", "--unlocked", "--from", &desk.account, EXCHANGE, "--value", "0.1ether"];
    let receipt = desk.cast(&arguments, &desk.url);
    assert!(receipt.contains("success"), "{receipt}");
    let after = desk.cast(&["balance", EXCHANGE], &desk.anvil.url());
    assert_eq!(after.parse::<u128>().unwrap() - before.parse::<u128>().unwrap(), 100_000_000_000_000_000);
}

fn signatures_are_those_of_the_account(desk: &Desk) {
    let mut transaction = desk.transfer(EXCHANGE, 1);
    for (name, value) in [("nonce", "0x40"), ("maxFeePerGas", "0x3b9aca00"), ("maxPriorityFeePerGas", "0x1")]
    {
        transaction[0][name] = json!(value);
    }
    let raw = desk.call("eth_signTransaction", transaction);
    let raw = raw["result"].as_str().unwrap_or_else(|| panic!("{raw}"));
    let decoded = succeeds(cast().args(["decode-tx", raw]));
    let signer: Value = json(&decoded);
    assert_eq!(signer["signer"].as_str().unwrap().to_lowercase(), desk.account.to_lowercase());

    let text = "0x68656c6c6f";
    let signature =
        desk.call("personal_sign", json!([text, desk.account]))["result"].as_str().unwrap().to_owned();
    let verify = ["wallet", "verify", "--address", &desk.account, "hello", &signature];
    succeeds(cast().args(verify));
}

fn what_is_not_allowed_says_why(desk: &Desk) {
    let permit = json!([desk.account, {
        "types": {"EIP712Domain": [{"name": "chainId", "type": "uint256"}], "Note": [{"name": "text", "type": "string"}]},
        "primaryType": "Note", "domain": {"chainId": 31337}, "message": {"text": "x"},
    }]);
    for (method, params, number, code) in [
        ("eth_sendTransaction", desk.transfer(STRANGER, 1), -32003, "request.denied"),
        ("eth_signTypedData_v4", permit, -32003, "request.denied"),
        ("eth_sign", json!([desk.account, "0x00"]), -32004, "rpc.refused_method"),
        ("personal_sign", json!(["0x00", STRANGER]), -32001, "rpc.unknown_account"),
        ("eth_sendTransaction", json!([{"from": desk.account, "colour": 1}]), -32602, "rpc.params"),
        (
            "eth_sendTransaction",
            json!([{"from": desk.account, "to": EXCHANGE, "chainId": "0x1"}]),
            -32602,
            "rpc.params",
        ),
    ] {
        let answer = desk.call(method, params);
        assert_eq!(
            (&answer["error"]["code"], &answer["error"]["data"]["code"]),
            (&json!(number), &json!(code)),
            "{answer}"
        );
    }
    let denied = desk.call("eth_sendTransaction", desk.transfer(STRANGER, 1));
    assert_eq!(denied["error"]["data"]["reasons"][0]["code"], "deny.destination_unknown", "{denied}");
    let forwarded = desk.call("eth_noSuchMethod", json!([]));
    assert_eq!(forwarded["error"]["code"], -32601, "the endpoint's own error: {forwarded}");
}

fn what_needs_people_waits_and_goes_on_without_its_caller(desk: &Desk) {
    let two_ether = 2_000_000_000_000_000_000;
    let before: u128 = desk.cast(&["balance", EXCHANGE], &desk.anvil.url()).parse().unwrap();
    let waiting = desk.call("eth_sendTransaction", desk.transfer(EXCHANGE, two_ether));
    assert_eq!(waiting["error"]["data"]["code"], "request.waiting", "{waiting}");
    let id = waiting["error"]["data"]["request"].as_str().unwrap().to_owned();
    let inbox = desk.as_person("ana", &["approver", "inbox"]);
    assert!(inbox["open"][0]["words"][0].as_str().unwrap().starts_with("TRANSFER"), "{inbox}");

    // One directly, one through the coordinator, which cannot change what it carries.
    desk.as_person("ana", &["approve", &id, "--yes"]);
    let again = desk.command("ana", &["approve", &id, "--yes"]);
    assert!(!again.status.success(), "s11: the same person counts once");
    desk.as_person("ben", &["--through", &desk.url, "approve", &id, "--yes"]);
    let shown = desk.as_person("cleo", &["request", "show", &id]);
    let hash = shown["detail"]["view"]["signed"]["transaction"].as_str().unwrap_or_else(|| panic!("{shown}"));
    // Nobody called again: the promise to broadcast is kept.
    let receipt = desk.cast(&["receipt", &format!("0x{hash}"), "--confirmations", "1"], &desk.anvil.url());
    assert!(receipt.contains("success"), "{receipt}");
    let after: u128 = desk.cast(&["balance", EXCHANGE], &desk.anvil.url()).parse().unwrap();
    assert_eq!(after - before, two_ether);
}

fn batches_and_envelopes_keep_their_limits(desk: &Desk) {
    let call = |id: u64, method: &str| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": []});
    let batch = json!([call(1, "eth_chainId"), call(2, "eth_blockNumber"), call(3, "eth_sign")]);
    let (_, answers) = desk.post(&batch.to_string(), "");
    assert_eq!(answers[0]["result"], "0x7a69");
    assert_eq!((&answers[1]["id"], &answers[2]["error"]["code"]), (&json!(2), &json!(-32004)));
    for (body, number) in [
        ("{".to_owned(), -32700),
        ("[]".to_owned(), -32600),
        (json!({"jsonrpc": "2.0", "method": "eth_chainId"}).to_string(), -32600),
        (json!(vec![call(1, "eth_chainId"); 101]).to_string(), -32600),
    ] {
        assert_eq!(desk.post(&body, "").1["error"]["code"], number, "{body}");
    }
    let (status, refused) = desk.post("{}", "origin: https://example.com\r\n");
    assert_eq!((status, &refused["error"]["code"]), (403, &json!("http.origin")));
}

fn the_log_verifies_over_the_wire(desk: &Desk) {
    let report = desk.as_person("cleo", &["audit", "verify"]);
    assert_eq!(report["verified"], true, "{report}");
    let frozen = desk.as_person("cleo", &["freeze"]);
    assert!(frozen["decisions"].is_array(), "{frozen}");
    let denied = desk.call("eth_sendTransaction", desk.transfer(EXCHANGE, 1));
    assert_eq!(denied["error"]["data"]["reasons"][0]["code"], "deny.frozen", "s14: {denied}");
    assert_eq!(desk.as_person("ana", &["status"])["status"]["frozen"]["everything"], true);
}

fn cast() -> Command {
    Command::new(npm_package("@foundry-rs/cast-linux-amd64/bin/cast"))
}

fn loopback() -> String {
    format!("127.0.0.1:{}", free_port())
}

/// Callers of this test are not kept for a minute.
fn short_deadline(folder: &Path) {
    let file = folder.join("keystead.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("deadline_seconds = 60", "deadline_seconds = 1")).unwrap();
}

fn succeeds(command: &mut Command) -> Output {
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}
