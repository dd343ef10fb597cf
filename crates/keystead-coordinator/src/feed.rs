//! New blocks for whoever listens, found by asking the endpoints: they are asked and do not call back.

use std::collections::VecDeque;
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
    parent: B256,
    /// Its header, as enough endpoints have it.
    pub(crate) header: Value,
}

/// Who listens, and what was told last. Where something cannot be told any more, none is told: whoever listens has missed it.
pub(crate) struct Feed {
    heads: broadcast::Sender<Option<Arc<Head>>>,
    told: Mutex<Tail>,
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

/// Reads the header of the block that a tag of JSON-RPC names.
trait HeadReader {
    fn head(&self, tag: &str) -> impl Future<Output = Result<Head, RpcError>> + Send;
}

/// The blocks that were told last, the oldest first.
#[derive(Debug, Default)]
struct Tail(VecDeque<(u64, B256)>);

/// What is new after them.
#[derive(Debug, PartialEq, Eq)]
enum News<H> {
    /// These, the oldest first.
    Blocks(Vec<H>),
    /// More than is read at once, up to this one.
    Gap(H),
}

impl Tail {
    fn begins_with(head: &Head) -> Self {
        Self(VecDeque::from([(head.number, head.hash)]))
    }

    fn add(&mut self, head: &Head) {
        if self.0.len() == MAX_TOLD {
            self.0.pop_front();
        }
        self.0.push_back((head.number, head.hash));
    }

    fn holds(&self, hash: &B256) -> bool {
        self.0.iter().any(|(_, told)| told == hash)
    }

    fn first_number(&self) -> u64 {
        self.0.front().map_or(0, |(number, _)| *number)
    }

    /// Whether nothing was told before its first block.
    fn is_whole(&self) -> bool {
        self.0.len() < MAX_TOLD
    }

