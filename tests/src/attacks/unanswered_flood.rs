//! Questions come faster than answers go (A2, A4).
//!
//! A known peer sends one megabyte after the other and waits for nothing. Each question is legal, and each
//! lies in the node's memory until it is answered; the kernel ends the largest process.
//!
//! The product stops reading from a peer that has too much unanswered: the rest lies in the peer's own
//! memory. The twin reads all of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keystead_wire::{Limits, Peer};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::Loot;
use crate::edge::{PATIENCE, Who, Wire};

/// The product's.
#[must_use]
pub fn product() -> Limits {
    Limits { frame: PATIENCE, ..Limits::default() }
}

/// The naive server's: what arrives is read.
#[must_use]
pub fn reading_all() -> Limits {
    Limits { bytes_per_peer: u32::MAX, ..product() }
}

/// Plays it: nothing is answered before as much has arrived as the server will ever read.
pub async fn attack(limits: Limits) -> Loot {
    let bound = usize::try_from(limits.bytes_per_peer).expect("a bound");
    let held = Arc::new(Held::new((bound / (QUESTION + CALL_NUMBER)).min(FLOOD)));
    let handler = Arc::clone(&held);
    let answers = move |_: Arc<Peer>, question: Vec<u8>| Arc::clone(&handler).answer(question);
    let server = Wire::start(limits, answers).await;
    let thief = server.connect(Who::Thief).await.expect("a known peer");
    let mut flood = JoinSet::new();
    for _ in 0..FLOOD {
        let thief = thief.clone();
        flood.spawn(async move { thief.call_within(vec![0; QUESTION], PATIENCE).await });
    }
    let answered = flood.join_all().await;
    assert!(answered.iter().all(Result::is_ok), "all of it is answered in the end");
    match held.most.load(Ordering::SeqCst) {
        most if most * QUESTION > DEFAULT_BOUND => {
            Loot::harmed(format!("{most} MiB of one peer's questions in memory at once"))
        }
        _ => Loot::refused("limits.bytes_per_peer"),
    }
}

/// The questions that lie in memory.
struct Held {
    now: AtomicUsize,
    most: AtomicUsize,
    expected: usize,
    open: watch::Sender<bool>,
}

impl Held {
    fn new(expected: usize) -> Self {
        Self {
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            expected,
            open: watch::Sender::new(false),
        }
    }

    async fn answer(self: Arc<Self>, question: Vec<u8>) -> Vec<u8> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        if now == self.expected {
            self.open.send_replace(true);
        }
        let mut opened = self.open.subscribe();
        opened.wait_for(|open| *open).await.expect("the sender is ours");
        self.now.fetch_sub(1, Ordering::SeqCst);
        drop(question);
        Vec::new()
    }
}

/// One question.
const QUESTION: usize = 1024 * 1024;
/// What a frame has beside its message.
const CALL_NUMBER: usize = 8;
/// How many are sent at once.
const FLOOD: usize = 64;
/// What the product reads of one peer before it answers.
const DEFAULT_BOUND: usize = 32 * 1024 * 1024;
