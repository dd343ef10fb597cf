//! What one block holds of some accounts, as `k` of `m` endpoints show it.
//!
//! Each endpoint reads the whole block and its logs, and what it makes of them is compared as a whole: one that leaves
//! a transaction out, or invents one, stands alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alloy_primitives::{Address, B256, U256, b256};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::answer;
use crate::batch::Question;
use crate::view::hex_number;
use crate::{ChainView, Endpoint, EndpointError, Unknown};

/// A block, and what it holds of the accounts that were asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScannedBlock {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// The hash of the block before.
    pub parent: B256,
    /// The transactions that the accounts sent, in the order of the block.
    pub sent: Vec<SentFacts>,
    /// The tokens that left them, in the order of the block.
    pub moved: Vec<MovedFacts>,
    /// The tokens that came to them, in the order of the block.
    pub came: Vec<MovedFacts>,
    /// What each account paid and was paid: of the chain's own coin (none) by transactions of the block, of tokens by
    /// their events.
    pub flows: BTreeMap<(Address, Option<Address>), FlowFacts>,
}

/// What went out of an account and came in, in base units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowFacts {
    /// What it paid, fees included.
    pub paid: U256,
    /// What it was paid.
    pub received: U256,
}

/// A transaction between somebody of ours and whoever, before its receipt is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) hash: B256,
    pub(crate) from: Address,
    pub(crate) to: Option<Address>,
    pub(crate) value: U256,
}

/// A transaction that an account sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentFacts {
    /// Its hash.
    pub hash: B256,
    /// Who sent it.
    pub from: Address,
    /// Its nonce.
    pub nonce: u64,
    /// The signature's r.
    pub r: U256,
    /// The signature's s.
    pub s: U256,
    /// Whether the y of the signature's point is odd.
    pub odd_y: bool,
}

/// Tokens that left an account by an event `Transfer` (ERC-20, ERC-721).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedFacts {
    /// The transaction.
    pub transaction: B256,
    /// The token's contract.
    pub token: Address,
    /// Whose they were.
    pub from: Address,
    /// Whose they are.
    pub to: Address,
    /// How many, in base units; of an NFT its number.
    pub amount: U256,
}

/// What is looked for in blocks.
#[derive(Clone, Debug, Default)]
pub struct Sought {
    /// The accounts.
    pub accounts: BTreeSet<Address>,
    /// The tokens; what others say about themselves is nobody's loss.
    pub tokens: BTreeSet<Address>,
}

impl ChainView {
    /// What the block with this number holds of the accounts.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree on all of it.
    pub async fn scan(&self, number: u64, sought: &Arc<Sought>) -> Result<ScannedBlock, Unknown> {
        let sought = Arc::clone(sought);
        let asked = self.panel().spread(move |endpoint| {
            let sought = Arc::clone(&sought);
            async move { scan(&endpoint, number, &sought).await }
        });
        self.panel().agree("what a block holds of our accounts", asked).await
    }
}

async fn scan(endpoint: &Endpoint, number: u64, sought: &Sought) -> Result<ScannedBlock, EndpointError> {
    let raw = endpoint.ask("eth_getBlockByNumber", json!([hex_number(number), true])).await?;
    let (mut block, payments) = answer::scanned(&raw, &sought.accounts)?;
    if block.number != number {
        return Err(EndpointError::Malformed { expected: "the block asked for" });
    }
    for some in payments.chunks(MAX_RECEIPTS) {
        let ask = |it: &Payment| ("eth_getTransactionReceipt", json!([it.hash]));
        let questions: Vec<Question> = some.iter().map(ask).collect();
        for (payment, raw) in some.iter().zip(endpoint.ask_all(&questions).await?) {
            pay(&raw?, &mut block, payment, sought)?;
        }
    }
    if !sought.tokens.is_empty() && !sought.accounts.is_empty() {
        let (left, received) = topics(sought);
        let left = logs(endpoint, &block, left, sought).await?;
        block.moved = answer::moved(&left, sought)?;
        block.moved.retain(|it| sought.accounts.contains(&it.from));
        let received = match received {
            Some(topics) => logs(endpoint, &block, topics, sought).await?,
            None => left.clone(),
        };
        block.came = answer::moved(&received, sought)?;
        block.came.retain(|it| sought.accounts.contains(&it.to));
        block.count_tokens(&answer::unwrapped(&left, sought)?);
    }
    Ok(block)
}

