//! The sample policy's bounds as a wallet meets them: what may be offered for gas, and how far ahead a nonce may be.

use serde_json::{Value, json};

use crate::desk::{Desk, EXCHANGE};

const GWEI: u128 = 1_000_000_000;
/// The sample's ceiling per gas.
const CEILING: u128 = 500 * GWEI;

#[test]
fn s10_what_is_filled_in_stays_under_the_caps_and_far_nonces_are_refused() {
    let desk = Desk::open();
    fees_are_filled_in_under_the_cap(&desk);
    a_market_above_the_cap_is_said(&desk);
    far_nonces_are_refused(&desk);
}

/// What the market asks for is offered, up to the ceiling.
fn fees_are_filled_in_under_the_cap(desk: &Desk) {
    market(desk, 100 * GWEI);
    let below = filled(desk)["maxFeePerGas"].clone();
    assert!(wei(&below) < CEILING && wei(&below) > 150 * GWEI, "{below}");
    market(desk, 400 * GWEI);
    assert_eq!(wei(&filled(desk)["maxFeePerGas"]), CEILING, "twice the base fee is beyond it");
}

/// The next block takes more than anybody here may offer: the caller hears of the cap, and nothing is asked for.
fn a_market_above_the_cap_is_said(desk: &Desk) {
    market(desk, 900 * GWEI);
    for method in ["eth_fillTransaction", "eth_sendTransaction"] {
        let data = desk.call(method, desk.transfer(EXCHANGE, 1))["error"]["data"].take();
        assert_eq!(data["code"], "request.fee_cap", "{method}: {data}");
        assert_eq!((&data["cap"], &data["limit"]), (&json!("gas"), &json!(CEILING.to_string())), "{data}");
        let said: u128 = data["market"].as_str().unwrap_or_default().parse().unwrap();
        assert!(said > CEILING && said < 900 * GWEI, "{data}");
    }
    // Who names a fee is told by the log.
    let mut dear = desk.transfer(EXCHANGE, 1);
    dear[0]["maxFeePerGas"] = json!(format!("{:#x}", CEILING + 1));
    dear[0]["maxPriorityFeePerGas"] = json!("0x1");
    let denied = desk.call("eth_signTransaction", dear);
    assert_eq!(reasons(&denied), ["deny.fee_too_high"], "{denied}");
    market(desk, GWEI);
}

/// What is signed so far ahead executes when somebody else wants it to.
fn far_nonces_are_refused(desk: &Desk) {
    let signed = |nonce: u64| {
        let mut transfer = desk.transfer(EXCHANGE, 1);
        transfer[0]["nonce"] = json!(format!("{nonce:#x}"));
        desk.call("eth_signTransaction", transfer)
    };
    for nonce in [17, 1000] {
        let denied = signed(nonce);
        assert_eq!(reasons(&denied), ["deny.forbidden"], "{denied}");
        assert_eq!(denied["error"]["data"]["rules"], json!(["no-far-nonces"]));
    }
    assert!(signed(16)["result"].is_string());
    assert!(signed(0)["result"].is_string());
}

/// Makes blocks in which this is the base fee.
fn market(desk: &Desk, base_fee: u128) {
    desk.cast(&["rpc", "anvil_setNextBlockBaseFeePerGas", &format!("{base_fee:#x}")], &desk.anvil.url());
    desk.cast(&["rpc", "evm_mine"], &desk.anvil.url());
}

fn filled(desk: &Desk) -> Value {
    let answer = desk.call("eth_fillTransaction", desk.transfer(EXCHANGE, 1));
    assert!(answer["error"].is_null(), "{answer}");
    answer["result"]["tx"].clone()
}

fn wei(quantity: &Value) -> u128 {
    u128::from_str_radix(quantity.as_str().unwrap_or_default().trim_start_matches("0x"), 16).unwrap()
}

fn reasons(answer: &Value) -> Vec<&str> {
    let reasons = answer["error"]["data"]["reasons"].as_array();
    reasons.into_iter().flatten().filter_map(|it| it["code"].as_str()).collect()
}
