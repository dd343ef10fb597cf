//! Four real nodes, three of which hold one key in shares: it is born among their enclaves, and any two sign.

use alloy_primitives::U256;
use keystead_base::Canonical as _;
use keystead_decision::KeyState;
use keystead_intent::{AuthorityChange, KeyCeremony, KeyKind};
use keystead_keys::{Kdf, Purpose, SealLabel, SealingKey};
use keystead_ledger::Ledger;
use keystead_tests::chainside::{anvil, balance, fund, sends};
use keystead_tests::cluster::{NodeHome, PASSPHRASE, Station, ether};
use keystead_tests::fixture::{ETHER, FRIEND, name};
use keystead_tests::start_all;
use keystead_wire::{RequestStage, RequestView};

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
