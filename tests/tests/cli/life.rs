//! The life of keys by commands: inventory, receipt, terms, a successor, the end of a key, and a declared compromise.

use std::path::Path;
use std::process::Command;

use keystead_base::Canonical as _;
use keystead_decision::SignedGenesis;
use keystead_tests::binary;

use crate::commands::write;
use crate::desk::{path, succeeds};
use crate::script::{Script, Step, fails, no, ok};

/// The last ones of the list: nothing is thawed afterwards.
pub(crate) fn each_command(script: &mut Script, home: &Path) {
    born(script, home);
    terms(script);
    swept(script, home);
    compromised(script);
}

fn approved(script: &mut Script, step: Step) {
    script.step(&step.keep("asked", "/request/request"));
    script.play([ok("ben", "approve {asked} --yes"), ok("cleo", "approve {asked} --yes")]);
}

/// The log has the receipt of what the enclave drew, and whoever reads it checks it.
fn born(script: &mut Script, home: &Path) {
    approved(script, ok("ana", "key create warm"));
    let shown = script.until_it_works("ana", "key show warm");
    assert_eq!(shown["key"]["life"]["owner"], "ana", "{shown}");
    let told = |script: &Script| script.text("ana", "key show warm").contains("holds");
    assert!((0..500).any(|_| told(script)), "{}", script.text("ana", "key show warm"));
    witnessed(script, home);
    approved(script, ok("ana", "key backup warm --to ana,ben"));
    script.until_it_works("ana", "key drill warm");
    script.step(&ok("ana", "key list"));
    let inventory = script.text("ana", "key inventory");
    for word in ["owner", "exposed", "last proof", "warm", "ana"] {
        assert!(inventory.contains(word), "{word}: {inventory}");
    }
    script.step(&ok("ana", "key inventory").has("/keys/0/exposed", "true").has("/keys/0/key/name", "hot"));
}

/// Ben watched, and says so by his key; nobody says it for cleo, and nobody writes a promise down that was never made.
fn witnessed(script: &mut Script, home: &Path) {
    let shown = script.step(&ok("ana", "key show warm").has("/witnesses", "\"signed\":[]"));
    write(&home.join("warm.json"), &shown);
    let mut word = script.step(&ok("ben", "entropy witness {tmp}/warm.json").has("/signer", "ben"));
    write(&home.join("ben.json"), &word);
    word["signer"] = "cleo".into();
    write(&home.join("cleo.json"), &word);
    script.set("zeros", "00".repeat(32));
    script.play([
        ok("ana", "entropy witnessed {tmp}/warm.json {tmp}/ben.json").has("/signed/0/witness", "ben"),
        ok("ana", "key show warm --witness {tmp}/ben.json").has("/witnesses", "\"witness\":\"ben\""),
        no("ana", "entropy witnessed {tmp}/warm.json {tmp}/cleo.json --pinned")
            .has("/refused/0/code", "entropy_witness.signature"),
        no("ana", "key show warm --witness {tmp}/ben.json,{tmp}/cleo.json")
            .has("/witnesses", "_witness.signature"),
        fails("ben", "entropy witness {tmp}/warm.json --promise {zeros}", "entropy_witness.promise"),
        fails("ben", "entropy witness {tmp}/ben.json", "entropy_witness.file"),
        fails("ana", "entropy record hot {tmp}/ben.json", "entropy_witness.receipt"),
        fails("ana", "entropy record warm {tmp}/ben.json {tmp}/cleo.json", "entropy_witness.signature"),
        ok("ana", "key show warm").has("/witnesses", "\"signed\":[]"),
        ok("ana", "entropy record warm {tmp}/ben.json").has("/recorded/0/witness", "ben"),
        fails("ana", "entropy record warm {tmp}/ben.json", "approval.refused"),
        ok("ana", "key show warm").has("/witnesses", "\"witness\":\"ben\""),
        ok("ana", "audit verify"),
    ]);
}

