//! Nodes that compare a chain of Bitcoin's with their log: Bitcoin Core's rules decide what is on it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bitcoin::hashes::{Hash as _, sha256};
use keystead_base::{Amount, Digest};
use keystead_bitcoin::{Branch, coin_at};
use keystead_decision::{Discrepancy, Finding, Strict};
use keystead_tests::coin_desk::{CoinDesk, SAT, honest, reconciled, transaction};
use keystead_tests::fixture::name;
use keystead_tests::purse::{Purse, Secrets, payee};
use keystead_tests::regtest::{Lie, Shape};
use keystead_tests::world::reasons;
use keystead_wire::{NodeStatus, RequestStage};

fn is_frozen(status: &NodeStatus) -> bool {
    status.frozen.keys.contains(&name("hot"))
}

fn found(status: &NodeStatus) -> &Finding {
    let [found] = status.found.as_slice() else { panic!("{status:?}") };
    &found.finding
}

fn is_fine(status: &NodeStatus) -> bool {
    status.found.is_empty() && !is_frozen(status) && reconciled(status).suspects == 0
}

/// What requests made, the one that replaced another among them, is no finding; a spend past the log freezes its key, with a
/// reason, and across restarts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l04_a_spend_that_no_request_made_freezes_its_key() {
    let desk = CoinDesk::start().await;
    let (coin, taken) = (desk.coin(0).await, desk.coin(0).await);
    let first = desk.pays(coin.clone(), 1_000).await;
    let dearer = desk.replaces(coin, 9_000, &first).await;
    let _ = desk.chain.send(&transaction(&dearer));
    desk.mined(&dearer, 5).await;
    desk.until(&dearer, RequestStage::Settled).await;
    let paid = desk.pays(desk.coin(1).await, 1_000).await;
    desk.mined(&paid, 6).await;
    let fine = desk.compared().await;
    assert!(is_fine(&fine), "{fine:?}");

    let theft = desk.steals(&desk.stolen().await, &taken, &payee());
    desk.chain.mine(4);
    let early = desk.compared().await;
    assert!(is_fine(&early), "not final: {early:?}");
    desk.chain.mine(1);
    let frozen = desk.until_status(is_frozen).await;
    let Finding { address, what: Discrepancy::Spend { transaction: taker, coin, .. }, .. } = found(&frozen)
    else {
        panic!("{frozen:?}")
    };
    assert_eq!(*address, desk.purse.recorded.id());
    assert_eq!(*taker, Digest(*theft.compute_txid().as_ref()));
    assert_eq!(*coin, coin_at(theft.input[0].previous_output));
    let denied = desk.pays(desk.coin(2).await, 1_000).await;
    assert_eq!(reasons(&denied.decision.outcome)[0].to_string(), "key `hot` is frozen");
    desk.until_status(|it| reconciled(it).suspects == 0).await;

    let desk = desk.away(true, |chain| chain.mine(7)).await;
    let again = desk.compared().await;
    assert_eq!((again.found.len(), again.frozen.keys.len()), (1, 1), "once");
    desk.station.stop().await;
}

/// What was spent before a node looks at a wallet for the first time is judged as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l04_what_was_spent_before_anybody_looked_is_found() {
    let desk = CoinDesk::start().await;
    let (vault, _) = desk.vault(2, &[8]);
    let (psbt, other) = (desk.shared_psbt(&vault, 0).await, Secrets::of_seed(8));
    let signatures = desk.signs_shared(&vault, &psbt, &[&desk.stolen().await, &other]);
    let theft = desk.sends_shared(&vault, &psbt, signatures);
    desk.chain.mine(6);
    let fine = desk.compared().await;
    assert!(is_fine(&fine), "nobody knows the wallet: {fine:?}");
    desk.shares(2, &[8]).await;
    let frozen = desk.until_status(is_frozen).await;
    let Discrepancy::Spend { transaction: taker, .. } = found(&frozen).what else { panic!("{frozen:?}") };
    assert_eq!(taker, Digest(*theft.compute_txid().as_ref()));
    desk.station.stop().await;
}

