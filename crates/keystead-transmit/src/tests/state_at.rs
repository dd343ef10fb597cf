//! The state after one block, named by its hash.

use super::*;

const CODE: Address = Address::repeat_byte(0xc0);

/// A chain with one contract that has 7 in its first slot.
fn with_contract() -> Devnet {
    let mut chain = genesis();
    chain.set_code(CODE, Bytes::from_static(&[0x5f, 0x54]));
    chain.set_storage(CODE, U256::ZERO, U256::from(7));
    chain.mine();
    chain
}

#[tokio::test]
async fn what_enough_endpoints_say_after_a_block_is_known() {
    let chain = with_contract();
    let nodes = Nodes::start([chain.clone(), chain.clone(), chain.clone()]).await;
    let view = nodes.view(2, Finality::Confirmations(1));
    let header = view.header(1).await.unwrap();
    assert_eq!(header.hash, chain.head().hash());
    assert_eq!(view.header_of(header.hash).await.unwrap(), header);
    let read = view.account_at(account(), header.hash).await.unwrap();
    assert_eq!((read.balance, read.nonce, read.code.len()), (U256::from(ETHER), 0, 0));
    assert_eq!(view.account_at(CODE, header.hash).await.unwrap().code.len(), 2);
    assert_eq!(view.storage_at(CODE, U256::ZERO, header.hash).await, Ok(U256::from(7)));
    assert_eq!(view.storage_at(CODE, U256::MAX, header.hash).await, Ok(U256::ZERO));
}

#[tokio::test]
async fn a01_a_poisoned_slot_is_outvoted_or_nothing_is_known() {
    let honest = with_contract();
    let mut poisoned = honest.clone();
    poisoned.set_storage(CODE, U256::ZERO, U256::from(1_000_000));
    poisoned.fund(account(), U256::from(ETHER));
    let hash = honest.head().hash();
    assert_eq!(poisoned.head().hash(), hash, "the lie has the same name");

    let nodes = Nodes::start([honest.clone(), poisoned.clone(), honest.clone()]).await;
    let view = nodes.view(2, Finality::Confirmations(1));
    assert_eq!(view.storage_at(CODE, U256::ZERO, hash).await, Ok(U256::from(7)));
    assert_eq!(view.account_at(account(), hash).await.unwrap().balance, U256::from(ETHER));

    let nodes = Nodes::start([honest, poisoned]).await;
    let view = nodes.view(2, Finality::Confirmations(1));
    assert_eq!(view.storage_at(CODE, U256::ZERO, hash).await.unwrap_err().answers, 2);
    assert_eq!(view.account_at(account(), hash).await.unwrap_err().answers, 2);
}

#[tokio::test]
async fn a_block_that_endpoints_do_not_have_has_no_state() {
    let chain = with_contract();
    let nodes = Nodes::start([chain.clone()]).await;
    let view = nodes.view(1, Finality::Confirmations(1));
    let other = B256::repeat_byte(9);
    assert!(view.header_of(other).await.is_err());
    assert!(view.account_at(account(), other).await.is_err());
    assert!(view.storage_at(CODE, U256::ZERO, other).await.is_err());
}

#[tokio::test]
async fn a01_another_block_than_the_one_asked_for_is_no_answer() {
    let asked_for = B256::repeat_byte(9);
    for (hash, expected) in [(asked_for, true), (B256::repeat_byte(8), false)] {
        let block = format!(
            r#"{{"number":"0x1","hash":"{hash}","timestamp":"0x5","miner":"{CODE}","gasLimit":"0x9","baseFeePerGas":"0x7"}}"#
        );
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{block}}}"#);
        let (url, task) = broken::fake(broken::http("200 OK", &body)).await;
        let found = view(&[url], 1, Finality::Confirmations(1)).header_of(asked_for).await;
        assert_eq!(found.is_ok(), expected, "{found:?}");
        task.abort();
    }
}
