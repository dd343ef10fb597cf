//! A nonce whose request people refuse is used again: what was signed behind it is not stuck for ever.

use keystead_tests::Anvil;
use serde_json::{Value, json};

use crate::crash::{Coordinator, beside};
use crate::desk::{Desk, EXCHANGE, call_at, rewrite};
use crate::plain::get;

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
    call_at(&chain, "evm_setAutomine", json!([false]));
    let paid = sent(&desk, MILLI);
    let dropped = call_at(&chain, "anvil_dropTransaction", json!([paid]));
    assert_eq!(dropped["result"], paid.as_str(), "{dropped}");
    assert!(seen(&desk, &paid).is_null());
    let again = (0..100_000).any(|_| !seen(&desk, &paid).is_null());
    assert!(again, "it is gone for ever");
    call_at(&chain, "evm_mine", json!([]));
    let receipt = desk.cast(&["receipt", &paid, "--confirmations", "1"], &chain);
    assert!(receipt.contains("success"), "{receipt}");
}

/// A chain gives up the block that had a payment, and its pool forgets it: the coordinator sends it again.
#[test]
fn d03_s10_what_a_chain_gave_up_is_sent_again() {
    let anvil = Anvil::start(&["--hardfork", "osaka"]);
    let allow = format!("exchange={EXCHANGE}");
    let desk = Desk::found(anvil, &["--allow", &allow, "--cool-off", "0"], |folder| {
        rewrite(folder, "confirmations = 1\n", &format!("confirmations = {FINAL}\n"));
        rewrite(folder, "deadline_seconds = 60", "deadline_seconds = 1");
    });
    let chain = desk.anvil.url();
    call_at(&chain, "evm_setAutomine", json!([false]));
    let before = call_at(&chain, "evm_snapshot", json!([]))["result"].clone();
    let (id, paid) = sent_with_people(&desk);
    let stage = || desk.as_person("ana", &["request", "show", &id])["detail"]["view"]["stage"].clone();
    // The second look began after the payment was in a block.
    for _ in 0..2 {
        call_at(&chain, "evm_mine", json!([]));
        let head = format!("chain_head{{chain=\"31337\"}} {}", block(&chain));
        let looked = || get(&desk.metrics, "/metrics", "").body.lines().any(|it| it == head);
        assert!((0..100_000).any(|_| looked()), "{head} was never looked at");
    }
    assert!(seen(&desk, &paid)["blockNumber"].is_string(), "in a block");

    assert_eq!(call_at(&chain, "evm_revert", json!([before]))["result"], true);
    assert!(seen(&desk, &paid).is_null(), "the pool has it no more");
    assert!((0..100_000).any(|_| stage() == "reorged"), "nobody says that it was given up");
    assert!((0..100_000).any(|_| !seen(&desk, &paid).is_null()), "it is gone for ever");
    assert_eq!(stage(), "reorged", "in no block yet");
    call_at(&chain, "evm_mine", json!([]));
    let receipt = desk.cast(&["receipt", &paid, "--confirmations", "1"], &chain);
    assert!(receipt.contains("success"), "{receipt}");
}

/// More than the test gives up.
const FINAL: u64 = 10;

/// What two people approved is sent by the coordinator alone; its request and its hash.
fn sent_with_people(desk: &Desk) -> (String, String) {
    let waiting = desk.call("eth_sendTransaction", desk.transfer(EXCHANGE, 2_000 * MILLI));
    let id = waiting["error"]["data"]["request"].as_str().unwrap_or_else(|| panic!("{waiting}")).to_owned();
    ["ana", "ben"].iter().for_each(|who| drop(desk.as_person(who, &["approve", &id, "--yes"])));
    let shown = desk.as_person("cleo", &["request", "show", &id]);
    let hash = shown["detail"]["view"]["signed"]["transaction"].as_str().unwrap_or_else(|| panic!("{shown}"));
    let hash = format!("0x{hash}");
    assert!((0..100_000).any(|_| !seen(desk, &hash).is_null()), "it was never sent");
    (id, hash)
}

fn block(chain: &str) -> u64 {
    let head = call_at(chain, "eth_blockNumber", json!([]));
    let digits = head["result"].as_str().and_then(|it| it.strip_prefix("0x"));
    u64::from_str_radix(digits.unwrap_or_else(|| panic!("{head}")), 16).unwrap()
}

fn sent(desk: &Desk, wei: u128) -> String {
    sent_to(desk, EXCHANGE, wei)
}

fn sent_to(desk: &Desk, to: &str, wei: u128) -> String {
    let answer = desk.call("eth_sendTransaction", desk.transfer(to, wei));
    answer["result"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn seen(desk: &Desk, hash: &str) -> Value {
    desk.call("eth_getTransactionByHash", json!([hash]))["result"].clone()
}

fn nonce(desk: &Desk) -> u64 {
    desk.cast(&["nonce", &desk.account], &desk.anvil.url()).parse().unwrap()
}

fn hex(number: u64) -> String {
    format!("{number:#x}")
}
