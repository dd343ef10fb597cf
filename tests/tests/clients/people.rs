//! Stories in which people have a word: a client asks, the approvers read what it is, and then it is signed.

use std::process::{Command, Output};
use std::thread;

use keystead_tests::npm_package;
use serde_json::Value;

use crate::desk::{EXCHANGE, STRANGER, cast, succeeds};
use crate::ground::{DEPLOYER, Ground, balance};
use crate::others::{alloy_sends, alloy_signs, printed, words};

#[test]
fn what_clients_ask_for_is_signed_once_people_have_read_it() {
    let ground = Ground::open();
    a_permit_by_viem_is_held_for_approval(&ground);
    a_bundle_waits_for_the_call_that_needs_people(&ground);
    a_contract_is_deployed_by_a_foundry_script(&ground);
    a_safe_executes_what_one_owner_of_three_signed_here(&ground);
    a_large_payment_by_ethers_is_held_for_approval(&ground);
    what_only_a_hash_stands_for_is_signed_as_a_message(&ground);
    a_delegation_of_somebody_else_is_carried_by_alloy(&ground);
    an_account_is_delegated_by_alloy(&ground);
}

fn a_permit_by_viem_is_held_for_approval(ground: &Ground) {
    let token = ground.token.to_string();
    let arguments = [ground.desk.account.as_str(), EXCHANGE, &token];
    let read = [
        "ALLOWANCE: somebody may take the amounts below later",
        "exchange (0x70997970C51812dc3A010C7d01b50e0d17dc79C8) may take 3 COIN from our own account hot/0",
    ];
    let permit = printed(&held(ground, "a permit by viem", &read, || ground.node("permit.mjs", &arguments)));
    let text = |name: &str| permit[name].as_str().unwrap_or_else(|| panic!("{permit}")).to_owned();
    let (deadline, v, r, s) = (text("deadline"), text("v"), text("r"), text("s"));
    let function = "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)";
    let permitted = [&ground.desk.account, EXCHANGE, "3000000", &deadline, &v, &r, &s];
    ground.as_deployer(&token, function, &permitted);
    let allowed =
        ground.asked(ground.token, "allowance(address,address)(uint256)", &[&ground.desk.account, EXCHANGE]);
    assert_eq!(allowed, "3000000");
}

fn a_bundle_waits_for_the_call_that_needs_people(ground: &Ground) {
    let (token, before) = (ground.token.to_string(), balance(ground, EXCHANGE));
    let arguments = [ground.desk.account.as_str(), EXCHANGE, &token];
    let read = [
        "ALLOWANCE: somebody may take the amounts below later",
        "exchange (0x70997970C51812dc3A010C7d01b50e0d17dc79C8) may take 1 COIN from our own account hot/0",
        "After the simulation exchange (0x70997970C51812dc3A010C7d01b50e0d17dc79C8) may take 1 COIN",
    ];
    held(ground, "a bundle by wallet_sendCalls", &read, || ground.node("bundle.mjs", &arguments));
    assert_eq!(balance(ground, EXCHANGE) - before, 42);
    let allowed =
        ground.asked(ground.token, "allowance(address,address)(uint256)", &[&ground.desk.account, EXCHANGE]);
    assert_eq!(allowed, "1000000");
}

fn a_contract_is_deployed_by_a_foundry_script(ground: &Ground) {
    let project = project();
    let folder = project.path();
    let script = || {
        let mut forge = Command::new(npm_package("@foundry-rs/forge-linux-amd64/bin/forge"));
        forge.current_dir(folder).args([
            "script",
            "Deploy.s.sol",
            "--tc",
            "Deploy",
            "--broadcast",
            "--unlocked",
            "--slow",
        ]);
        forge.args(["--sender", &ground.desk.account, "--rpc-url", &ground.desk.url]).env("HOME", folder);
        succeeds(&mut forge)
    };
    let read = [
        "CHANGE OF CONTROL: who commands an account or a contract changes",
        "A contract is created from code with the hash 0x",
        "Simulated after block ",
        "A contract is created at 0x",
    ];
    let output = held(ground, "a contract by a Foundry script", &read, script);
    let printed = String::from_utf8_lossy(&output.stdout);
    let record = folder.join("broadcast/Deploy.s.sol/31337/run-latest.json");
    let record: Value =
        serde_json::from_slice(&std::fs::read(record).unwrap_or_else(|_| panic!("{printed}"))).unwrap();
    let deployed = record["receipts"][0]["contractAddress"].as_str().unwrap_or_else(|| panic!("{record}"));
    assert_eq!(ground.asked(deployed.parse().unwrap(), "number()(uint256)", &[]), "42");
}

