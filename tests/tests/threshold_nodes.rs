//! Four real nodes, three of which hold one key in shares: it is born among their enclaves, and any two sign.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use alloy_primitives::U256;
use keystead_base::{Canonical as _, Digest};
use keystead_decision::KeyState;
use keystead_intent::{Action, AuthorityChange, ChangeKind, DangerClass, KeyCeremony, KeyKind};
use keystead_ledger::{Ledger, ThresholdRow};
use keystead_policy::{Need, PolicyVersion, QuorumRow};
use keystead_signing::{Abort, Culprit, Fault, Record, SessionId};
use keystead_tests::chainside::{anvil, asked, balance, fund, sends};
use keystead_tests::cluster::{NodeHome, Station, ether};
use keystead_tests::fixture::{ETHER, FRIEND, name};
use keystead_tests::{python_program, root, start_all};
use keystead_wire::{KeyView, RequestStage, RequestView};
use serde_json::Value;

async fn cluster() -> Vec<Station> {
    start_all(NodeHome::several(4, |_| {})).await
}

/// The key `hot`, born in shares among the first three: any two of them sign.
async fn born(stations: &[Station]) {
    let holders = ["node-1", "node-2", "node-3"].map(name).to_vec();
    let kind = KeyKind::ThresholdSecp256k1;
    let generate = KeyCeremony::Generate { key: name("hot"), kind, threshold: 2, holders };
    let view = stations[3].change(AuthorityChange::Key(generate)).await;
    assert_eq!(view.stage, RequestStage::Applied, "{view:?} {:#?}", told(stations));
}

fn told(stations: &[Station]) -> Vec<Vec<String>> {
    stations.iter().map(Station::events).collect()
}

/// The key `hot`, once it is so.
async fn hot_once(station: &Station, is_so: impl Fn(&KeyView) -> bool) -> KeyView {
    let start = Instant::now();
    loop {
        let key = station.hot().await;
        if is_so(&key) {
            return key;
        }
        assert!(start.elapsed() < PATIENCE, "{key:?}");
    }
}

async fn sends_a_tenth(stations: &[Station], at: usize, nonce: u64) -> RequestView {
    let view = stations[at].ask("desk", ether(FRIEND, ETHER / 10, nonce)).await;
    assert_eq!(view.stage, RequestStage::Signed, "{view:?} {:#?}", told(stations));
    view
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k03_a_key_that_never_was_whole_signs_for_its_account_and_one_holder_may_be_gone() {
    let (_chain, anvil) = anvil();
    let mut stations = cluster().await;
    born(&stations).await;
    let key = stations[3].hot().await;
    assert_eq!(key.state, KeyState::Active);
    let account = key.address.expect("an address");
    fund(anvil, account, ETHER).await;
    let before = balance(anvil, FRIEND).await;
    let view = sends_a_tenth(&stations, 3, 0).await;
    sends(anvil, &view.signed.unwrap().raw).await;
    assert_eq!(balance(anvil, FRIEND).await - before, U256::from(ETHER / 10));

    // One of the holders is gone: the other two sign.
    let gone = stations.remove(1).stop().await;
    let view = sends_a_tenth(&stations, 2, 1).await;
    sends(anvil, &view.signed.unwrap().raw).await;
    assert_eq!(balance(anvil, FRIEND).await - before, U256::from(ETHER / 5));

    // It comes back with the share that it sealed, and another goes.
    let back = gone.start().await;
    stations.push(back);
    let away = stations.remove(0).stop().await;
    let view = sends_a_tenth(&stations, 1, 2).await;
    sends(anvil, &view.signed.unwrap().raw).await;
    assert_eq!(balance(anvil, FRIEND).await - before, U256::from(3 * ETHER / 10));
    stations.push(away.start().await);
    for station in stations {
        station.stop().await;
    }
}

/// Signing goes on: rights of the epoch so far are used while the next one is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k03_d03_new_shares_and_other_holders_sign_for_the_same_account() {
    let stations = cluster().await;
    born(&stations).await;
    let before = stations[3].hot().await;
    let refreshed = stations[3].change(AuthorityChange::Key(KeyCeremony::Refresh { key: name("hot") })).await;
    assert_eq!(refreshed.stage, RequestStage::Applied, "{refreshed:?} {:#?}", told(&stations));
    sends_a_tenth(&stations, 3, 0).await;

    let reshare = KeyCeremony::Reshare {
        key: name("hot"),
        threshold: 3,
        holders: ["node-4", "node-2", "node-3"].map(name).to_vec(),
        dealers: ["node-1", "node-3"].map(name).to_vec(),
    };
    let reshared = stations[0].change(AuthorityChange::Key(reshare)).await;
    assert_eq!(reshared.stage, RequestStage::Applied, "{reshared:?} {:#?}", told(&stations));
    sends_a_tenth(&stations, 0, 1).await;
    let after = stations[3].hot().await;
    assert_eq!((after.address, after.epoch), (before.address, before.epoch + 2));

    // Whoever holds no share any more is not missed.
    let mut stations = stations;
    stations.remove(0).stop().await;
    sends_a_tenth(&stations, 0, 2).await;
    for station in stations {
        station.stop().await;
    }
}

