//! Keystead's own REST as a program uses it: ask, follow, approve, prove; and a token that is good for some of it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use keystead_base::Canonical as _;
use keystead_coordinator::OPENAPI;
use keystead_decision::Certificate;
use keystead_tests::binary;
use serde_json::{Value, json};

use crate::crash::beside;
use crate::desk::{Desk, EXCHANGE, STRANGER, json as parsed, path};
use crate::plain::{Answer, get, post};

#[test]
fn a_program_asks_follows_and_proves_by_rest() {
    let desk = Desk::open();
    let id = a_request_is_signed_and_shown(&desk);
    a_stream_answers_as_the_document_says(&desk, &id);
    its_proof_is_a_certificate(&desk, &id);
    a_denial_is_a_request_too(&desk);
    s05_a_key_is_one_request(&desk);
    lists_come_in_pages(&desk);
    people_approve_through_it_and_somebody_watches(&desk);
    what_is_wrong_has_a_code(&desk);
}

fn message(text: &str) -> Value {
    let account = json!({"key": "hot", "index": 0});
    json!({"message": {"account": account, "chain": 31337, "bytes": const_hex::encode_prefixed(text)}})
}

fn transfer(to: &str, wei: u128, nonce: u64) -> Value {
    let gas = json!({
        "nonce": nonce, "gas_limit": 21000, "max_fee_per_gas": 3_000_000_000_u64, "max_priority_fee_per_gas": 1,
    });
    json!({"transfer": {
        "account": {"key": "hot", "index": 0}, "chain": 31337, "asset": "native", "to": to,
        "amount": wei.to_string(), "gas": gas,
    }})
}

fn ask(url: &str, headers: &str, body: &Value) -> Answer {
    post(url, "/v1/requests", headers, &body.to_string())
}

fn a_request_is_signed_and_shown(desk: &Desk) -> String {
    let answer = ask(&desk.url, "", &json!({"action": message("hello")}));
    assert_eq!(answer.status, 201, "{answer:?}");
    let view = answer.json();
    assert_eq!(view["stage"], "signed", "{view}");
    let id = view["request"].as_str().expect("an id").to_owned();
    assert!(answer.head.contains(&format!("location: /v1/requests/{id}")), "{answer:?}");
    let shown = get(&desk.url, &format!("/v1/requests/{id}"), "").json();
    assert_eq!((&shown["view"], &shown["intent"]["requester"]), (&view, &json!("desk")));
    let key = get(&desk.url, "/v1/keys/hot", "").json();
    let addresses = get(&desk.url, "/v1/keys/hot/addresses?limit=2", "").json();
    assert_eq!(addresses["items"][0]["address"], key["address"]);
    assert_eq!((addresses["items"].as_array().map(Vec::len), &addresses["next"]), (Some(2), &json!("2")));
    id
}

/// Schemathesis waits for no stream, so what the document says of it is compared here: an event, and an error.
fn a_stream_answers_as_the_document_says(desk: &Desk, id: &str) {
    let document: Value = serde_json::from_str(OPENAPI).expect("JSON");
    let answers = &document["paths"]["/v1/requests/{id}/events"]["get"]["responses"];
    let told = get(&desk.url, &format!("/v1/requests/{id}/events"), "");
    let (name, _) = of_one(answers["200"]["content"].as_object());
    assert!(told.status == 200 && told.head.contains(&format!("content-type: {name}\r\n")), "{told:?}");
    let data =
        told.body.strip_prefix("event: stage\nid: signed\ndata: ").unwrap_or_else(|| panic!("{told:?}"));
    let event: Value = serde_json::from_str(data.trim_end()).expect("an object");
    assert_eq!((&event["request"], &event["stage"]), (&json!(id), &json!("signed")), "{event}");

    let wrong = get(&desk.url, &format!("/v1/requests/{}/events", "0".repeat(64)), "");
    let named = answers["404"]["$ref"].as_str().and_then(|it| it.strip_prefix('#')).expect("an answer");
    let (name, content) = of_one(document.pointer(named).and_then(|it| it["content"].as_object()));
    assert!(wrong.status == 404 && wrong.head.contains(&format!("content-type: {name}")), "{wrong:?}");
    let shape = content["schema"]["$ref"].as_str().and_then(|it| it.strip_prefix('#')).expect("a shape");
    let shape = &document.pointer(shape).expect("a shape")["required"];
    for field in shape.as_array().expect("fields").iter().filter_map(Value::as_str) {
        assert!(!wrong.json()[field].is_null(), "{field}: {wrong:?}");
    }
}

fn of_one(members: Option<&serde_json::Map<String, Value>>) -> (&String, &Value) {
    members.and_then(|it| it.iter().next()).expect("one")
}

