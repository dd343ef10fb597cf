//! The table of methods: ours by name, the chain's by everything else.

use std::collections::BTreeSet;

use alloy_primitives::{Address, Bytes, U256};
use keystead_base::{Amount, RequestId};
use keystead_intent::{AccountRef, Action, GasTerms, Message, TypedData};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::RpcError;
use crate::coordinator::{Inner, Obtained};
use crate::journal::{Place, Promise};
use crate::nonces::pick;
use crate::transaction::{Complete, TransactionRequest};
use crate::{IdempotencyKey, RequestError, clock};

pub(super) type Reply = Result<Value, RpcError>;

impl Inner {
    pub(crate) async fn call(&self, method: &str, params: Value, key: Option<IdempotencyKey>) -> Reply {
        match method {
            "eth_accounts" | "eth_requestAccounts" => self.eth_accounts().await,
            "eth_chainId" => Ok(json!(quantity(self.settings.chain.0))),
            "eth_signTransaction" => self.eth_sign_transaction(params).await,
            "eth_sendTransaction" => {
                let once = key.map(|key| key.once(method, &params));
                self.eth_send_transaction(params, once).await
            }
            "personal_sign" => self.personal_sign(params).await,
            "eth_signTypedData_v4" => self.eth_sign_typed_data(params).await,
            "eth_sign" | "eth_signTypedData" | "eth_signTypedData_v3" => Err(RpcError::new(
                -32004,
                "rpc.refused_method",
                format!(
                    "{method} is refused: nobody can see what its bytes mean. Use personal_sign for text, \
                     eth_signTypedData_v4 for typed data, eth_signTransaction for transactions"
                ),
            )),
            "keystead_ask" => self.keystead_ask(params).await,
            "keystead_track" => self.keystead_track(params).await,
            "keystead_request" => self.keystead_request(params).await,
            "keystead_status" => Ok(json!(self.node.status().await.map_err(RequestError::Node)?)),
            _ => Ok(self.chain()?.forward(method, params).await?),
        }
    }

    async fn eth_accounts(&self) -> Reply {
        Ok(json!(self.accounts.all().await.map_err(RequestError::Node)?))
    }

    async fn eth_sign_transaction(&self, params: Value) -> Reply {
        let request: TransactionRequest = one(params, "a transaction object")?;
        let from = request.from()?;
        let held = self.journal().held(from);
        let (action, _) = self.complete(&request, &held).await?;
        Ok(raw(&self.sign(action).await?))
    }

    async fn personal_sign(&self, params: Value) -> Reply {
        let (bytes, from): (Bytes, Address) = parse(params, "[data, address]")?;
        let account = self.ours(from).await?;
        let message = Message { account, chain: self.settings.chain, bytes };
        Ok(raw(&self.sign(Action::Message(message)).await?))
    }