/// A holder's disk loses its share: its node says so itself, and others deal again while they sign on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d01_a_holder_whose_share_is_lost_gets_one_again_and_signs_with_it() {
    let mut stations = cluster().await;
    born(&stations).await;
    let before = stations[3].hot().await;
    let helpers = ["node-1", "node-3"].map(name).to_vec();
    let repair =
        AuthorityChange::Key(KeyCeremony::Repair { key: name("hot"), lost: name("node-2"), helpers });
    let early = stations[3].ask("cleo", Action::Authority(repair.clone())).await;
    assert_eq!(early.stage, RequestStage::Denied, "it is not lost: {early:?}");

    let holder = stations.remove(1).stop().await;
    let ledger = Ledger::open(&holder.config.ledger_url()).await.unwrap();
    ledger.erase_sealed_key(&name("hot")).await.unwrap();
    drop(ledger);
    stations.insert(1, holder.start().await);
    let lost = |key: &KeyView| key.sharing.as_ref().is_some_and(|it| it.lost == [name("node-2")]);
    hot_once(&stations[3], lost).await;
    sends_a_tenth(&stations, 3, 0).await;

    let repaired = stations[0].change(repair).await;
    assert_eq!(repaired.stage, RequestStage::Applied, "{repaired:?} {:#?}", told(&stations));
    let after = stations[3].hot().await;
    assert_eq!((after.address, after.epoch), (before.address, before.epoch + 1));
    assert!(after.sharing.unwrap().lost.is_empty());
    // One of those who dealt is gone: nobody signs without the one who was repaired.
    stations.remove(0).stop().await;
    sends_a_tenth(&stations, 2, 1).await;
    for station in stations {
        station.stop().await;
    }
}

/// One holder's journal says that another was caught, and the third is away: nobody signs until people let it in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k06_a_holder_that_was_caught_signs_again_once_people_let_it_in() {
    let mut stations = cluster().await;
    born(&stations).await;
    let holder = stations.remove(0).stop().await;
    let (session, culprit) = (SessionId(Digest([1; 32])), Culprit::Node(name("node-2")));
    let abort = Abort { session, culprit, fault: Fault::Multiplication };
    let document = Record::Aborted { key: name("hot"), abort }.to_document();
    let ledger = Ledger::open(&holder.config.ledger_url()).await.unwrap();
    ledger.save_threshold_records(&[ThresholdRow { stays: true, document }]).await.unwrap();
    drop(ledger);
    stations.insert(0, holder.start().await);
    stations.remove(2).stop().await;

    let desk = &stations[2];
    let intent = desk.intent("desk", ether(FRIEND, ETHER / 10, 0), desk.now().await);
    let request = intent.id();
    desk.submit("desk", desk.entry(vec![intent])).await;
    let lift = KeyCeremony::Lift { key: name("hot"), node: name("node-2") };
    let lifted = desk.change(AuthorityChange::Key(lift)).await;
    assert_eq!(lifted.stage, RequestStage::Applied, "{lifted:?}");
    let view = desk.wait(&request).await;
    assert_eq!(view.stage, RequestStage::Signed, "{view:?} {:#?}", told(&stations));
    for station in stations {
        station.stop().await;
    }
}

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
    let client = stations[3].client("cleo").await;
    let mut shares = Vec::new();
    for (holder, digest) in &key.exits {
        let sealed = folder.path().join(format!("{holder}.age"));
        std::fs::write(&sealed, client.backup(*digest).await.unwrap().expect("a file")).unwrap();
        let open = folder.path().join(format!("{holder}.json"));
        std::fs::write(&open, age(&["open", identity, sealed.to_str().unwrap()])).unwrap();
        shares.push(open);
    }
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
    for station in stations {
        station.stop().await;
    }
}

/// What a node takes to start and to be heard, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
