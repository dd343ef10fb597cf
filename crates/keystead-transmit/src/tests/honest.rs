//! Endpoints that agree: what is read, sent, watched, and settled.

use super::*;

#[tokio::test]
async fn facts_are_read() {
    let mut chain = genesis();
    chain.set_code(TO, vec![0x60, 0x2a, 0x60, 0x00, 0x52, 0x60, 0x20, 0x60, 0x00, 0xf3]);
    let nodes = Nodes::start([chain.clone(), chain.clone(), chain.clone()]).await;
    let view = nodes.view(2, Finality::Confirmations(1));
    assert_eq!(view.reported_chain_id().await, Ok(CHAIN));
    assert_eq!(view.head().await, Ok(0));
    assert_eq!(view.nonce(account()).await, Ok(0));
    assert_eq!(view.balance(account()).await, Ok(Amount::from(ETHER)));
    assert_eq!(view.code(account()).await, Ok(Bytes::new()));
    assert_eq!(view.call(TO, &Bytes::new()).await, Ok(Bytes::from(U256::from(42).to_be_bytes::<32>())));
    let block = view.block(0).await.unwrap();
    assert_eq!((block.hash, block.time_seconds), (chain.head().hash(), GENESIS_SECONDS));
    let fees = view.fees().await.unwrap();
    assert_eq!(fees.max_priority_fee_per_gas, Amount::from(1_000_000_000_u64));
    assert_eq!(fees.max_fee_per_gas, Amount::from(3_000_000_000_u64));
    assert_eq!(view.read("net_version", serde_json::json!([])).await, Ok("31337".into()));
}

#[tokio::test]
async fn a_transaction_settles_when_its_block_is_deep_enough() {
    let nodes = Nodes::start([genesis(), genesis(), genesis()]).await;
    let view = nodes.view(2, Finality::Confirmations(3));
    let (raw, watched) = transfer(0, 5);
    assert_eq!(view.watch(&watched).await, Verdict::Pending { seen: None });
    let sent = view.send(&raw).await.unwrap();
    assert_eq!((sent.hash, sent.taken.len()), (watched.hash, 3));
    assert!(matches!(view.watch(&watched).await, Verdict::Pending { seen: Some(it) } if it.block == 1));
    nodes.mine(1);
    assert!(matches!(view.watch(&watched).await, Verdict::Pending { seen: Some(it) } if it.block == 1));
    nodes.mine(1);
    let Verdict::Settled { receipt, time_seconds } = view.watch(&watched).await else {
        panic!("three blocks are enough");
    };
    assert_eq!((receipt.block, receipt.succeeded), (1, true));
    assert_eq!(receipt.fee, Amount::from(21_000 * 2 * 1_000_000_000_u64));
    assert_eq!(time_seconds, GENESIS_SECONDS + 1000);
}

#[tokio::test]
async fn the_tag_finalized_counts_as_well() {
    let nodes = Nodes::start([genesis()]).await;
    let view = nodes.view(1, Finality::Finalized);
    let (raw, watched) = transfer(0, 5);
    view.send(&raw).await.unwrap();
    assert_eq!(view.final_height().await, Ok(Some(1)));
    assert!(matches!(view.watch(&watched).await, Verdict::Settled { .. }));
}

#[tokio::test]
async fn s04_a_replaced_transaction_is_dead_only_when_the_other_is_final() {
    let nodes = Nodes::start([genesis(), genesis(), genesis()]).await;
    let view = nodes.view(2, Finality::Confirmations(2));
    let (_, replaced) = transfer(0, 5);
    let (raw, other) = transfer(0, 6);
    view.send(&raw).await.unwrap();
    assert_eq!(view.watch(&replaced).await, Verdict::Pending { seen: None });
    nodes.mine(1);
    assert_eq!(view.watch(&replaced).await, Verdict::Replaced { by: Some(other.hash) });
    assert!(matches!(view.watch(&other).await, Verdict::Settled { .. }));
}

#[tokio::test]
async fn the_replacing_transaction_is_found_among_many_blocks() {
    let nodes = Nodes::start([genesis()]).await;
    let view = nodes.view(1, Finality::Confirmations(1));
    let mut hashes = Vec::new();
    for nonce in 0..6 {
        nodes.mine(7);
        let (raw, sent) = transfer(nonce, 6);
        view.send(&raw).await.unwrap();
        hashes.push(sent.hash);
    }
    for (nonce, by) in hashes.into_iter().enumerate() {
        let (_, never_sent) = transfer(u64::try_from(nonce).unwrap(), 5);
        assert_eq!(view.watch(&never_sent).await, Verdict::Replaced { by: Some(by) });
    }
    nodes.mine(200);
    let (_, long_ago) = transfer(0, 5);
    assert_eq!(view.watch(&long_ago).await, Verdict::Replaced { by: None });
}

#[tokio::test]
async fn a_block_that_goes_away_settles_nothing() {
    let nodes = Nodes::start([genesis(), genesis()]).await;
    let view = nodes.view(2, Finality::Confirmations(3));
    let (raw, watched) = transfer(0, 5);
    view.send(&raw).await.unwrap();
    assert!(matches!(view.watch(&watched).await, Verdict::Pending { seen: Some(it) } if it.block == 1));
    nodes.0.iter().for_each(|node| *node.chain() = genesis());
    nodes.mine(5);
    assert_eq!(view.watch(&watched).await, Verdict::Pending { seen: None });
}

#[tokio::test]
async fn sending_twice_is_sending_once_and_nonsense_is_refused_by_all() {
    let nodes = Nodes::start([genesis(), genesis()]).await;
    let view = nodes.view(2, Finality::Confirmations(1));
    let (raw, _) = transfer(0, 5);
    assert_eq!(view.send(&raw).await.unwrap().taken.len(), 2);
    assert_eq!(view.send(&raw).await.unwrap().taken.len(), 2);
    let TransmitError::Refused { refusals } = view.send(&[2]).await.unwrap_err() else {
        panic!("nobody takes one byte");
    };
    assert!(refusals.iter().all(|(_, error)| error.code() == "endpoint.rpc"));
}
