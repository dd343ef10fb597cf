//! Shares that are gone, left over, or kept out: what a node says, forgets and writes by itself.

use std::time::Instant;

use keystead_base::{Canonical as _, Digest, Name};
use keystead_decision::{Entry, Outcome};
use keystead_intent::{Action, AuthorityChange, KeyCeremony, KeyKind};
use keystead_ledger::{Ledger, ThresholdRow};
use keystead_policy::PolicyVersion;
use keystead_signing::{Abort, Culprit, Fault, Record, SessionId};
use keystead_tests::cluster::{NodeHome, Station, ether, signed};
use keystead_tests::fixture::{ETHER, FRIEND, name};
use keystead_tests::start_all;
use keystead_wire::{ConveningView, EntryAnswer, KeyView, PartView, RequestStage};

async fn born(stations: &[Station], holders: [&str; 3]) {
    let holders = holders.map(name).to_vec();
    let kind = KeyKind::ThresholdSecp256k1;
    let generate = KeyCeremony::Generate { key: name("hot"), kind, threshold: 2, holders };
    let view = stations.last().expect("a node").change(AuthorityChange::Key(generate)).await;
    assert_eq!(view.stage, RequestStage::Applied, "{view:?} {:#?}", told(stations));
}

fn told(stations: &[Station]) -> Vec<Vec<String>> {
    stations.iter().map(Station::events).collect()
}

async fn hot_once(station: &Station, is_so: impl Fn(&KeyView) -> bool) {
    let start = Instant::now();
    while !is_so(&station.hot().await) {
        assert!(start.elapsed().as_secs() < 120, "{:?} {:#?}", station.hot().await, station.events());
    }
}

async fn ledger(home: &NodeHome) -> Ledger {
    Ledger::open(&home.config.ledger_url()).await.expect("a ledger")
}

async fn height(station: &Station) -> u64 {
    station.client("eve").await.status().await.expect("a status").height
}

/// What a node that stops was shown until then it has worked off.
async fn reaches(station: &Station, wanted: u64) {
    while height(station).await < wanted {
        tokio::task::yield_now().await;
    }
}

/// How often people let node-2 in again, by this node's journal.
async fn lifted(home: &NodeHome) -> usize {
    let ledger = ledger(home).await;
    let rows = ledger.threshold_records().await.unwrap();
    ledger.close().await;
    let is_lift = |row: &&ThresholdRow| matches!(Record::from_document(&row.document), Ok(Record::Lifted { node, .. }) if node == name("node-2"));
    rows.iter().filter(is_lift).count()
}

/// A line as if a run had caught node-2.
async fn catches(home: &NodeHome) {
    let (session, culprit) = (SessionId(Digest([1; 32])), Culprit::Node(name("node-2")));
    let abort = Abort { session, culprit, fault: Fault::Multiplication };
    let document = Record::Aborted { key: name("hot"), abort }.to_document();
    let ledger = ledger(home).await;
    ledger.save_threshold_records(&[ThresholdRow { stays: true, document }]).await.unwrap();
    ledger.close().await;
}

fn lift() -> AuthorityChange {
    AuthorityChange::Key(KeyCeremony::Lift { key: name("hot"), node: name("node-2") })
}

/// Its machine burnt down, and its key file was kept elsewhere: it says that its share is gone as soon as it has the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d01_a_node_that_starts_on_an_empty_disk_says_that_its_share_is_gone() {
    let mut stations = start_all(NodeHome::several(4, |_| {})).await;
    born(&stations, ["node-1", "node-2", "node-3"]).await;
    let holder = stations.remove(1).stop().await;
    std::fs::remove_dir_all(&holder.config.data).unwrap();
    stations.insert(1, holder.start().await);
    let lost = |key: &KeyView| key.sharing.as_ref().is_some_and(|it| it.lost == [name("node-2")]);
    hot_once(&stations[3], lost).await;
    for station in stations {
        station.stop().await;
    }
}

