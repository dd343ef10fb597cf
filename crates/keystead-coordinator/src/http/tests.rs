//! Garbage, oversize and slow clients, over real sockets; the node is a port where nobody listens.

use std::time::Duration;

use keystead_base::{ClusterId, Digest, HYBRID_SEED_BYTES, HybridSigner, Secret};
use keystead_intent::ChainId;
use keystead_wire::{Hello, Identity, Limits, Role, Target};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::{MIN_TOKEN_BYTES, Settings, Token};

const JSON: &str = "content-type: application/json\r\n";

pub(super) struct Desk {
    pub(super) server: HttpServer,
    _folder: tempfile::TempDir,
}

impl Desk {
    pub(super) async fn open() -> Self {
        Self::open_with(Doors::default()).await
    }

    pub(super) async fn open_with(doors: Doors) -> Self {
        let quick = Duration::from_millis(100);
        let limits = HttpLimits { head: quick, body: quick, connections: 4, ..HttpLimits::default() };
        Self::open_within(doors, limits).await
    }

    pub(super) async fn open_within(doors: Doors, limits: HttpLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cluster = ClusterId(Digest([7; 32]));
        let target = Target {
            address: "127.0.0.1:1".to_owned(),
            server: [1; 32],
            identity: Identity::from_seed(&Secret::new([2; 32])).unwrap(),
            hello: Hello::new(cluster, Role::Service, 0),
            limits: Limits::default(),
        };
        let settings = Settings {
            cluster,
            service: "desk".parse().unwrap(),
            chain: ChainId(31337),
            deadline: Duration::from_millis(10),
            lifetime: Duration::from_secs(60),
            addresses_per_key: 1,
        };
        let signer = HybridSigner::from_seed(&Secret::new([3; HYBRID_SEED_BYTES])).unwrap();
        let journal = folder.path().join("journal");
        let coordinator = Coordinator::start(settings, vec![target], signer, None, &journal).unwrap();
        let server = HttpServer::start(([127, 0, 0, 1], 0).into(), coordinator, doors, limits).await.unwrap();
        Self { server, _folder: folder }
    }

    /// Sends these bytes, and reads until the server hangs up.
    pub(super) async fn say(&self, bytes: &[u8]) -> String {
        let mut socket = TcpStream::connect(self.server.address()).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A server that hangs up on a writer may reset the connection.
        let _ = socket.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn post(&self, path: &str, headers: &str, body: &str, length: usize) -> String {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
        );
        self.say(format!("{head}{body}").as_bytes()).await
    }

