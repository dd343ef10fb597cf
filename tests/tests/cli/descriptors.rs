//! Descriptors by the command line: checked, joined with what they include, listed.

use std::path::Path;

use alloy_primitives::{U256, keccak256};
use serde_json::{Value, json};

use crate::commands::write;
use crate::desk::Desk;
use crate::script::{Script, fails, ok};

/// A descriptor of one's own, in its folder; gives the entry that names it in a policy.
pub(crate) fn own(script: &mut Script, desk: &Desk, home: &Path) -> Value {
    let format = json!({"intent": "Act", "interpolatedIntent": "Act with {amount}",
        "fields": [{"path": "amount", "label": "Amount", "format": "raw"}]});
    let file = json!({
        "$schema": "https://eips.ethereum.org/assets/eip-7730/erc7730-v2.schema.json",
        "context": {"contract": {"deployments": [{"chainId": 31337, "address": DESCRIBED}]}},
        "metadata": {"owner": "Us"},
        "display": {"formats": {"act(uint256 amount)": format}},
    });
    write(&home.join("vault.json"), &file);
    std::fs::create_dir(home.join("registry")).unwrap();
    write(&home.join("common.json"), &json!({"metadata": {"owner": "Us"}}));
    let mut part = file.clone();
    part.as_object_mut().unwrap().remove("metadata");
    part["includes"] = "../common.json".into();
    write(&home.join("registry/part.json"), &part);
    write(&home.join("broken-vault.json"), &json!({"$schema": "erc7730-v9.schema.json"}));
    std::fs::create_dir(desk.folder.join("descriptors")).unwrap();
    write(&desk.folder.join("descriptors/vault.json"), &file);
    let act = [&keccak256("act(uint256)")[..4], &U256::from(7).to_be_bytes::<32>()].concat();
    script.set("act", const_hex::encode_prefixed(act));
    script.set("described", DESCRIBED);
    script.play([fails("ana", "descriptor check {tmp}/broken-vault.json", "descriptor.")]);
    script.play([
        fails("ana", "descriptor check {tmp}/registry/part.json", "descriptor.include"),
        ok("ana", "descriptor join {tmp}/registry/part.json --output {tmp}/joined.json").has("/digest", ""),
        ok("ana", "descriptor check {tmp}/joined.json").has("/described", "act(uint256)"),
        fails("ana", "descriptor join {tmp}/broken-vault.json --output {tmp}/none.json", "descriptor."),
    ]);
    let checked =
        script.step(&ok("ana", "descriptor check {tmp}/vault.json").has("/described", "act(uint256)"));
    let digest = checked["digest"].as_str().unwrap().to_owned();
    let listed = script.step(&ok("ana", "descriptor list").has("/bundled_set", "2"));
    assert!(listed.to_string().contains(&digest), "{listed}");
    let mut entry = checked["contracts"][0].clone();
    entry["name"] = "vault".into();
    entry
}

/// A contract that only a descriptor speaks of.
const DESCRIBED: &str = "0x5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d";
