//! A node whose seals need a token beside the passphrase, and keys that live in tokens: on real tokens of SoftHSM 2.

use std::path::Path;
use std::process::{Command, Output};

use keystead_tests::{Anvil, binary};

use crate::desk::{Desk, EXCHANGE, json, path, succeeds};
use crate::softhsm::{PIN, check_copy, code, make_tokens, module};

/// Names the token in a founded folder.
fn name_token(folder: &Path, module: &Path, configuration: &Path) {
    let file = folder.join("keystead.toml");
    let root = format!(
        "[node.enclave.root]\ntoken = \"custody\"\nmodule = {module:?}\npin = \"token.pin\"\nkey = \"keystead-root\"\n\
         file = \"root.sealed\"\nenvironment = {{ SOFTHSM2_CONF = {configuration:?} }}\n"
    );
    let token = |label: &str| {
        format!(
            "[[node.enclave.tokens]]\ngroup = \"hsm\"\ntoken = \"{label}\"\nmodule = {module:?}\npin = \"token.pin\"\n\
             environment = {{ SOFTHSM2_CONF = {configuration:?} }}\n"
        )
    };
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n{}{}{root}", token("one"), token("two"))).unwrap();
    std::fs::write(folder.join("token.pin"), PIN).unwrap();
}

fn root_make(folder: &Path) -> Output {
    Command::new(binary("keystead")).args(["--json", "--dir", path(folder), "root", "make"]).output().unwrap()
}

/// A key that is born in two tokens, pays from them, and goes on paying when one is gone.
fn lives_in_tokens(desk: &Desk) {
    let create = ["key", "create", "vault", "--home", "token:hsm"];
    let denied = desk.command("ana", &create);
    assert!(String::from_utf8_lossy(&denied.stdout).contains("change_not_named"), "no backup: {denied:?}");
    name_token_keys(desk);
    desk.approved(&create);
    let key = until(|| {
        let keys = desk.as_person("ana", &["key", "list"])["keys"].clone();
        let named = keys.as_array().unwrap().iter().find(|it| it["name"] == "vault").cloned();
        named.filter(|it| it["address"].is_string())
    });
    assert_eq!((&key["kind"], &key["state"]), (&"token_secp256k1".into(), &"active".into()));
    let address = key["address"].as_str().unwrap();
    desk.cast(&["rpc", "anvil_setBalance", address, "0x3635c9adc5dea00000"], &desk.anvil.url());
    let pay = || {
        let from = serde_json::json!([{"from": address, "to": EXCHANGE, "value": "0x5af3107a4000", "gas": "0x5208"}]);
        let paid = desk.call("eth_sendTransaction", from);
        assert!(paid["result"].is_string(), "{paid}");
    };
    (0..3).for_each(|_| pay());
    assert!(tokens(desk).iter().all(|it| it["lost"].is_null()));
    kill_token(&desk.folder, "one");
    // INVARIANT D1: the other one signs, and people are told.
    (0..3).for_each(|_| pay());
    let lost = until(|| tokens(desk).into_iter().find(|it| it["lost"].is_string()));
    assert_eq!(lost["token"], "token `one`");
    let text = Command::new(binary("keystead"))
        .args(["--dir", path(&desk.folder), "--as", "ana", "status"])
        .output();
    let text = String::from_utf8(text.unwrap().stdout).unwrap();
    assert!(
        text.contains("token `one` of `hsm` is LOST") && text.contains("token `two` of `hsm` is there"),
        "{text}"
    );
    let backup = desk.command("ana", &["key", "backup", "vault", "--to", "ana"]);
    assert!(String::from_utf8_lossy(&backup.stdout).contains("kind_refused"), "{backup:?}");
}

/// The row without which nobody makes a key that has no backup.
fn name_token_keys(desk: &Desk) {
    let mut policy = desk.as_person("ana", &["policy", "show"]);
    let rows = policy["quorums"].as_array_mut().unwrap();
    let mut row = rows.iter().find(|it| it["id"] == "authority").cloned().unwrap();
    (row["id"], row["changes"]) = ("authority-tokens".into(), serde_json::json!(["create_token_key"]));
    rows.insert(1, row);
    let file = desk.folder.join("tokens.json");
    std::fs::write(&file, policy.to_string()).unwrap();
    desk.approved(&["policy", "propose", path(&file)]);
}

fn tokens(desk: &Desk) -> Vec<serde_json::Value> {
    desk.as_person("ana", &["status"])["status"]["tokens"].as_array().unwrap().clone()
}

/// The process that serves a token of this folder's node.
fn kill_token(folder: &Path, label: &str) {
    let listed = succeeds(Command::new("ps").args(["-eo", "pid=,args="]));
    let text = String::from_utf8(listed.stdout).unwrap();
    let words = |it: &&str| {
        it.contains(" token-process ") && it.contains(&format!(" {label} ")) && it.contains(path(folder))
    };
    let id = text.lines().find(words).unwrap().split_whitespace().next().unwrap();
    succeeds(Command::new("kill").args(["-9", id]));
}

/// What is there sooner or later, and well within the time of this test.
fn until<T>(look: impl Fn() -> Option<T>) -> T {
    for _ in 0..2000 {
        if let Some(found) = look() {
            return found;
        }
    }
    panic!("it never came");
}

#[test]
fn a06_a_node_with_a_token_signs_and_its_disk_alone_opens_nothing() {
    let Some(module) = module() else {
        println!("SKIPPED: no SoftHSM 2 here (apt-get install softhsm2)");
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let configuration = make_tokens(home.path(), &["custody", "one", "two"]);
    let allow = format!("exchange={EXCHANGE}");
    let desk = Desk::found(
        Anvil::start(&["--hardfork", "osaka"]),
        &["--allow", &allow, "--cool-off", "0"],
        |folder| {
            assert_eq!(code(&root_make(folder)), "root.unnamed");
            name_token(folder, &module, &configuration);
            assert_eq!(json(&root_make(folder))["token"], "custody");
            assert_eq!(code(&root_make(folder)), "root.exists", "nothing replaces a root");
        },
    );
    let paid = desk.call("eth_sendTransaction", desk.transfer(EXCHANGE, 1_000_000_000_000_000));
    assert!(paid["result"].is_string(), "{paid}");
    lives_in_tokens(&desk);

    let whole = check_copy(&desk.folder, |_| {});
    assert!(whole.status.success(), "{whole:?}");
    let without = check_copy(&desk.folder, |copy| {
        let file = copy.join("keystead.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.split("[node.enclave.root]").next().unwrap()).unwrap();
    });
    assert!(!without.status.success(), "{without:?}");
    assert!(String::from_utf8_lossy(&without.stderr).contains("seal.passphrase"), "{without:?}");
    let wrong = check_copy(&desk.folder, |copy| std::fs::write(copy.join("token.pin"), "0000").unwrap());
    assert!(!wrong.status.success(), "{wrong:?}");
    let lost = check_copy(&desk.folder, |copy| std::fs::remove_file(copy.join("root.sealed")).unwrap());
    assert!(!lost.status.success(), "{lost:?}");
    let late = desk.folder.join("root.sealed");
    std::fs::rename(&late, desk.folder.join("aside")).unwrap();
    assert_eq!(code(&root_make(&desk.folder)), "root.late");
}
