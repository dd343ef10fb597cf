//! A payment of Bitcoin by the real program: from the wallet that the log recorded to a transaction that Bitcoin Core's own
//! rules take.

use std::path::{Path, PathBuf};

use bitcoin::{Amount, Transaction, TxOut};
use keystead_bitcoin::DraftInput;
use keystead_tests::purse::{Purse, REGTEST, TR, WPKH, consensus_takes, pay, payee};
use serde_json::{Value, json};

use crate::desk::{Desk, json as parsed, path};
use crate::script::{Script, fails, ok};

/// The payee's address on the test networks.
pub(crate) const PAYEE: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

#[test]
fn s07_a_psbt_goes_from_its_wallet_to_a_transaction_that_the_network_takes() {
    let desk = Desk::open();
    let home = tempfile::tempdir().unwrap();
    list_bitcoin(&desk, home.path());
    let till = Till { desk: &desk, folder: home.path(), wallet: home.path().join("hot.json") };
    let purse = till.purse();
    let small = till.file(&purse, "small", 1, 400_000);
    shown_offline(&till, &small);
    let signed = till.signed(&small, &[]);
    taken(&till, &signed, &purse, 1);
    let again = till.sign(&till.file(&purse, "again", 1, 300_000), &[]);
    assert_eq!(again["request"]["stage"], "denied", "{again}");
    let reasons = &again["request"]["decision"]["outcome"]["deny"]["reasons"];
    assert!(reasons[0]["coin_taken"].is_object(), "{again}");
    built_from_a_file_of_coins(&till, &purse);
    approved_by_what_it_does(&till, &purse);
    errors_have_codes(&till, &purse);
    crate::exposure::coins(&desk);
    assert_eq!(desk.as_person("cleo", &["audit", "verify"])["verified"], true);
}

/// Each command once, on a cluster whose policy lists no network of Bitcoin's.
pub(crate) fn each_command(script: &mut Script, home: &Path) {
    let purse = Purse::of_seed(8);
    std::fs::write(home.join("purse.json"), serde_json::to_string(&purse.recorded).unwrap()).unwrap();
    std::fs::write(home.join("one.psbt"), purse.psbt(coins(&purse, 1), vec![pay(999_000, payee())])).unwrap();
    let entries: Vec<Value> = coins(&purse, 1).iter().map(entry).collect();
    std::fs::write(home.join("coins.json"), json!(entries).to_string()).unwrap();
    script.set("payee", PAYEE);
    script.play([
        ok("ana", "psbt destination {payee} --network regtest").has("/id", "0x"),
        fails("ana", "psbt wallet --key hot --network regtest", "psbt.no_wallet"),
        fails("ana", "psbt sign {tmp}/one.psbt --key hot --network regtest", "psbt.no_wallet"),
        ok("ana", "psbt inspect {tmp}/one.psbt --wallet {tmp}/purse.json").has("/fee_sat", "1000"),
        ok("ana", "psbt build --wallet {tmp}/purse.json --coins {tmp}/coins.json --rate 2")
            .has("/inputs", "2"),
        ok("ana", "psbt watch --wallet {tmp}/purse.json").has("/7/internal", "true"),
        fails("ana", "psbt bump {tmp}/one.psbt --wallet {tmp}/purse.json --rate 9", "psbt.no_change"),
        fails("ana", "psbt coins --wallet {tmp}/purse.json", "psbt.no_sources"),
        fails("ana", "psbt address --wallet {tmp}/purse.json", "psbt.no_sources"),
        fails("ana", "psbt consolidate --wallet {tmp}/purse.json", "psbt.no_sources"),
        fails("ana", "psbt finalize {tmp}/one.psbt --wallet {tmp}/purse.json", "finalize.missing"),
    ]);
}

pub(crate) struct Till<'a> {
    pub(crate) desk: &'a Desk,
    pub(crate) folder: &'a Path,
    pub(crate) wallet: PathBuf,
}

