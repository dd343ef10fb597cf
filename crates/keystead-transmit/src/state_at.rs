//! The state after one block, named by its hash, as `k` of `m` endpoints show it.
//!
//! A hash names one state, so endpoints that agree on it cannot lag: what they say differs only when one of them
//! lies or does not have the block. Questions are asked as EIP-1898 writes them.

use alloy_primitives::{Address, B256, Bytes, U256};
use serde_json::{Value, json};

use crate::answer;
use crate::view::hex_number;
use crate::{ChainView, Endpoint, EndpointError, HeaderFacts, Unknown};

/// An account after a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountFacts {
    /// Its balance in wei.
    pub balance: U256,
    /// Its next nonce.
    pub nonce: u64,
    /// Its code; empty for a plain account.
    pub code: Bytes,
}

impl ChainView {
    /// The header of a block by number.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree, or have no such block.
    pub async fn header(&self, number: u64) -> Result<HeaderFacts, Unknown> {
        let params = json!([hex_number(number), false]);
        self.panel().believe("eth_getBlockByNumber", params, answer::header).await
    }

    /// The header of a block by hash.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree, or have no such block.
    pub async fn header_of(&self, hash: B256) -> Result<HeaderFacts, Unknown> {
        let header = move |raw: &_| match answer::header(raw)? {
            header if header.hash == hash => Ok(header),
            _ => Err(EndpointError::Malformed { expected: "the block asked for" }),
        };
        self.panel().believe("eth_getBlockByHash", json!([hash, false]), header).await
    }

    /// An account after the block with this hash.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree on all of it.
    pub async fn account_at(&self, address: Address, block: B256) -> Result<AccountFacts, Unknown> {
        let asked =
            self.panel().spread(move |endpoint| async move { account(&endpoint, address, block).await });
        self.panel().agree("an account after a block", asked).await
    }

    /// How many of a token's base units somebody has after the block with this hash, by the token's own word.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree, or the contract has no such word.
    pub async fn tokens_at(&self, token: Address, owner: Address, block: B256) -> Result<U256, Unknown> {
        let mut input = BALANCE_OF.to_vec();
        input.extend_from_slice(owner.into_word().as_slice());
        let params = json!([{"to": token, "input": Bytes::from(input)}, after(block)]);
        let word = |raw: &_| match answer::bytes(raw)? {
            word if word.len() == 32 => Ok(U256::from_be_slice(&word)),
            _ => Err(EndpointError::Malformed { expected: "one word" }),
        };
        self.panel().believe("eth_call", params, word).await
    }

    /// One slot of an account's storage after the block with this hash.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree.
    pub async fn storage_at(&self, address: Address, slot: U256, block: B256) -> Result<U256, Unknown> {
        let params = json!([address, format!("{slot:#x}"), after(block)]);
        self.panel().believe("eth_getStorageAt", params, answer::word).await
    }
}

/// `balanceOf(address)`.
const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];

async fn account(endpoint: &Endpoint, address: Address, block: B256) -> Result<AccountFacts, EndpointError> {
    let params = json!([address, after(block)]);
    let (balance, nonce, code) = tokio::try_join!(
        endpoint.ask("eth_getBalance", params.clone()),
        endpoint.ask("eth_getTransactionCount", params.clone()),
        endpoint.ask("eth_getCode", params.clone()),
    )?;
    Ok(AccountFacts {
        balance: answer::amount(&balance)?.0,
        nonce: answer::number(&nonce)?,
        code: answer::bytes(&code)?,
    })
}

/// A block that must be one of the chain as the endpoint sees it.
fn after(block: B256) -> Value {
    json!({"blockHash": block, "requireCanonical": true})
}
