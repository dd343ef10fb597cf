//! The table of methods: ours by name, and what the chain's endpoints are asked.

use std::time::Duration;

use alloy_primitives::{Address, Bytes};
use keystead_base::{Canonical as _, RequestId};
use keystead_intent::{AccountRef, Action, Message, TypedData};
use keystead_trace::{Field, Kind};
use keystead_wire::{MAX_WAIT_MILLIS, NodeRequest};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Asking, RpcError, forward};
use crate::coordinator::{Inner, Obtained};
use crate::journal::{Place, Promise};
use crate::transaction::TransactionRequest;
use crate::{RequestError, clock, share};

pub(super) type Reply = Result<Value, RpcError>;

impl Inner {
    /// The same, and what is traced of it. What is only read is part of whatever it is read for.
    pub(super) async fn traced_call(&self, method: &str, params: Value, asking: &Asking) -> Reply {
        let Some(name) = TRACED.iter().copied().find(|it| *it == method) else {
            return self.call(method, params, asking).await;
        };
        let mut span = self.part(name, Kind::Internal);
        span.say(Field::RpcMethod(name));
        let answered = span.around(self.call(method, params, asking)).await;
        answered.inspect_err(|error| span.fail(error.code()))
    }

    async fn call(&self, method: &str, params: Value, asking: &Asking) -> Reply {
        // INVARIANT A4: callers that wait for people hold places at the node; one token does not take all of them.
        let _place = match WAITING.contains(&method) {
            true => Some(asking.answering.share().take(share::Place::Wait)?),
            false => None,
        };
        match method {
            "eth_accounts" | "eth_requestAccounts" => self.eth_accounts().await,
            "eth_chainId" => Ok(json!(quantity(self.settings.chain.0))),
            "eth_signTransaction" => self.eth_sign_transaction(params, &asking.word).await,
            "eth_sendTransaction" => {
                let once = asking.key.as_ref().map(|key| key.once(method, &params));
                self.eth_send_transaction(params, once, &asking.word).await
            }
            "eth_fillTransaction" => self.eth_fill_transaction(params, &asking.word).await,
            "eth_sendRawTransaction" => self.eth_send_raw_transaction(params).await,
            "personal_sign" => self.personal_sign(params).await,
            "eth_sign" => self.eth_sign(params).await,
            "eth_signTypedData_v4" => self.eth_sign_typed_data(params).await,
            "wallet_getCapabilities" => self.wallet_get_capabilities(params).await,
            "wallet_sendCalls" => self.wallet_send_calls(params, &asking.word).await,
            "wallet_getCallsStatus" => self.wallet_get_calls_status(params).await,
            "eth_subscribe" | "eth_unsubscribe" => match (&asking.told, method) {
                (Some(told), "eth_subscribe") => told.subscribe(params).await,
                (Some(told), _) => told.unsubscribe(params),
                (None, _) => Err(unavailable(method)),
            },
            "keystead_ask" => self.keystead_ask(params, asking).await,
            "keystead_signRaw" => self.keystead_sign_raw(params).await,
            "keystead_track" => self.keystead_track(params, &asking.word).await,
            "keystead_request" => self.keystead_request(params).await,
            "keystead_status" => Ok(json!(self.node.status().await.map_err(RequestError::Node)?)),
            other => {
                let method = forward::read(other).ok_or_else(|| unavailable(other))?;
                let chain = self.chain()?;
                Ok(asking.answering.read(chain.width(), chain.read(method, params)).await?)
            }
        }
    }

    async fn eth_accounts(&self) -> Reply {
        Ok(json!(self.accounts.all().await.map_err(RequestError::Node)?))
    }

    async fn eth_sign_transaction(&self, params: Value, owner: &str) -> Reply {
        let request: TransactionRequest = one(params, "a transaction object")?;
        let from = request.from()?;
        let fills = self.shares.of(owner).fill().await?;
        let held = self.journal().held(from);
        let (action, _) = self.complete(&request, &held).await?;
        drop(fills);
        Ok(raw(&self.sign(action).await?))
    }

    async fn personal_sign(&self, params: Value) -> Reply {
        let (bytes, from): (Bytes, Address) = parse(params, "[data, address]")?;
        self.sign_message(from, bytes).await
    }

    /// The same with its parameters in the older order, and never a bare digest. Where the data has 32 bytes it
    /// is a hash of something, and policy denies it unless a rule permits what nobody sees (`@blind`).
    async fn eth_sign(&self, params: Value) -> Reply {
        let (from, bytes): (Address, Bytes) = parse(params, "[address, data]")?;
        self.sign_message(from, bytes).await
    }

