//! What somebody else's program reads of the chain: `k` of the `m` endpoints say it, or nobody knows it.
//!
//! Kelp's lesson holds for whoever only looks, too: when the others are silent, the one that still answers is not
//! believed. With one endpoint, which `k` = 1 of `m` = 1 is, its answer is handed on as it is.

use std::sync::Arc;

use alloy_primitives::B256;
use keystead_base::Name;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::agreement::Tally;
use crate::alike::{Said, Whole};
use crate::panel::next;
use crate::view::hex_number;
use crate::{ChainView, EndpointError, Quorum, ReadError, Unknown, answer};

/// How a method is asked where there are several endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// All of them, the same, and enough answer alike.
    Same,
    /// The same after one block: the parameter at this place names it.
    At(usize),
    /// The same of a range of blocks, in a filter.
    Logs,
    /// The head that enough have reached.
    Head,
    /// What gas costs, from agreed blocks: each node has an opinion of its own.
    Price,
    /// The tip, likewise.
    Tip,
    /// Each estimates, and enough are near each other.
    Estimate,
    /// The word of an endpoint about itself.
    Own,
    /// A filter that an endpoint keeps: of the first one, and of no other.
    Filter,
}

impl Way {
    fn of(method: &str) -> Self {
        match method {
            "eth_blockNumber" => Self::Head,
            "eth_gasPrice" => Self::Price,
            "eth_maxPriorityFeePerGas" => Self::Tip,
            "eth_estimateGas" => Self::Estimate,
            "eth_getLogs" => Self::Logs,
            "eth_getBlockByNumber"
            | "eth_getBlockReceipts"
            | "eth_getBlockTransactionCountByNumber"
            | "eth_getTransactionByBlockNumberAndIndex"
            | "eth_getUncleByBlockNumberAndIndex"
            | "eth_getUncleCountByBlockNumber" => Self::At(0),
            "eth_call"
            | "eth_createAccessList"
            | "eth_feeHistory"
            | "eth_getAccount"
            | "eth_getAccountInfo"
            | "eth_getBalance"
            | "eth_getCode"
            | "eth_getTransactionCount"
            | "eth_simulateV1" => Self::At(1),
            "eth_getProof" | "eth_getStorageAt" => Self::At(2),
            "eth_protocolVersion"
            | "eth_syncing"
            | "net_listening"
            | "net_peerCount"
            | "web3_clientVersion" => Self::Own,
            "eth_getFilterChanges"
            | "eth_getFilterLogs"
            | "eth_newBlockFilter"
            | "eth_newFilter"
            | "eth_newPendingTransactionFilter"
            | "eth_uninstallFilter" => Self::Filter,
            _ => Self::Same,
        }
    }
}

impl ChainView {
    /// How many endpoints there are.
    #[must_use]
    pub fn width(&self) -> usize {
        self.panel().endpoints.len()
    }

    /// The answer to a question of somebody else's program.
    ///
    /// A tag that moves (`latest`, `safe`, `finalized`) is first made the number of a block that enough endpoints have
    /// reached. An error is an answer, too: one endpoint alone cannot say that a call reverts.
    ///
    /// # Errors
    ///
    /// [`ReadError::Endpoint`] of what was agreed to be wrong, or of the only endpoint; [`ReadError::Unknown`] when too
    /// few agree.
    pub async fn read(&self, method: &'static str, params: Value) -> Result<Value, ReadError> {
        if let [only] = self.panel().endpoints.as_slice() {
            return Ok(answer::parse(&only.ask(method, params).await?, "JSON")?);
        }
        match Way::of(method) {
            Way::Same => self.same(method, params).await,
            Way::At(place) => self.same(method, self.pinned(params, place).await?).await,
            Way::Logs => self.same(method, self.pinned_range(params).await?).await,
            Way::Estimate => self.near(method, self.pinned(params, 1).await?).await,
            Way::Head => Ok(json!(hex_number(self.head().await?))),
            Way::Price => {
                let fees = self.fees().await?;
                Ok(json!(fees.base_fee.saturating_add(fees.max_priority_fee_per_gas).0))
            }
            Way::Tip => Ok(json!(self.fees().await?.max_priority_fee_per_gas.0)),
            Way::Own => self.first(method, params, self.width()).await,
            Way::Filter => self.first(method, params, 1).await,
        }
    }

    /// Runs calls one behind the other on top of the agreed head, and says of each whether it succeeded and what gas it
    /// used. Nothing else of the block that an endpoint makes up for it is compared.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree, or cannot do this.
    pub async fn run(&self, calls: &[Value]) -> Result<Vec<RanFacts>, Unknown> {
        let head = hex_number(self.head().await?);
        let question = json!([{"blockStateCalls": [{"calls": calls}]}, head]);
        self.panel().believe("eth_simulateV1", question, answer::ran).await
    }

    async fn same(&self, method: &'static str, params: Value) -> Result<Value, ReadError> {
        let mut asked = self.panel().spread(move |endpoint| {
            let params = params.clone();
            async move { heard(endpoint.ask(method, params).await) }
        });
        let mut count = Alike::new(self.panel().quorum);
        while let Some((name, said)) = next(&mut asked, false).await {
            if let Some((said, whole)) = count.add(name, said) {
                return said.told(whole).map_err(ReadError::from);
            }
        }
        Err(count.whole.unknown(method).into())
    }

