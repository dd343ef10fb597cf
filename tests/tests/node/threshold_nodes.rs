//! Four real nodes, three of which hold one key in shares: it is born among their enclaves, and any two sign.

#[path = "threshold_nodes/both.rs"]
mod both;
#[path = "threshold_nodes/destroyed.rs"]
mod destroyed;
#[path = "threshold_nodes/exits.rs"]
mod exits;
#[path = "threshold_nodes/imports.rs"]
mod imports;
#[path = "threshold_nodes/roads.rs"]
mod roads;
#[path = "threshold_nodes/solana.rs"]
mod solana;
#[path = "threshold_nodes/wiped.rs"]
mod wiped;

use std::time::{Duration, Instant};

use alloy_primitives::U256;
use keystead_base::{Canonical as _, Coded as _, Digest};
use keystead_decision::{KeyState, Outcome};
use keystead_intent::{Action, AuthorityChange, KeyCeremony, KeyKind};
use keystead_keys::{Kdf, Purpose, SealLabel, SealingKey};
use keystead_ledger::{Ledger, ThresholdRow};
use keystead_signing::{Abort, Culprit, Fault, Record, SessionId};
use keystead_tests::chainside::{anvil, balance, fund, sends};
use keystead_tests::cluster::{NodeHome, PASSPHRASE, Station, ether};
use keystead_tests::coin_desk::{CoinDesk, transaction};
use keystead_tests::fixture::{ETHER, FRIEND, name};
use keystead_tests::{Nats, start_all};
use keystead_wire::{KeptOut, KeyView, RequestStage, RequestView};

use self::both::{BOTH, both_born, first_payment, lists_sol};

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
    key_once(station, "hot", is_so).await
}

/// A key, once it is so.
async fn key_once(station: &Station, key: &str, is_so: impl Fn(&KeyView) -> bool) -> KeyView {
    let start = Instant::now();
    loop {
        let keys = station.client("cleo").await.keys().await.expect("keys");
        let key = keys.into_iter().find(|it| it.name == name(key)).expect("the key");
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
    ended(born_used_and_used_again(cluster().await).await).await;
}

/// The same with a broker between all nodes, which lets in whoever knows a password, and handed on there: it carries their TLS, and
/// nothing else changes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k03_the_same_over_a_broker() {
    let broker = Nats::start("nodes", "hush");
    let mut homes = NodeHome::several(4, |_| {});
    for home in &mut homes {
        home.config.nats = Some(broker.url().to_owned());
        let login = home.path("broker.login");
        std::fs::write(&login, "nodes:hush\n").unwrap();
        home.config.nats_login = Some(login);
        home.config.peers.iter_mut().for_each(|it| it.address = "nats".to_owned());
    }
    let stations = born_used_and_used_again(start_all(homes).await).await;
    let (account, epoch) = (stations[0].hot().await.address, stations[0].hot().await.epoch);
    let (holders, dealers) = (nodes(&["node-4", "node-2", "node-3"]), nodes(&["node-1", "node-3"]));
    let reshare = KeyCeremony::Reshare { key: name("hot"), threshold: 3, holders, dealers };
    for ceremony in [KeyCeremony::Refresh { key: name("hot") }, reshare] {
        let done = stations[0].change(AuthorityChange::Key(ceremony)).await;
        assert_eq!(done.stage, RequestStage::Applied, "{done:?} {:#?}", told(&stations));
    }
    sends_a_tenth(&stations, 0, 3).await;
    let after = stations[0].hot().await;
    assert_eq!((after.address, after.epoch), (account, epoch + 2));
    ended(stations).await;
}

fn nodes(names: &[&str]) -> Vec<keystead_base::Name> {
    names.iter().map(|it| name(it)).collect()
}

async fn ended(stations: Vec<Station>) {
    for station in stations {
        station.stop().await;
    }
}

async fn born_used_and_used_again(mut stations: Vec<Station>) -> Vec<Station> {
    let (_chain, anvil) = anvil();
    born(&stations).await;
    let key = stations[3].hot().await;
    assert_eq!(key.state, KeyState::Active);
    let account = key.address.expect("an address");
    fund(anvil, account, ETHER).await;
    let before = balance(anvil, FRIEND).await;
    let view = sends_a_tenth(&stations, 3, 0).await;
    sends(anvil, &view.signed.unwrap().raw).await;
    assert_eq!(balance(anvil, FRIEND).await - before, U256::from(ETHER / 10));

    each_holder_says_what_it_contributed(&stations[3]).await;
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
    stations
}