/// What happens while a node is away it finds afterwards; payments of requests are none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l04_what_is_spent_while_the_node_is_away_is_found() {
    let desk = CoinDesk::start().await;
    let (taken, secrets) = (desk.coin(0).await, desk.stolen().await);
    let paid = desk.pays(desk.coin(1).await, 1_000).await;
    let desk = desk.away(false, |_| {}).await;
    let _ = desk.chain.send(&transaction(&paid));
    desk.chain.mine(1);
    desk.steals(&secrets, &taken, &payee());
    let blind = desk.away(true, |chain| chain.mine(40)).await;
    let frozen = blind.until_status(is_frozen).await;
    let Discrepancy::Spend { coin, .. } = found(&frozen).what else { panic!("{frozen:?}") };
    assert_eq!(coin.transaction, Digest(*taken.previous.compute_txid().as_ref()));
    blind.compared().await;
    blind.station.stop().await;
}

/// One of three sources invents a spend of our coins, and garbles blocks: nothing is found, nothing waits. What really
/// happens is found in spite of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l04_what_one_source_of_three_invents_freezes_nothing() {
    let lie: Lie = Arc::new(|path, answer| match String::from_utf8(answer) {
        Ok(page) if path.contains("/txs/chain") && page.contains("\"vin\"") => invented(&page),
        Ok(hash) if path.starts_with("/block-height/") && path.len() > 16 => {
            hash.replace(['0', '1'], "2").into()
        }
        Ok(text) => text.into(),
        Err(_) => b"no block".to_vec(),
    });
    let shapes = vec![(Shape::Esplora, lie), (Shape::Core, honest()), (Shape::Esplora, honest())];
    let desk = CoinDesk::under(Strict::default(), 2, shapes).await;
    let coin = desk.coin(0).await;
    desk.chain.mine(40);
    let fine = desk.compared().await;
    assert!(is_fine(&fine) && reconciled(&fine).balances_at.is_some(), "{fine:?}");
    desk.steals(&desk.stolen().await, &coin, &payee());
    desk.chain.mine(5);
    let frozen = desk.until_status(is_frozen).await;
    assert!(matches!(found(&frozen).what, Discrepancy::Spend { .. }), "{frozen:?}");
    desk.station.stop().await;
}

/// A page of Esplora's on which the first transaction that pays is followed by one that spends what it pays.
fn invented(page: &str) -> Vec<u8> {
    let mut page: serde_json::Value = serde_json::from_str(page).unwrap();
    let all = page.as_array_mut().unwrap();
    let mut spend = all[0].clone();
    let vin = |vout: usize| serde_json::json!({"txid": all[0]["txid"], "vout": vout, "is_coinbase": false});
    spend["vin"] = (0..all[0]["vout"].as_array().unwrap().len()).map(vin).collect();
    spend["txid"] = "77".repeat(32).into();
    spend["vout"] = serde_json::json!([]);
    all.push(spend);
    page.to_string().into_bytes()
}

