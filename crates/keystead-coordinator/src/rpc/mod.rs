//! JSON-RPC 2.0: envelopes, batches, and the errors of specs/json-rpc.md.

mod calls;
mod complete;
mod fill;
mod forward;
mod method;
mod raw;
mod send;
mod strict;
mod subscribe;

use std::sync::Arc;

use keystead_base::{Blame, Coded};
use keystead_trace::{current, within};
use keystead_transmit::{EndpointError, ReadError, Unknown};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::task::JoinSet;

pub(crate) use self::subscribe::{Subscriptions, Told};
use crate::share::{Answering, Unread};
use crate::{Coordinator, IdempotencyKey, RequestError};

/// The most calls of one batch.
pub const MAX_CALLS: usize = 100;

/// On whose behalf calls are answered.
#[derive(Clone)]
pub(crate) struct Asking {
    /// The caller's word; none of whoever may do everything.
    pub(crate) word: String,
    /// By which it may ask again.
    pub(crate) key: Option<IdempotencyKey>,
    /// What is held for it.
    pub(crate) answering: Arc<Answering>,
    /// What it is told without asking, where it can be told.
    pub(crate) told: Option<Arc<Subscriptions>>,
}

impl Coordinator {
    /// Answers a body: one call, or a batch of them, for whoever may do everything. Under the same key the same call is one
    /// request, however often it comes.
    pub async fn answer(&self, body: &[u8], key: Option<&IdempotencyKey>) -> Value {
        let asking = Asking { key: key.cloned(), ..self.asking("") };
        self.answer_to(body, &asking).await
    }

    /// A body of a caller, by its word.
    pub(crate) fn asking(&self, word: &str) -> Asking {
        let answering = Answering::new(self.inner.shares.of(word));
        Asking { word: word.to_owned(), key: None, answering, told: None }
    }

    /// The same for a caller that is known. What is read for it is held as long as `asking` is.
    pub(crate) async fn answer_to(&self, body: &[u8], asking: &Asking) -> Value {
        match strict::parse(body) {
            Ok(Value::Array(calls)) if calls.is_empty() || calls.len() > MAX_CALLS => {
                let message = format!("a batch has 1 to {MAX_CALLS} calls, found {}", calls.len());
                failure(&Value::Null, RpcError::invalid_request(message))
            }
            Ok(Value::Array(calls)) => self.answer_all(calls, asking).await,
            Ok(call) => self.answer_one(call, asking).await,
            Err(error) => failure(&Value::Null, RpcError::new(-32700, "rpc.parse", error.to_string())),
        }
    }

    /// All calls of a batch at once; answers in the order of the calls.
    async fn answer_all(&self, calls: Vec<Value>, asking: &Asking) -> Value {
        let mut tasks = JoinSet::new();
        for (place, call) in calls.into_iter().enumerate() {
            let key = asking.key.as_ref().map(|key| key.of_call(place));
            let (this, asking) = (self.clone(), Asking { key, ..asking.clone() });
            let around = current();
            tasks.spawn(within(around, async move { (place, this.answer_one(call, &asking).await) }));
        }
        let mut answers = tasks.join_all().await;
        answers.sort_by_key(|(place, _)| *place);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    async fn answer_one(&self, call: Value, asking: &Asking) -> Value {
        let Value::Object(mut fields) = call else {
            return failure(&Value::Null, RpcError::invalid_request("a call is an object".to_owned()));
        };
        // A notification could not be told that it was denied.
        let Some(id) = fields.remove("id").filter(|id| id.is_string() || id.is_number() || id.is_null())
        else {
            let message = "a call has an `id` (string, number or null); notifications are refused";
            return failure(&Value::Null, RpcError::invalid_request(message.to_owned()));
        };
        let (Some(Value::String(method)), true) =
            (fields.remove("method"), fields.get("jsonrpc").is_none_or(|version| version == "2.0"))
        else {
            let message = "a call has \"jsonrpc\": \"2.0\" and a `method`".to_owned();
            return failure(&id, RpcError::invalid_request(message));
        };
        let params = fields.remove("params").unwrap_or(Value::Array(Vec::new()));
        fields.remove("jsonrpc");
        // Some programs read `Method` as `method`: what one of them lets pass must not be another call here.
        if let Some(unknown) = fields.keys().next() {
            return failure(&id, RpcError::invalid_request(format!("a call has no {unknown:?}")));
        }
        match self.inner.traced_call(&method, params, asking).await {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Err(error) => failure(&id, error),
        }
    }
}

fn failure(id: &Value, error: RpcError) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": error.into_json()})
}

/// An error object. `data.code` is the stable code that scripts match on.
#[derive(Clone, Debug)]
pub struct RpcError {
    number: i64,
    message: String,
    data: Option<Value>,
}

