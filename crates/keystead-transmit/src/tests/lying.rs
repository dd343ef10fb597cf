//! One endpoint shows a chain of its own.

use super::*;

/// Two honest nodes and one that shows another history.
async fn one_lies(honest: &Devnet, lie: Devnet) -> Nodes {
    Nodes::start([honest.clone(), lie, honest.clone()]).await
}

#[tokio::test]
async fn a01_one_liar_of_three_changes_nothing() {
    let honest = genesis();
    let mut lie = genesis();
    lie.fund(account(), U256::from(ETHER));
    lie.execute_raw(&transfer(0, 1).0).unwrap();
    lie.mine();
    let nodes = one_lies(&honest, lie).await;
    let view = nodes.view(2, Finality::Confirmations(1));
    for _ in 0..20 {
        assert_eq!(view.head().await, Ok(0));
        assert_eq!(view.nonce(account()).await, Ok(0));
        assert_eq!(view.balance(account()).await, Ok(Amount::from(ETHER)));
        assert_eq!(view.receipt(transfer(0, 1).1.hash).await, Ok(None));
        assert_eq!(view.watch(&transfer(0, 1).1).await, Verdict::Pending { seen: None });
    }
}

#[tokio::test]
async fn s10_a_liar_cannot_free_a_reservation() {
    // The truth: the transaction is mined. The lie: another one took its nonce, long ago.
    let (raw, watched) = transfer(0, 1);
    let (mut honest, mut lie) = (genesis(), genesis());
    honest.execute_raw(&raw).unwrap();
    lie.execute_raw(&transfer(0, 2).0).unwrap();
    for _ in 0..5 {
        honest.mine();
        lie.mine();
    }
    let nodes = one_lies(&honest, lie.clone()).await;
    let verdict = nodes.view(2, Finality::Confirmations(2)).watch(&watched).await;
    assert!(matches!(verdict, Verdict::Settled { .. }));

    // With one honest node only, nothing is known: neither settled nor dead.
    let nodes = Nodes::start([honest, lie]).await;
    let verdict = nodes.view(2, Finality::Confirmations(2)).watch(&watched).await;
    let Verdict::Unknown(unknown) = verdict else {
        panic!("one voice is no agreement, found {verdict:?}");
    };
    assert_eq!((unknown.needed, unknown.most, unknown.answers), (2, 1, 2));
    assert_eq!(unknown.code(), "transmit.unknown");
}

#[tokio::test]
async fn a_lagging_endpoint_cannot_say_that_a_transaction_is_missing() {
    let (raw, watched) = transfer(0, 1);
    let (mut ahead, behind) = (genesis(), genesis());
    ahead.execute_raw(&raw).unwrap();
    ahead.mine();
    let nodes = Nodes::start([ahead.clone(), behind, ahead]).await;
    let verdict = nodes.view(2, Finality::Confirmations(1)).watch(&watched).await;
    assert!(matches!(verdict, Verdict::Settled { .. }), "{verdict:?}");
}

#[tokio::test]
async fn another_chain_behind_an_endpoint_is_seen() {
    let other = || Devnet::new(1, GENESIS_SECONDS);
    let nodes = Nodes::start([other(), other(), genesis()]).await;
    assert_eq!(nodes.view(2, Finality::Confirmations(1)).reported_chain_id().await, Ok(1));
    assert!(nodes.view(3, Finality::Confirmations(1)).reported_chain_id().await.is_err());
}

/// What a program asks of a chain: each answer is bound to a block or a hash, or filled into a transaction.
fn questions(hash: B256) -> Vec<(&'static str, serde_json::Value)> {
    let (account, input) = (account(), serde_json::json!({"from": account(), "to": TO, "value": "0x1"}));
    vec![
        ("eth_blockNumber", serde_json::json!([])),
        ("eth_call", serde_json::json!([input, "latest"])),
        ("eth_estimateGas", serde_json::json!([input])),
        ("eth_feeHistory", serde_json::json!(["0x1", "latest", [50]])),
        ("eth_gasPrice", serde_json::json!([])),
        ("eth_getBalance", serde_json::json!([account, "latest"])),
        ("eth_getBalance", serde_json::json!([account])),
        ("eth_getBlockByHash", serde_json::json!([hash, false])),
        ("eth_getBlockByNumber", serde_json::json!(["finalized", true])),
        ("eth_getCode", serde_json::json!([TO, "latest"])),
        ("eth_getLogs", serde_json::json!([{"fromBlock": "earliest"}])),
        ("eth_getStorageAt", serde_json::json!([TO, "0x0", "latest"])),
        ("eth_getTransactionByHash", serde_json::json!([transfer(0, 1).1.hash])),
        ("eth_getTransactionCount", serde_json::json!([account, "pending"])),
        ("eth_getTransactionReceipt", serde_json::json!([transfer(0, 1).1.hash])),
        ("eth_maxPriorityFeePerGas", serde_json::json!([])),
    ]
}

/// A chain on which a payment was made, and one with code that returns 42.
fn two_histories() -> (Devnet, Devnet) {
    let (honest, mut lie) = (genesis(), genesis());
    lie.fund(account(), U256::from(2 * ETHER));
    lie.set_code(TO, vec![0x60, 0x2a, 0x60, 0x00, 0x52, 0x60, 0x20, 0x60, 0x00, 0xf3]);
    lie.execute_raw(&transfer(0, 1).0).unwrap();
    lie.mine();
    (honest, lie)
}

#[tokio::test]
async fn a01_what_is_read_is_what_enough_endpoints_say() {
    let (honest, lie) = two_histories();
    let nodes = one_lies(&honest, lie).await;
    let (alone, all) =
        (view(&[nodes.0[0].url()], 1, Finality::Finalized), nodes.view(2, Finality::Finalized));
    for (method, params) in questions(honest.head().hash()) {
        let expected = alone.read(method, params.clone()).await;
        assert!(expected.is_ok(), "{method}: {expected:?}");
        assert_eq!(all.read(method, params).await, expected, "{method}");
    }
}

#[tokio::test]
async fn a01_a_liar_is_not_read_when_the_others_are_silent() {
    let (honest, lie) = two_histories();
    let nodes = Nodes::start([lie]).await;
    let urls = [nodes.0[0].url(), broken::dead().await, broken::dead().await];
    let view = view(&urls, 2, Finality::Finalized);
    for (method, params) in questions(honest.head().hash()) {
        let found = view.read(method, params).await.unwrap_err();
        let ReadError::Unknown(unknown) = &found else { panic!("{method}: {found:?}") };
        assert_eq!((unknown.needed, unknown.failures.len()), (2, 2), "{method}: {unknown}");
    }
    // Its word about itself is its own.
    assert!(view.read("web3_clientVersion", serde_json::json!([])).await.is_ok());
}

#[tokio::test]
async fn a01_a_revert_is_agreed_as_well() {
    let mut reverts = genesis();
    reverts.set_code(TO, vec![0x5f, 0x5f, 0xfd]);
    let question = || serde_json::json!([{"to": TO}, "latest"]);
    let nodes = one_lies(&reverts, genesis()).await;
    let view = nodes.view(2, Finality::Finalized);
    for method in ["eth_call", "eth_estimateGas"] {
        let found = view.read(method, question()).await.unwrap_err();
        assert_eq!(found.code(), "endpoint.rpc", "{method}: {found}");
    }
    let nodes = one_lies(&genesis(), reverts).await;
    let found = nodes.view(2, Finality::Finalized).read("eth_call", question()).await;
    assert_eq!(found, Ok(serde_json::json!("0x")));
}
