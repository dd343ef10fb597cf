//! One endpoint's own, whole observation of a watched transaction.

use alloy_primitives::{Address, B256};
use serde_json::json;

use crate::answer;
use crate::view::hex_number;
use crate::{Endpoint, EndpointError, Observation, ReceiptFacts, Watched};

pub(crate) async fn observe(
    endpoint: &Endpoint,
    watched: &Watched,
    final_height: Option<u64>,
) -> Result<Observation, EndpointError> {
    let final_nonce = match final_height {
        Some(height) => nonce_at(endpoint, watched.account, height).await?,
        None => 0,
    };
    let raw = endpoint.ask("eth_getTransactionReceipt", json!([watched.hash])).await?;
    let receipt = answer::receipt(&raw, watched.hash)?;
    let time_seconds = match &receipt {
        Some(receipt) => Some(time_of(endpoint, receipt).await?),
        None => None,
    };
    Ok(Observation { final_height, final_nonce, receipt, time_seconds })
}

/// The time of the receipt's block, which must still be the block at that height.
async fn time_of(endpoint: &Endpoint, receipt: &ReceiptFacts) -> Result<u64, EndpointError> {
    let raw = endpoint.ask("eth_getBlockByNumber", json!([hex_number(receipt.block), false])).await?;
    let block = answer::block(&raw)?;
    match block.hash == receipt.block_hash {
        true => Ok(block.time_seconds),
        false => Err(EndpointError::Malformed { expected: "the block that the receipt names" }),
    }
}

async fn nonce_at(endpoint: &Endpoint, account: Address, height: u64) -> Result<u64, EndpointError> {
    let params = json!([account, hex_number(height)]);
    answer::number(&endpoint.ask("eth_getTransactionCount", params).await?)
}

/// Finds the transaction that passed the watched nonce, by halving.
pub(crate) async fn find_replacement(
    endpoint: &Endpoint,
    watched: &Watched,
    final_height: u64,
) -> Result<Option<B256>, EndpointError> {
    let (mut before, mut after) = (final_height.saturating_sub(SEARCHED_BLOCKS), final_height);
    if nonce_at(endpoint, watched.account, before).await? > watched.nonce {
        return Ok(None);
    }
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        match nonce_at(endpoint, watched.account, middle).await? > watched.nonce {
            true => after = middle,
            false => before = middle,
        }
    }
    let raw = endpoint.ask("eth_getBlockByNumber", json!([hex_number(after), true])).await?;
    answer::sent_in(&raw, watched.account, watched.nonce)
}

/// How far back a replacing transaction is searched: what a node that is no archive keeps.
const SEARCHED_BLOCKS: u64 = 120;
