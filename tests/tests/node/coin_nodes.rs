//! Nodes that broadcast and settle transactions of Bitcoin's, on a chain that the test mines and Bitcoin Core's rules decide.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keystead_base::{Canonical as _, Digest};
use keystead_bitcoin::SpendSignatures;
use keystead_decision::Strict;
use keystead_tests::coin_desk::{CoinDesk, patiently, transaction};
use keystead_tests::purse::{REGTEST, Secrets};
use keystead_tests::regtest::{Lie, Shape};
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

/// What a co-signer has to finish is watched under the id that it will have: it settles, or it is dead, as everything else does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_a_part_of_a_shared_spend_ends_as_its_transaction_does() {
    let desk = CoinDesk::start().await;
    let vault = desk.shares(2, &[8, 9]).await;
    let others = [Secrets::of_seed(8), Secrets::of_seed(9)];
    let (finished, replaced) = (desk.shared_psbt(&vault, 0).await, desk.shared_psbt(&vault, 1).await);
    let (ours, other) = (desk.spends_shared(&finished).await, desk.spends_shared(&replaced).await);
    let signed = ours.signed.as_ref().unwrap();
    let mut signatures = SpendSignatures::from_document(&signed.signature).unwrap().signatures;
    signatures.extend(desk.signs_shared(&vault, &finished, &[&others[0]]));
    let done = desk.sends_shared(&vault, &finished, signatures);
    assert_eq!(signed.transaction, Some(Digest(*done.compute_txid().as_ref())));
    // The others take the second coin elsewhere.
    let mut elsewhere = bitcoin::Psbt::deserialize(&replaced).unwrap();
    elsewhere.unsigned_tx.output[0].value -= bitcoin::Amount::from_sat(500);
    let elsewhere = elsewhere.serialize();
    let theirs = desk.signs_shared(&vault, &elsewhere, &[&others[0], &others[1]]);
    desk.sends_shared(&vault, &elsewhere, theirs);
    looked_at(&desk).await;
    assert_eq!(desk.station.client("eve").await.status().await.unwrap().unsettled, 2, "not final");
    desk.chain.mine(5);
    desk.until(&ours, RequestStage::Settled).await;
    desk.until(&other, RequestStage::Dead).await;
    assert_eq!(desk.station.client("eve").await.status().await.unwrap().unsettled, 0);
    desk.station.stop().await;
}

/// A signature is held against the wallet that policy had when it was allowed, by nodes that hear of it when there is none of
/// that name any more: without the vote of one of them nothing is settled here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s07_a_shared_signature_is_held_against_the_policy_of_its_decision() {
    let (desk, mut others) = CoinDesk::four().await;
    let vault = desk.shares(1, &[8]).await;
    let psbt = desk.shared_psbt(&vault, 0).await;
    let away = others.pop().unwrap().stop().await;
    let paid = desk.spends_shared(&psbt).await;
    assert_eq!(paid.stage, RequestStage::Signed, "{paid:?}");
    desk.shares_no_more().await;
    let height = desk.station.client("eve").await.status().await.unwrap().height;
    let back = away.start().await;
    let client = back.client("eve").await;
    patiently(async || (client.status().await.unwrap().height >= height).then_some(())).await;
    others.remove(0).stop().await;
    desk.mined(&paid, 6).await;
    desk.until(&paid, RequestStage::Settled).await;
    let seen = client.request(paid.request).await.unwrap().unwrap().view;
    assert_eq!(seen.signed, desk.station.wait(&paid.request).await.signed);
}

/// Sources that place a transaction in a block that is not the chain's say nothing of its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_a_block_that_is_not_the_chain_s_settles_nothing() {
    let lies = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&lies);
    let stale = serde_json::json!({"confirmed": true, "block_height": 50, "block_hash": "77".repeat(32)});
    let lie: Lie = Arc::new(move |path, answer| match flag.load(Ordering::Relaxed) {
        true if path.ends_with("/status") => stale.to_string().into_bytes(),
        _ => answer,
    });
    let desk = CoinDesk::under(Strict::default(), 1, vec![(Shape::Esplora, lie)]).await;
    let paid = desk.pays(desk.coin(0).await, 1_000).await;
    looked_at(&desk).await;
    looked_at(&desk).await;
    let status = desk.station.client("eve").await.status().await.unwrap();
    assert_eq!(status.unsettled, 1, "it counts");
    lies.store(false, Ordering::Relaxed);
    desk.mined(&paid, 5).await;
    desk.until(&paid, RequestStage::Settled).await;
    desk.station.stop().await;
}

/// People say in the signed policy when a block is final: six blocks are not enough where it says ten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_nothing_is_settled_before_policy_calls_its_block_final() {
    let desk = CoinDesk::start().await;
    desk.is_final_with(10).await;
    let paid = desk.pays(desk.coin(0).await, 1_000).await;
    desk.mined(&paid, 5).await;
    looked_at(&desk).await;
    let status = desk.station.client("eve").await.status().await.unwrap();
    assert_eq!(status.unsettled, 1, "it counts");
    desk.chain.mine(3);
    desk.until(&paid, RequestStage::Settled).await;
    desk.station.stop().await;
}
