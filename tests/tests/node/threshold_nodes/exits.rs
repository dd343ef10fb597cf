//! Keys in shares that leave, put together by tools of others.

use std::path::{Path, PathBuf};
use std::process::Command;

use alloy_primitives::U256;
use bitcoin::key::TweakedPublicKey;
use bitcoin::secp256k1::{Message, Secp256k1, schnorr};
use bitcoin::{Address, KnownHrp, XOnlyPublicKey};
use keystead_bitcoin::first_in_shares;
use keystead_decision::{KeyState, PublicAccount};
use keystead_intent::{AuthorityChange, ChainId, ChangeKind, DangerClass, KeyCeremony, KeyKind};
use keystead_policy::{Need, PolicyVersion, QuorumRow};
use keystead_tests::chainside::{anvil, asked, balance, fund};
use keystead_tests::cluster::{NodeHome, Station, ether};
use keystead_tests::fixture::{ETHER, FRIEND, name};
use keystead_tests::{python_program, root, start_all};
use keystead_wire::{KeyView, RequestStage};
use serde_json::Value;

use super::{born, hot_once, key_once, told};

/// A row that lets shares leave after a second.
fn lets_shares_leave(policy: &mut PolicyVersion) {
    policy.quorums.push(QuorumRow {
        id: name("exit"),
        keys: Vec::new(),
        classes: vec![DangerClass::Authority],
        changes: vec![ChangeKind::ExitKey],
        from: None,
        needs: vec![Need { role: name("approver"), count: 2, factors: Vec::new() }],
        delay_seconds: 1,
        vetoers: vec![name("vetoer")],
    });
    policy.quorums.sort_by(|one, other| one.id.cmp(&other.id));
}

fn age(arguments: &[&str]) -> Vec<u8> {
    let script = root().join("tests/npm/clients/age.mjs");
    let output = Command::new("node").arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// An age of others opens what the enclaves wrote, and a script that has no line of ours puts the key together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d02_a10_the_shares_of_a_key_that_left_are_the_key_for_standard_tools_from_the_threshold_on() {
    let (_chain, anvil) = anvil();
    let stations = start_all(NodeHome::several(4, lets_shares_leave)).await;
    born(&stations).await;
    let account = stations[3].account().await;
    fund(anvil, account, ETHER).await;
    let heir: Value = serde_json::from_slice(&age(&["keygen"])).unwrap();
    let (identity, recipient) = (heir["identity"].as_str().unwrap(), heir["recipient"].as_str().unwrap());
    let exit = KeyCeremony::Exit { key: name("hot"), recipients: vec![recipient.to_owned()] };
    let left = stations[3].change(AuthorityChange::Key(exit)).await;
    assert_eq!(left.stage, RequestStage::Applied, "{left:?} {:#?}", told(&stations));
    let key = hot_once(&stations[3], |key| key.exits.len() == 3).await;
    assert_eq!((key.state, key.address), (KeyState::Left, None));
    let view = stations[3].ask("desk", ether(FRIEND, ETHER / 10, 0)).await;
    assert_eq!(view.stage, RequestStage::Denied, "it signs here no more: {view:?}");

    let folder = tempfile::tempdir().unwrap();
    let shares = opened(&stations[3], &key, identity, folder.path()).await;
    let before = balance(anvil, FRIEND).await;
    let pays = |shares: &[PathBuf]| {
        let mut script = Command::new(python_program("python"));
        script.arg(root().join("tests/python/recombine.py")).arg(format!("http://{anvil}"));
        script.arg(FRIEND.to_string()).arg((ETHER / 10).to_string()).args(shares).output().unwrap()
    };
    let short = pays(&shares[..1]);
    assert!(!short.status.success() && short.stdout.is_empty(), "one share is not the key: {short:?}");
    for two in [&shares[..2], &shares[1..]] {
        let paid = pays(two);
        assert!(paid.status.success(), "{paid:?}");
        let paid: Value = serde_json::from_slice(&paid.stdout).unwrap();
        assert_eq!(paid["address"], account.to_checksum(None));
        let hash = serde_json::json!([paid["hash"]]);
        while asked(anvil, "eth_getTransactionReceipt", hash.clone()).await.is_null() {}
    }
    assert_eq!(balance(anvil, FRIEND).await - before, U256::from(ETHER / 5));
    of_ed25519(&stations, (identity, recipient)).await;
    of_bip340(&stations, (identity, recipient)).await;
    for station in stations {
        station.stop().await;
    }
}

