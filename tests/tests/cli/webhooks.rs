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
    let receiver = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let home = beside(&desk);
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

    let gas = json!({"nonce": 0, "gas_limit": 21000, "max_fee_per_gas": 3_000_000_000_u64, "max_priority_fee_per_gas": 1});
    let transfer = json!({
        "account": {"key": "hot", "index": 0}, "chain": 31337, "asset": "native", "to": EXCHANGE,
        "amount": "2000000000000000000", "gas": gas,
    });
    let asked =
        post(&serving.url, "/v1/requests", "", &json!({"action": {"transfer": transfer}}).to_string());
    let id = asked.json()["request"].as_str().expect("an id").to_owned();
    let first = News::hear(&receiver, 500);
    let again = News::hear(&receiver, 200);
    assert_eq!((&first.id, &first.data), (&again.id, &again.data), "tried again, under the same id");
    assert_eq!((&again.data["stage"], &again.data["request"]), (&json!("waiting"), &json!(id)));
    for who in ["ana", "ben"] {
        desk.as_person(who, &["approve", &id, "--yes"]);
    }
    let next = News::hear(&receiver, 204);
    assert_eq!((&next.data["stage"], &next.data["request"]), (&json!("signed"), &json!(id)));
    assert!(next.data["transaction"].is_string() && next.id != again.id, "{next:?}");
    let metrics = get(&serving.url, "/metrics", "").body;
    assert!(metrics.contains("webhook_deliveries_total{outcome=\"delivered\"} "), "{metrics}");
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
