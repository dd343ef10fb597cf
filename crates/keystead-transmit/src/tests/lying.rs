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
