//! web3signer's clients, pointed at the coordinator; and what it counts while they ask.

use std::time::{Duration, Instant};

use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, Signature, TxKind, U256};
use serde_json::{Value, json};

use crate::desk::{Desk, EXCHANGE, STRANGER, cast, succeeds};
use crate::plain::{Answer, get, post};

#[test]
fn s02_web3signer_is_replaced_in_place_and_signs_only_what_is_understood() {
    let desk = Desk::open();
    let identifier = the_account_is_listed(&desk);
    a_transaction_is_signed_and_executes(&desk, &identifier);
    a_message_is_signed(&desk, &identifier);
    an_identifier_is_hex_however_it_is_written(&desk, &identifier);
    what_is_not_understood_is_refused(&desk, &identifier);
    what_waits_for_people_is_one_request_however_often_it_is_asked_for(&desk, &identifier);
    it_looks_alive(&desk);
    all_of_it_is_counted(&desk);
    the_node_counts_as_well(&desk);
}

fn the_account_is_listed(desk: &Desk) -> String {
    let listed = get(&desk.url, "/api/v1/eth1/publicKeys", "").json();
    let first = listed[0].as_str().expect("a key").to_owned();
    let point = const_hex::decode(&first).expect("hex");
    assert_eq!(Address::from_raw_public_key(&point), desk.account.parse::<Address>().expect("an address"));
    first
}

fn sign(desk: &Desk, identifier: &str, data: &[u8]) -> Answer {
    let body = json!({"data": const_hex::encode_prefixed(data)}).to_string();
    post(&desk.url, &format!("/api/v1/eth1/sign/{identifier}"), "", &body)
}

fn transfer(to: &str, wei: u128, nonce: u64) -> TxEip1559 {
    TxEip1559 {
        chain_id: 31337,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 3_000_000_000,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(to.parse().expect("an address")),
        value: U256::from(wei),
        ..TxEip1559::default()
    }
}

fn a_transaction_is_signed_and_executes(desk: &Desk, identifier: &str) {
    let transaction = transfer(EXCHANGE, 1, 0);
    let answer = sign(desk, identifier, &transaction.encoded_for_signing());
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains("content-type: text/plain; charset=utf-8"), "{answer:?}");
    let signature: Signature = answer.body.parse().expect("r, s and v");
    let raw = const_hex::encode_prefixed(transaction.clone().into_signed(signature).encoded_2718());
    let receipt = desk.cast(&["publish", &raw], &desk.anvil.url());
    assert!(receipt.contains("0x1"), "{receipt}");
    let again = sign(desk, &desk.account, &transaction.encoded_for_signing());
    assert_eq!(again.body, answer.body, "the same bytes, asked for by the address: the same signature");
}

const MESSAGE: &[u8] = b"\x19Ethereum Signed Message:\n5hello";

fn a_message_is_signed(desk: &Desk, identifier: &str) {
    let answer = sign(desk, identifier, MESSAGE);
    assert_eq!(answer.status, 200, "{answer:?}");
    succeeds(cast().args(["wallet", "verify", "--address", &desk.account, "hello", &answer.body]));
}

/// Clients write the same key in other ways, and get the same signature.
fn an_identifier_is_hex_however_it_is_written(desk: &Desk, identifier: &str) {
    let bare = identifier.trim_start_matches("0x");
    let signed = sign(desk, identifier, MESSAGE);
    for other in [bare.to_owned(), bare.to_uppercase(), format!("0x{}", bare.to_uppercase())] {
        let answer = sign(desk, &other, MESSAGE);
        assert_eq!((answer.status, &answer.body), (200, &signed.body), "{other}: {answer:?}");
    }
}

fn what_is_not_understood_is_refused(desk: &Desk, identifier: &str) {
    let denied = transfer(STRANGER, 1, 1).encoded_for_signing();
    for (data, status, code) in [
        (b"Hello, world!".to_vec(), 400, "build.unknown_form"),
        ([&[0x19, 0x01][..], &[7; 64]].concat(), 400, "web3signer.typed_data_missing"),
        (denied, 412, "request.denied"),
        (b"\x19Ethereum Signed Message:\n32exactly thirty-two letters long.".to_vec(), 412, "request.denied"),
    ] {
        let answer = sign(desk, identifier, &data);
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.contains(code), "{answer:?}");
    }
    assert_eq!(sign(desk, &"11".repeat(64), b"\x19Ethereum Signed Message:\n0").status, 404);
    assert_eq!(post(&desk.url, &format!("/api/v1/eth1/sign/{identifier}"), "", "{}").status, 400);
}