/// People end a birth after one holder has its share: nothing of it is left, and its name is free for a whole key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d04_k03_a_ceremony_that_people_end_leaves_no_share_and_its_name_is_free() {
    let mut stations = start_all(NodeHome::several(4, |_| {})).await;
    let holders = ["node-1", "node-2", "node-3"].map(name).to_vec();
    let generate =
        KeyCeremony::Generate { key: name("hot"), kind: KeyKind::ThresholdSecp256k1, threshold: 2, holders };
    // Without the third nothing is dealt; what node-1 has sealed is as if its share had come.
    let away = stations.remove(2).stop().await;
    let asked = stations[2].ask("cleo", Action::Authority(AuthorityChange::Key(generate))).await;
    stations[2].approve("ana", &asked.request).await;
    stations[2].approve("ben", &asked.request).await;
    let client = stations[0].client("eve").await;
    while client.status().await.unwrap().ceremonies.is_empty() {
        tokio::task::yield_now().await;
    }
    let sealed = share_of(&stations[0]);
    let beside = ledger(&stations[0].home).await;
    beside.save_sealed_key(&name("hot"), 0, &sealed).await.unwrap();
    let end = KeyCeremony::Abort { key: name("hot"), request: asked.request };
    stations[2].change(AuthorityChange::Key(end)).await;
    while !beside.sealed_keys(None).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    // Left by a version that did not clear it: the node does not stop over it.
    beside.save_sealed_key(&name("hot"), 0, &sealed).await.unwrap();
    let create = KeyCeremony::Create { key: name("hot"), kind: KeyKind::HdSecp256k1, home: name("node-1") };
    let made = stations[2].change(AuthorityChange::Key(create)).await;
    assert_eq!(made.stage, RequestStage::Applied, "{made:?} {:#?}", told(&stations));
    assert_eq!(beside.sealed_keys(None).await.unwrap().len(), 1, "its seed");
    beside.close().await;
    let twin = made_in_the_block_that_ended_a_birth(&stations).await;
    let home = stations.remove(0).stop().await;
    let beside = ledger(&home).await;
    let sealed = beside.sealed_keys(None).await.unwrap();
    assert!(sealed.iter().any(|(name, ..)| *name == twin), "its seed");
    beside.close().await;
    drop(client);
    drop(away);
    for station in stations {
        station.stop().await;
    }
}

/// A whole key that was made by the very block that ended a birth of its name, at a home that had a seat in that birth.
async fn made_in_the_block_that_ended_a_birth(stations: &[Station]) -> Name {
    let (station, home) = (&stations[2], stations[0].client("eve").await);
    for twin in 0..MOST_BLOCKS {
        let key = name(&format!("twin-{twin}"));
        let asks = |it| station.ask("cleo", Action::Authority(AuthorityChange::Key(it)));
        let (kind, holders) = (KeyKind::HdSecp256k1, ["node-1", "node-2", "node-3"].map(name).to_vec());
        // Asked for, and approved once, while the name is free.
        let create = KeyCeremony::Create { key: key.clone(), kind, home: name("node-1") };
        let create = asks(create).await.request;
        station.approve("ana", &create).await;
        let kind = KeyKind::ThresholdSecp256k1;
        let born =
            asks(KeyCeremony::Generate { key: key.clone(), kind, threshold: 2, holders }).await.request;
        station.approve("ana", &born).await;
        station.approve("ben", &born).await;
        let has_seat = |it: &PartView| it.node == name("node-1") && it.seated;
        let sits = |it: &ConveningView| it.request == born && it.parts.iter().any(has_seat);
        while !home.status().await.unwrap().ceremonies.iter().any(sits) {
            tokio::task::yield_now().await;
        }
        let abort = asks(KeyCeremony::Abort { key: key.clone(), request: born }).await.request;
        let mut words = Vec::new();
        station.approve("ana", &abort).await;
        for request in [&abort, &create] {
            words
                .push(Entry::Approval(signed(station.approval("ben", request).await, station.member("ben"))));
        }
        let answers = station.client("ben").await.submit(words).await.expect("an answer");
        // In which order they stand, and whether in one block, is the nodes' business.
        let at = |answer: &EntryAnswer, is_so: fn(&Outcome) -> bool| match answer {
            EntryAnswer::Decided(them) => them.iter().find(|it| is_so(&it.outcome)).map(|it| it.height),
            other => panic!("{other:?}"),
        };
        let ended = at(&answers[0], |it| matches!(it, Outcome::Key { .. }));
        let allowed = at(&answers[1], |it| matches!(it, Outcome::Ceremony { .. }));
        if ended.is_some() && ended == allowed {
            let made = station.wait(&create).await;
            assert_eq!(made.stage, RequestStage::Applied, "{made:?}");
            return key;
        }
    }
    panic!("two words that came together stood in two blocks, or the later one first, each time")
}

