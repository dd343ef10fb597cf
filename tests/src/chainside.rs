//! What happens on a running anvil without anybody of the desk: transactions of a stolen key, blocks, reorganizations.

use std::net::SocketAddr;

use alloy_primitives::{Address, B256, U256};
use serde_json::{Value, json};

use crate::Anvil;
use crate::fixture::CHAIN;
use crate::http::post;

/// Anvil as the fixture's chain, a block for each transaction, and where it listens.
///
/// # Panics
///
/// When it does not start.
pub fn anvil() -> (Anvil, SocketAddr) {
    let anvil = Anvil::start(&["--hardfork", "osaka", "--chain-id", &CHAIN.0.to_string()]);
    let address = anvil.url().trim_start_matches("http://").parse().expect("an address");
    (anvil, address)
}

/// A question to a running anvil.
///
/// # Panics
///
/// When it answers with an error.
pub async fn asked(anvil: SocketAddr, method: &str, params: Value) -> Value {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let (_, answer) = post(anvil, "/", &body).await;
    let mut answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert!(answer["error"].is_null(), "{method}: {answer}");
    answer["result"].take()
}

/// Gives an account coins.
pub async fn fund(anvil: SocketAddr, account: Address, wei: u128) {
    asked(anvil, "anvil_setBalance", json!([account, U256::from(wei)])).await;
}

/// Whoever holds the stolen key of an account sends coins with it, past everybody.
pub async fn steals(anvil: SocketAddr, account: Address, to: Address, wei: u128) -> B256 {
    calls(anvil, account, json!({"to": to, "value": U256::from(wei)})).await
}

/// The same with a transaction of their own.
///
/// # Panics
///
/// When anvil does not take it.
pub async fn calls(anvil: SocketAddr, account: Address, mut transaction: Value) -> B256 {
    asked(anvil, "anvil_impersonateAccount", json!([account])).await;
    transaction["from"] = json!(account);
    mined(anvil, asked(anvil, "eth_sendTransaction", json!([transaction])).await).await
}

/// Waits until a transaction stands in a block: anvil answers before that.
async fn mined(anvil: SocketAddr, hash: Value) -> B256 {
    while asked(anvil, "eth_getTransactionReceipt", json!([hash])).await.is_null() {}
    serde_json::from_value(hash).expect("a hash")
}

/// The number of the newest block.
///
/// # Panics
///
/// When anvil does not say.
pub async fn head(anvil: SocketAddr) -> u64 {
    let number: U256 =
        serde_json::from_value(asked(anvil, "eth_blockNumber", json!([])).await).expect("a quantity");
    u64::try_from(number).expect("a height")
}

/// Mines so many empty blocks.
pub async fn mine(anvil: SocketAddr, blocks: u64) {
    asked(anvil, "anvil_mine", json!([U256::from(blocks)])).await;
}

/// Hands signed bytes in, and waits until they stand in a block.
pub async fn sends(anvil: SocketAddr, raw: &alloy_primitives::Bytes) {
    mined(anvil, asked(anvil, "eth_sendRawTransaction", json!([raw])).await).await;
}

/// A balance in wei.
///
/// # Panics
///
/// When anvil does not say.
pub async fn balance(anvil: SocketAddr, account: Address) -> U256 {
    let answer = asked(anvil, "eth_getBalance", json!([account, "latest"])).await;
    serde_json::from_value(answer).expect("a quantity")
}
