//! The wallet's calls of EIP-5792: capabilities, bundles, and what became of them.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U64, U256, keccak256};
use keystead_base::{Digest, RequestId};
use keystead_intent::Intent;
use serde::Deserialize;
use serde_json::{Value, json};

use super::RpcError;
use super::method::{Reply, one, parse, quantity};
use crate::bundle::was_sent;
use crate::coordinator::Inner;
use crate::journal::{Entry, Place};
use crate::transaction::TransactionRequest;
use crate::{RequestError, Stage, follow, quantity};

/// The most calls of one bundle.
const MAX_BUNDLE_CALLS: usize = 32;
/// The longest id of a caller's own: 4,096 bytes in hexadecimal (EIP-5792).
const MAX_ID_CHARS: usize = 8194;
const VERSION: &str = "2.0.0";

/// The parameter of `wallet_sendCalls`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SendCalls {
    version: String,
    id: Option<String>,
    from: Option<Address>,
    #[serde(deserialize_with = "quantity::small")]
    chain_id: Option<U64>,
    atomic_required: bool,
    calls: Vec<Call>,
    #[serde(default)]
    capabilities: BTreeMap<String, Capability>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Call {
    to: Option<Address>,
    #[serde(default, deserialize_with = "quantity::bytes")]
    data: Option<Bytes>,
    #[serde(default, deserialize_with = "quantity::whole")]
    value: Option<U256>,
    #[serde(default)]
    capabilities: BTreeMap<String, Capability>,
}

/// There is none that we know; what it says beside is its own affair.
#[derive(Debug, Deserialize)]
struct Capability {
    #[serde(default)]
    optional: bool,
}

impl Inner {
    /// What goes beyond single transactions: nothing. Calls of a bundle are transactions of their own.
    pub(super) async fn wallet_get_capabilities(&self, params: Value) -> Reply {
        let list: Vec<Value> = parse(params, "[address, [chain id, …]]")?;
        let mut list = list.into_iter();
        let address: Option<Address> = parse(list.next().unwrap_or_default(), "an address")?;
        let chains: Option<Vec<String>> = parse(list.next().unwrap_or_default(), "a list of chain ids")?;
        if let Some(address) = address
            && self.account(address).await?.is_none()
        {
            return Err(RpcError::new(4100, "rpc.unauthorized", format!("{address} is no account of ours")));
        }
        let ours = quantity(self.settings.chain.0);
        match chains.is_none_or(|chains| chains.contains(&ours)) {
            true => Ok(json!({ours: {"atomic": {"status": "unsupported"}}})),
            false => Ok(json!({})),
        }
    }

    /// The bundle's id, once every call is decided or waits for people.
    pub(super) async fn wallet_send_calls(&self, params: Value, owner: &str) -> Reply {
        let asked: SendCalls = one(params, "a bundle of calls")?;
        asked.check(self.settings.chain.0)?;
        self.chain()?;
        let from = match asked.from {
            Some(from) => from,
            None => self.only_account().await?,
        };
        self.ours(from).await?;
        let (id, parts) = self.begin_bundle(&asked, from, owner).await?;
        let ended = self.submit_bundle(name_of(&id), parts).await;
        ended.map_err(|error| RpcError::from(error).with("bundle", json!(id)))?;
        Ok(json!({"id": id, "capabilities": requests(&self.journal().bundle(&name_of(&id)))}))
    }

    async fn only_account(&self) -> Result<Address, RpcError> {
        match self.accounts.all().await.map_err(RequestError::Node)?.as_slice() {
            [only] => Ok(*only),
            several => {
                Err(RpcError::params(format!("`from` is missing, and there are {} accounts", several.len())))
            }
        }
    }

    /// Gives every call its nonce, and writes them all down before one of them is asked for.
    async fn begin_bundle(
        &self,
        asked: &SendCalls,
        from: Address,
        owner: &str,
    ) -> Result<(String, Vec<(Intent, Place)>), RpcError> {
        let own = self.shares.of(owner).own_fill().await?;
        let _turn = self.nonces.turn(from).await;
        follow::refresh(self, from).await;
        let _fills = own.begin().await?;
        let mut requests = asked.transactions(from);
        self.estimate_all(&mut requests).await?;
        let mut held = self.journal().held(from);
        let mut parts = Vec::new();
        for request in &requests {
            let (action, place) = self.complete(request, &held).await?;
            held.insert(place.nonce);
            parts.push((self.intent(action)?, place));
        }
        let own = || parts.iter().flat_map(|(intent, _)| intent.id().0.0).collect::<Vec<u8>>();
        let id = asked.id.clone().unwrap_or_else(|| keccak256(own()).to_string());
        match self.promise_bundle(name_of(&id), &parts, owner)? {
            true => Ok((id, parts)),
            false => {
                let message = "a bundle of this id was sent before; see wallet_getCallsStatus".to_owned();
                Err(RpcError::new(5720, "rpc.duplicate_id", message))
            }
        }
    }

