//! A key that was whole, in shares; and rights that are confirmed one by one.

use alloy_primitives::U256;
use keystead_intent::{AuthorityChange, Importer, KeyCeremony, KeyKind};
use keystead_ledger::Ledger;
use keystead_policy::{FreshHeadDemand, PolicyVersion};
use keystead_tests::chainside::{anvil, balance, fund, sends};
use keystead_tests::cluster::{NodeHome, ether};
use keystead_tests::fixture::{ETHER, FRIEND, name};
use keystead_tests::start_all;
use keystead_wire::RequestStage;

use super::{born, hot_once, sends_a_tenth, told};

/// A key that lived whole at a node signs in shares, for the account that it had; its home keeps nothing of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k04_a_whole_key_is_dealt_by_its_home_and_signs_in_shares_for_the_account_that_it_had() {
    let (_chain, anvil) = anvil();
    let short = |policy: &mut PolicyVersion| policy.timing.certificate_seconds = 2;
    let mut stations = start_all(NodeHome::several(4, short)).await;
    stations[0].make_hot_key_at("node-1").await;
    let before = hot_once(&stations[3], |key| key.address.is_some()).await;
    let account = before.address.expect("an address");
    fund(anvil, account, ETHER).await;
    let view = sends_a_tenth(&stations, 3, 0).await;
    sends(anvil, &view.signed.unwrap().raw).await;

    // One of its holders is its home so far.
    let import = KeyCeremony::Import {
        key: name("hot"),
        kind: KeyKind::ThresholdSecp256k1,
        account: before.account.expect("an account"),
        from: Importer::Home(name("node-1")),
        threshold: 2,
        holders: ["node-1", "node-2", "node-3"].map(name).to_vec(),
    };
    let imported = stations[3].change(AuthorityChange::Key(import)).await;
    assert_eq!(imported.stage, RequestStage::Applied, "{imported:?} {:#?}", told(&stations));
    let key = stations[3].hot().await;
    assert_eq!((key.address, key.epoch, key.imported), (before.address, before.epoch + 1, true));
    assert_eq!(key.kind, KeyKind::ThresholdSecp256k1);
    let funds = balance(anvil, FRIEND).await;
    let view = sends_a_tenth(&stations, 3, 1).await;
    sends(anvil, &view.signed.unwrap().raw).await;
    assert_eq!(balance(anvil, FRIEND).await - funds, U256::from(ETHER / 10));

    // INVARIANT K4: nothing of the whole key is left at its home, whose share signs on without the others' help but for one.
    let home = stations.remove(0).stop().await.start().await.stop().await;
    let ledger = Ledger::open(&home.config.ledger_url()).await.unwrap();
    let sealed = ledger.sealed_keys(None).await.unwrap();
    let epochs: Vec<u32> = sealed.iter().map(|(_, epoch, _)| *epoch).collect();
    assert_eq!(epochs, [key.epoch], "the share alone");
    ledger.close().await;
    stations.push(home.start().await);
    stations.remove(0).stop().await;
    let view = sends_a_tenth(&stations, 1, 2).await;
    sends(anvil, &view.signed.unwrap().raw).await;
    assert_eq!(balance(anvil, FRIEND).await - funds, U256::from(ETHER / 5));
    for station in stations {
        station.stop().await;
    }
}

/// INVARIANT S14: each right is confirmed by itself, and blocks that come during its run do not end it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s14_d03_where_each_signature_is_confirmed_shares_sign_while_blocks_come() {
    let each = |policy: &mut PolicyVersion| {
        policy.fresh_heads.iter_mut().for_each(|it| it.demand = FreshHeadDemand::PerSignature);
    };
    let stations = start_all(NodeHome::several(4, each)).await;
    born(&stations).await;
    // Each is a block of its own, which comes while the one before is being signed.
    let desk = &stations[3];
    let now = desk.now().await;
    let intents = [0, 1, 2, 3].map(|nonce| desk.intent("desk", ether(FRIEND, ETHER / 100, nonce), now));
    let asked = intents.clone().map(|it| it.id());
    let [one, two, three, four] = intents.map(|it| desk.submit("desk", desk.entry(vec![it])));
    tokio::join!(one, two, three, four);
    for request in &asked {
        let view = desk.wait(request).await;
        assert_eq!(view.stage, RequestStage::Signed, "{view:?} {:#?}", told(&stations));
    }
    for station in stations {
        station.stop().await;
    }
}