/// A source that hides coins makes what is left unknown: the node stays where it is and says so. Where all hide them, coins
/// are missing that nobody was seen to spend.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l03_coins_that_a_source_hides_are_unknown_and_those_that_all_miss_freeze_their_key() {
    let [one, other]: [Arc<AtomicBool>; 2] = Default::default();
    let hides = |flag: &Arc<AtomicBool>| -> Lie {
        let flag = Arc::clone(flag);
        Arc::new(move |question, answer| match flag.load(Ordering::Relaxed) {
            true if question.contains("/txs/chain") => b"[]".to_vec(),
            true if question.contains("scanblocks") => scanned_nothing(&answer),
            _ => answer,
        })
    };
    let shapes = vec![(Shape::Esplora, hides(&one)), (Shape::Core, hides(&other))];
    let desk = CoinDesk::under(Strict::default(), 2, shapes).await;
    desk.coin(0).await;
    to_final(&desk, 128);
    let begun = desk.until_status(|it| reconciled(it).balances_at == Some(128)).await;
    assert!(is_fine(&begun), "{begun:?}");

    one.store(true, Ordering::Relaxed);
    to_final(&desk, 160);
    let held = desk.until_status(|it| reconciled(it).held_up.is_some()).await;
    assert_eq!((reconciled(&held).upto, reconciled(&held).balances_at), (Some(159), Some(128)));
    assert!(is_fine(&held), "one voice freezes nothing: {held:?}");

    other.store(true, Ordering::Relaxed);
    let frozen = desk.until_status(is_frozen).await;
    let Discrepancy::Balance { block, expected, found, .. } = found(&frozen).what else {
        panic!("{frozen:?}")
    };
    assert_eq!((block.number, expected, found), (160, Amount::from(SAT), Amount::from(0_u64)));
    desk.station.stop().await;
}

/// What left is judged before anybody compares what is left: where the sources do not agree on the latter, a theft in that
/// very block is found all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l04_a_theft_in_a_block_whose_balances_are_unknown_is_found() {
    let flag = Arc::new(AtomicBool::new(false));
    let hiding = Arc::clone(&flag);
    let hides: Lie = Arc::new(move |question, answer| {
        match hiding.load(Ordering::Relaxed) && question.contains("/txs/chain") {
            true => b"[]".to_vec(),
            false => answer,
        }
    });
    let desk =
        CoinDesk::under(Strict::default(), 2, vec![(Shape::Esplora, hides), (Shape::Core, honest())]).await;
    let (coin, _) = (desk.coin(0).await, desk.coin(1).await);
    to_final(&desk, 128);
    desk.until_status(|it| reconciled(it).balances_at == Some(128)).await;
    let secrets = desk.stolen().await;
    flag.store(true, Ordering::Relaxed);
    desk.chain.mine(usize::try_from(159 - desk.chain.height()).unwrap());
    desk.steals(&secrets, &coin, &payee());
    desk.chain.mine(5);
    let frozen = desk.until_status(is_frozen).await;
    let Discrepancy::Spend { block, .. } = found(&frozen).what else { panic!("{frozen:?}") };
    assert_eq!((block.number, reconciled(&frozen).balances_at), (160, Some(128)), "{frozen:?}");
    desk.station.stop().await;
}