fn its_proof_is_a_certificate(desk: &Desk, id: &str) {
    let proof = get(&desk.url, &format!("/v1/requests/{id}/proof"), "").json();
    let document = const_hex::decode(proof["document"].as_str().expect("hex")).expect("hex");
    let certificate = Certificate::from_document(&document).expect("a certificate");
    assert_eq!(certificate.decision.subject.to_string(), id);
    assert_eq!(json!(certificate), proof["certificate"]);
    let checkpoint = get(&desk.url, "/v1/checkpoint", "").json();
    assert!(checkpoint["checkpoint"].as_str().is_some_and(|note| note.contains("keystead")), "{checkpoint}");
}

fn a_denial_is_a_request_too(desk: &Desk) {
    let answer = ask(&desk.url, "", &json!({"action": transfer(STRANGER, 1, 0)}));
    let view = answer.json();
    assert_eq!((answer.status, &view["stage"]), (201, &json!("denied")));
    assert!(
        view["decision"]["outcome"]["deny"]["reasons"].to_string().contains("destination_unknown"),
        "{view}"
    );
}

fn s05_a_key_is_one_request(desk: &Desk) {
    let body = json!({"action": transfer(EXCHANGE, 5, 0), "broadcast": true});
    let first = ask(&desk.url, "idempotency-key: a\r\n", &body);
    let again = ask(&desk.url, "idempotency-key: \"a\"\r\n", &body);
    assert_eq!((first.status, again.status), (201, 201), "{first:?} {again:?}");
    assert_eq!(first.json()["request"], again.json()["request"]);
    let hash = first.json()["signed"]["transaction"].as_str().expect("a hash").to_owned();
    let receipt = desk.cast(&["receipt", &format!("0x{hash}"), "--confirmations", "1"], &desk.anvil.url());
    assert!(receipt.contains("success"), "{receipt}");
    let other = ask(&desk.url, "idempotency-key: a\r\n", &json!({"action": transfer(EXCHANGE, 6, 1)}));
    assert_eq!((other.status, &other.json()["code"]), (422, &json!("request.key_reused")));
    for headers in ["idempotency-key: a\r\nidempotency-key: b\r\n", "idempotency-key: two words\r\n"] {
        let refused = ask(&desk.url, headers, &body);
        assert_eq!((refused.status, &refused.json()["code"]), (400, &json!("http.idempotency_key")));
    }
}

fn lists_come_in_pages(desk: &Desk) {
    let mut asked: Vec<String> = (1..=3)
        .map(|nonce| {
            let view =
                ask(&desk.url, "", &json!({"action": transfer(EXCHANGE, 2_000_000_000_000_000_000, nonce)}));
            view.json()["request"].as_str().expect("an id").to_owned()
        })
        .collect();
    asked.sort();
    let (mut found, mut next) = (Vec::new(), String::new());
    loop {
        let page = get(&desk.url, &format!("/v1/requests?limit=2{next}"), "").json();
        let items = page["items"].as_array().expect("a list");
        found.extend(items.iter().map(|item| item["request"].as_str().expect("an id").to_owned()));
        let Some(cursor) = page["next"].as_str() else { break };
        next = format!("&cursor={cursor}");
    }
    assert_eq!(found, asked);
    let policies = get(&desk.url, "/v1/policies", "").json();
    assert_eq!(
        (&policies["items"][0]["number"], &policies["items"][0]["in_force"]),
        (&json!(0), &json!(true))
    );
    let active = get(&desk.url, "/v1/policies/active", "").json();
    assert_eq!(active, get(&desk.url, "/v1/policies/0", "").json());
    assert_eq!(active["digest"], policies["items"][0]["digest"]);
    let vaults = get(&desk.url, "/v1/vaults?limit=1", "").json();
    let vault = get(&desk.url, "/v1/vaults/hot", "").json();
    assert_eq!((&vaults["items"][0]["policy"], &vault["policy"]), (&active["digest"], &active["digest"]));
    assert!(vault["keys"].as_array().is_some_and(|keys| keys.contains(&json!("hot"))), "{vault}");
    assert!(!vault["windows"].as_array().expect("a list").is_empty(), "{vault}");
    let nodes = get(&desk.url, "/v1/nodes", "").json();
    assert_eq!(
        (&nodes["nodes"], &nodes["quorum"], &nodes["standing"]),
        (&json!(1), &json!(1), &json!("votes"))
    );
}

