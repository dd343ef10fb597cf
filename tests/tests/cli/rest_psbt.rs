//! PSBTs by REST: asked for as an action, read in words, and finished, as the command line does it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use bitcoin::Transaction;
use keystead_bitcoin::{Psbt, PsbtVersion};
use keystead_tests::purse::{Purse, REGTEST, TR, consensus_takes, pay, payee};
use keystead_tests::{python_program, root};
use serde_json::{Value, json};

use crate::bitcoin::{COINS, Till, coins, list_bitcoin};
use crate::desk::{Desk, path};
use crate::plain::{get, post};

#[test]
fn s07_a_psbt_by_rest_becomes_a_transaction_that_the_network_takes() {
    let desk = Desk::open();
    let home = tempfile::tempdir().unwrap();
    list_bitcoin(&desk, home.path());
    let till = Till { desk: &desk, folder: home.path(), wallet: home.path().join("hot.json") };
    let purse = till.purse();
    let key = get(&desk.url, "/v1/keys/hot", "").json();
    assert_eq!(key["wallets"][0]["descriptors"].as_array().unwrap().len(), 4, "{key}");
    for (number, version) in [(1, PsbtVersion::Zero), (2, PsbtVersion::Two)] {
        let (status, asked) = ask(&desk, &paying(&purse, number).to_bytes(version));
        assert_eq!((status, &asked["stage"]), (201, &json!("signed")), "{asked}");
        taken(&purse, number, asked["signed"]["raw"].as_str().unwrap());
    }
    let (status, refused) = ask(&desk, b"psbt");
    assert_eq!((status, &refused["stage"]), (201, &json!("denied")), "{refused}");
    read_as_by_the_command_line(&till, &purse);
    s07_finished_with_good_signatures_alone(&till, &purse);
    what_is_wrong_has_a_code(&desk, &purse);
}

fn paying(purse: &Purse, number: u8) -> Psbt {
    purse.composed(coins(purse, number), vec![pay(400_000, payee()), purse.change(TR, COINS - 401_000)])
}

fn taken(purse: &Purse, number: u8, raw: &str) {
    let transaction: Transaction = bitcoin::consensus::deserialize(&const_hex::decode(raw).unwrap()).unwrap();
    let spent: Vec<_> = coins(purse, number).iter().map(|it| it.previous.output[0].clone()).collect();
    assert!(consensus_takes(&transaction, &spent), "Bitcoin Core's rules take it");
}

fn ask(desk: &Desk, psbt: &[u8]) -> (u16, Value) {
    let account = json!({"key": "hot", "index": 0});
    let spend = json!({"account": account, "chain": REGTEST.0, "psbt": const_hex::encode_prefixed(psbt)});
    let answer = post(&desk.url, "/v1/requests", "", &json!({"action": {"psbt": spend}}).to_string());
    (answer.status, answer.json())
}

/// Both versions, as text and as bytes: the words are those of `keystead psbt inspect`, and the document's.
fn read_as_by_the_command_line(till: &Till<'_>, purse: &Purse) {
    let psbt = paying(purse, 3);
    let file = till.folder.join("read.psbt");
    std::fs::write(&file, psbt.to_text(PsbtVersion::Two)).unwrap();
    let expected = till.offline("inspect", &file);
    let unsigned = json!({"expected": 1, "found": 0});
    assert_eq!(expected["inputs"][1]["signatures"], unsigned, "{expected}");
    for text in [
        psbt.to_text(PsbtVersion::Zero),
        psbt.to_text(PsbtVersion::Two),
        const_hex::encode_prefixed(psbt.to_bytes(PsbtVersion::Two)),
    ] {
        let (status, words) = say(till.desk, "inspect", json!({"psbt": text}));
        assert_eq!((status, &words), (200, &expected));
        as_documented("PsbtWords", &words);
    }
}