    async fn sign_message(&self, from: Address, bytes: Bytes) -> Reply {
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
    ///
    /// A node holds a question's place until it has answered, whether or not somebody still listens: so does this.
    async fn keystead_ask(&self, params: Value, asking: &Asking) -> Reply {
        let bytes: Bytes = one(params, "the hex of a wire request")?;
        let place = asking.answering.share().ask(bytes.len())?;
        let (relay, limit) = (self.relay.clone(), ASK_TIME.saturating_add(asked_wait(&bytes)));
        let asked = tokio::spawn(async move {
            let reply = relay.call_within(bytes.into(), limit).await;
            drop(place);
            reply
        });
        let reply = asked.await.map_err(|_| RequestError::Busy)?;
        Ok(json!(const_hex::encode_prefixed(reply.map_err(|error| RequestError::Node(error.into()))?)))
    }

    /// Promises to broadcast somebody else's request once it is signed.
    async fn keystead_track(&self, params: Value, owner: &str) -> Reply {
        let request: RequestId = one(params, "a request id")?;
        self.chain()?;
        let Some(detail) = self.node.request(request).await.map_err(RequestError::Node)? else {
            return Err(RpcError::new(-32001, "request.unknown", format!("no request {request} is known")));
        };
        let place = detail.address.and_then(|address| Place::of(&detail.intent.action, address));
        let (until, owner) = (Some(detail.intent.expires), owner.to_owned());
        self.promise(request, Promise { at: clock::now(), until, owner, place, ..Promise::default() })?;
        Ok(json!(true))
    }

    async fn keystead_request(&self, params: Value) -> Reply {
        let request: RequestId = one(params, "a request id")?;
        let view = self.node.request(request).await.map_err(RequestError::Node)?;
        Ok(json!(view))
    }

    pub(super) async fn ours(&self, address: Address) -> Result<AccountRef, RpcError> {
        self.account(address).await?.ok_or_else(|| {
            let message = format!("{address} is no address of a key that may sign; see eth_accounts");
            RpcError::new(-32001, "rpc.unknown_account", message)
        })
    }
}

impl TransactionRequest {
    pub(super) fn from(&self) -> Result<Address, RpcError> {
        self.from.ok_or_else(|| RpcError::params("`from` is missing".to_owned()))
    }
}

/// For how long a question asks the node to wait.
fn asked_wait(document: &[u8]) -> Duration {
    match NodeRequest::from_document(document) {
        Ok(NodeRequest::Wait { millis, .. }) => Duration::from_millis(millis.min(MAX_WAIT_MILLIS).into()),
        Ok(_) | Err(_) => Duration::ZERO,
    }
}

fn raw(obtained: &Obtained) -> Value {
    json!(obtained.signed.raw)
}

/// The method's only parameter. A second one that is not read could be what somebody else reads.
pub(super) fn one<T: DeserializeOwned>(params: Value, expected: &str) -> Result<T, RpcError> {
    let (only,): (Value,) = parse(params, &format!("[{expected}]"))?;
    parse(only, expected)
}

pub(super) fn parse<T: DeserializeOwned>(value: Value, expected: &str) -> Result<T, RpcError> {
    serde_json::from_value(value).map_err(|error| RpcError::params(format!("expected {expected}: {error}")))
}

pub(super) fn quantity(number: u64) -> String {
    format!("{number:#x}")
}

/// Methods whose callers are kept until their request is signed.
const WAITING: &[&str] = &[
    "eth_sendTransaction",
    "eth_sign",
    "eth_signTransaction",
    "eth_signTypedData_v4",
    "keystead_signRaw",
    "personal_sign",
    "wallet_sendCalls",
];
/// Methods that callers name in a trace: a closed set, as names leave the process.
const TRACED: &[&str] = &[
    "eth_sendRawTransaction",
    "eth_sendTransaction",
    "eth_sign",
    "eth_signTransaction",
    "eth_signTypedData_v4",
    "keystead_ask",
    "keystead_signRaw",
    "personal_sign",
    "wallet_sendCalls",
];
/// How long a node may take beyond what it is asked to wait.
const ASK_TIME: Duration = Duration::from_secs(60);

/// EIP-1474: a method that exists and is not offered here, or one that nobody here knows.
fn unavailable(method: &str) -> RpcError {
    let instead = match method {
        "eth_signTypedData" | "eth_signTypedData_v3" => "its bytes are ambiguous: use eth_signTypedData_v4",
        "eth_subscribe" | "eth_unsubscribe" => {
            "nobody can be told over plain HTTP: use a WebSocket, or eth_newFilter and eth_getFilterChanges"
        }
        _ => {
            let known = format!(
                "{method} is not offered: a coordinator signs what policy allows, and passes on reads"
            );
            return RpcError::new(-32601, "rpc.unknown_method", known);
        }
    };
    RpcError::new(-32004, "rpc.refused_method", format!("{method} is refused, {instead}"))
}