    /// Gas for each call: as estimated by itself or, where a call rests on one before it, as it is used behind
    /// that one, and half as much again.
    async fn estimate_all(&self, requests: &mut [TransactionRequest]) -> Result<(), RpcError> {
        let mut failed = None;
        for request in requests.iter_mut() {
            match self.estimate(request).await {
                Ok(gas) => request.gas = Some(U64::from(gas)),
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            None => Ok(()),
            Some(error) if requests.len() == 1 => Err(error),
            Some(error) => self.estimate_together(requests, error).await,
        }
    }

    async fn estimate_together(
        &self,
        requests: &mut [TransactionRequest],
        alone: RpcError,
    ) -> Result<(), RpcError> {
        let calls: Vec<_> = requests.iter().filter_map(|it| it.estimate().get(0).cloned()).collect();
        let Ok(ran) = self.chain()?.run(&calls).await else { return Err(alone) };
        if ran.len() != requests.len() || ran.iter().any(|it| !it.succeeded) {
            return Err(alone);
        }
        for (request, ran) in requests.iter_mut().zip(ran) {
            request.gas = request.gas.or(Some(U64::from(ran.gas_used.saturating_add(ran.gas_used / 2))));
        }
        Ok(())
    }

    pub(super) async fn wallet_get_calls_status(&self, params: Value) -> Reply {
        let id: String = one(params, "the id of a bundle")?;
        let parts = self.journal().bundle(&name_of(&id));
        if parts.is_empty() {
            return Err(RpcError::new(
                5730,
                "rpc.unknown_bundle",
                "no bundle of this id is known".to_owned(),
            ));
        }
        let mut receipts = Vec::new();
        for (request, _) in parts.iter().filter(|(_, entry)| was_sent(entry.stage)) {
            let detail = self.node.request(*request).await.map_err(RequestError::Node)?;
            if let Some(hash) = detail.and_then(|it| it.view.signed?.transaction) {
                receipts.extend(self.receipt(hash).await?);
            }
        }
        Ok(json!({
            "version": VERSION,
            "id": id,
            "chainId": quantity(self.settings.chain.0),
            "status": status(&parts, &receipts),
            // One transaction is atomic by itself.
            "atomic": parts.len() == 1,
            "receipts": receipts,
            "capabilities": requests(&parts),
        }))
    }

    /// A receipt as EIP-5792 has it, as enough endpoints have it: a shop rests on it.
    async fn receipt(&self, hash: Digest) -> Result<Option<Value>, RpcError> {
        let found = self.chain()?.read("eth_getTransactionReceipt", json!([B256::from(hash.0)])).await?;
        let Value::Object(mut fields) = found else { return Ok(None) };
        fields.retain(|name, _| RECEIPT_FIELDS.contains(&name.as_str()));
        Ok(Some(fields.into()))
    }
}

impl SendCalls {
    /// In the order in which EIP-5792 numbers its errors.
    fn check(&self, chain: u64) -> Result<(), RpcError> {
        let capabilities = self.calls.iter().flat_map(|it| &it.capabilities).chain(&self.capabilities);
        if let Some((name, _)) = capabilities.into_iter().find(|(_, it)| !it.optional) {
            return Err(RpcError::new(
                5700,
                "rpc.capability",
                format!("the capability {name:?} is not supported"),
            ));
        }
        let Some(found) = self.chain_id else {
            return Err(RpcError::params("`chainId` is missing".to_owned()));
        };
        if found.to::<u64>() != chain {
            let message = format!("`chainId` is {found}, this coordinator speaks for {chain}");
            return Err(RpcError::new(5710, "rpc.chain", message));
        }
        if self.calls.len() > MAX_BUNDLE_CALLS {
            let message = format!("a bundle has 1 to {MAX_BUNDLE_CALLS} calls, found {}", self.calls.len());
            return Err(RpcError::new(5740, "rpc.bundle_too_large", message));
        }
        if self.atomic_required && self.calls.len() > 1 {
            let message = "the calls of a bundle are transactions of their own".to_owned();
            return Err(RpcError::new(5760, "rpc.atomicity", message));
        }
        let id = |id: &String| (1..=MAX_ID_CHARS).contains(&id.len());
        match self.version == VERSION && !self.calls.is_empty() && self.id.as_ref().is_none_or(id) {
            true => Ok(()),
            false => Err(RpcError::params(format!(
                "a bundle has version {VERSION}, a call at least, and an id of at most {MAX_ID_CHARS} characters"
            ))),
        }
    }

    fn transactions(&self, from: Address) -> Vec<TransactionRequest> {
        let transaction = |it: &Call| TransactionRequest {
            from: Some(from),
            to: it.to,
            value: it.value,
            data: it.data.clone(),
            ..TransactionRequest::default()
        };
        self.calls.iter().map(transaction).collect()
    }
}

fn name_of(id: &str) -> Digest {
    Digest(keccak256(id).0)
}

/// What each call became in the log, in the order of the calls.
fn requests(parts: &[(RequestId, Entry)]) -> Value {
    json!({"keystead": {"requests": parts.iter().map(|(request, _)| request).collect::<Vec<_>>()}})
}

/// EIP-5792's numbers: pending, confirmed, given up before the chain, all reverted, some reverted.
fn status(parts: &[(RequestId, Entry)], receipts: &[Value]) -> u16 {
    let is_over = |(_, entry): &(_, Entry)| matches!(entry.stage, Stage::Denied | Stage::Failed);
    let succeeded = receipts.iter().filter(|it| it.get("status").is_some_and(|it| it == "0x1")).count();
    match (parts.iter().any(is_over), receipts.len()) {
        (true, 0) => 400,
        (true, _) => 600,
        (false, found) if found < parts.len() => 100,
        (false, found) if succeeded == found => 200,
        (false, _) if succeeded == 0 => 500,
        (false, _) => 600,
    }
}

const RECEIPT_FIELDS: &[&str] = &["logs", "status", "blockHash", "blockNumber", "gasUsed", "transactionHash"];
