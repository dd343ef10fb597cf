//! `eth_subscribe` and `eth_unsubscribe`: what one socket is told without asking each time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use alloy_primitives::{Address, B256, Bytes};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc};
use tokio::task::AbortHandle;

use super::RpcError;
use super::method::{Reply, one, parse};
use crate::RequestError;
use crate::coordinator::Inner;
use crate::feed::Head;
use crate::share::{Answering, Share};

/// What a socket has to pass on.
#[derive(Debug)]
pub(crate) enum Told {
    /// A notification, and what is held for it until it is sent.
    Note(Value, Option<Arc<Answering>>),
    /// Something was missed: whoever listens has to begin anew.
    Lost,
}

/// The subscriptions of one socket; all of them end with it.
pub(crate) struct Subscriptions {
    inner: Arc<Inner>,
    share: Arc<Share>,
    told: mpsc::Sender<Told>,
    open: Mutex<BTreeMap<String, State>>,
}

enum State {
    /// Its id was not sent yet: nobody would know what a notification belongs to.
    Promised(Listener),
    Told(AbortHandle),
}

/// One subscription on its way.
struct Listener {
    id: String,
    kind: Kind,
    heads: broadcast::Receiver<Option<Arc<Head>>>,
}

#[derive(Clone, Debug)]
enum Kind {
    Heads,
    Logs(Filter),
}

/// Which logs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    #[serde(default)]
    address: Option<Several<Address>>,
    #[serde(default)]
    topics: Vec<Option<Several<B256>>>,
}

#[derive(Clone, Debug, Deserialize, serde::Serialize)]
#[serde(untagged)]
enum Several<T> {
    One(T),
    Any(Vec<T>),
}

impl<T> Several<T> {
    fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Any(list) => list.len(),
        }
    }
}

impl Filter {
    fn read(value: Value) -> Result<Self, RpcError> {
        let filter: Self = parse(value, "{address, topics}")?;
        let topics = filter.topics.iter().flatten().map(Several::len);
        let longest = topics.chain(filter.address.as_ref().map(Several::len)).max().unwrap_or_default();
        match filter.topics.len() <= MAX_TOPICS && longest <= MAX_ALTERNATIVES {
            true => Ok(filter),
            false => Err(RpcError::params(format!(
                "a filter has at most {MAX_TOPICS} topics, and {MAX_ALTERNATIVES} of what each may be"
            ))),
        }
    }

    fn of_block(&self, hash: B256) -> Value {
        let topics: Vec<_> = self.topics.iter().map(|it| json!(it)).collect();
        let mut question = json!({"blockHash": hash, "topics": topics});
        if let (Some(address), Some(fields)) = (&self.address, question.as_object_mut()) {
            fields.insert("address".to_owned(), json!(address));
        }
        json!([question])
    }
}

impl Subscriptions {
    /// Of a socket that passes on what comes out of the channel.
    pub(crate) fn new(inner: Arc<Inner>, share: Arc<Share>) -> (Arc<Self>, mpsc::Receiver<Told>) {
        let (told, queue) = mpsc::channel(MAX_UNSENT);
        (Arc::new(Self { inner, share, told, open: Mutex::default() }), queue)
    }

    /// `[kind]` or `["logs", filter]`: the subscription's id.
    pub(super) async fn subscribe(&self, params: Value) -> Reply {
        let kind = kind(params)?;
        let heads = self.inner.listen().await?;
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| RequestError::Environment(error.to_string()))?;
        let id = const_hex::encode_prefixed(random);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= MAX_SUBSCRIPTIONS {
            let message = format!("a socket has at most {MAX_SUBSCRIPTIONS} subscriptions");
            return Err(RpcError::new(-32005, "rpc.subscriptions", message));
        }
        open.insert(id.clone(), State::Promised(Listener { id: id.clone(), kind, heads }));
        Ok(json!(id))
    }

    /// Whether there was one of this id.
    pub(super) fn unsubscribe(&self, params: Value) -> Reply {
        let id: Bytes = one(params, "the id of a subscription")?;
        let ended = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&id.to_string());
        if let Some(State::Told(task)) = &ended {
            task.abort();
        }
        Ok(json!(ended.is_some()))
    }

    /// This answer is sent: those to whom it promised something are told from now on.
    pub(crate) fn begin(&self, answer: &Value) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, state) in std::mem::take(&mut *open) {
            let state = match state {
                State::Promised(listener) if is_result(answer, &id) => {
                    let (inner, share) = (Arc::clone(&self.inner), Arc::clone(&self.share));
                    State::Told(tokio::spawn(listener.run(inner, share, self.told.clone())).abort_handle())
                }
                other @ (State::Promised(_) | State::Told(_)) => other,
            };
            open.insert(id, state);
        }
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        let open = self.open.get_mut().unwrap_or_else(PoisonError::into_inner);
        for state in std::mem::take(open).into_values() {
            if let State::Told(task) = state {
                task.abort();
            }
        }
    }
}

