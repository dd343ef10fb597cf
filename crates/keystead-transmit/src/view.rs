//! The chain as `k` of `m` endpoints show it.

use std::fmt;

use alloy_primitives::{Address, B256, Bytes, hex, keccak256};
use keystead_base::{Amount, Name};
use serde_json::json;

use crate::answer;
use crate::panel::{Panel, next};
use crate::{
    BlockFacts, Endpoint, EndpointError, Fees, Observation, Quorum, ReceiptFacts, TransmitError, Unknown,
    Verdict, Watched, decide, observe,
};

/// When a block counts as final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finality {
    /// The chain's own word: the block tag `finalized`.
    Finalized,
    /// So many blocks, the transaction's own included: 1 is the head.
    Confirmations(u64),
}

/// Several endpoints of one chain. Clones share their connections.
#[derive(Clone)]
pub struct ChainView {
    chain_id: u64,
    panel: Panel,
    finality: Finality,
}

/// Where a transaction was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broadcast {
    /// Its hash, computed here.
    pub hash: B256,
    /// Who took it, or had it already.
    pub taken: Vec<Name>,
    /// Who did not.
    pub refusals: Vec<(Name, EndpointError)>,
}

impl ChainView {
    /// A view of `chain_id` that believes what `agree` of the endpoints say.
    ///
    /// # Errors
    ///
    /// [`TransmitError::Quorum`] unless more than half of the endpoints must agree.
    pub fn new(
        chain_id: u64,
        endpoints: Vec<Endpoint>,
        agree: usize,
        finality: Finality,
    ) -> Result<Self, TransmitError> {
        let quorum = Quorum::new(agree, endpoints.len())?;
        Ok(Self { chain_id, panel: Panel { endpoints, quorum }, finality })
    }

    pub(crate) fn panel(&self) -> &Panel {
        &self.panel
    }

    /// The chain that this view was made for.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The id that the endpoints give their chain; to be compared at start (S8).
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree.
    pub async fn reported_chain_id(&self) -> Result<u64, Unknown> {
        self.panel.believe("eth_chainId", json!([]), answer::number).await
    }

    /// The highest block that enough endpoints have reached.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few answer.
    pub async fn head(&self) -> Result<u64, Unknown> {
        self.panel.height("eth_blockNumber", json!([]), answer::number).await
    }

    /// The highest block that counts as final; `None` while the chain is too short.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few answer.
    pub async fn final_height(&self) -> Result<Option<u64>, Unknown> {
        match self.finality {
            Finality::Confirmations(count) => Ok(self.head().await?.checked_sub(count.saturating_sub(1))),
            Finality::Finalized => {
                let tag = json!(["finalized", false]);
                let number = |raw: &_| answer::block(raw).map(|block| block.number);
                self.panel.height("eth_getBlockByNumber", tag, number).await.map(Some)
            }
        }
    }

    /// A block's hash and time.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree.
    pub async fn block(&self, number: u64) -> Result<BlockFacts, Unknown> {
        self.panel.believe("eth_getBlockByNumber", json!([hex_number(number), false]), answer::block).await
    }

    /// The next nonce after the newest block.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree.
    pub async fn nonce(&self, account: Address) -> Result<u64, Unknown> {
        self.panel.believe("eth_getTransactionCount", json!([account, "latest"]), answer::number).await
    }

    /// How many transactions of an account are final: the next nonce after the newest final block.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree.
    pub async fn final_nonce(&self, account: Address) -> Result<u64, Unknown> {
        let Some(height) = self.final_height().await? else { return Ok(0) };
        let params = json!([account, hex_number(height)]);
        self.panel.believe("eth_getTransactionCount", params, answer::number).await
    }

    /// The next nonce after what waits in the endpoints' pools. Pools differ: a suggestion, no fact.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree.
    pub async fn pending_nonce(&self, account: Address) -> Result<u64, Unknown> {
        self.panel.believe("eth_getTransactionCount", json!([account, "pending"]), answer::number).await
    }

    /// A balance in wei.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree.
    pub async fn balance(&self, account: Address) -> Result<Amount, Unknown> {
        self.panel.believe("eth_getBalance", json!([account, "latest"]), answer::amount).await
    }

    /// Runtime code; empty for a plain account.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree.
    pub async fn code(&self, account: Address) -> Result<Bytes, Unknown> {
        self.panel.believe("eth_getCode", json!([account, "latest"]), answer::bytes).await
    }