    /// What came after the blocks that were told, back to the one that they have in common: a reorganization puts more than
    /// the newest in the place of others. An endpoint that is behind has nothing new.
    async fn news(&self, reader: &(impl HeadReader + Sync)) -> Result<News<Head>, RpcError> {
        let newest = reader.head("latest").await?;
        if self.holds(&newest.hash) || newest.number < self.first_number() {
            return Ok(News::Blocks(Vec::new()));
        }
        let (mut heads, mut parent, mut number) = (VecDeque::new(), newest.parent, newest.number);
        while !self.holds(&parent) && number > self.first_number() {
            if heads.len() == MAX_AT_ONCE {
                return Ok(News::Gap(newest));
            }
            number = number.saturating_sub(1);
            let head = reader.head(&format!("{number:#x}")).await?;
            // Another endpoint, or another branch by now: the next look finds what holds together.
            if head.hash != parent {
                return Ok(News::Blocks(Vec::new()));
            }
            parent = head.parent;
            heads.push_front(head);
        }
        if !self.holds(&parent) && !self.is_whole() {
            return Ok(News::Gap(newest));
        }
        heads.push_back(newest);
        Ok(News::Blocks(heads.into()))
    }
}

impl Inner {
    /// Every block from now on. The endpoints are asked for as long as somebody listens.
    pub(crate) async fn listen(self: &Arc<Self>) -> Result<broadcast::Receiver<Option<Arc<Head>>>, RpcError> {
        let mut told = self.feed.told.lock().await;
        if !self.feed.runs.load(Ordering::SeqCst) {
            *told = Tail::begins_with(&self.head("latest").await?);
        }
        let receiver = self.feed.heads.subscribe();
        if !self.feed.runs.swap(true, Ordering::SeqCst) {
            tokio::spawn(follow(Arc::downgrade(self)));
        }
        Ok(receiver)
    }
}

impl HeadReader for Inner {
    async fn head(&self, tag: &str) -> Result<Head, RpcError> {
        let block = self.chain()?.read("eth_getBlockByNumber", json!([tag, false])).await?;
        let unfit = || RequestError::Environment("an endpoint's block has no number or hashes".to_owned());
        let Block { number, hash, parent_hash } = Block::deserialize(&block).map_err(|_| unfit())?;
        let Value::Object(mut header) = block else { return Err(unfit().into()) };
        header.retain(|name, value| HEADER.contains(&name.as_str()) && value.as_str().is_some_and(is_short));
        Ok(Head { hash, number: number.to(), parent: parent_hash, header: header.into() })
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
        let heads = &inner.feed.heads;
        // Whoever went away meanwhile misses nothing.
        match told.news(inner.as_ref()).await {
            Ok(News::Blocks(new)) => new.into_iter().for_each(|head| {
                told.add(&head);
                let _ = heads.send(Some(Arc::new(head)));
            }),
            Ok(News::Gap(newest)) => {
                *told = Tail::begins_with(&newest);
                let _ = heads.send(None);
            }
            Err(_) => {}
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    number: U64,
    hash: B256,
    parent_hash: B256,
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
/// Blocks below the newest that are told at once.
const MAX_AT_ONCE: usize = 32;
/// Blocks that are known again: a reorganization that reaches below them is a gap.
const MAX_TOLD: usize = 64;
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    /// A block of a branch, on the one of the same branch or, at its foot, of the first.
    fn block(branch: u8, number: u64) -> Head {
        let hash = |branch: u8, number: u64| {
            let mut hash = B256::repeat_byte(branch);
            hash[31] = u8::try_from(number).unwrap();
            hash
        };
        let below = if number <= FOOT { 1 } else { branch };
        let parent = hash(below, number - 1);
        Head { hash: hash(branch, number), number, parent, header: Value::Null }
    }

    const FOOT: u64 = 98;

    /// A chain whose blocks above the foot are of one branch, and whose newest is of another one where it says so.
    struct Chain {
        branch: u8,
        newest: Head,
    }

    impl HeadReader for Chain {
        async fn head(&self, tag: &str) -> Result<Head, RpcError> {
            if tag == "latest" {
                return Ok(self.newest.clone());
            }
            let number = u64::from_str_radix(tag.trim_start_matches("0x"), 16).unwrap();
            Ok(block(if number < FOOT { 1 } else { self.branch }, number))
        }
    }

    async fn news(tail: &Tail, branch: u8, newest: u64) -> News<(u64, u8)> {
        let chain = Chain { branch, newest: block(branch, newest) };
        let named = |head: Head| (head.number, head.hash[0]);
        match tail.news(&chain).await.unwrap() {
            News::Blocks(heads) => News::Blocks(heads.into_iter().map(named).collect()),
            News::Gap(head) => News::Gap(named(head)),
        }
    }

    fn told(numbers: std::ops::RangeInclusive<u64>) -> Tail {
        let mut tail = Tail::default();
        numbers.for_each(|number| tail.add(&block(1, number)));
        tail
    }

    #[tokio::test]
    async fn what_a_reorganization_put_in_the_place_of_told_blocks_is_told() {
        let tail = told(90..=100);
        assert_eq!(news(&tail, 1, 102).await, News::Blocks(vec![(101, 1), (102, 1)]));
        // Longer, as long, and shorter than what was told.
        for newest in [101, 100, 99] {
            let branch = (FOOT..=newest).map(|number| (number, 2)).collect();
            assert_eq!(news(&tail, 2, newest).await, News::Blocks(branch), "{newest}");
        }
        // What listening began with is replaced.
        let fresh = told(100..=100);
        assert_eq!(news(&fresh, 2, 101).await, News::Blocks(vec![(100, 2), (101, 2)]));
    }

    #[tokio::test]
    async fn an_endpoint_that_is_behind_tells_nothing_twice() {
        for newest in [100, 99, 90, 80] {
            assert_eq!(news(&told(90..=100), 1, newest).await, News::Blocks(Vec::new()), "{newest}");
        }
    }

    #[tokio::test]
    async fn what_is_not_told_is_a_gap_and_not_passed_over() {
        let tail = told(90..=100);
        let all = (101..=133).map(|number| (number, 1)).collect();
        assert_eq!(news(&tail, 1, 133).await, News::Blocks(all));
        assert_eq!(news(&tail, 1, 134).await, News::Gap((134, 1)));
        // Below all that is known again.
        let long = told(99..=162);
        assert_eq!(long.0.len(), MAX_TOLD);
        assert_eq!(news(&long, 2, 101).await, News::Gap((101, 2)));
    }

    #[tokio::test]
    async fn blocks_of_two_branches_are_not_told_as_one() {
        let mixed = Chain { branch: 1, newest: block(2, 102) };
        let Ok(News::Blocks(none)) = told(90..=100).news(&mixed).await else { panic!("a gap") };
        assert!(none.is_empty());
    }
}
