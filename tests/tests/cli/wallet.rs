//! Unmodified wallets and scripts: `cast` against anvil through the coordinator, and the table of methods.

use serde_json::{Value, json};

use crate::desk::{Desk, EXCHANGE, STRANGER, cast, json as parsed, succeeds};

#[test]
fn unmodified_wallets_and_scripts_get_what_policy_allows() {
    let desk = Desk::open();
    cast_sends_without_a_key_of_its_own(&desk);
    signatures_are_those_of_the_account(&desk);
    what_is_not_allowed_says_why(&desk);
    what_is_left_open_is_filled_for_anybody(&desk);
    the_calls_of_a_bundle_are_sent_together_or_not_at_all(&desk);
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
    for (name, value) in [("nonce", "0x10"), ("maxFeePerGas", "0x3b9aca00"), ("maxPriorityFeePerGas", "0x1")]
    {
        transaction[0][name] = json!(value);
    }
    let raw = desk.call("eth_signTransaction", transaction);
    let raw = raw["result"].as_str().unwrap_or_else(|| panic!("{raw}"));
    let decoded = succeeds(cast().args(["decode-tx", raw]));
    // cast prints the object as a string of JSON.
    let signer: Value = serde_json::from_str(parsed(&decoded).as_str().expect("a string")).unwrap();
    assert_eq!(signer["signer"].as_str().unwrap().to_lowercase(), desk.account.to_lowercase());

    let text = "0x68656c6c6f";
    let signed = desk.call("personal_sign", json!([text, desk.account]));
    let signature = signed["result"].as_str().unwrap_or_else(|| panic!("{signed}"));
    let verify = ["wallet", "verify", "--address", &desk.account, "hello", signature];
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
        ("eth_sign", json!([desk.account, format!("0x{}", "07".repeat(32))]), -32003, "request.denied"),
        ("eth_signTypedData_v3", json!([]), -32004, "rpc.refused_method"),
        ("anvil_setBalance", json!([desk.account, "0x0"]), -32601, "rpc.unknown_method"),
        ("eth_noSuchMethod", json!([]), -32601, "rpc.unknown_method"),
        ("eth_getBalance", json!([]), -32602, "the endpoint's own"),
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
        let found = answer["error"]["data"]["code"].as_str().unwrap_or("the endpoint's own");
        assert_eq!((&answer["error"]["code"], found), (&json!(number), code), "{answer}");
    }
    let denied = desk.call("eth_sendTransaction", desk.transfer(STRANGER, 1));
    assert_eq!(denied["error"]["data"]["reasons"][0]["code"], "deny.destination_unknown", "{denied}");
}

fn what_is_left_open_is_filled_for_anybody(desk: &Desk) {
    let asked = json!([{"from": STRANGER, "to": EXCHANGE, "value": "0x1"}]);
    let filled = desk.call("eth_fillTransaction", asked)["result"].clone();
    let raw = filled["raw"].as_str().unwrap_or_else(|| panic!("{filled}"));
    assert!(raw.starts_with("0x02"), "{filled}");
    let found = (&filled["tx"]["chainId"], &filled["tx"]["nonce"], &filled["tx"]["gas"]);
    assert_eq!(found, (&json!("0x7a69"), &json!("0x0"), &json!("0x5208")), "{filled}");
}

fn the_calls_of_a_bundle_are_sent_together_or_not_at_all(desk: &Desk) {
    let capabilities = desk.call("wallet_getCapabilities", json!([desk.account, ["0x7a69"]]));
    assert_eq!(capabilities["result"]["0x7a69"]["atomic"]["status"], "unsupported", "{capabilities}");
    assert_eq!(desk.call("wallet_getCapabilities", json!([STRANGER]))["error"]["code"], 4100);
    let before = balance(desk);
    let sent = desk.call("wallet_sendCalls", bundle(desk, &[(EXCHANGE, 1), (EXCHANGE, 2)]));
    let status = settled(desk, sent["result"]["id"].as_str().unwrap_or_else(|| panic!("{sent}")));
    assert_eq!((&status["status"], &status["atomic"]), (&json!(200), &json!(false)), "{status}");
    assert_eq!(status["receipts"].as_array().map(Vec::len), Some(2), "{status}");
    assert_eq!(balance(desk) - before, 3);

    // The second is denied: the first is signed by then, and nobody sends it.
    let mut asked = bundle(desk, &[(EXCHANGE, 4), (STRANGER, 8)]);
    asked[0]["id"] = json!("0x5afe");
    let denied = desk.call("wallet_sendCalls", asked.clone());
    assert_eq!(denied["error"]["data"]["reasons"][0]["code"], "deny.destination_unknown", "{denied}");
    assert_eq!(denied["error"]["data"]["bundle"], "0x5afe", "{denied}");
    let status = settled(desk, "0x5afe");
    assert_eq!(status["status"], 400, "{status}");
    assert_eq!(desk.call("wallet_sendCalls", asked)["error"]["code"], 5720);
    assert_eq!(balance(desk) - before, 3);
    // What was signed keeps its nonce until people free it.
    let signed =
        status["capabilities"]["keystead"]["requests"][0].as_str().unwrap_or_else(|| panic!("{status}"));
    let freed = desk.as_person("ana", &["request", "replace", signed, "--cancel"]);
    assert_eq!(freed["request"]["stage"], "signed", "{freed}");
}

fn bundle(desk: &Desk, transfers: &[(&str, u64)]) -> Value {
    let call = |(to, wei): &(&str, u64)| json!({"to": to, "value": format!("{wei:#x}")});
    let calls: Vec<_> = transfers.iter().map(call).collect();
    json!([{"version": "2.0.0", "from": desk.account, "chainId": "0x7a69", "atomicRequired": false, "calls": calls}])
}

fn balance(desk: &Desk) -> u128 {
    desk.cast(&["balance", EXCHANGE], &desk.anvil.url()).parse().unwrap()
}

/// What became of a bundle that waits for nobody.
fn settled(desk: &Desk, id: &str) -> Value {
    for _ in 0..100_000 {
        let status = desk.call("wallet_getCallsStatus", json!([id]))["result"].clone();
        if status["status"] != 100 {
            return status;
        }
    }
    panic!("the bundle {id} never ends");
}

fn what_needs_people_waits_and_goes_on_without_its_caller(desk: &Desk) {
    let two_ether = 2_000_000_000_000_000_000;
    let before = balance(desk);
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
    assert_eq!(balance(desk) - before, two_ether);
}

fn batches_and_envelopes_keep_their_limits(desk: &Desk) {
    let call = |id: u64, method: &str| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": []});
    let batch = json!([call(1, "eth_chainId"), call(2, "eth_blockNumber"), call(3, "eth_signTypedData")]);
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
