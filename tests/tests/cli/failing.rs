//! A payment that fails on the chain: whoever waits for it is told that it failed, and not that it settled.

use serde_json::{Value, json};

use crate::desk::{Desk, EXCHANGE};
use crate::plain::{get, post};

#[test]
fn what_fails_on_the_chain_is_failed_to_whoever_asks() {
    let desk = Desk::open();
    desk.cast(&["rpc", "anvil_setCode", EXCHANGE, ALWAYS_REVERTS], &desk.anvil.url());
    let gas = json!({"nonce": 0, "gas_limit": 60_000, "max_fee_per_gas": 3_000_000_000_u64, "max_priority_fee_per_gas": 1});
    let transfer = json!({
        "account": {"key": "hot", "index": 0}, "chain": 31337, "asset": "native", "to": EXCHANGE, "amount": "1000", "gas": gas,
    });
    let body = json!({"action": {"transfer": transfer}}).to_string();
    let asked = post(&desk.url, "/v1/requests", "", &body).json();
    let id = asked["request"].as_str().unwrap_or_else(|| panic!("{asked}"));
    assert_eq!(desk.call("keystead_track", json!([id]))["result"], true);

    let shown = || get(&desk.url, &format!("/v1/requests/{id}"), "").json();
    let is_over = |stage: &Value| stage == "failed" || stage == "settled";
    let ended = (0..MOST_LOOKS).map(|_| shown()).find(|it| is_over(&it["view"]["stage"])).expect("an end");
    assert_eq!(ended["view"]["stage"], "failed", "{ended}");
    let events = get(&desk.url, &format!("/v1/requests/{id}/events"), "").body;
    assert!(events.contains(r#""stage":"failed""#), "{events}");
    let told = desk.as_person("ana", &["request", "show", id]);
    assert_eq!(told["detail"]["view"]["stage"], "failed", "{told}");
    let fate = &told["detail"]["view"]["decision"]["outcome"]["ended"]["fate"];
    assert!(fate["reverted"]["transaction"].is_string(), "{told}");
}

/// `PUSH0 PUSH0 REVERT`
const ALWAYS_REVERTS: &str = "0x5f5ffd";
/// The node looks at the chain every few seconds.
const MOST_LOOKS: usize = 30_000;
