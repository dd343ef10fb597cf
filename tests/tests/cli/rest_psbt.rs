//! A PSBT by REST: asked for as an action, answered with the transaction that the network takes.

use bitcoin::Transaction;
use keystead_bitcoin::PsbtVersion;
use keystead_tests::purse::{REGTEST, TR, consensus_takes, pay, payee};
use serde_json::{Value, json};

use crate::bitcoin::{COINS, Till, coins, list_bitcoin};
use crate::desk::Desk;
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
        let outputs = vec![pay(400_000, payee()), purse.change(TR, COINS - 401_000)];
        let psbt = purse.composed(coins(&purse, number), outputs).to_bytes(version);
        let (status, asked) = ask(&desk, &psbt);
        assert_eq!((status, &asked["stage"]), (201, &json!("signed")), "{asked}");
        let raw = const_hex::decode(asked["signed"]["raw"].as_str().unwrap()).unwrap();
        let transaction: Transaction = bitcoin::consensus::deserialize(&raw).unwrap();
        let spent: Vec<_> = coins(&purse, number).iter().map(|it| it.previous.output[0].clone()).collect();
        assert!(consensus_takes(&transaction, &spent), "Bitcoin Core's rules take it");
    }
    let (status, refused) = ask(&desk, b"psbt");
    assert_eq!((status, &refused["stage"]), (201, &json!("denied")), "{refused}");
}

fn ask(desk: &Desk, psbt: &[u8]) -> (u16, Value) {
    let account = json!({"key": "hot", "index": 0});
    let spend = json!({"account": account, "chain": REGTEST.0, "psbt": const_hex::encode_prefixed(psbt)});
    let answer = post(&desk.url, "/v1/requests", "", &json!({"action": {"psbt": spend}}).to_string());
    (answer.status, answer.json())
}