fn a_safe_executes_what_one_owner_of_three_signed_here(ground: &Ground) {
    let (ours, second) = (ground.desk.account.as_str(), EXCHANGE);
    ground.set_up_safe(&[ours, second, STRANGER]);
    let safe = ground.safe.to_string();
    let read = ["TRANSFER: value leaves once, by the amounts below", "0.5 ETH go from vault"];
    let output = held(ground, "a Safe's transaction by ethers", &read, || {
        ground.node("safe.mjs", &[ours, &safe, EXCHANGE])
    });
    let signature = String::from_utf8_lossy(&output.stdout).trim().trim_start_matches("0x").to_owned();
    // The other owner agrees by sending it: its word is its address (Safe, v = 1). Words stand in the order of owners.
    let by_sender = format!("{:0>64}{:0>64}01", second.trim_start_matches("0x").to_lowercase(), "");
    let mut words = [(ours.to_lowercase(), signature), (second.to_lowercase(), by_sender)];
    words.sort();
    let signatures = format!("0x{}{}", words[0].1, words[1].1);
    let zero = "0x0000000000000000000000000000000000000000";
    let function =
        "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)";
    let url = ground.desk.anvil.url();
    let before = balance(ground, &safe);
    let mut send = cast();
    send.args(["send", "--rpc-url", &url, "--unlocked", "--from", second]);
    send.args([&safe, function, EXCHANGE, HALF, "0x", "0", "0", "0", "0", zero, zero, &signatures]);
    let receipt = succeeds(&mut send);
    assert!(String::from_utf8_lossy(&receipt.stdout).contains("success"), "{receipt:?}");
    assert_eq!((before - balance(ground, &safe)).to_string(), HALF);
}

/// Half a coin, in wei.
const HALF: &str = "500000000000000000";

fn a_large_payment_by_ethers_is_held_for_approval(ground: &Ground) {
    let before = balance(ground, EXCHANGE);
    let read = [
        "TRANSFER: value leaves once, by the amounts below",
        "0.5 ETH go from our own account hot/0",
        "to exchange (0x70997970C51812dc3A010C7d01b50e0d17dc79C8)",
    ];
    held(ground, "a large payment by ethers", &read, || {
        ground.node("large.mjs", &[&ground.desk.account, EXCHANGE, HALF])
    });
    assert_eq!((balance(ground, EXCHANGE) - before).to_string(), HALF);
}

/// `eth_sign` takes 32 bytes where policy lets somebody sign blindly, and signs them as a message (EIP-191), never as they are.
fn what_only_a_hash_stands_for_is_signed_as_a_message(ground: &Ground) {
    let (desk, text) = (&ground.desk, "exactly thirty-two letters long.");
    let data = const_hex::encode_prefixed(text);
    let sign = || succeeds(cast().args(["rpc", "eth_sign", &desk.account, &data, "--rpc-url", &desk.url]));
    let read = ["BLIND: only a hash is visible, and it can stand for anything"];
    let signature = words(&held(ground, "32 bytes by eth_sign", &read, sign));
    let verify = ["wallet", "verify", "--address", &desk.account];
    succeeds(cast().args(verify).args([text, signature.trim_matches('"')]));
    let digest =
        cast().args(verify).args(["--no-hash", &data, signature.trim_matches('"')]).output().unwrap();
    assert!(!digest.status.success(), "the bare digest is signed: {digest:?}");
}

/// A transaction of type 4 (EIP-7702): the account pays for another one's authorization.
fn a_delegation_of_somebody_else_is_carried_by_alloy(ground: &Ground) {
    let desk = &ground.desk;
    let nonce = desk.cast(&["nonce", &DEPLOYER.to_string()], &desk.anvil.url());
    let sign = ["wallet", "sign-auth", EXCHANGE, "--private-key", DEPLOYER_KEY, "--chain", "31337"];
    let signed = words(&succeeds(cast().args(sign).args(["--nonce", &nonce])));
    let read = ["CHANGE OF CONTROL: who commands an account or a contract changes"];
    held(ground, "a transaction of type 4 by alloy", &read, || alloy_sends(ground, &[&signed]));
    let runs = format!("0xef0100{}", EXCHANGE.trim_start_matches("0x").to_lowercase());
    assert_eq!(desk.cast(&["code", &DEPLOYER.to_string()], &desk.anvil.url()), runs);
}