impl Listener {
    async fn run(mut self, inner: Arc<Inner>, share: Arc<Share>, told: mpsc::Sender<Told>) {
        while let Ok(Some(head)) = self.heads.recv().await {
            if !self.tell(&inner, &share, &told, &head).await {
                break;
            }
        }
        // What was missed, or could not be read, is not passed over in silence.
        let _ = told.send(Told::Lost).await;
    }

    async fn tell(&self, inner: &Inner, share: &Arc<Share>, told: &mpsc::Sender<Told>, head: &Head) -> bool {
        let Kind::Logs(filter) = &self.kind else {
            return told.send(self.note(&head.header, None)).await.is_ok();
        };
        let answering = Answering::new(Arc::clone(share));
        let Ok(chain) = inner.chain() else { return false };
        let logs = chain.read("eth_getLogs", filter.of_block(head.hash));
        let logs = answering.read(chain.width(), logs).await;
        let Ok(Value::Array(logs)) = logs else { return false };
        for log in &logs {
            if told.send(self.note(log, Some(Arc::clone(&answering)))).await.is_err() {
                return false;
            }
        }
        true
    }

    fn note(&self, result: &Value, held: Option<Arc<Answering>>) -> Told {
        let params = json!({"subscription": self.id, "result": result});
        Told::Note(json!({"jsonrpc": "2.0", "method": "eth_subscription", "params": params}), held)
    }
}

/// Whether an answer, or one of a batch, is this id.
fn is_result(answer: &Value, id: &str) -> bool {
    let is = |answer: &Value| answer.get("result").is_some_and(|result| result == id);
    answer.as_array().map_or_else(|| is(answer), |answers| answers.iter().any(is))
}

fn kind(params: Value) -> Result<Kind, RpcError> {
    let list: Vec<Value> = parse(params, "[kind] or [\"logs\", filter]")?;
    match list.as_slice() {
        [kind] if kind == "newHeads" => Ok(Kind::Heads),
        [kind] if kind == "logs" => Ok(Kind::Logs(Filter::default())),
        [kind, filter] if kind == "logs" => Filter::read(filter.clone()).map(Kind::Logs),
        [kind, ..] if kind == "newPendingTransactions" || kind == "syncing" => {
            let message = format!("{kind} is not told: each endpoint has a word of its own on it");
            Err(RpcError::new(-32004, "rpc.refused_method", message))
        }
        _ => Err(RpcError::params("expected [\"newHeads\"] or [\"logs\", {address, topics}]".to_owned())),
    }
}

/// Of one socket.
const MAX_SUBSCRIPTIONS: usize = 16;
/// Notifications that wait to be sent.
const MAX_UNSENT: usize = 64;
const MAX_TOPICS: usize = 4;
/// What an address, or one topic, may be.
const MAX_ALTERNATIVES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a01_what_is_listened_for_has_bounds_and_no_unread_field() {
        let address = Address::ZERO;
        let long = vec![B256::ZERO; MAX_ALTERNATIVES + 1];
        for (params, fits) in [
            (json!(["newHeads"]), true),
            (json!(["logs"]), true),
            (json!(["logs", {}]), true),
            (json!(["logs", {"address": address, "topics": [null, B256::ZERO, [B256::ZERO]]}]), true),
            (json!(["logs", {"address": [address], "fromBlock": "0x0"}]), false),
            (json!(["logs", {"topics": [null, null, null, null, null]}]), false),
            (json!(["logs", {"topics": [long]}]), false),
            (json!(["logs", {"address": vec![address; MAX_ALTERNATIVES + 1]}]), false),
            (json!(["newHeads", {}]), false),
            (json!(["newPendingTransactions"]), false),
            (json!([]), false),
            (json!("newHeads"), false),
        ] {
            assert_eq!(kind(params.clone()).is_ok(), fits, "{params}");
        }
    }

    #[test]
    fn what_is_promised_is_begun_by_its_own_answer() {
        let answer = |result: &str| json!({"jsonrpc": "2.0", "id": 1, "result": result});
        assert!(is_result(&answer("0x01"), "0x01") && !is_result(&answer("0x02"), "0x01"));
        assert!(is_result(&json!([answer("0x02"), answer("0x01")]), "0x01"));
        assert!(!is_result(&json!([]), "0x01") && !is_result(&json!({"error": {}}), "0x01"));
    }

    #[test]
    fn s02_logs_are_asked_for_by_the_block_s_hash_and_as_the_listener_says() {
        let filter = json!({"address": Address::ZERO, "topics": [null, B256::ZERO]});
        let Ok(Kind::Logs(filter)) = kind(json!(["logs", filter])) else { panic!("a filter") };
        let question = filter.of_block(B256::repeat_byte(7));
        let expected = json!([{"blockHash": B256::repeat_byte(7), "address": Address::ZERO, "topics": [null, B256::ZERO]}]);
        assert_eq!(question, expected);
    }
}