    async fn eth_sign_typed_data(&self, params: Value) -> Reply {
        let (from, data): (Address, Value) = parse(params, "[address, typed data]")?;
        let account = self.ours(from).await?;
        let json = match data {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let typed = TypedData { account, chain: self.settings.chain, json };
        Ok(raw(&self.sign(Action::TypedData(typed)).await?))
    }

    /// Carries a question to the node and its answer back, both as they are: what people sign on their
    /// own devices reaches the node through here, too.
    async fn keystead_ask(&self, params: Value) -> Reply {
        let bytes: Bytes = one(params, "the hex of a wire request")?;
        let reply = self.relay.call(bytes.into()).await.map_err(|error| RequestError::Node(error.into()))?;
        Ok(json!(const_hex::encode_prefixed(reply)))
    }

    /// Promises to broadcast somebody else's request once it is signed.
    async fn keystead_track(&self, params: Value) -> Reply {
        let request: RequestId = one(params, "a request id")?;
        self.chain()?;
        let Some(detail) = self.node.request(request).await.map_err(RequestError::Node)? else {
            return Err(RpcError::new(-32001, "request.unknown", format!("no request {request} is known")));
        };
        let place = detail.address.zip(nonce(&detail.intent.action));
        let place = place.map(|(account, nonce)| Place { account, nonce });
        self.promise(request, Promise { at: clock::now(), place, keyed: None })?;
        Ok(json!(true))
    }

    async fn keystead_request(&self, params: Value) -> Reply {
        let request: RequestId = one(params, "a request id")?;
        let view = self.node.request(request).await.map_err(RequestError::Node)?;
        Ok(json!(view))
    }

    async fn ours(&self, address: Address) -> Result<AccountRef, RpcError> {
        self.account(address).await?.ok_or_else(|| {
            let message = format!("{address} is no address of a key that may sign; see eth_accounts");
            RpcError::new(-32001, "rpc.unknown_account", message)
        })
    }

    /// Fills what the caller left open from the endpoints. What they say costs at most a fee that policy
    /// counts, or a signature that no chain takes.
    pub(super) async fn complete(
        &self,
        request: &TransactionRequest,
        held: &BTreeSet<u64>,
    ) -> Result<(Action, Place), RpcError> {
        let chain = self.settings.chain;
        request.check(chain).map_err(RpcError::params)?;
        let from = request.from()?;
        let account = self.ours(from).await?;
        let nonce = match request.nonce {
            Some(nonce) => nonce.to(),
            None => {
                let pending = self.chain()?.pending_nonce(from).await.map_err(RequestError::Chain)?;
                pick(pending, held)
            }
        };
        let gas_limit = match request.gas {
            Some(gas) => gas.to(),
            None => self.estimate(request).await?,
        };
        let (ceiling, tip) = self.fees(request).await?;
        let gas = GasTerms {
            nonce,
            gas_limit,
            max_fee_per_gas: small(ceiling)?,
            max_priority_fee_per_gas: small(tip)?,
        };
        let place = Place { account: from, nonce };
        Ok((request.action(&Complete { account, chain, gas }), place))
    }

    async fn estimate(&self, request: &TransactionRequest) -> Result<u64, RpcError> {
        let estimate = self.chain()?.forward("eth_estimateGas", request.estimate()).await?;
        let gas: alloy_primitives::U64 = parse(estimate, "a quantity from eth_estimateGas")?;
        Ok(gas.to())
    }

    async fn fees(&self, request: &TransactionRequest) -> Result<(Amount, Amount), RpcError> {
        if let Some(price) = request.gas_price {
            return Ok((Amount(price), Amount(price)));
        }
        if let (Some(ceiling), Some(tip)) = (request.max_fee_per_gas, request.max_priority_fee_per_gas) {
            return Ok((Amount(ceiling), Amount(tip)));
        }
        let fees = self.chain()?.fees().await.map_err(RequestError::Chain)?;
        let tip = request.max_priority_fee_per_gas.map_or(fees.max_priority_fee_per_gas, Amount);
        let ceiling = request.max_fee_per_gas.map_or(fees.max_fee_per_gas.max(tip), Amount);
        Ok((ceiling, tip.min(ceiling)))
    }
}

impl TransactionRequest {
    pub(super) fn from(&self) -> Result<Address, RpcError> {
        self.from.ok_or_else(|| RpcError::params("`from` is missing".to_owned()))
    }
}

fn nonce(action: &Action) -> Option<u64> {
    match action {
        Action::Transfer(it) => Some(it.gas.nonce),
        Action::ContractCall(it) => Some(it.gas.nonce),
        _ => None,
    }
}

fn raw(obtained: &Obtained) -> Value {
    json!(obtained.signed.raw)
}

fn small(amount: Amount) -> Result<u128, RpcError> {
    u128::try_from(amount.0)
        .map_err(|_| RpcError::params(format!("a fee per gas is below 2^128, found {amount}")))
}

fn quantity(number: u64) -> String {
    format!("{:#x}", U256::from(number))
}

/// The only parameter that counts; some clients append others.
pub(super) fn one<T: DeserializeOwned>(params: Value, expected: &str) -> Result<T, RpcError> {
    let first = match params {
        Value::Array(list) => list.into_iter().next().unwrap_or(Value::Null),
        other => other,
    };
    parse(first, expected)
}

fn parse<T: DeserializeOwned>(value: Value, expected: &str) -> Result<T, RpcError> {
    serde_json::from_value(value).map_err(|error| RpcError::params(format!("expected {expected}: {error}")))
}