/// The key of anvil's first account, which anvil prints.
const DEPLOYER_KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// An authorization (EIP-7702) that alloy asks for, carried to the chain by somebody else.
fn an_account_is_delegated_by_alloy(ground: &Ground) {
    let desk = &ground.desk;
    let nonce = desk.cast(&["nonce", &desk.account], &desk.anvil.url());
    let delegate = ["delegate", EXCHANGE, &nonce];
    let read = ["CHANGE OF CONTROL: who commands an account or a contract changes"];
    let signed = words(&held(ground, "an authorization by alloy", &read, || alloy_signs(ground, &delegate)));
    let carrier = ["send", "--unlocked", "--from", EXCHANGE, "--auth", &signed, STRANGER, "--value", "1"];
    let receipt = desk.cast(&carrier, &desk.anvil.url());
    assert!(receipt.contains("success"), "{receipt}");
    let runs = format!("0xef0100{}", EXCHANGE.trim_start_matches("0x").to_lowercase());
    assert_eq!(desk.cast(&["code", &desk.account], &desk.anvil.url()), runs);
}

/// Starts a client, reads what waits as an approver does, and approves it with two people.
fn held(ground: &Ground, story: &str, words: &[&str], client: impl FnOnce() -> Output + Send) -> Output {
    thread::scope(|scope| {
        let client = scope.spawn(client);
        let (id, shown) = waiting(ground, || client.is_finished());
        for who in ["ana", "ben"] {
            ground.desk.as_person(who, &["approve", &id, "--yes"]);
        }
        let output = client.join().unwrap();
        read(story, words, &shown);
        output
    })
}

/// Shows a story's words to whoever runs the tests, and finds each line that has to be among them.
pub(crate) fn read(story: &str, expected: &[&str], shown: &[String]) {
    keystead_tests::tell(&format!("{story}; its approvers read:\n    {}", shown.join("\n    ")));
    for line in expected {
        assert!(shown.iter().any(|it| it.contains(line)), "{story}: no line `{line}` in {shown:#?}");
    }
}

/// The request that waits, and all the lines that an approver reads about it. A run takes its time: whoever looks at once reads that
/// nobody knows what it does yet.
fn waiting(ground: &Ground, ended: impl Fn() -> bool) -> (String, Vec<String>) {
    let mut looks = 0;
    while !ended() {
        let inbox = ground.desk.as_person("ana", &["approver", "inbox"]);
        if let Some(open) = inbox["open"].as_array().and_then(|open| open.first()) {
            let id = open["request"].as_str().unwrap_or_else(|| panic!("{open}")).to_owned();
            let shown = lines(&open["words"]);
            let is_run = !shown.iter().any(|it| it.starts_with("WHAT IT DOES WHEN IT IS RUN IS NOT KNOWN"));
            looks += 1;
            if is_run || looks == MANY_LOOKS {
                return (id, shown);
            }
        }
    }
    panic!("the client ended, and nothing waits");
}

/// Longer than any run takes: each look is a process.
const MANY_LOOKS: u32 = 200;

/// Every text in a value, in its order.
pub(crate) fn lines(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(lines).collect(),
        Value::Object(fields) => fields.values().flat_map(lines).collect(),
        _ => Vec::new(),
    }
}

/// A project of Foundry's that needs no network: solc from npm under the name that forge calls.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let solc = npm_package("solc").display().to_string();
    write("solc", &SOLC.replace("SOLC", &solc));
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path().join("solc"), executable).unwrap();
    write(
        "foundry.toml",
        "[profile.default]\nsrc = \".\"\nscript = \".\"\nsolc = \"./solc\"\noffline = true\nevm_version = \"cancun\"\n",
    );
    write("Deploy.s.sol", DEPLOY);
    folder
}

const SOLC: &str = r#"#!/usr/bin/env node
const solc = require("SOLC"), fs = require("fs"), asked = process.argv.slice(2);
if (asked.includes("--version")) console.log("solc, the solidity compiler commandline interface\nVersion: " + solc.version());
else process.stdout.write(solc.compile(fs.readFileSync(0, "utf8")));
"#;

const DEPLOY: &str = r#"
    // SPDX-License-Identifier: MIT
    pragma solidity ^0.8.24;
    interface Vm { function startBroadcast() external; }
    contract Answer { uint256 public number = 42; }
    contract Deploy {
        Vm constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
        function run() external { vm.startBroadcast(); new Answer(); }
    }
"#;