/// How often that is tried.
const MOST_BLOCKS: u8 = 16;

/// A sealed share of the key `hot` in epoch 0.
fn share_of(station: &Station) -> Vec<u8> {
    use keystead_keys::{Kdf, Purpose, SealLabel, SealingKey};
    use keystead_tests::cluster::PASSPHRASE;
    let key = SealingKey::derive(PASSPHRASE.as_bytes(), Kdf::new(&mut |bytes| bytes.fill(3))).unwrap();
    let (cluster, purpose) = (Some(station.node.cluster()), Purpose::ThresholdShare);
    let label = SealLabel { cluster, name: name("hot"), purpose, epoch: 0 };
    key.seal(label, &[7; 64], &mut |bytes| bytes.fill(4)).unwrap().to_document()
}

/// A lift is for whoever keeps the ban in its journal, also where it holds no share just now; and it lifts what was before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k06_a_lift_reaches_every_journal_and_is_not_repeated_at_a_start() {
    let mut stations = start_all(NodeHome::several(4, |_| {})).await;
    born(&stations, ["node-1", "node-2", "node-3"]).await;
    // One holder has no share any more, and one node never held any; both remember.
    let holder = stations.remove(0).stop().await;
    ledger(&holder).await.erase_sealed_key(&name("hot")).await.unwrap();
    catches(&holder).await;
    stations.insert(0, holder.start().await);
    hot_once(&stations[3], |key| key.sharing.as_ref().is_some_and(|it| it.lost == [name("node-1")])).await;
    let lifted_by_all = stations[3].change(lift()).await;
    assert_eq!(lifted_by_all.stage, RequestStage::Applied, "{lifted_by_all:?}");
    let view = stations[3].ask("desk", ether(FRIEND, ETHER / 10, 0)).await;
    assert_eq!(view.stage, RequestStage::Signed, "{view:?} {:#?}", told(&stations));
    reaches(&stations[0], height(&stations[3]).await).await;
    let (fourth, first) = (stations.remove(3).stop().await, stations.remove(0).stop().await);
    assert_eq!((lifted(&first).await, lifted(&fourth).await), (1, 1), "whoever holds no share, too");

    // It caught it once more: a start while the right to lift still stands lifts nothing.
    catches(&first).await;
    let first = first.start().await.stop().await;
    assert_eq!(lifted(&first).await, 1, "people lifted what was before it");
    for station in stations {
        station.stop().await;
    }
}

/// Rights end after some seconds.
fn short(policy: &mut PolicyVersion) {
    policy.timing.certificate_seconds = 8;
}

/// The enclave checks the certificate: what it refuses stands in no journal that a later start would believe.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k06_a_lift_that_the_enclave_refuses_is_not_written() {
    let mut stations = start_all(NodeHome::several(4, short)).await;
    born(&stations, ["node-1", "node-2", "node-3"]).await;
    let away = stations.remove(0).stop().await;
    let allowed = stations[2].change(lift()).await;
    assert_eq!(allowed.stage, RequestStage::Applied, "{allowed:?}");
    let begun = stations[2].now().await;
    while stations[2].now().await <= begun.plus_seconds(9) {
        tokio::task::yield_now().await;
    }
    let back = away.start().await;
    reaches(&back, height(&stations[2]).await).await;
    let refused = |it: &String| it.contains("expired");
    while !back.events().iter().any(refused) {
        tokio::task::yield_now().await;
    }
    let back = back.stop().await;
    assert_eq!(lifted(&back).await, 0);
    for station in stations {
        station.stop().await;
    }
}