fn s07_finished_with_good_signatures_alone(till: &Till<'_>, purse: &Purse) {
    let file = till.folder.join("asked.psbt");
    std::fs::write(&file, paying(purse, 4).to_bytes(PsbtVersion::Zero)).unwrap();
    let signed = till.signed(&file, &[]);
    let bytes = std::fs::read(&signed).unwrap();
    let whole = bitcoin::Psbt::deserialize(&bytes).unwrap();
    let (status, done) = say(till.desk, "finalize", json!({"psbt": text(&whole)}));
    assert_eq!((status, &done), (200, &till.offline("finalize", &signed)));
    as_documented("PsbtDone", &done);
    taken(purse, 4, done["transaction"].as_str().unwrap());

    // What is missing is named, input by input, and somebody else's word that it is finished changes nothing.
    let mut half = whole.clone();
    half.inputs[1].tap_key_sig = None;
    let (status, problem) = say(till.desk, "finalize", json!({"psbt": text(&half)}));
    assert_eq!((status, &problem["code"]), (422, &json!("finalize.missing")), "{problem}");
    assert_eq!(problem["missing"], json!([{"input": 1, "expected": 1, "found": 0}]));
    as_documented("Problem", &problem);

    // A signature of another transaction is none.
    let mut spoiled = whole;
    let (key, other) = (*spoiled.inputs[0].partial_sigs.first_key_value().unwrap().0, paying(purse, 5));
    let elsewhere = till.folder.join("elsewhere.psbt");
    std::fs::write(&elsewhere, other.to_bytes(PsbtVersion::Zero)).unwrap();
    let elsewhere =
        bitcoin::Psbt::deserialize(&std::fs::read(till.signed(&elsewhere, &[])).unwrap()).unwrap();
    let foreign = *elsewhere.inputs[0].partial_sigs.first_key_value().unwrap().1;
    spoiled.inputs[0].partial_sigs.insert(key, foreign);
    let (status, problem) = say(till.desk, "finalize", json!({"psbt": text(&spoiled)}));
    assert_eq!((status, &problem["code"]), (422, &json!("finalize.invalid")), "{problem}");
    let (_, words) = say(till.desk, "inspect", json!({"psbt": text(&spoiled)}));
    let found: Vec<_> =
        words["inputs"].as_array().unwrap().iter().map(|it| &it["signatures"]["found"]).collect();
    assert_eq!(found, [&json!(0), &json!(1)], "only those that verify count");
}

fn what_is_wrong_has_a_code(desk: &Desk, purse: &Purse) {
    let theirs = Purse::of_seed(8);
    let good = json!(paying(purse, 6).to_text(PsbtVersion::Zero));
    for (change, status, code) in [
        (json!({"psbt": "cHNidP8"}), 400, "psbt.base64"),
        (json!({"psbt": "0x7"}), 400, "http.request"),
        (json!({"psbt": "AAAA"}), 400, "psbt.magic"),
        (json!({"psbt": good, "colour": 1}), 400, "http.request"),
        (json!({"psbt": good, "key": "none"}), 404, "key.unknown"),
        (json!({"psbt": good, "chain": 31337}), 404, "psbt.no_wallet"),
        (json!({"psbt": good, "shared": "vault"}), 404, "psbt.no_wallet"),
        (json!({"psbt": paying(&theirs, 7).to_text(PsbtVersion::Zero)}), 422, "bitcoin.nothing_of_ours"),
    ] {
        for what in ["inspect", "finalize"] {
            let (found, problem) = say(desk, what, change.clone());
            assert_eq!((found, &problem["code"]), (status, &json!(code)), "{problem}");
        }
    }
}

/// What the coordinator says of a PSBT of `hot`, unless the question names something else.
pub(crate) fn say(desk: &Desk, what: &str, change: Value) -> (u16, Value) {
    let mut asked = json!({"key": "hot", "chain": REGTEST.0});
    asked.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let answer = post(&desk.url, &format!("/v1/psbts/{what}"), "", &asked.to_string());
    (answer.status, answer.json())
}

fn text(psbt: &bitcoin::Psbt) -> String {
    const_hex::encode_prefixed(psbt.serialize())
}

/// Some other program's reading of the document comes to the same.
fn as_documented(schema: &str, answer: &Value) {
    let document = root().join("crates/keystead-coordinator/src/rest/openapi.json");
    let script: &Path = &root().join("tests/python/conforms.py");
    let mut command = Command::new(python_program("python"));
    command.args([path(script), path(&document), schema]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("python");
    child.stdin.take().expect("a pipe").write_all(answer.to_string().as_bytes()).expect("a reader");
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success(), "{schema}: {}\n{answer}", String::from_utf8_lossy(&output.stderr));
}