impl RpcError {
    fn new(number: i64, code: &str, message: String) -> Self {
        Self { number, message, data: Some(json!({"code": code})) }
    }

    fn invalid_request(message: String) -> Self {
        Self::new(-32600, "rpc.invalid_request", message)
    }

    fn params(message: String) -> Self {
        Self::new(-32602, "rpc.params", message)
    }

    /// The stable code, if it is one of ours.
    fn code(&self) -> &str {
        let code = self.data.as_ref().and_then(|data| data.get("code"));
        code.and_then(Value::as_str).unwrap_or("rpc.endpoint")
    }

    /// The same, and one thing more in `data`.
    fn with(mut self, name: &str, value: Value) -> Self {
        if let Some(fields) = self.data.as_mut().and_then(Value::as_object_mut) {
            fields.insert(name.to_owned(), value);
        }
        self
    }

    fn into_json(self) -> Value {
        let mut object = json!({"code": self.number, "message": self.message});
        if let (Some(data), Some(fields)) = (self.data, object.as_object_mut()) {
            fields.insert("data".to_owned(), data);
        }
        object
    }
}

impl From<RequestError> for RpcError {
    fn from(error: RequestError) -> Self {
        let mut data = json!({"code": error.code()});
        if let (Value::Object(more), Some(fields)) = (details(&error), data.as_object_mut()) {
            fields.extend(more);
        }
        Self { number: number(&error), message: error.to_string(), data: Some(data) }
    }
}

/// EIP-1474's numbers where one fits.
fn number(error: &RequestError) -> i64 {
    match error {
        RequestError::Denied { .. }
        | RequestError::KeyReused { .. }
        | RequestError::Refused(_)
        | RequestError::Unsignable { .. }
        | RequestError::FeeCap { .. }
        | RequestError::Ended { .. } => -32003,
        RequestError::Intent(_) => -32602,
        RequestError::Waiting { .. } | RequestError::Unsigned { .. } => -32010,
        RequestError::Busy | RequestError::Share => -32005,
        RequestError::Node(_)
        | RequestError::Chain(_)
        | RequestError::Broadcast { .. }
        | RequestError::NoChain => -32002,
        RequestError::Key(_) | RequestError::Environment(_) => -32603,
    }
}

fn details(error: &RequestError) -> Value {
    match error {
        RequestError::Denied { request, rules, reasons, words } => {
            let each = reasons.iter().zip(words);
            let reasons: Vec<_> = each
                .map(|(reason, text)| json!({"code": reason.code(), "text": text, "detail": reason}))
                .collect();
            json!({"request": request, "rules": rules, "reasons": reasons})
        }
        RequestError::KeyReused { request } => json!({"request": request}),
        RequestError::Waiting { request, deadline } | RequestError::Unsigned { request, deadline } => {
            json!({"request": request, "waited_seconds": deadline.as_secs()})
        }
        RequestError::Ended { request, stage } => json!({"request": request, "stage": stage}),
        RequestError::Unsignable { request, refusal } => json!({"request": request, "refusal": refusal.code}),
        RequestError::Broadcast { request, .. } => json!({"request": request}),
        RequestError::Chain(unknown) => found(unknown),
        RequestError::Refused(refused) => json!({"refusal": refused.code}),
        RequestError::FeeCap { cap, limit, market } => json!({"cap": cap, "limit": limit, "market": market}),
        _ => json!({}),
    }
}

/// What an endpoint answers goes back as it came: its numbers are the caller's business.
impl From<EndpointError> for RpcError {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::Rpc { code, message, data } => {
                let data = data.and_then(|data| RawValue::from_string(data.into()).ok());
                let data = data.and_then(|data| serde_json::from_str(data.get()).ok());
                Self { number: code, message, data }
            }
            other => {
                debug_assert_ne!(other.blame(), Blame::Caller);
                Self::new(-32002, other.code(), format!("the chain endpoint: {other}"))
            }
        }
    }
}

impl From<ReadError> for RpcError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Endpoint(error) => error.into(),
            ReadError::Unknown(unknown) => RequestError::Chain(unknown).into(),
        }
    }
}

/// How far the endpoints agreed, and what went wrong with each of the others.
fn found(unknown: &Unknown) -> Value {
    let Unknown { question, needed, most, answers, failures } = unknown;
    let failed = failures.iter().map(|(name, error)| json!({"endpoint": name, "code": error.code()}));
    let failed: Vec<_> = failed.collect();
    json!({"unknown": {"question": question, "needed": needed, "agree": most, "answers": answers, "failed": failed}})
}

impl From<Unread> for RpcError {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Chain(error) => error.into(),
            Unread::Busy(error) => error.into(),
            Unread::TooLong => {
                let message = "the answers of one body are too long together: ask in several".to_owned();
                Self::new(-32005, "rpc.answers_too_long", message)
            }
        }
    }
}