/// INVARIANT E1: three receipts, of three seeds, each of which holds.
async fn each_holder_says_what_it_contributed(station: &Station) {
    let key = hot_once(station, |key| key.life.receipts.len() == 3).await;
    let nodes: Vec<_> = key.life.receipts.keys().cloned().collect();
    assert_eq!(nodes, ["node-1", "node-2", "node-3"].map(name));
    let seeds: std::collections::BTreeSet<_> = key.life.receipts.values().map(|it| it.check).collect();
    assert!(seeds.len() == 3 && key.life.receipts.values().all(|it| it.hold().is_ok()), "{key:?}");
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

/// INVARIANT S10: its coins are spent as those of any key, by a transaction that Bitcoin Core takes and that settles.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k03_d03_a_key_in_shares_spends_its_coins_and_one_holder_may_be_gone() {
    let (desk, mut others) = CoinDesk::in_shares(KeyKind::ThresholdSecp256k1).await;
    let paid = desk.pays_of(vec![desk.coin(0).await, desk.coin(1).await, desk.coin(2).await], 1_000).await;
    assert_eq!(paid.stage, RequestStage::Signed, "{paid:?} {:#?}", told(&others));
    assert_eq!(transaction(&paid).input.len(), 3);
    desk.mined(&paid, 5).await;
    desk.until(&paid, RequestStage::Settled).await;
    others.remove(0).stop().await;
    let paid = desk.pays_of(vec![desk.coin(3).await, desk.coin(4).await], 1_000).await;
    assert_eq!(paid.stage, RequestStage::Signed, "{paid:?} {:#?}", told(&others));
    desk.mined(&paid, 0).await;
    desk.station.stop().await;
    for station in others {
        station.stop().await;
    }
}

/// BIP-340 by FROST: new shares and other holders spend the outputs of the same key, which has no account on Ethereum.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k03_d03_a_bip340_key_in_shares_spends_taproot_coins_whoever_holds_it() {
    let (desk, mut others) = CoinDesk::in_shares(KeyKind::ThresholdBip340).await;
    let paid = desk.pays_of(vec![desk.coin(0).await, desk.coin(1).await], 1_000).await;
    assert_eq!(paid.stage, RequestStage::Signed, "{paid:?} {:#?}", told(&others));
    desk.mined(&paid, 5).await;
    desk.until(&paid, RequestStage::Settled).await;
    let refused = desk.station.ask("desk", ether(FRIEND, ETHER / 10, 0)).await;
    let Outcome::Deny { reasons, .. } = &refused.decision.outcome else { panic!("{refused:?}") };
    assert_eq!((reasons[0].code(), desk.station.hot().await.address), ("deny.kind", None));

    // What was lost is dealt again, and deals itself then.
    let holder = without_share(others.remove(0)).await;
    others.insert(0, holder);
    hot_once(&desk.station, lost_by_node_2).await;
    let reshare = KeyCeremony::Reshare {
        key: name("hot"),
        threshold: 2,
        holders: ["node-1", "node-4"].map(name).to_vec(),
        dealers: ["node-2", "node-3"].map(name).to_vec(),
    };
    for ceremony in [repair(), KeyCeremony::Refresh { key: name("hot") }, reshare] {
        let done = desk.station.change(AuthorityChange::Key(ceremony)).await;
        assert_eq!(done.stage, RequestStage::Applied, "{done:?} {:#?}", told(&others));
    }
    let paid = desk.pays_of(vec![desk.coin(2).await, desk.coin(3).await], 1_000).await;
    assert_eq!(paid.stage, RequestStage::Signed, "{paid:?} {:#?}", told(&others));
    desk.mined(&paid, 0).await;
    assert_eq!(desk.station.hot().await.epoch, 3);
    desk.station.stop().await;
    for station in others {
        station.stop().await;
    }
}