fn what_waits_for_people_is_one_request_however_often_it_is_asked_for(desk: &Desk, identifier: &str) {
    let large = transfer(EXCHANGE, 2_000_000_000_000_000_000, 1).encoded_for_signing();
    for _ in 0..2 {
        let waiting = sign(desk, identifier, &large);
        assert_eq!(waiting.status, 503, "{waiting:?}");
        assert!(waiting.head.contains("retry-after: ") && waiting.body.contains("request.waiting"));
    }
    let inbox = desk.as_person("ana", &["approver", "inbox"]);
    let open: Vec<&Value> = inbox["open"].as_array().expect("a list").iter().collect();
    assert_eq!(open.len(), 1, "{inbox}");
    let id = open[0]["request"].as_str().expect("an id").to_owned();
    for who in ["ana", "ben"] {
        desk.as_person(who, &["approve", &id, "--yes"]);
    }
    assert_eq!(sign(desk, identifier, &large).status, 200);
}

fn it_looks_alive(desk: &Desk) {
    let upcheck = get(&desk.url, "/upcheck", "");
    assert_eq!((upcheck.status, upcheck.body.as_str()), (200, "OK"));
    let health = get(&desk.url, "/healthcheck", "").json();
    assert_eq!((&health["status"], &health["outcome"]), (&json!("UP"), &json!("UP")));
    assert_eq!(get(&desk.url, "/reload", "").json()["status"], "idle");
    let reload = post(&desk.url, "/reload", "", "");
    assert_eq!((reload.status, &reload.json()["status"]), (202, &json!("accepted")));
    for probe in ["/livez", "/readyz"] {
        assert_eq!(get(&desk.url, probe, "").status, 200, "{probe}");
    }
}

fn all_of_it_is_counted(desk: &Desk) {
    // A promise at a nonce behind one that nobody holds.
    let mut gapped = desk.transfer(EXCHANGE, 2_000_000_000_000_000_000);
    gapped[0]["nonce"] = json!("0x3");
    assert_eq!(desk.call("eth_sendTransaction", gapped)["error"]["data"]["code"], "request.waiting");
    let account = desk.account.to_lowercase();
    let gap = format!("nonce_gap{{account=\"{account}\"}} 2");
    // Gauges are found beside the scrapes, every few seconds.
    let end = Instant::now() + Duration::from_secs(120);
    let metrics = loop {
        assert!(Instant::now() < end, "{gap} was never found");
        let metrics = get(&desk.url, "/metrics", "");
        if metrics.body.contains(&gap) && metrics.body.contains("node_up 1") {
            break metrics;
        }
        std::thread::yield_now();
    };
    assert!(metrics.head.contains("application/openmetrics-text"), "{metrics:?}");
    for line in [
        "signing_ops_total{outcome=\"signed\"} 8",
        "signing_ops_total{outcome=\"request.denied\"} 2",
        "signing_ops_total{outcome=\"request.waiting\"} 3",
        "policy_decisions_total{outcome=\"allow\"} 2",
        "policy_decisions_total{outcome=\"deny\"} 2",
        "policy_decisions_total{outcome=\"wait\"} 2",
        "policy_decision_seconds_count 6",
        "http_requests_total{route=\"/api/v1/eth1/sign/{identifier}\",status=\"200\"} 8",
        "broadcasts{outcome=\"waiting\"} 1",
        &gap,
        "node_up 1",
        "# EOF",
    ] {
        assert!(metrics.body.lines().any(|found| found == line), "{line}\n{}", metrics.body);
    }
}

fn the_node_counts_as_well(desk: &Desk) {
    for (path, status) in [("/livez", 200), ("/readyz", 200), ("/", 404)] {
        assert_eq!(get(&desk.metrics, path, "").status, status, "{path}");
    }
    assert_eq!(get(&desk.metrics, "/metrics", "origin: http://localhost\r\n").status, 403);
    let metrics = get(&desk.metrics, "/metrics", "");
    for start in [
        "signing_ops_total{outcome=\"signed\"} ",
        "policy_decisions_total{outcome=\"deny\"} 2",
        "ledger_group_commit_size_bucket{le=\"1.0\"} ",
        "ledger_write_seconds_count ",
        "approval_age_seconds ",
        "requests{outcome=\"open\"} 1",
        "log_height ",
        "chain_head{chain=\"31337\"} ",
        "limit_window_used_ratio{window=\"ether-per-day\",key=\"\",destination=\"\",chain=\"\"} 0.2",
    ] {
        assert!(metrics.body.lines().any(|found| found.starts_with(start)), "{start}\n{}", metrics.body);
    }
}