impl Till<'_> {
    /// What the home of the key reported by itself, once the policy listed the network.
    pub(crate) fn purse(&self) -> Purse {
        let asked =
            ["psbt", "wallet", "--key", "hot", "--network", "regtest", "--output", path(&self.wallet)];
        for _ in 0..200 {
            let output = self.desk.command("ana", &asked);
            if output.status.success() {
                return Purse::of(serde_json::from_value(parsed(&output)["wallet"].clone()).unwrap());
            }
        }
        panic!("the wallet never reached the log");
    }

    /// Pays this much from a coin of a million, and a thousand to the network.
    fn file(&self, purse: &Purse, name: &str, number: u8, sat: u64) -> PathBuf {
        let outputs = vec![pay(sat, payee()), purse.change(TR, COINS - sat - 1_000)];
        let psbt = purse.composed(coins(purse, number), outputs);
        let file = self.folder.join(format!("{name}.psbt"));
        std::fs::write(&file, psbt.to_text(keystead_bitcoin::PsbtVersion::Two)).unwrap();
        file
    }

    pub(crate) fn sign(&self, file: &Path, more: &[&str]) -> Value {
        let asked = ["psbt", "sign", path(file), "--key", "hot", "--network", "regtest"];
        parsed(&self.desk.command("ana", &[&asked, more].concat()))
    }

    pub(crate) fn signed(&self, file: &Path, more: &[&str]) -> PathBuf {
        let output = file.with_extension("signed");
        let signed = self.sign(file, &[more, &["--output", path(&output)]].concat());
        assert_eq!(signed["request"]["stage"], "signed", "{signed}");
        output
    }

    pub(crate) fn offline(&self, command: &str, file: &Path) -> Value {
        self.desk.as_person("ana", &["psbt", command, path(file), "--wallet", path(&self.wallet)])
    }
}

/// One coin that ECDSA signs, and one that Schnorr does.
pub(crate) fn coins(purse: &Purse, number: u8) -> Vec<DraftInput> {
    vec![purse.coin(WPKH, COINS / 2, number), purse.coin(TR, COINS / 2, number + 100)]
}

pub(crate) fn list_bitcoin(desk: &Desk, folder: &Path) {
    let named = desk.as_person("ana", &["psbt", "destination", PAYEE, "--network", "regtest"]);
    assert_eq!(named["chain"], json!(REGTEST.0));
    let mut policy = desk.as_person("ana", &["policy", "show"]);
    let coin = json!({"asset": {"chain": REGTEST.0, "asset": "native"}});
    let rows = policy["quorums"].as_array().unwrap();
    let mut large = rows.iter().find(|it| it["id"] == "transfers-large").unwrap().clone();
    large["id"] = json!("bitcoin-large");
    large["from"] = json!({"measure": coin, "amount": "500000"});
    let mut day = policy["windows"][0].clone();
    (day["id"], day["measure"], day["limit"]) = (json!("satoshi-per-day"), coin, json!("2000000"));
    policy["quorums"].as_array_mut().unwrap().push(large);
    policy["windows"].as_array_mut().unwrap().push(day);
    policy["chains"].as_array_mut().unwrap().push(json!(REGTEST.0));
    let entry = json!({"chain": REGTEST.0, "address": named["id"], "name": "payee", "usable_from": 0});
    policy["address_book"].as_array_mut().unwrap().push(entry);
    let file = folder.join("next.json");
    std::fs::write(&file, policy.to_string()).unwrap();
    desk.approved(&["policy", "propose", path(&file)]);
}

fn shown_offline(till: &Till<'_>, file: &Path) {
    let shown = till.offline("inspect", file);
    assert_eq!((&shown["fee_sat"], &shown["leaves_sat"]), (&json!(1_000), &json!(401_000)), "{shown}");
    assert_eq!(
        (&shown["outputs"][0]["kind"], &shown["outputs"][0]["where"]),
        (&json!("payment"), &json!(PAYEE))
    );
    assert_eq!(
        (&shown["outputs"][1]["kind"], &shown["outputs"][1]["where"]),
        (&json!("return"), &json!("bip86/1/1"))
    );
}

/// The transaction is taken; the same with one satoshi more for the payee is not.
fn taken(till: &Till<'_>, signed: &Path, purse: &Purse, number: u8) {
    let done = till.offline("finalize", signed);
    let bytes = const_hex::decode(done["transaction"].as_str().unwrap()).unwrap();
    let transaction: Transaction = bitcoin::consensus::deserialize(&bytes).unwrap();
    assert_eq!(done["txid"], json!(transaction.compute_txid().to_string()));
    let spent: Vec<TxOut> = coins(purse, number).iter().map(|it| it.previous.output[0].clone()).collect();
    assert!(consensus_takes(&transaction, &spent), "Bitcoin Core's rules take it");
    let mut twin = transaction;
    twin.output[0].value += Amount::from_sat(1);
    assert!(!consensus_takes(&twin, &spent), "and no other");
}