/// What a transaction took from one of us and gave to one of us, by its receipt.
fn pay(
    raw: &RawValue,
    block: &mut ScannedBlock,
    payment: &Payment,
    sought: &Sought,
) -> Result<(), EndpointError> {
    let receipt = answer::receipt(raw, payment.hash)?.filter(|it| it.block_hash == block.hash);
    let receipt = receipt.ok_or(EndpointError::Malformed { expected: "a receipt of the block" })?;
    let moved = if receipt.succeeded { payment.value } else { U256::ZERO };
    if sought.accounts.contains(&payment.from) {
        block.flow(payment.from, None).pays(receipt.fee.0.saturating_add(moved));
    }
    if let Some(to) = payment.to.filter(|it| sought.accounts.contains(it)) {
        block.flow(to, None).is_paid(moved);
    }
    Ok(())
}

/// What is asked about tokens that left and that came: the latter by itself only while a question can name all accounts. Of
/// more, everything that the tokens say in the block is asked for at once, and what is not ours is passed over here.
fn topics(sought: &Sought) -> (Value, Option<Value>) {
    if sought.accounts.len() > MAX_NAMED_ACCOUNTS {
        return (json!([[TRANSFER, WITHDRAWAL]]), None);
    }
    let owners: Vec<B256> = sought.accounts.iter().map(|it| it.into_word()).collect();
    (json!([[TRANSFER, WITHDRAWAL], owners]), Some(json!([TRANSFER, null, owners])))
}

async fn logs(
    endpoint: &Endpoint,
    block: &ScannedBlock,
    topics: Value,
    sought: &Sought,
) -> Result<Box<RawValue>, EndpointError> {
    let filter = json!([{"blockHash": block.hash, "address": sought.tokens, "topics": topics}]);
    endpoint.ask("eth_getLogs", filter).await
}

impl ScannedBlock {
    fn flow(&mut self, account: Address, token: Option<Address>) -> &mut FlowFacts {
        self.flows.entry((account, token)).or_default()
    }

    /// What is unwrapped leaves, too, and is counted once where the token says so in both ways.
    fn count_tokens(&mut self, unwrapped: &[MovedFacts]) {
        let (left, came) = (self.moved.clone(), self.came.clone());
        let burnt = unwrapped.iter().filter(|it| !left.contains(it));
        for it in left.iter().chain(burnt) {
            self.flow(it.from, Some(it.token)).pays(it.amount);
        }
        for it in came {
            self.flow(it.to, Some(it.token)).is_paid(it.amount);
        }
    }
}

impl FlowFacts {
    fn pays(&mut self, amount: U256) {
        self.paid = self.paid.saturating_add(amount);
    }

    fn is_paid(&mut self, amount: U256) {
        self.received = self.received.saturating_add(amount);
    }
}

/// `Withdrawal(address,uint256)`: how WETH9 and its like say that wrapped coins are unwrapped. The coins come back by an inner
/// call, and more coins than expected are no contradiction; nor are more tokens, so that `Deposit` is not looked for.
pub(crate) const WITHDRAWAL: B256 = b256!("7fcf532c15f0a6db0bd6d0e038bea71d30d808c7d98cb3bf7268a95bf5081b65");

/// The most accounts that one question names: 1,000 are 70 KB of it, and with many keys they are hundreds of thousands.
const MAX_NAMED_ACCOUNTS: usize = 1000;

/// The most receipts that an endpoint is asked for at once.
const MAX_RECEIPTS: usize = 100;

/// `Transfer(address,address,uint256)`: ERC-20 and ERC-721 share it.
pub(crate) const TRANSFER: B256 = b256!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l04_a_question_names_no_more_accounts_than_fit_it() {
        let sought = |count: u64| Sought {
            accounts: (0..count).map(|it| Address::from_word(B256::from(U256::from(it)))).collect(),
            tokens: BTreeSet::from([Address::ZERO]),
        };
        let (left, received) = topics(&sought(MAX_NAMED_ACCOUNTS as u64));
        let named = |topics: &Value, place: usize| topics[place].as_array().map(Vec::len);
        assert_eq!(named(&left, 1), Some(MAX_NAMED_ACCOUNTS));
        assert_eq!(named(&received.unwrap(), 2), Some(MAX_NAMED_ACCOUNTS));
        assert_eq!(topics(&sought(200_000)), (json!([[TRANSFER, WITHDRAWAL]]), None));
    }
}