fn people_approve_through_it_and_somebody_watches(desk: &Desk) {
    let listed = get(&desk.url, "/v1/requests", "").json();
    let id = listed["items"][0]["request"].as_str().expect("an id").to_owned();
    let mut events = Events::open(&desk.url, &id, "");
    assert_eq!(events.next()["stage"], "waiting");
    for who in ["ana", "ben"] {
        desk.as_person(who, &["approve", &id, "--yes"]);
    }
    let next = events.next();
    assert!(next["stage"] == "signed" || next["stage"] == "allowed", "{next}");
    let refused = post(&desk.url, "/v1/approvals", "", "{\"document\":\"00\"}");
    assert_eq!((refused.status, &refused.json()["code"]), (400, &json!("http.entry")));
}

/// The open stream of a request.
struct Events(BufReader<TcpStream>);

impl Events {
    fn open(url: &str, id: &str, headers: &str) -> Self {
        let mut socket = TcpStream::connect(url.trim_start_matches("http://")).expect("a server");
        let head = format!("GET /v1/requests/{id}/events HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
        socket.write_all(head.as_bytes()).expect("a server that reads");
        Self(BufReader::new(socket))
    }

    fn next(&mut self) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).expect("a stream") > 0, "the stream ended");
            if let Some(data) = line.strip_prefix("data: ") {
                return serde_json::from_str(data).expect("JSON");
            }
        }
    }

    /// Before it goes on twice without news.
    fn ends(&mut self) {
        let mut text = String::new();
        while self.0.read_line(&mut text).expect("a stream") > 0 {
            assert!(text.matches(":\n").count() < 2 && !text.contains("data: "), "it goes on: {text}");
        }
    }
}

fn what_is_wrong_has_a_code(desk: &Desk) {
    for (answer, status, code) in [
        (get(&desk.url, "/v1/keys/none", ""), 404, "key.unknown"),
        (get(&desk.url, "/v1/keys?colour=1", ""), 400, "http.query"),
        (get(&desk.url, "/v1/requests/zz", ""), 400, "http.request_id"),
        (get(&desk.url, &format!("/v1/requests/{}", "0".repeat(64)), ""), 404, "request.unknown"),
        (get(&desk.url, "/v1/policies/7", ""), 404, "policy.unknown"),
        (get(&desk.url, "/v1/vaults/none", ""), 404, "vault.unknown"),
        (ask(&desk.url, "", &json!({"action": {"paint": {}}})), 400, "http.request"),
        (ask(&desk.url, "", &json!({"action": message("x"), "colour": 1})), 400, "http.request"),
        (ask(&desk.url, "", &json!({"action": message("x"), "broadcast": true})), 400, "http.request"),
        (ask(&desk.url, "", &json!({"action": message("x"), "lifetime_seconds": null})), 400, "http.request"),
    ] {
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.head.contains("content-type: application/problem+json"), "{answer:?}");
        let problem = answer.json();
        assert_eq!((&problem["code"], &problem["status"]), (&json!(code), &json!(status)));
    }
}

#[test]
fn a04_a_token_is_good_for_what_it_says_until_it_is_taken_back() {
    let desk = Desk::open();
    let (home, serving) = with_tokens(&desk, "coordinator-with-tokens");
    let url = &serving.url;
    assert_eq!(get(url, "/v1/keys", "").status, 401, "nobody is let in without a token");

    let reads = create(home.path(), &["reporting", "--scope", "read"]);
    let asks = create(home.path(), &["payouts", "--scope", "read,request", "--key", "hot"]);
    let other = create(home.path(), &["other", "--scope", "read,request", "--key", "cold"]);
    let wallet = create(home.path(), &["wallet", "--scope", "rpc"]);
    let asked = json!({"action": message("hello")});
    let chain = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}).to_string();
    for (who, token, reading, asking, calling) in [
        ("reads", &reads, 200, 403, 403),
        ("asks", &asks, 200, 201, 403),
        ("other", &other, 404, 403, 403),
        ("wallet", &wallet, 403, 403, 200),
    ] {
        assert_eq!(get(url, "/v1/keys/hot", token).status, reading, "{who} reads");
        assert_eq!(ask(url, token, &asked).status, asking, "{who} asks");
        assert_eq!(post(url, "/", token, &chain).status, calling, "{who} calls");
        assert_eq!(post(url, "/v1/entries", token, "{\"entries\":[]}").status, 403, "{who} carries nothing");
    }
    let id = ask(url, &asks, &asked).json()["request"].as_str().expect("an id").to_owned();
    let shown = |token: &str| get(url, &format!("/v1/requests/{id}"), token).status;
    assert_eq!((shown(&reads), shown(&asks), shown(&other)), (200, 200, 404));
    let signature = |token: &str| {
        let detail = get(url, &format!("/v1/requests/{id}"), token).json();
        detail["view"]["signed"]["signature"].as_str().expect("a signature").len()
    };
    assert_eq!((signature(&reads), signature(&asks)), (2, 132), "whoever only looks has nothing to use");
    for path in ["/v1/nodes", "/v1/policies", "/v1/policies/active"] {
        let seen = (get(url, path, &reads).status, get(url, path, &asks).status);
        assert_eq!(seen, (200, 403), "{path} concerns all keys");
    }
    let psbt = json!({"key": "hot", "chain": 31337, "psbt": "cHNidP8="}).to_string();
    let read = |token: &str| {
        let answer = post(url, "/v1/psbts/inspect", token, &psbt);
        (answer.status, answer.json()["code"].as_str().expect("a code").to_owned())
    };
    assert_eq!(read(&reads), (404, "psbt.no_wallet".to_owned()));
    assert_eq!(read(&other), (404, "key.unknown".to_owned()), "a wallet of somebody else's is not shown");
    assert_eq!(read(&wallet), (403, "http.scope".to_owned()));
    let listed = get(url, "/api/v1/eth1/publicKeys", &other);
    assert_eq!(listed.json(), json!([]), "a key of somebody else's is not shown");

    a04_a_stream_ends_with_its_token(home.path(), url, &asks);
    command(home.path(), &["revoke", "payouts"]);
    assert_eq!(ask(url, &asks, &asked).status, 401, "taken back at once");
    assert_eq!(get(url, "/v1/keys", &reads).status, 200);
    let kept = std::fs::read_to_string(home.path().join("tokens.json")).expect("the file");
    assert!(!kept.contains(reads.trim().rsplit("kst_").next().expect("a token")), "k01: {kept}");
}