/// Above the threshold people read outputs, proven change and fee, and agree to exactly that.
fn approved_by_what_it_does(till: &Till<'_>, purse: &Purse) {
    let large = till.file(purse, "large", 2, 600_000);
    let waiting = till.sign(&large, &[]);
    assert_eq!(waiting["request"]["stage"], "waiting", "{waiting}");
    let id = waiting["request"]["request"].as_str().unwrap().to_owned();
    let shown = till.desk.as_person("ben", &["request", "show", &id]);
    let words: Vec<&str> = shown["words"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert_eq!(words[1], format!("Sends 0.00600000 tBTC to payee ({PAYEE})"));
    assert!(
        words[2].starts_with("Change: 0.00399000 tBTC back to ours at tr bip86/1/1, proven"),
        "{words:?}"
    );
    assert!(words.iter().any(|it| it.starts_with("Fee 1 000 sat")), "{words:?}");
    for who in ["ben", "cleo"] {
        till.desk.as_person(who, &["approve", &id, "--yes"]);
    }
    let signed = till.signed(&large, &["--request", &id, "--wait", "60"]);
    taken(till, &signed, purse, 2);
}

/// A payment at 3 sat/vB, and all coins into one, are signed as they are built.
fn built_from_a_file_of_coins(till: &Till<'_>, purse: &Purse) {
    let file = till.folder.join("coins.json");
    let build = |number, pay: &[&str], name: &str| {
        let coins: Vec<Value> = coins(purse, number).iter().map(entry).collect();
        std::fs::write(&file, json!(coins).to_string()).unwrap();
        let output = till.folder.join(name);
        let asked = ["psbt", "build", "--wallet", path(&till.wallet), "--coins", path(&file), "--rate", "3"];
        till.desk.as_person("ana", &[&asked, pay, &["--output", path(&output)]].concat());
        output
    };
    let paying = build(5, &["--pay", &format!("{PAYEE}=700"), "--change", "bip86/9"], "paying.psbt");
    let shown = till.offline("inspect", &paying);
    assert_eq!(shown["inputs"].as_array().unwrap().len(), 1, "one coin is enough: {shown}");
    assert_eq!((&shown["outputs"][1]["where"], &shown["fee_rate_tenths"]), (&json!("bip86/1/9"), &json!(30)));
    till.signed(&paying, &[]);
    // What waits for a block is read, and said so.
    let text = std::fs::read_to_string(&paying).unwrap();
    let bytes = keystead_bitcoin::Psbt::decode_text(text.trim()).unwrap();
    let mut waits = bitcoin::Psbt::deserialize(&bytes).unwrap();
    waits.unsigned_tx.lock_time = bitcoin::absolute::LockTime::from_consensus(800_000);
    let later = till.folder.join("later.psbt");
    std::fs::write(&later, waits.serialize()).unwrap();
    assert_eq!(till.offline("inspect", &later)["waits"]["lock_time"], json!(800_000));
    let one = build(6, &[], "one.psbt");
    assert_eq!(till.offline("inspect", &one)["outputs"].as_array().unwrap().len(), 1);
    taken(till, &till.signed(&one, &[]), purse, 6);
}

/// A coin as the file lists it.
fn entry(it: &DraftInput) -> Value {
    json!({"transaction": bitcoin::consensus::encode::serialize_hex(&it.previous), "output": it.output})
}

fn errors_have_codes(till: &Till<'_>, purse: &Purse) {
    let code = |arguments: &[&str]| {
        let output = till.desk.command("ana", arguments);
        let error: Value = serde_json::from_slice(&output.stderr).unwrap();
        error["error"]["code"].as_str().unwrap().to_owned()
    };
    let wallet = path(&till.wallet).to_owned();
    let garbage = till.folder.join("garbage");
    std::fs::write(&garbage, b"psbt\xff").unwrap();
    assert!(code(&["psbt", "inspect", path(&garbage), "--wallet", &wallet]).starts_with("psbt."));
    let unsigned = till.file(purse, "unsigned", 3, 1_000);
    assert_eq!(code(&["psbt", "finalize", path(&unsigned), "--wallet", &wallet]), "finalize.missing");
    assert_eq!(code(&["psbt", "inspect", path(&unsigned), "--wallet", path(&garbage)]), "cli.file");
    let elsewhere = ["psbt", "sign", path(&unsigned), "--key", "hot", "--network", "mainnet"];
    assert_eq!(code(&elsewhere), "psbt.no_wallet");
    let theirs = Purse::of_seed(8);
    let stranger = till.file(&theirs, "stranger", 4, 1_000);
    assert_eq!(code(&["psbt", "inspect", path(&stranger), "--wallet", &wallet]), "bitcoin.nothing_of_ours");
}

pub(crate) const COINS: u64 = 1_000_000;
