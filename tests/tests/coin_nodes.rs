//! Nodes that broadcast and settle transactions of Bitcoin's, on a chain that the test mines and Bitcoin Core's rules decide.

use keystead_tests::coin_desk::{CoinDesk, patiently, transaction};
use keystead_tests::purse::REGTEST;
use keystead_wire::{ChainWatch, RequestStage};

/// Until the node has looked at the chain as it is: a look begins with the height, and is over when the next one begins.
async fn looked_at(desk: &CoinDesk) {
    let client = desk.station.client("eve").await;
    for _ in 0..2 {
        let newest = u64::from(desk.chain.height());
        patiently(async || {
            let status = client.status().await.unwrap();
            let chains = status.chains.into_iter().filter(|it| it.chain == REGTEST.0);
            let seen = |it: &ChainWatch| matches!(it, ChainWatch::Agreed { head } if *head >= newest);
            chains.map(|it| it.watch).find(seen)
        })
        .await;
        desk.chain.mine(1);
    }
}

/// A payment is broadcast by the home of its key, is not final before its sixth block, and settles.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_a_spend_is_broadcast_and_settles_once_it_is_final() {
    let desk = CoinDesk::start().await;
    let paid = desk.pays(desk.coin(0).await, 1_000).await;
    assert_eq!(paid.stage, RequestStage::Signed, "{paid:?}");
    desk.mined(&paid, 5).await;
    desk.until(&paid, RequestStage::Settled).await;
    let status = desk.station.client("eve").await.status().await.unwrap();
    assert_eq!(status.unsettled, 0);
    desk.station.stop().await;
}

/// The block of a payment is given up, and so is what it had: the home sends it again, and it settles after all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_a_spend_whose_block_is_given_up_is_reorged_and_sent_again() {
    let desk = CoinDesk::start().await;
    let paid = desk.pays(desk.coin(0).await, 1_000).await;
    desk.mined(&paid, 0).await;
    looked_at(&desk).await;
    desk.chain.reorganize(3);
    desk.until(&paid, RequestStage::Reorged).await;
    let status = desk.station.client("eve").await.status().await.unwrap();
    assert_eq!(status.unsettled, 1, "it counts");
    desk.mined(&paid, 5).await;
    desk.until(&paid, RequestStage::Settled).await;
    desk.station.stop().await;
}

/// Of two transactions for one coin the dearer one is mined: it settles, and the other one is dead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s04_a_spend_that_was_replaced_is_dead_once_its_coin_is_gone_for_good() {
    let desk = CoinDesk::start().await;
    let coin = desk.coin(0).await;
    let first = desk.pays(coin.clone(), 1_000).await;
    let dearer = desk.replaces(coin, 9_000, &first).await;
    assert_eq!(dearer.stage, RequestStage::Signed, "{dearer:?}");
    let _ = desk.chain.send(&transaction(&dearer));
    desk.mined(&dearer, 5).await;
    desk.until(&dearer, RequestStage::Settled).await;
    desk.until(&first, RequestStage::Dead).await;
    desk.station.stop().await;
}