    /// Estimates of gas that are near each other: the largest of them, so that a liar among them costs a fee that is half
    /// as much again, and never a transaction that runs out.
    async fn near(&self, method: &'static str, params: Value) -> Result<Value, ReadError> {
        let mut asked = self.panel().spread(move |endpoint| {
            let params = params.clone();
            async move { heard(endpoint.ask(method, params).await) }
        });
        let (mut found, mut count) = (Vec::new(), Alike::new(self.panel().quorum));
        while let Some((name, said)) = next(&mut asked, false).await {
            if let Some(gas) = said.as_ref().ok().and_then(|it| it.number()) {
                found.push(gas);
            }
            if let Some(gas) = within_half(self.panel().quorum, &mut found) {
                return Ok(json!(hex_number(gas)));
            }
            if let Some((said, whole)) = count.add(name, said) {
                return said.told(whole).map_err(ReadError::from);
            }
        }
        Err(count.whole.unknown(method).into())
    }

    /// What the first of so many endpoints says that answers.
    async fn first(&self, method: &str, params: Value, of: usize) -> Result<Value, ReadError> {
        let mut last = EndpointError::Malformed { expected: "an endpoint" };
        for endpoint in self.panel().endpoints.iter().take(of) {
            match endpoint.ask(method, params.clone()).await {
                Ok(raw) => return Ok(answer::parse(&raw, "JSON")?),
                Err(error @ EndpointError::Rpc { .. }) => return Err(error.into()),
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }

    async fn pinned(&self, mut params: Value, place: usize) -> Result<Value, Unknown> {
        let Some(list) = params.as_array_mut() else { return Ok(params) };
        if list.len() == place {
            list.push(Value::Null);
        }
        if let Some(tag) = list.get_mut(place) {
            self.pin(tag).await?;
        }
        Ok(params)
    }

    async fn pinned_range(&self, mut params: Value) -> Result<Value, Unknown> {
        let filter = params.get_mut(0).and_then(Value::as_object_mut);
        let Some(filter) = filter.filter(|it| !it.contains_key("blockHash")) else { return Ok(params) };
        for end in ["fromBlock", "toBlock"] {
            self.pin(filter.entry(end).or_insert(Value::Null)).await?;
        }
        Ok(params)
    }

    /// Makes a tag that moves a number. `pending` stays: whoever asks for it asks whether the pools agree.
    async fn pin(&self, tag: &mut Value) -> Result<(), Unknown> {
        let number = match tag.as_str() {
            None if !tag.is_null() => return Ok(()),
            None | Some("latest") => self.head().await?,
            Some(word @ ("safe" | "finalized")) => self.tagged(word).await?,
            Some(_) => return Ok(()),
        };
        *tag = json!(hex_number(number));
        Ok(())
    }

    async fn tagged(&self, word: &str) -> Result<u64, Unknown> {
        let number = |raw: &_| answer::block(raw).map(|block| block.number);
        self.panel().height("eth_getBlockByNumber", json!([word, false]), number).await
    }
}

/// What became of one call of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RanFacts {
    /// Whether it succeeded.
    pub succeeded: bool,
    /// The gas that it used.
    pub gas_used: u64,
}

/// An error object is an answer; silence is none.
fn heard(answer: Result<Box<RawValue>, EndpointError>) -> Result<Arc<Said>, EndpointError> {
    match answer {
        Ok(raw) => Said::value(raw).map(Arc::new),
        Err(error @ EndpointError::Rpc { .. }) => Ok(Arc::new(Said::error(error))),
        Err(error) => Err(error),
    }
}

/// Counts answers that are the same to the letter, and those that say the same.
struct Alike {
    whole: Tally<B256>,
    known: Tally<B256>,
}

impl Alike {
    fn new(quorum: Quorum) -> Self {
        Self { whole: Tally::new(quorum), known: Tally::new(quorum) }
    }

    fn add(&mut self, name: Name, said: Result<Arc<Said>, EndpointError>) -> Option<(Arc<Said>, Whole)> {
        let hash = |of: fn(&Said) -> B256| said.as_ref().map(|it| of(it)).map_err(Clone::clone);
        let whole = self.whole.add(name.clone(), hash(|it| it.whole)).is_some();
        let known = self.known.add(name, hash(|it| it.known)).is_some();
        let said = said.ok()?;
        match (whole, known) {
            (true, _) => Some((said, Whole::All)),
            (false, true) => Some((said, Whole::Known)),
            (false, false) => None,
        }
    }
}

/// The largest of as many estimates as must agree, where it is at most half as much again as the smallest of them.
fn within_half(quorum: Quorum, found: &mut [u64]) -> Option<u64> {
    found.sort_unstable();
    let near = |group: &&[u64]| match group {
        [least, .., most] => *most <= least.saturating_add(least / 2),
        _ => true,
    };
    found.windows(quorum.agree()).find(near).and_then(|group| group.last().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a01_an_estimate_is_near_those_of_enough_others() {
        let quorum = Quorum::new(2, 3).unwrap();
        for (found, expected) in [
            (vec![21_000], None),
            (vec![21_000, 21_000], Some(21_000)),
            (vec![21_000, 31_500], Some(31_500)),
            (vec![21_000, 31_501], None),
            (vec![30_000_000, 21_000], None),
            (vec![30_000_000, 21_000, 22_000], Some(22_000)),
            (vec![1, 21_000, 22_000], Some(22_000)),
        ] {
            assert_eq!(within_half(quorum, &mut found.clone()), expected, "{found:?}");
        }
    }

    #[test]
    fn a01_what_nobody_listed_must_be_agreed() {
        assert_eq!(Way::of("eth_getTransactionReceipt"), Way::Same);
        assert_eq!(Way::of("eth_anythingNew"), Way::Same);
        assert_eq!(Way::of("net_version"), Way::Same);
    }
}
