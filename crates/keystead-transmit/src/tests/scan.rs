//! What a block holds of our accounts, where one endpoint hides or invents something.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;

fn sought() -> Arc<Sought> {
    Arc::new(Sought { accounts: BTreeSet::from([account()]), tokens: BTreeSet::from([TO]) })
}

#[tokio::test]
async fn l04_a_block_is_read_whole_and_one_liar_of_three_hides_nothing() {
    let (raw, watched) = transfer(0, 1);
    let (mut honest, mut hides) = (genesis(), genesis());
    honest.execute_raw(&raw).unwrap();
    hides.mine();
    let nodes = Nodes::start([honest.clone(), hides, honest.clone()]).await;
    let view = nodes.view(2, Finality::Confirmations(1));
    let block = view.scan(1, &sought()).await.unwrap();
    let head = honest.head();
    assert_eq!((block.number, block.hash, block.parent), (1, head.hash(), head.header().parent_hash));
    let [sent] = block.sent.as_slice() else { panic!("{block:?}") };
    assert_eq!((sent.hash, sent.from, sent.nonce), (watched.hash, account(), 0));
    assert_eq!(view.nonces_after(&[account()], block.hash).await, Ok(vec![1]));

    let others = Arc::new(Sought { accounts: BTreeSet::from([TO]), ..Sought::default() });
    assert_eq!(view.scan(1, &others).await.unwrap().sent, [], "somebody else's");
}

#[tokio::test]
async fn l04_what_two_endpoints_disagree_about_is_unknown() {
    let (mut honest, mut hides) = (genesis(), genesis());
    honest.execute_raw(&transfer(0, 1).0).unwrap();
    hides.mine();
    let nodes = Nodes::start([honest, hides]).await;
    let unknown = nodes.view(2, Finality::Confirmations(1)).scan(1, &sought()).await.unwrap_err();
    assert_eq!((unknown.most, unknown.answers), (1, 2));
    assert!(nodes.view(2, Finality::Confirmations(1)).scan(2, &sought()).await.is_err(), "no such block");
}