fn a04_a_stream_ends_with_its_token(home: &Path, url: &str, asks: &str) {
    let waits = json!({"action": transfer(EXCHANGE, 2_000_000_000_000_000_000, 0)});
    let id = ask(url, asks, &waits).json()["request"].as_str().expect("an id").to_owned();
    let watches = create(home, &["watcher", "--scope", "read"]);
    let mut events = Events::open(url, &id, &watches);
    assert_eq!(events.next()["stage"], "waiting");
    command(home, &["revoke", "watcher"]);
    events.ends();
}

#[test]
fn d04_tokens_that_are_made_at_the_same_time_are_all_kept() {
    let home = tempfile::tempdir().expect("a folder");
    let desk = Desk::open();
    let text = std::fs::read_to_string(desk.folder.join("keystead.toml")).expect("a configuration");
    let text = text.replace("[coordinator]\n", "[coordinator]\ntokens = \"tokens.json\"\n");
    std::fs::write(home.path().join("keystead.toml"), text).expect("a folder");
    let names: Vec<String> = (0..12).map(|number| format!("bot-{number}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| create(home.path(), &[name, "--scope", "read"]));
        }
    });
    let listed = command(home.path(), &["list"]);
    assert_eq!(listed["tokens"].as_array().map(Vec::len), Some(names.len()), "{listed}");
}

pub(crate) fn command(home: &Path, arguments: &[&str]) -> Value {
    let mut command = Command::new(binary("keystead"));
    let output = command.args(["--json", "--dir", path(home), "token"]).args(arguments).output();
    let output = output.expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    parsed(&output)
}

/// A coordinator of its own, beside the desk's, that lets in whoever shows a token.
pub(crate) fn with_tokens(desk: &Desk, data: &str) -> (tempfile::TempDir, Serving) {
    let home = beside(desk);
    let file = home.path().join("keystead.toml");
    let text = std::fs::read_to_string(&file).expect("a configuration");
    std::fs::remove_file(&file).expect("a link");
    let text = text.replace("[coordinator]\n", "[coordinator]\ntokens = \"tokens.json\"\n");
    let text = text.replace("data = \"coordinator\"", &format!("data = \"{data}\""));
    std::fs::write(&file, text).expect("a folder");
    let serving = Serving::start(home.path());
    (home, serving)
}

/// The header that shows a new token.
pub(crate) fn create(home: &Path, arguments: &[&str]) -> String {
    let made = command(home, &[&["create"], arguments].concat());
    format!("authorization: Bearer {}\r\n", made["token"].as_str().expect("a token"))
}

/// A coordinator of its own.
pub(crate) struct Serving {
    process: Child,
    pub(crate) url: String,
}

impl Serving {
    pub(crate) fn start(home: &Path) -> Self {
        let mut command = Command::new(binary("keystead"));
        command.args(["--json", "--dir", path(home), "serve", "--listen", "127.0.0.1:0"]);
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let url = ready["ready"]["coordinator"].as_str().expect("a URL").to_owned();
        Self { process, url }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.process.kill().expect("a process");
        self.process.wait().expect("a process");
    }
}