    async fn call(&self, call: Value) -> Value {
        let body = call.to_string();
        let answer = self.post("/", JSON, &body, body.len()).await;
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

#[tokio::test]
async fn slow_and_oversize_clients_are_sent_away() {
    let desk = Desk::open().await;
    for (what, answer, status) in [
        ("half a body", desk.post("/", JSON, "{", 100).await, "408"),
        ("a long body", desk.post("/", JSON, "", MAX_BODY_BYTES + 1).await, "4"),
        ("no content type", desk.post("/", "", "{}", 2).await, "415"),
        ("a web page", desk.post("/", &format!("{JSON}origin: https://x\r\n"), "{}", 2).await, "403"),
        (
            "a page of a rebound name",
            desk.say(b"POST / HTTP/1.1\r\nhost: rebound.example\r\nconnection: close\r\n\r\n").await,
            "403",
        ),
        (
            "two keys",
            desk.post("/", &format!("{JSON}idempotency-key: a\r\nidempotency-key: b\r\n"), "{}", 2).await,
            "400",
        ),
        ("no such path", desk.post("/v2", JSON, "{}", 2).await, "404"),
        ("no documents", desk.post("/v1/entries", JSON, "{\"entries\":[\"zz\"]}", 18).await, "400"),
    ] {
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {answer}");
    }
    for garbage in ["GET /v1/status HTTP/1.1\r\nhost", "\u{0}\u{1}\u{2}"] {
        let answer = desk.say(garbage.as_bytes()).await;
        assert!(!answer.contains("200 OK"), "{garbage:?}: {answer}");
    }
}

#[tokio::test]
async fn a_silent_client_holds_no_place_for_ever() {
    let desk = Desk::open().await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(TcpStream::connect(desk.server.address()).await.unwrap());
    }
    // Twice as many as there are places: the first ones are pushed out by their time limit.
    let answer = desk.call(json!({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"})).await;
    assert_eq!(answer["result"], "0x7a69");
}

#[tokio::test]
async fn every_failure_has_a_number_and_a_stable_code() {
    let desk = Desk::open().await;
    for (method, params, number, code) in [
        ("eth_signTypedData_v3", json!([]), -32004, "rpc.refused_method"),
        ("eth_subscribe", json!(["newHeads"]), -32004, "rpc.refused_method"),
        ("anvil_setBalance", json!([]), -32601, "rpc.unknown_method"),
        ("eth_sign", json!([]), -32602, "rpc.params"),
        ("eth_sendTransaction", json!([{}, {}]), -32602, "rpc.params"),
        ("eth_sendTransaction", json!({}), -32602, "rpc.params"),
        ("eth_fillTransaction", json!([{"from": ZERO, "gas": "0x05208"}]), -32602, "rpc.params"),
        ("eth_fillTransaction", json!([{"from": ZERO}]), -32002, "request.no_chain"),
        ("eth_sendRawTransaction", json!(["0x00"]), -32002, "request.no_chain"),
        ("wallet_getCapabilities", json!([ZERO]), -32002, "request.node"),
        ("wallet_getCallsStatus", json!(["0x00"]), 5730, "rpc.unknown_bundle"),
        ("wallet_sendCalls", bundle("chainId", json!("0x1")), 5710, "rpc.chain"),
        ("wallet_sendCalls", bundle("chainId", json!(31337)), -32602, "rpc.params"),
        ("wallet_sendCalls", bundle("capabilities", json!({"paymasterService": {}})), 5700, "rpc.capability"),
        ("wallet_sendCalls", bundle("calls", json!(vec![json!({}); 33])), 5740, "rpc.bundle_too_large"),
        ("wallet_sendCalls", bundle("atomicRequired", json!(true)), 5760, "rpc.atomicity"),
        ("wallet_sendCalls", bundle("version", json!("1.0")), -32602, "rpc.params"),
        ("wallet_sendCalls", bundle("calls", json!([])), -32602, "rpc.params"),
        ("wallet_sendCalls", bundle("id", json!("")), -32602, "rpc.params"),
        ("wallet_sendCalls", bundle("calls", json!([{"gas": "0x1"}])), -32602, "rpc.params"),
        ("wallet_sendCalls", bundle("id", json!("0x01")), -32002, "request.no_chain"),
        ("eth_accounts", json!([]), -32002, "request.node"),
        ("eth_blockNumber", json!([]), -32002, "request.no_chain"),
        ("eth_signTransaction", json!([{"colour": 1}]), -32602, "rpc.params"),
        ("eth_signTransaction", json!([{}]), -32602, "rpc.params"),
        ("personal_sign", json!(["zz"]), -32602, "rpc.params"),
        ("keystead_request", json!(["x"]), -32602, "rpc.params"),
        ("keystead_track", json!(["00"]), -32602, "rpc.params"),
    ] {
        let answer =
            desk.call(json!({"jsonrpc": "2.0", "id": "a", "method": method, "params": params})).await;
        let found = (&answer["error"]["code"], &answer["error"]["data"]["code"]);
        assert_eq!(found, (&json!(number), &json!(code)), "{method}: {answer}");
        assert_eq!(answer["id"], "a");
    }
    for call in [
        json!(7),
        json!({"id": 1}),
        json!({"method": "eth_chainId"}),
        json!({"id": {}, "method": "x"}),
        json!({"id": 1, "method": "eth_chainId", "Method": "eth_sendTransaction"}),
    ] {
        assert_eq!(desk.call(call.clone()).await["error"]["code"], -32600, "{call}");
    }
    let twice = r#"{"id":1,"method":"eth_chainId","method":"eth_accounts"}"#;
    let answer = desk.post("/", JSON, twice, twice.len()).await;
    assert!(answer.contains("rpc.parse") && answer.contains("occurs twice"), "{answer}");
}

const ZERO: &str = "0x0000000000000000000000000000000000000000";

/// A bundle of two calls that is sound but for one field.
fn bundle(field: &str, value: Value) -> Value {
    let mut bundle = json!({
        "version": "2.0.0", "from": ZERO, "chainId": "0x7a69", "atomicRequired": false,
        "calls": [{"to": ZERO, "value": "0x1"}, {"to": ZERO, "data": "0x12345678", "capabilities": {"x": {"optional": true}}}],
    });
    bundle[field] = value;
    json!([bundle])
}

#[tokio::test]
async fn a_token_opens_every_path_and_nothing_else_does() {
    let token = "f".repeat(MIN_TOKEN_BYTES);
    let doors = Doors { token: Some(Token::new(token.as_bytes()).unwrap()), ..Doors::default() };
    let desk = Desk::open_with(doors).await;
    let right = format!("{JSON}authorization: Bearer {token}\r\n");
    let wrong = format!("{JSON}authorization: Bearer {}\r\n", "e".repeat(MIN_TOKEN_BYTES));
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#;
    for path in ["/", "/v1/entries", "/nowhere"] {
        for headers in [JSON, &wrong] {
            let answer = desk.post(path, headers, call, call.len()).await;
            assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("http.token"), "{path}: {answer}");
            assert!(answer.to_ascii_lowercase().contains("www-authenticate: bearer"), "{answer}");
        }
    }
    let answer = desk.post("/", &right, call, call.len()).await;
    assert!(answer.contains("0x7a69"), "{answer}");
}

#[tokio::test]
async fn probes_are_open_and_counters_are_not() {
    let token = "f".repeat(MIN_TOKEN_BYTES);
    let doors = Doors { token: Some(Token::new(token.as_bytes()).unwrap()), ..Doors::default() };
    let desk = Desk::open_with(doors).await;
    let get = |path: &str, headers: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{headers}\r\n").into_bytes()
    };
    let right = format!("authorization: Bearer {token}\r\n");
    for (path, headers, status) in [
        ("/livez", "", "200"),
        ("/upcheck", "", "200"),
        ("/readyz", "", "503"),
        ("/healthcheck", "", "503"),
        ("/metrics", "", "401"),
        ("/reload", "", "401"),
        ("/livez/", "", "401"),
        ("/metrics", &*right, "200"),
    ] {
        let answer = desk.say(&get(path, headers)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
    }
    let counted = desk.say(&get("/metrics", &right)).await;
    for line in [
        "http_requests_total{route=\"/livez\",status=\"200\"} 1",
        "http_requests_total{route=\"none\",status=\"401\"} 1",
        "node_up 0",
    ] {
        assert!(counted.contains(line), "{line}: {counted}");
    }
    let page = desk.say(&get("/livez", "origin: https://x\r\n")).await;
    assert!(page.starts_with("HTTP/1.1 403"), "a web page asks no probe either: {page}");
}
