//! Webhooks: what becomes of requests, told to a server that fails at first, with a signature that it can check.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::crash::beside;
use crate::desk::{Desk, EXCHANGE};
use crate::plain::{get, post};
use crate::rest::Serving;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn a_receiver_is_told_each_stage_again_and_again_until_it_has_it() {
    let desk = Desk::open();
    let telling = Telling::start(&desk);
    let id = telling.asks("2000000000000000000", 21_000, false);
    let first = telling.hear(500);
    let again = telling.hear(200);
    assert_eq!((&first.id, &first.data), (&again.id, &again.data), "tried again, under the same id");
    assert_eq!((&again.data["stage"], &again.data["request"]), (&json!("waiting"), &json!(id)));
    for who in ["ana", "ben"] {
        desk.as_person(who, &["approve", &id, "--yes"]);
    }
    let next = telling.hear(204);
    assert_eq!((&next.data["stage"], &next.data["request"]), (&json!("signed"), &json!(id)));
    assert!(next.data["transaction"].is_string() && next.id != again.id, "{next:?}");
    let metrics = get(&telling.serving.url, "/metrics", "").body;
    assert!(metrics.contains("webhook_deliveries_total{outcome=\"delivered\"} "), "{metrics}");
}

/// The payee is a contract that takes nothing: the transaction is in a block, and nobody was paid.
#[test]
fn d04_a_transaction_that_reverts_is_told_as_failed_and_never_as_settled() {
    let desk = Desk::open();
    let telling = Telling::start(&desk);
    desk.cast(&["rpc", "anvil_setCode", EXCHANGE, REVERTS], &desk.anvil.url());
    let id = telling.asks("5", 60_000, true);
    let mut told = Vec::new();
    while told.last() != Some(&json!("failed")) {
        let news = telling.hear(200);
        assert_eq!(news.data["request"], json!(id), "{news:?}");
        told.push(news.data["stage"].clone());
        assert!(told.len() < 4, "{told:?}");
    }
    assert_eq!(told, [json!("signed"), json!("failed")]);
    let shown = get(&telling.serving.url, &format!("/v1/requests/{id}"), "").json();
    assert_eq!(shown["view"]["stage"], "failed", "{shown}");
}

/// `PUSH1 0, PUSH1 0, REVERT`.
const REVERTS: &str = "0x60006000fd";

/// A coordinator that tells a server of this test.
struct Telling {
    receiver: TcpListener,
    serving: Serving,
    _home: tempfile::TempDir,
}

impl Telling {
    fn start(desk: &Desk) -> Self {
        let receiver = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let home = beside(desk);
        let file = home.path().join("keystead.toml");
        let text = std::fs::read_to_string(&file).expect("a configuration");
        std::fs::remove_file(&file).expect("a link");
        let text = text.replace("data = \"coordinator\"", "data = \"coordinator-that-tells\"");
        let hook = format!(
            "\n[[coordinator.webhooks]]\nname = \"books\"\nurl = \"http://{}/hook\"\nsecret = \"hook.secret\"\nnetworks = [\"127.0.0.0/8\"]\n",
            receiver.local_addr().expect("an address")
        );
        std::fs::write(&file, format!("{text}{hook}")).expect("a folder");
        std::fs::write(home.path().join("hook.secret"), SECRET).expect("a folder");
        let serving = Serving::start(home.path());
        Self { receiver, serving, _home: home }
    }

    /// Asks for a payment to the exchange, with the first nonce.
    fn asks(&self, wei: &str, gas_limit: u64, broadcast: bool) -> String {
        let gas = json!({
            "nonce": 0, "gas_limit": gas_limit, "max_fee_per_gas": 3_000_000_000_u64, "max_priority_fee_per_gas": 1,
        });
        let transfer = json!({
            "account": {"key": "hot", "index": 0}, "chain": 31337, "asset": "native", "to": EXCHANGE,
            "amount": wei, "gas": gas,
        });
        let asked = json!({"action": {"transfer": transfer}, "broadcast": broadcast});
        let answer = post(&self.serving.url, "/v1/requests", "", &asked.to_string()).json();
        answer["request"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    fn hear(&self, status: u16) -> News {
        News::hear(&self.receiver, status)
    }
}

/// What the receiver was told, after it checked the signature.
#[derive(Debug)]
struct News {
    id: String,
    data: Value,
}

impl News {
    fn hear(receiver: &TcpListener, status: u16) -> Self {
        let (socket, _) = receiver.accept().expect("a caller");
        let mut reader = BufReader::new(socket);
        let head = head(&mut reader);
        let header = |name: &str| {
            let found = head.iter().find_map(|line| line.strip_prefix(&format!("{name}: ")));
            found.unwrap_or_else(|| panic!("no {name} in {head:?}")).to_owned()
        };
        let mut body = vec![0; header("content-length").parse().expect("a length")];
        reader.read_exact(&mut body).expect("a body");
        let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
        mac.update(format!("{id}.{time}.").as_bytes());
        mac.update(&body);
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        assert_eq!(header("webhook-signature"), expected);
        let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
        reader.get_mut().write_all(answer.as_bytes()).expect("a caller that listens");
        let told: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(told["type"], "request.stage");
        Self { id, data: told["data"].clone() }
    }
}

fn head(reader: &mut BufReader<TcpStream>) -> Vec<String> {
    let lines = reader.by_ref().lines().map(|line| line.expect("text"));
    lines.take_while(|line| !line.is_empty()).collect()
}
