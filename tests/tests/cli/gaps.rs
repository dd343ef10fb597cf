//! A nonce whose request people refuse is used again: what was signed behind it is not stuck for ever.

use serde_json::Value;

use crate::crash::{Coordinator, beside};
use crate::desk::{Desk, EXCHANGE, call_at};

const MILLI: u128 = 1_000_000_000_000_000;

#[test]
fn d03_a_refused_request_gives_its_nonce_to_the_next() {
    let desk = Desk::open();
    let first = nonce(&desk);
    let waiting = desk.call("eth_sendTransaction", desk.transfer(EXCHANGE, 2_000 * MILLI));
    let refused =
        waiting["error"]["data"]["request"].as_str().unwrap_or_else(|| panic!("{waiting}")).to_owned();
    let behind = sent(&desk, 100 * MILLI);
    assert_eq!(seen(&desk, &behind)["nonce"], hex(first + 1), "nobody gets the nonce of one that waits");
    assert_eq!(nonce(&desk), first, "it is stuck behind the one that waits");

    desk.as_person("cleo", &["reject", &refused, "--yes"]);
    let filler = sent(&desk, 50 * MILLI);
    assert_eq!(seen(&desk, &filler)["nonce"], hex(first), "the freed nonce comes first");
    for hash in [&filler, &behind] {
        let receipt = desk.cast(&["receipt", hash, "--confirmations", "1"], &desk.anvil.url());
        assert!(receipt.contains("success"), "{receipt}");
    }
    let next = sent(&desk, MILLI);
    assert_eq!(seen(&desk, &next)["nonce"], hex(first + 2));

    // Without a next payment the gap is filled by one that moves nothing.
    let waiting = desk.call("eth_sendTransaction", desk.transfer(EXCHANGE, 2_000 * MILLI));
    let refused = waiting["error"]["data"]["request"].as_str().unwrap().to_owned();
    let behind = sent(&desk, MILLI);
    desk.as_person("ben", &["reject", &refused, "--yes"]);
    sent_to(&desk, &desk.account, 0);
    let receipt = desk.cast(&["receipt", &behind, "--confirmations", "1"], &desk.anvil.url());
    assert!(receipt.contains("success"), "{receipt}");
}

#[test]
fn d03_an_expired_request_gives_its_nonce_to_the_next() {
    let desk = Desk::open();
    let home = beside(&desk);
    let file = home.path().join("keystead.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, text.replace("lifetime_seconds = 3600", "lifetime_seconds = 3")).unwrap();
    let coordinator = Coordinator::start(home.path());
    let call = |wei| call_at(&coordinator.url, "eth_sendTransaction", desk.transfer(EXCHANGE, wei));

    let first = nonce(&desk);
    let waiting = call(2_000 * MILLI);
    let expires =
        waiting["error"]["data"]["request"].as_str().unwrap_or_else(|| panic!("{waiting}")).to_owned();
    let behind = call(100 * MILLI)["result"].as_str().unwrap().to_owned();
    let ended = (0..500).any(|_| {
        let shown = desk.as_person("ana", &["request", "show", &expires]);
        shown["detail"]["view"]["stage"] == "denied"
    });
    assert!(ended, "it never expired");
    let filler = call(50 * MILLI)["result"].as_str().unwrap().to_owned();
    assert_eq!(seen(&desk, &filler)["nonce"], hex(first));
    let receipt = desk.cast(&["receipt", &behind, "--confirmations", "1"], &desk.anvil.url());
    assert!(receipt.contains("success"), "{receipt}");
}

/// The endpoint's pool forgets a payment before a block takes it: the coordinator sends it again.
#[test]
fn d03_what_fell_out_of_the_pool_is_sent_again() {
    let desk = Desk::open();
    let chain = desk.anvil.url();
    call_at(&chain, "evm_setAutomine", serde_json::json!([false]));
    let paid = sent(&desk, MILLI);
    let dropped = call_at(&chain, "anvil_dropTransaction", serde_json::json!([paid]));
    assert_eq!(dropped["result"], paid.as_str(), "{dropped}");
    assert!(seen(&desk, &paid).is_null());
    let again = (0..100_000).any(|_| !seen(&desk, &paid).is_null());
    assert!(again, "it is gone for ever");
    call_at(&chain, "evm_mine", serde_json::json!([]));
    let receipt = desk.cast(&["receipt", &paid, "--confirmations", "1"], &chain);
    assert!(receipt.contains("success"), "{receipt}");
}

fn sent(desk: &Desk, wei: u128) -> String {
    sent_to(desk, EXCHANGE, wei)
}

fn sent_to(desk: &Desk, to: &str, wei: u128) -> String {
    let answer = desk.call("eth_sendTransaction", desk.transfer(to, wei));
    answer["result"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn seen(desk: &Desk, hash: &str) -> Value {
    desk.call("eth_getTransactionByHash", serde_json::json!([hash]))["result"].clone()
}

fn nonce(desk: &Desk) -> u64 {
    desk.cast(&["nonce", &desk.account], &desk.anvil.url()).parse().unwrap()
}

fn hex(number: u64) -> String {
    format!("{number:#x}")
}
