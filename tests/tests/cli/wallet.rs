//! Unmodified wallets and scripts: `cast` against anvil through the coordinator, and the table of methods.

use serde_json::{Value, json};

use crate::desk::{Desk, EXCHANGE, STRANGER, cast, json as parsed, succeeds};

#[test]
fn unmodified_wallets_and_scripts_get_what_policy_allows() {
    let desk = Desk::open();
    cast_sends_without_a_key_of_its_own(&desk);
    signatures_are_those_of_the_account(&desk);
    what_is_not_allowed_says_why(&desk);
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
    for (name, value) in [("nonce", "0x40"), ("maxFeePerGas", "0x3b9aca00"), ("maxPriorityFeePerGas", "0x1")]
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
        ("eth_sign", json!([desk.account, "0x00"]), -32004, "rpc.refused_method"),
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
        assert_eq!(
            (&answer["error"]["code"], &answer["error"]["data"]["code"]),
            (&json!(number), &json!(code)),
            "{answer}"
        );
    }
    let denied = desk.call("eth_sendTransaction", desk.transfer(STRANGER, 1));
    assert_eq!(denied["error"]["data"]["reasons"][0]["code"], "deny.destination_unknown", "{denied}");
    let forwarded = desk.call("eth_noSuchMethod", json!([]));
    assert_eq!(forwarded["error"]["code"], -32601, "the endpoint's own error: {forwarded}");
}

fn what_needs_people_waits_and_goes_on_without_its_caller(desk: &Desk) {
    let two_ether = 2_000_000_000_000_000_000;
    let before: u128 = desk.cast(&["balance", EXCHANGE], &desk.anvil.url()).parse().unwrap();
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
    let after: u128 = desk.cast(&["balance", EXCHANGE], &desk.anvil.url()).parse().unwrap();
    assert_eq!(after - before, two_ether);
}

fn batches_and_envelopes_keep_their_limits(desk: &Desk) {
    let call = |id: u64, method: &str| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": []});
    let batch = json!([call(1, "eth_chainId"), call(2, "eth_blockNumber"), call(3, "eth_sign")]);
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
