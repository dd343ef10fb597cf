//! New blocks for whoever listens, found by asking the endpoints: they are asked and do not call back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use alloy_primitives::{B256, U64};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Mutex, broadcast};
use tokio::time::{MissedTickBehavior, interval};

use crate::RequestError;
use crate::coordinator::Inner;
use crate::rpc::RpcError;

/// A block that is new, or new at its height.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) hash: B256,
    number: u64,
    /// Its header, as an endpoint has it.
    pub(crate) header: Value,
}

/// Who listens, and what was told last.
pub(crate) struct Feed {
    heads: broadcast::Sender<Arc<Head>>,
    told: Mutex<Option<(u64, B256)>>,
    runs: AtomicBool,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            heads: broadcast::Sender::new(MAX_UNHEARD),
            told: Mutex::default(),
            runs: AtomicBool::new(false),
        }
    }
}

impl Inner {
    /// Every block from now on. The endpoints are asked for as long as somebody listens.
    pub(crate) async fn listen(self: &Arc<Self>) -> Result<broadcast::Receiver<Arc<Head>>, RpcError> {
        let mut told = self.feed.told.lock().await;
        if !self.feed.runs.load(Ordering::SeqCst) {
            let head = self.head("latest").await?;
            *told = Some((head.number, head.hash));
        }
        let receiver = self.feed.heads.subscribe();
        if !self.feed.runs.swap(true, Ordering::SeqCst) {
            tokio::spawn(follow(Arc::downgrade(self)));
        }
        Ok(receiver)
    }

    async fn head(&self, tag: &str) -> Result<Head, RpcError> {
        let block = self.chain()?.forward("eth_getBlockByNumber", json!([tag, false])).await?;
        let unfit = || RequestError::Environment("an endpoint's block has no number or hash".to_owned());
        let Block { number, hash } = Block::deserialize(&block).map_err(|_| unfit())?;
        let Value::Object(mut header) = block else { return Err(unfit().into()) };
        header.retain(|name, value| HEADER.contains(&name.as_str()) && value.as_str().is_some_and(is_short));
        Ok(Head { hash, number: number.to(), header: header.into() })
    }

    /// What is new since the block that was told last, the oldest first; of many only the newest ones.
    async fn news(&self, told: Option<(u64, B256)>) -> Result<Vec<Head>, RpcError> {
        let newest = self.head("latest").await?;
        let Some((height, hash)) = told.filter(|(height, _)| *height <= newest.number) else {
            return Ok(vec![newest]);
        };
        if hash == newest.hash {
            return Ok(Vec::new());
        }
        let first = height.saturating_add(1).max(newest.number.saturating_sub(MAX_AT_ONCE));
        let mut heads = Vec::new();
        for number in first..newest.number {
            heads.push(self.head(&format!("{number:#x}")).await?);
        }
        heads.push(newest);
        Ok(heads)
    }
}

/// Until nobody listens, or the coordinator is gone.
async fn follow(coordinator: Weak<Inner>) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(inner) = coordinator.upgrade() else { return };
        let mut told = inner.feed.told.lock().await;
        if inner.feed.heads.receiver_count() == 0 {
            inner.feed.runs.store(false, Ordering::SeqCst);
            return;
        }
        // An endpoint that does not answer is asked again by the next look.
        for head in inner.news(*told).await.unwrap_or_default() {
            *told = Some((head.number, head.hash));
            // Whoever went away meanwhile misses nothing.
            let _ = inner.feed.heads.send(Arc::new(head));
        }
    }
}

#[derive(Deserialize)]
struct Block {
    number: U64,
    hash: B256,
}

/// A bloom filter is the longest field of a header.
fn is_short(text: &str) -> bool {
    text.len() <= MAX_FIELD_CHARS
}

/// What is told of a block; its number and its hash were read.
const HEADER: &[&str] = &[
    "baseFeePerGas",
    "blobGasUsed",
    "difficulty",
    "excessBlobGas",
    "extraData",
    "gasLimit",
    "gasUsed",
    "hash",
    "logsBloom",
    "miner",
    "mixHash",
    "nonce",
    "number",
    "parentBeaconBlockRoot",
    "parentHash",
    "receiptsRoot",
    "requestsHash",
    "sha3Uncles",
    "stateRoot",
    "timestamp",
    "transactionsRoot",
    "withdrawalsRoot",
];
const MAX_FIELD_CHARS: usize = 1024;
/// Blocks that somebody may be behind.
const MAX_UNHEARD: usize = 64;
/// Blocks that are told at once, when an endpoint was away.
const MAX_AT_ONCE: u64 = 32;
const LOOK_EVERY: Duration = Duration::from_millis(500);
