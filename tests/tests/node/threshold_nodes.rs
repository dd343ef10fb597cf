//! Four real nodes, three of which hold one key in shares: it is born among their enclaves, and any two sign.

use alloy_primitives::U256;
use keystead_base::Coded as _;
use keystead_decision::{KeyState, Outcome};
use keystead_intent::{AuthorityChange, KeyCeremony, KeyKind};
use keystead_tests::chainside::{anvil, balance, fund, sends};
use keystead_tests::cluster::{NodeHome, Station, ether};
use keystead_tests::coin_desk::{CoinDesk, transaction};
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
    let (desk, others) = CoinDesk::in_shares(KeyKind::ThresholdBip340).await;
    let paid = desk.pays_of(vec![desk.coin(0).await, desk.coin(1).await], 1_000).await;
    assert_eq!(paid.stage, RequestStage::Signed, "{paid:?} {:#?}", told(&others));
    desk.mined(&paid, 5).await;
    desk.until(&paid, RequestStage::Settled).await;
    let refused = desk.station.ask("desk", ether(FRIEND, ETHER / 10, 0)).await;
    let Outcome::Deny { reasons, .. } = &refused.decision.outcome else { panic!("{refused:?}") };
    assert_eq!((reasons[0].code(), desk.station.hot().await.address), ("deny.kind", None));

    let reshare = KeyCeremony::Reshare {
        key: name("hot"),
        threshold: 2,
        holders: ["node-1", "node-4"].map(name).to_vec(),
        dealers: ["node-2", "node-3"].map(name).to_vec(),
    };
    for ceremony in [KeyCeremony::Refresh { key: name("hot") }, reshare] {
        let done = desk.station.change(AuthorityChange::Key(ceremony)).await;
        assert_eq!(done.stage, RequestStage::Applied, "{done:?} {:#?}", told(&others));
    }
    let paid = desk.pays_of(vec![desk.coin(2).await, desk.coin(3).await], 1_000).await;
    assert_eq!(paid.stage, RequestStage::Signed, "{paid:?} {:#?}", told(&others));
    desk.mined(&paid, 0).await;
    assert_eq!(desk.station.hot().await.epoch, 2);
    desk.station.stop().await;
    for station in others {
        station.stop().await;
    }
}