/// A key is born and leaves: its public side, and what a script of others makes of two shares, however they are chosen.
async fn gone(
    stations: &[Station],
    (key, kind): (&str, KeyKind),
    (identity, recipient): (&str, &str),
    (script, message): (&str, &[u8]),
) -> (PublicAccount, Vec<Value>) {
    let holders = ["node-1", "node-2", "node-3"].map(name).to_vec();
    let generate = KeyCeremony::Generate { key: name(key), kind, threshold: 2, holders };
    let born = stations[3].change(AuthorityChange::Key(generate)).await;
    assert_eq!(born.stage, RequestStage::Applied, "{born:?} {:#?}", told(stations));
    let public = key_once(&stations[3], key, |key| key.account.is_some()).await.account.unwrap();
    let exit = KeyCeremony::Exit { key: name(key), recipients: vec![recipient.to_owned()] };
    let left = stations[3].change(AuthorityChange::Key(exit)).await;
    assert_eq!(left.stage, RequestStage::Applied, "{left:?} {:#?}", told(stations));
    let key = key_once(&stations[3], key, |key| key.exits.len() == 3).await;
    let folder = tempfile::tempdir().unwrap();
    let shares = opened(&stations[3], &key, identity, folder.path()).await;
    let signs = |shares: &[PathBuf]| {
        let mut command = Command::new(python_program("python"));
        command.arg(root().join("tests/python").join(script)).arg(const_hex::encode(message));
        command.args(shares).output().unwrap()
    };
    let short = signs(&shares[..1]);
    assert!(!short.status.success() && short.stdout.is_empty(), "one share is not the key: {short:?}");
    let signed = [&shares[..2], &shares[1..]].map(|two| {
        let signed = signs(two);
        assert!(signed.status.success(), "{signed:?}");
        serde_json::from_slice(&signed.stdout).unwrap()
    });
    (public, signed.to_vec())
}

/// The same of a key of BIP-340: the output key is that of the address which the log hands out first.
async fn of_bip340(stations: &[Station], heir: (&str, &str)) {
    let kind = KeyKind::ThresholdBip340;
    let digest = [7; 32];
    let (public, signed) = gone(stations, ("coins", kind), heir, ("recombine_bip340.py", &digest)).await;
    let first = first_in_shares(ChainId::BITCOIN_MAINNET, kind, &public).unwrap();
    for signed in signed {
        let bytes = |field: &str| const_hex::decode(signed[field].as_str().unwrap()).unwrap();
        let output = XOnlyPublicKey::from_slice(&bytes("output_key")).unwrap();
        let paid =
            Address::p2tr_tweaked(TweakedPublicKey::dangerous_assume_tweaked(output), KnownHrp::Mainnet);
        assert_eq!(paid.to_string(), first);
        let signature = schnorr::Signature::from_slice(&bytes("signature")).unwrap();
        let message = Message::from_digest(digest);
        Secp256k1::verification_only().verify_schnorr(&signature, &message, &output).unwrap();
    }
}

/// The same of a key of Ed25519, by a script of its own.
async fn of_ed25519(stations: &[Station], heir: (&str, &str)) {
    let message = b"any message of Solana's";
    let key = ("vault", KeyKind::ThresholdEd25519);
    let (public, signed) = gone(stations, key, heir, ("recombine_ed25519.py", message)).await;
    let verifier = ed25519_dalek::VerifyingKey::from_bytes(&public.ed25519_key().unwrap()).unwrap();
    for signed in signed {
        let bytes = const_hex::decode_to_array(signed["signature"].as_str().unwrap()).unwrap();
        verifier.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&bytes)).unwrap();
    }
}

/// The shares as their recipient reads them, in the holders' order.
async fn opened(station: &Station, key: &KeyView, identity: &str, folder: &Path) -> Vec<PathBuf> {
    let client = station.client("cleo").await;
    let mut shares = Vec::new();
    for (holder, digest) in &key.exits {
        let sealed = folder.join(format!("{holder}.age"));
        std::fs::write(&sealed, client.backup(*digest).await.unwrap().expect("a file")).unwrap();
        let open = folder.join(format!("{holder}.json"));
        std::fs::write(&open, age(&["open", identity, sealed.to_str().unwrap()])).unwrap();
        shares.push(open);
    }
    shares
}