/// A birth that ended without a key leaves a share of a key that nobody knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k03_a_share_whose_birth_ended_without_a_key_is_gone_after_a_start() {
    let station = NodeHome::new().start().await;
    let cluster = station.node.cluster();
    let home = station.stop().await;
    let url = format!("sqlite:{}", home.config.data.join("ledger.sqlite").display());
    let key = SealingKey::derive(PASSPHRASE.as_bytes(), Kdf::new(&mut |bytes| bytes.fill(3))).unwrap();
    let (purpose, epoch) = (Purpose::ThresholdShare, 0);
    let label = SealLabel { cluster: Some(cluster), name: name("never"), purpose, epoch };
    let sealed = key.seal(label, &[7; 64], &mut |bytes| bytes.fill(4)).unwrap();
    let ledger = Ledger::open(&url).await.unwrap();
    ledger.save_sealed_key(&name("never"), epoch, &sealed.to_document()).await.unwrap();
    ledger.close().await;

    let home = home.start().await.stop().await;
    let ledger = Ledger::open(&url).await.unwrap();
    assert_eq!(ledger.sealed_keys(None).await.unwrap(), [], "its name is free, and its shares are gone");
    ledger.close().await;
    drop(home);
}

/// The node, started anew on a disk that lost its share of `hot`.
async fn without_share(holder: Station) -> Station {
    let home = holder.stop().await;
    let ledger = Ledger::open(&home.config.ledger_url()).await.unwrap();
    ledger.erase_sealed_key(&name("hot")).await.unwrap();
    ledger.close().await;
    home.start().await
}

fn lost_by_node_2(key: &KeyView) -> bool {
    key.sharing.as_ref().is_some_and(|it| it.lost == [name("node-2")])
}

/// The others deal to `node-2` again.
fn repair() -> KeyCeremony {
    let helpers = ["node-1", "node-3"].map(name).to_vec();
    KeyCeremony::Repair { key: name("hot"), lost: name("node-2"), helpers }
}

/// A holder's disk loses its share: its node says so itself, and others deal again while they sign on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d01_a_holder_whose_share_is_lost_gets_one_again_and_signs_with_it() {
    let mut stations = cluster().await;
    born(&stations).await;
    let before = stations[3].hot().await;
    let repair = AuthorityChange::Key(repair());
    let early = stations[3].ask("cleo", Action::Authority(repair.clone())).await;
    assert_eq!(early.stage, RequestStage::Denied, "it is not lost: {early:?}");

    let holder = without_share(stations.remove(1)).await;
    stations.insert(1, holder);
    hot_once(&stations[3], lost_by_node_2).await;
    sends_a_tenth(&stations, 3, 0).await;

    let repaired = stations[0].change(repair).await;
    assert_eq!(repaired.stage, RequestStage::Applied, "{repaired:?} {:#?}", told(&stations));
    // The node that was asked may be a block ahead of this one.
    let after = hot_once(&stations[3], |key| key.epoch > before.epoch).await;
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
    let mut stations = start_all(NodeHome::several(4, lists_sol)).await;
    both_born(&stations).await;
    let holder = stations.remove(0).stop().await;
    let caught = |key: &str| {
        let (session, culprit) = (SessionId(Digest([1; 32])), Culprit::Node(name("node-2")));
        let abort = Abort { session, culprit, fault: Fault::Multiplication };
        ThresholdRow { stays: true, document: Record::Aborted { key: name(key), abort }.to_document() }
    };
    let ledger = Ledger::open(&holder.config.ledger_url()).await.unwrap();
    ledger.save_threshold_records(&BOTH.map(caught)).await.unwrap();
    drop(ledger);
    stations.insert(0, holder.start().await);
    stations.remove(2).stop().await;

    let desk = &stations[2];
    let mut requests = Vec::new();
    for key in BOTH {
        let intent = desk.intent("desk", first_payment(desk, key).await, desk.now().await);
        requests.push(intent.id());
        desk.submit("desk", desk.entry(vec![intent])).await;
    }
    let caught = BOTH.map(|key| KeptOut { key: name(key), node: name("node-2") });
    assert_eq!(kept_out(&stations[0]).await, caught, "whoever looks sees who is to be let in");
    for (key, request) in BOTH.into_iter().zip(requests) {
        let lift = KeyCeremony::Lift { key: name(key), node: name("node-2") };
        let lifted = desk.change(AuthorityChange::Key(lift)).await;
        assert_eq!(lifted.stage, RequestStage::Applied, "{lifted:?}");
        let view = desk.wait(&request).await;
        assert_eq!(view.stage, RequestStage::Signed, "{view:?} {:#?}", told(&stations));
    }
    assert_eq!(kept_out(&stations[0]).await, []);
    for station in stations {
        station.stop().await;
    }
}

async fn kept_out(station: &Station) -> Vec<KeptOut> {
    station.client("eve").await.status().await.unwrap().kept_out
}

/// What a node takes to start and to be heard, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