    /// What a contract returns to a call that changes nothing.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree, or the call reverts.
    pub async fn call(&self, to: Address, input: &Bytes) -> Result<Bytes, Unknown> {
        self.panel.believe("eth_call", json!([{"to": to, "input": input}, "latest"]), answer::bytes).await
    }

    /// What to offer for gas, from the last blocks up to the head.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree.
    pub async fn fees(&self) -> Result<Fees, Unknown> {
        let head = self.head().await?;
        let params = json!([hex_number(FEE_BLOCKS), hex_number(head), [50]]);
        self.panel.believe("eth_feeHistory", params, answer::history).await.map(|history| history.suggest())
    }

    /// Where a transaction stands; `None` if enough endpoints do not have it in a block.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree.
    pub async fn receipt(&self, hash: B256) -> Result<Option<ReceiptFacts>, Unknown> {
        self.panel
            .believe("eth_getTransactionReceipt", json!([hash]), move |raw: &_| answer::receipt(raw, hash))
            .await
    }

    /// Gives raw signed bytes to every endpoint. One that takes them is enough: whether they end up in a
    /// block is for [`ChainView::watch`] to say.
    ///
    /// # Errors
    ///
    /// [`TransmitError::Refused`] when none took them.
    pub async fn send(&self, raw: &[u8]) -> Result<Broadcast, TransmitError> {
        let params = json!([hex::encode_prefixed(raw)]);
        let mut asked = self.panel.spread(move |endpoint| {
            let params = params.clone();
            async move { endpoint.ask("eth_sendRawTransaction", params).await.map(|_| ()) }
        });
        let mut sent = Broadcast { hash: keccak256(raw), taken: Vec::new(), refusals: Vec::new() };
        while let Some((name, answer)) = next(&mut asked, !sent.taken.is_empty()).await {
            match answer {
                Err(error) if !is_known_already(&error) => sent.refusals.push((name, error)),
                Ok(()) | Err(_) => sent.taken.push(name),
            }
        }
        match sent.taken.is_empty() {
            true => Err(TransmitError::Refused { refusals: sent.refusals }),
            false => Ok(sent),
        }
    }

    /// What became of a transaction.
    pub async fn watch(&self, watched: &Watched) -> Verdict {
        match self.observe(watched).await {
            Err(unknown) => Verdict::Unknown(unknown),
            Ok(seen) => match (decide(watched, &seen), seen.final_height) {
                (Verdict::Replaced { .. }, Some(height)) => self.replaced(watched, height).await,
                (verdict, _) => verdict,
            },
        }
    }

    /// One observation, made whole by each endpoint and compared as a whole: an endpoint that lags behind
    /// the final height cannot say that a transaction is missing.
    async fn observe(&self, watched: &Watched) -> Result<Observation, Unknown> {
        let (final_height, watched) = (self.final_height().await?, *watched);
        let asked = self
            .panel
            .spread(move |endpoint| async move { observe::observe(&endpoint, &watched, final_height).await });
        self.panel.agree("the watched transaction", asked).await
    }

    /// Finds what took the nonce, by halving: the nonce was passed in the block where its count grew.
    async fn replaced(&self, watched: &Watched, final_height: u64) -> Verdict {
        let searched = *watched;
        let asked = self.panel.spread(move |endpoint| async move {
            observe::find_replacement(&endpoint, &searched, final_height).await
        });
        match self.panel.agree("the replacing transaction", asked).await {
            Ok(by) => Verdict::Replaced { by },
            // That the nonce is gone is known; who took it may be beyond what the endpoints keep.
            Err(_) => Verdict::Replaced { by: None },
        }
    }
}

impl fmt::Debug for ChainView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chain_id, panel, finality } = self;
        let (agree, endpoints) = (panel.quorum.agree(), &panel.endpoints);
        write!(f, "ChainView({chain_id}, {agree} of {endpoints:?}, {finality:?})")
    }
}

/// Nodes differ in their words for having a transaction already; all mean that it was taken.
fn is_known_already(error: &EndpointError) -> bool {
    let EndpointError::Rpc { message, .. } = error else {
        return false;
    };
    let message = message.to_ascii_lowercase();
    ["already known", "already imported", "known transaction", "already in block"]
        .iter()
        .any(|words| message.contains(words))
}

pub(crate) fn hex_number(number: u64) -> String {
    format!("{number:#x}")
}

/// How many blocks the fees are learned from.
const FEE_BLOCKS: u64 = 10;
