//! What people do with their own commands: change the rules, say no, keep proofs, watch from outside.

use std::path::Path;
use std::process::{Command, Output};

use keystead_tests::binary;
use serde_json::Value;

use crate::desk::{Desk, EXCHANGE, STRANGER, json, path};

#[test]
fn people_change_rules_say_no_and_keep_proofs() {
    let desk = Desk::open();
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str| home.path().join(name);
    let older = file("older.checkpoint");
    desk.as_person("cleo", &["audit", "checkpoint", "--file", path(&older)]);
    let denied = s12_a_stranger_is_paid_only_after_a_new_version(&desk, &file("next.json"));
    s11_a_no_ends_a_request(&desk);
    l1_the_log_proves_its_no(&desk, &denied, &file("denied.proof"), &older);
    l2_a_witness_remembers(&desk, &file("request"), &file("witness.state"));
}

/// Gives the id of the request that was refused before.
fn s12_a_stranger_is_paid_only_after_a_new_version(desk: &Desk, next: &Path) -> String {
    let pay = ["request", "transfer", "--key", "hot", "--to", STRANGER, "--wei", "5"];
    let refused = desk.command("ana", &pay);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let denied = json(&refused)["request"]["request"].as_str().unwrap().to_owned();

    let mut policy = desk.as_person("ana", &["policy", "show"]);
    let mut entry = policy["address_book"][0].clone();
    entry["address"] = STRANGER.to_lowercase().into();
    entry["name"] = "partner".into();
    policy["address_book"].as_array_mut().unwrap().push(entry);
    std::fs::write(next, policy.to_string()).unwrap();
    let checked = desk.as_person("ana", &["policy", "check", path(next), "--last", "10"]);
    assert!(checked["differences"].to_string().contains("would PASS"), "{checked}");
    s13_nobody_is_asked_for_a_version_whose_direction_nobody_knows(desk, next);
    let proposed = desk.as_person("ana", &["policy", "propose", path(next)]);
    assert_eq!(proposed["sections"], "address_book", "{proposed}");
    assert_eq!(proposed["direction"]["label"], "loosens", "{proposed}");
    let id = proposed["request"]["request"].as_str().unwrap();
    refused_without_a_solver(desk, "ben", &["policy", "approve", id, "--yes"]);
    ["ben", "cleo"].iter().for_each(|who| drop(desk.as_person(who, &["policy", "approve", id, "--yes"])));
    desk.as_person("ana", &["policy", "activate", id]);
    assert_eq!(desk.as_person("ana", &["policy", "show"])["number"], 1, "s13: followed from the genesis");

    let paid = desk.as_person("ana", &pay);
    assert!(paid["sent"].is_string(), "{paid}");
    denied
}

fn s13_nobody_is_asked_for_a_version_whose_direction_nobody_knows(desk: &Desk, next: &Path) {
    refused_without_a_solver(desk, "ana", &["policy", "propose", path(next)]);
    let said = without_a_solver(desk, "ana", &["policy", "propose", path(next), "--unproven"]);
    assert!(said.status.success(), "{said:?}");
    let id = json(&said)["request"]["request"].as_str().unwrap().to_owned();
    desk.as_person("ben", &["reject", &id, "--yes"]);
    let tightened = next.with_file_name("tightened.json");
    let mut policy = desk.as_person("ana", &["policy", "show"]);
    policy["windows"][0]["limit"] = "7".into();
    std::fs::write(&tightened, policy.to_string()).unwrap();
    let proven = desk.as_person("ana", &["policy", "prove", path(&tightened)]);
    assert_eq!(proven["direction"]["label"], "tightens", "{proven}");
}

fn refused_without_a_solver(desk: &Desk, who: &str, arguments: &[&str]) {
    let refused = without_a_solver(desk, who, arguments);
    let error: Value = serde_json::from_slice(&refused.stderr).unwrap();
    assert_eq!(error["error"]["code"], "policy.unproven", "{error}");
}

fn without_a_solver(desk: &Desk, who: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary("keystead"));
    command.env("CVC5", "/nonexistent").args(["--json", "--dir", path(&desk.folder), "--as", who]);
    command.args(arguments).output().unwrap()
}

fn s11_a_no_ends_a_request(desk: &Desk) {
    let asked = ["request", "transfer", "--key", "hot", "--to", EXCHANGE, "--wei", "3000000000000000000"];
    let waiting = desk.as_person("ana", &asked);
    let id = waiting["request"]["request"].as_str().unwrap();
    let own = desk.command("ana", &["approve", id, "--yes"]);
    let error: Value = serde_json::from_slice(&own.stderr).unwrap();
    assert_eq!(error["error"]["code"], "approval.refused", "the requester approves nothing of their own");
    desk.as_person("ben", &["approve", id, "--yes"]);
    desk.as_person("cleo", &["reject", id, "--yes"]);
    let shown = desk.as_person("ben", &["request", "show", id]);
    assert_eq!(shown["detail"]["view"]["stage"], "denied", "{shown}");
    assert!(shown["words"][0].as_str().unwrap().starts_with("TRANSFER"), "{shown}");
}

fn l1_the_log_proves_its_no(desk: &Desk, denied: &str, proof: &Path, older: &Path) {
    desk.as_person("ana", &["audit", "checkpoint", "--file", path(&proof.with_extension("checkpoint"))]);
    let prove = ["audit", "prove", denied, "--file", path(proof), "--older", path(older)];
    desk.as_person("ana", &prove);
    let shown = desk.as_person("ana", &["audit", "verify", "--proof", path(proof), "--older", path(older)]);
    assert!(shown["shown"]["decision"]["outcome"]["deny"].is_object(), "{shown}");
    let mut bytes = std::fs::read(proof).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(proof, bytes).unwrap();
    assert!(!desk.command("ana", &["audit", "verify", "--proof", path(proof)]).status.success());
}

fn l2_a_witness_remembers(desk: &Desk, request: &Path, state: &Path) {
    desk.as_person("ana", &["audit", "cosign-request", "--file", path(request)]);
    let witness = ["witness", "--request", path(request), "--state", path(state)];
    let cosigned = desk.as_person("cleo", &witness);
    let size = cosigned["size"].as_u64().unwrap().to_string();
    let early = desk.command("cleo", &witness);
    assert!(!early.status.success(), "the proof begins at 0, the witness does not");
    let words = String::from_utf8_lossy(&early.stderr);
    assert!(words.contains(&format!("audit cosign-request --older {size}")), "{words}");
    desk.as_person("ana", &["audit", "cosign-request", "--older", &size, "--file", path(request)]);
    assert_eq!(desk.as_person("cleo", &witness)["size"].to_string(), size);
}
