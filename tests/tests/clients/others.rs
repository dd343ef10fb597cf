//! Wallets, libraries and scripts that need nobody: what is inside the policy is signed at once.

use std::path::PathBuf;
use std::process::{Command, Output};

use keystead_tests::{npm_package, root, target_folder};
use serde_json::{Value, json};

use crate::desk::{EXCHANGE, STRANGER, cast, succeeds};
use crate::ground::{Ground, balance};

#[test]
fn clients_of_others_send_and_sign_unmodified() {
    let ground = Ground::open();
    let before = balance(&ground, EXCHANGE);
    cast_sends_and_asks(&ground);
    assert_eq!(balance(&ground, EXCHANGE) - before, 1000, "cast");
    let token = ground.token.to_string();
    let arguments = [ground.desk.account.as_str(), EXCHANGE, &token];
    ground.node("ethers.mjs", &arguments);
    assert_eq!(balance(&ground, EXCHANGE) - before, 2500, "ethers 6");
    ground.node("web3signer.mjs", &[&ground.desk.account, &token]);
    ground.node("viem.mjs", &arguments);
    assert_eq!(balance(&ground, EXCHANGE) - before, 4700, "viem");
    let script = root().join("tests/python/web3_client.py");
    succeeds(Command::new(python()).arg(script).arg(&ground.desk.url).args(arguments));
    assert_eq!(balance(&ground, EXCHANGE) - before, 5700, "web3.py");
    assert_eq!(ground.asked(ground.token, "balanceOf(address)(uint256)", &[EXCHANGE]), "7500002");
    alloy_sends(&ground, &[]);
    assert_eq!(balance(&ground, EXCHANGE) - before, 6700, "alloy");
    alloy_sends(&ground, &["legacy"]);
    assert_eq!(balance(&ground, EXCHANGE) - before, 7700, "alloy, type 0");
    alloy_signs_a_structure(&ground);
    hardhat_runs_a_script(&ground);
    assert_eq!(balance(&ground, EXCHANGE) - before, 8700, "Hardhat");
    assert_eq!(ground.asked(ground.token, "balanceOf(address)(uint256)", &[EXCHANGE]), "8000002");
}

/// `hardhat run --network keystead`, with accounts that the network has.
fn hardhat_runs_a_script(ground: &Ground) {
    let home = tempfile::tempdir().unwrap();
    let mut hardhat = Command::new("node");
    hardhat.arg(npm_package("hardhat/internal/cli/bootstrap.js"));
    hardhat.args([
        "--config",
        "hardhat.config.cjs",
        "run",
        "--no-compile",
        "pay.cjs",
        "--network",
        "keystead",
    ]);
    hardhat.current_dir(root().join("tests/npm/clients/hardhat"));
    hardhat.env("HOME", home.path()).env("HARDHAT_DISABLE_TELEMETRY_PROMPT", "true");
    hardhat.env("KEYSTEAD_URL", &ground.desk.url).env("ACCOUNT", &ground.desk.account);
    succeeds(hardhat.env("EXCHANGE", EXCHANGE).env("TOKEN", ground.token.to_string()));
}

/// `cast` signs with keys of its own alone, except where it sends: the rest of the methods it calls by name.
fn cast_sends_and_asks(ground: &Ground) {
    let desk = &ground.desk;
    let sent =
        desk.cast(&["send", "--unlocked", "--from", &desk.account, EXCHANGE, "--value", "1000"], &desk.url);
    assert!(sent.contains("success"), "{sent}");
    let signature = desk.cast(&["rpc", "personal_sign", "0x68656c6c6f", &desk.account], &desk.url);
    succeeds(cast().args([
        "wallet",
        "verify",
        "--address",
        &desk.account,
        "hello",
        signature.trim_matches('"'),
    ]));
    let raw = ["rpc", "eth_signTypedData_v4", "--raw", &json!([desk.account, note(ground)]).to_string()];
    let signature: String = serde_json::from_str(&desk.cast(&raw, &desk.url)).unwrap();
    is_signed(ground, &signature);
    let estimated = desk.cast(&["estimate", EXCHANGE, "--value", "1", "--from", STRANGER], &desk.url);
    assert_eq!(estimated, "21000");
}

/// A structure that a policy of the ground permits.
fn note(ground: &Ground) -> Value {
    json!({
        "types": {
            "EIP712Domain": [{"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"}],
            "Note": [{"name": "text", "type": "string"}],
        },
        "primaryType": "Note", "domain": {"chainId": 31337, "verifyingContract": ground.token}, "message": {"text": "x"},
    })
}

fn is_signed(ground: &Ground, signature: &str) {
    let document = note(ground).to_string();
    let verify = ["wallet", "verify", "--address", &ground.desk.account, "--data", &document, signature];
    succeeds(cast().args(verify));
}

/// A Rust type of alloy's (`sol!`), as the document that the nodes read.
fn alloy_signs_a_structure(ground: &Ground) {
    is_signed(ground, &words(&alloy_signs(ground, &["note", &ground.token.to_string(), "x"])));
}

/// The other example of `alloy-signer-keystead`, as its users run it.
pub(crate) fn alloy_signs(ground: &Ground, arguments: &[&str]) -> Output {
    let mut example = Command::new(target_folder().join("examples/sign"));
    succeeds(example.args([&ground.desk.url, &ground.desk.account]).args(arguments))
}

/// What a program said.
pub(crate) fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The example of `alloy-signer-keystead`, as its users run it: type 2, or what the last argument makes of it.
pub(crate) fn alloy_sends(ground: &Ground, form: &[&str]) -> Output {
    let mut example = Command::new(target_folder().join("examples/send"));
    example.args([&ground.desk.url, &ground.desk.account, EXCHANGE, "1000"]);
    let output = succeeds(example.args(form));
    assert!(words(&output).ends_with(" true"), "{output:?}");
    output
}

/// Where `cargo xtask test` puts what `tests/python/requirements.txt` names.
fn python() -> PathBuf {
    let python = root().join("tests/python/venv/bin/python");
    assert!(python.is_file(), "{} is missing: run `cargo xtask test`", python.display());
    python
}

/// What a script printed.
pub(crate) fn printed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}
