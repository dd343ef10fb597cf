//! The state after one block, named by its hash, as `k` of `m` endpoints show it.
//!
//! A hash names one state, so endpoints that agree on it cannot lag: what they say differs only when one of them
//! lies or does not have the block. Questions are asked as EIP-1898 writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, U256};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::answer;
use crate::batch::Question;
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
        self.panel().believe("eth_call", balance_of(token, owner, block), one_word).await
    }

    /// What accounts have after the block with this hash, many read at once. Accounts with code have no coins here: what
    /// code can spend nobody can expect to be there. A token that `k` endpoints call without a balance has none here.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree on what some of the accounts have.
    pub async fn holdings_at(
        &self,
        accounts: &[Address],
        tokens: &BTreeSet<Address>,
        block: B256,
    ) -> Result<Holdings, Unknown> {
        let mut holdings = Holdings::new();
        let each = MAX_BATCH.checked_div(tokens.len().saturating_add(2)).unwrap_or_default().max(1);
        for some in accounts.chunks(each) {
            let asking = Arc::new((some.to_vec(), tokens.clone()));
            let asked = self.panel().spread(move |endpoint| {
                let asking = Arc::clone(&asking);
                async move { held(&endpoint, &asking.0, &asking.1, block).await }
            });
            holdings.extend(self.panel().agree("what accounts have after a block", asked).await?);
        }
        Ok(holdings)
    }

    /// The next nonces of accounts after the block with this hash, in their order.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree, or have that state no more.
    pub async fn nonces_after(&self, accounts: &[Address], block: B256) -> Result<Vec<u64>, Unknown> {
        let mut nonces = Vec::new();
        for some in accounts.chunks(MAX_BATCH) {
            let ask = |account: &Address| ("eth_getTransactionCount", json!([account, after(block)]));
            let questions: Arc<Vec<Question>> = Arc::new(some.iter().map(ask).collect());
            let asked = self.panel().spread(move |endpoint| {
                let questions = Arc::clone(&questions);
                async move {
                    endpoint.ask_all(&questions).await?.into_iter().map(|it| answer::number(&it?)).collect()
                }
            });
            let some: Vec<u64> = self.panel().agree("nonces after a block", asked).await?;
            nonces.extend(some);
        }
        Ok(nonces)
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

/// What accounts have: of the chain's own coin (none), and of tokens.
pub type Holdings = BTreeMap<(Address, Option<Address>), U256>;

/// `balanceOf(address)`.
const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];

/// The most questions that an endpoint is asked at once.
const MAX_BATCH: usize = 100;

async fn held(
    endpoint: &Endpoint,
    accounts: &[Address],
    tokens: &BTreeSet<Address>,
    block: B256,
) -> Result<Holdings, EndpointError> {
    let mut questions = Vec::new();
    for account in accounts {
        questions.push(("eth_getBalance", json!([account, after(block)])));
        questions.push(("eth_getCode", json!([account, after(block)])));
        questions.extend(tokens.iter().map(|token| ("eth_call", balance_of(*token, *account, block))));
    }
    let mut answers = endpoint.ask_all(&questions).await?.into_iter();
    let mut holdings = Holdings::new();
    for account in accounts {
        let missing = || EndpointError::Malformed { expected: "an answer for each account" };
        let coins = answer::amount(&answers.next().ok_or_else(missing)??)?.0;
        let code = answer::bytes(&answers.next().ok_or_else(missing)??)?;
        if code.is_empty() {
            holdings.insert((*account, None), coins);
        }
        for token in tokens {
            match answers.next().ok_or_else(missing)? {
                Ok(raw) => holdings.extend(one_word(&raw).ok().map(|it| ((*account, Some(*token)), it))),
                // A contract that does not answer so has no balance; what was refused for another reason is not known.
                Err(error) if error.is_execution() => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(holdings)
}

fn balance_of(token: Address, owner: Address, block: B256) -> Value {
    let mut input = BALANCE_OF.to_vec();
    input.extend_from_slice(owner.into_word().as_slice());
    json!([{"to": token, "input": Bytes::from(input)}, after(block)])
}

fn one_word(raw: &RawValue) -> Result<U256, EndpointError> {
    match answer::bytes(raw)? {
        word if word.len() == 32 => Ok(U256::from_be_slice(&word)),
        _ => Err(EndpointError::Malformed { expected: "one word" }),
    }
}

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