/// An address that was paid oftener than anybody listens to keeps its own wallet unwatched, and says so; what is stolen of
/// another wallet is found, and the comparison goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l04_a_wallet_with_an_endless_history_keeps_no_other_from_being_watched() {
    let endless = Arc::new(Mutex::new(None::<String>));
    let (flooded, page) = (Arc::clone(&endless), Mutex::new(Vec::new()));
    let lie: Lie = Arc::new(move |question, answer| {
        if !flooded.lock().unwrap().as_ref().is_some_and(|it| question.contains(it)) {
            return answer;
        }
        // After each full page there is one more.
        let mut page = page.lock().unwrap();
        if page.is_empty() {
            *page = repeated(&answer);
        }
        page.clone()
    });
    let desk =
        CoinDesk::under(Strict::default(), 2, vec![(Shape::Esplora, lie), (Shape::Core, honest())]).await;
    let coin = desk.coin(0).await;
    let (vault, _) = desk.vault(2, &[8, 9]);
    let script = vault.script(Purse::place(0, Branch::Receive, 0));
    desk.chain.fund(&script, SAT);
    *endless.lock().unwrap() = Some(sha256::Hash::hash(script.as_bytes()).to_string());
    desk.shares(2, &[8, 9]).await;
    to_final(&desk, 128);
    let held_up = |it: &NodeStatus| reconciled(it).held_up.clone().unwrap_or_default();
    let unwatched = |it: &NodeStatus| held_up(it).contains("is not watched");
    let blind = desk.until_status(|it| reconciled(it).balances_at == Some(128) && unwatched(it)).await;
    assert!(held_up(&blind).contains(&vault.recorded.id().to_string()), "{blind:?}");
    assert!(is_fine(&blind), "{blind:?}");
    desk.steals(&desk.stolen().await, &coin, &payee());
    desk.chain.mine(5);
    let frozen = desk.until_status(is_frozen).await;
    assert_eq!(found(&frozen).address, desk.purse.recorded.id(), "{frozen:?}");

    // It is tried again some blocks later, and then nothing is held up any more.
    *endless.lock().unwrap() = None;
    to_final(&desk, 170);
    let seen = desk.until_status(|it| reconciled(it).held_up.is_none()).await;
    assert_eq!(seen.found.len(), 1, "{seen:?}");
    // A watched address that is flooded later is left out of the comparison, and of nothing else.
    *endless.lock().unwrap() = Some(sha256::Hash::hash(script.as_bytes()).to_string());
    to_final(&desk, 192);
    let uncompared = |it: &NodeStatus| held_up(it).contains("are not compared");
    let compared = desk.until_status(|it| reconciled(it).balances_at == Some(192) && uncompared(it)).await;
    assert_eq!((compared.found.len(), reconciled(&compared).suspects), (1, 0), "{compared:?}");
    desk.station.stop().await;
}

/// A full page of Esplora's with the first transaction of this one.
fn repeated(page: &[u8]) -> Vec<u8> {
    let page: serde_json::Value = serde_json::from_slice(page).unwrap();
    serde_json::json!(vec![&page[0]; 25]).to_string().into_bytes()
}

fn scanned_nothing(answer: &[u8]) -> Vec<u8> {
    let mut answer: serde_json::Value = serde_json::from_slice(answer).unwrap();
    answer["result"]["relevant_blocks"] = serde_json::json!([]);
    answer.to_string().into_bytes()
}

/// Until this height is final.
fn to_final(desk: &CoinDesk, height: u32) {
    desk.chain.mine(usize::try_from(height + 5 - desk.chain.height()).unwrap());
}

/// What others of a shared wallet sign without our key is told and freezes nothing; where our key signed past the log, it is
/// frozen; what a request asked for is neither, whoever ends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l04_what_others_spend_of_a_shared_wallet_is_told_and_what_our_key_signed_freezes_it() {
    let desk = CoinDesk::start().await;
    let vault = desk.shares(2, &[8, 9]).await;
    let mut spends = Vec::new();
    for index in 0..3 {
        spends.push(desk.shared_psbt(&vault, index).await);
    }
    let others = [Secrets::of_seed(8), Secrets::of_seed(9)];
    let signed_by = |psbt: &[u8], who: [&Secrets; 2]| {
        desk.sends_shared(&vault, psbt, desk.signs_shared(&vault, psbt, &who));
        desk.chain.mine(6);
    };
    let asked = desk.spends_shared(&spends[0]).await;
    assert!(asked.signed.is_some(), "{asked:?}");
    let stolen = desk.stolen().await;
    signed_by(&spends[0], [&stolen, &others[0]]);
    let fine = desk.compared().await;
    let told = || desk.station.events().into_iter().filter(|it| it.contains("not signed by us")).count();
    assert!(is_fine(&fine) && told() == 0, "{fine:?}");

    signed_by(&spends[1], [&others[0], &others[1]]);
    let fine = desk.compared().await;
    assert!(is_fine(&fine) && told() == 1, "{fine:?} {:?}", desk.station.events());

    signed_by(&spends[2], [&stolen, &others[1]]);
    let frozen = desk.until_status(is_frozen).await;
    assert_eq!(found(&frozen).address, vault.recorded.id(), "{frozen:?}");
    desk.station.stop().await;
}