/// The address goes away with the proof, and comes back with the next one.
fn terms(script: &mut Script) {
    approved(
        script,
        ok("ana", "key limit warm --days 30 --signatures 1000 --no-blind --no-export --proof-seconds 86400"),
    );
    let proven = |script: &mut Script| {
        let shown = script.step(&ok("ana", "key show warm").has("/key/life/terms/no_export", "true"));
        shown["key"]["life"]["proven"].is_u64() && shown["key"]["address"].is_string()
    };
    assert!((0..500).any(|_| proven(script)), "{}", script.text("ana", "key show warm"));
    let warm = script.step(&ok("ana", "key show warm"));
    script.set("warm", warm["key"]["address"].as_str().unwrap());
    script.play([
        no("ana", "key limit warm --days 30").has("/request", "\"term\":\"kept\""),
        no("ana", "key export warm --to ana").has("/request", "\"term\":\"export\""),
    ]);
}

/// What is over pays nobody but its successor, and nobody is told to pay it.
fn swept(script: &mut Script, home: &Path) {
    let mut next = script.step(&ok("ana", "policy show"));
    let mut entry = next["address_book"][0].clone();
    entry["address"] = script.get("warm").to_lowercase().into();
    entry["name"] = "warm".into();
    next["address_book"].as_array_mut().unwrap().push(entry);
    write(&home.join("successor.json"), &next);
    approved(script, ok("ana", "policy propose {tmp}/successor.json"));
    script.step(&ok("ana", "policy activate {asked}").has("/request/stage", "applied"));
    approved(script, ok("ana", "key succeed hot --successor warm"));
    approved(script, ok("ana", "key deactivate hot --why 'replaced by warm'"));
    script.play([
        ok("ana", "key show hot").has("/key/state", "deactivated").has("/key/address", "null"),
        no("ana", "key resume hot").has("/request", "key_step"),
        no("ana", "request transfer --key hot --to {exchange} --wei 3").has("/request", "sweeps_only"),
        ok("ana", "request transfer --key hot --to {warm} --wei 3").has("/request/stage", "signed"),
    ]);
}

/// A freeze is not the end of it: nothing is thawed before what may be known was replaced.
fn compromised(script: &mut Script) {
    let policy = script.step(&ok("ana", "policy show"));
    let people = policy["roster"]["people"].as_array().unwrap();
    let vault = people.iter().find(|it| it["name"] == "vault").unwrap_or_else(|| &people[0]);
    let device =
        format!("{}/{}", vault["name"].as_str().unwrap(), vault["devices"][0]["name"].as_str().unwrap());
    script.set("device", device);
    approved(script, ok("ana", "compromise --devices {device} --why 'a lost bag'"));
    script.play([
        ok("ana", "status").has("/status/rotate/0", "device").has("/status/incident/0", "a lost bag"),
        no("ana", "request transfer --key warm --to {exchange} --wei 3").has("/request", "frozen"),
        no("ana", "thaw").has("/request", "not_rotated"),
    ]);
    let status = script.text("ana", "status");
    assert!(
        status.contains("COMPROMISE DECLARED: a lost bag") && status.contains("replace device"),
        "{status}"
    );
}

/// INVARIANT D2: a schedule of drills takes no Cedar of one's own.
#[test]
fn d2_a_first_policy_stops_keys_whose_drill_is_overdue_where_init_is_told_to() {
    let home = tempfile::tempdir().unwrap();
    let rules = |name: &str, more: &[&str]| {
        let folder = home.path().join(name);
        succeeds(Command::new(binary("keystead")).args(["init", path(&folder)]).args(more));
        let genesis = SignedGenesis::from_document(&std::fs::read(folder.join("genesis")).unwrap()).unwrap();
        genesis.genesis.policy.rules
    };
    let (plain, scheduled) = (rules("plain", &[]), rules("scheduled", &["--drill-days", "180"]));
    let more: Vec<_> = scheduled.iter().filter(|it| !plain.contains(it)).collect();
    assert_eq!((more.len(), scheduled.len()), (1, plain.len() + 1), "{more:?}");
    assert!(more[0].cedar.starts_with("forbid") && more[0].cedar.contains("drill_age_seconds > 15552000"));
}
