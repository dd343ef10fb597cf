//! The thread that asks the token: votes first, and nothing for whoever waits no longer.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keystead_homes::{Home, HomeError, Label, PublicKey, Scheme, ToSign};

use super::AT_START;

/// What is signed before what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// The replica waits for it, and the log with the replica.
    Vote,
    /// Checkpoints, fresh heads, the node's own entries, marks of snapshots: they can wait.
    AfterVotes,
}

/// A message, and where its signature goes.
pub(super) struct Ask {
    pub(super) rank: Rank,
    pub(super) message: Vec<u8>,
    pub(super) since: Instant,
    pub(super) answer: SyncSender<Option<[u8; 64]>>,
}

/// How long is waited for the token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// For a signature.
    pub(super) patience: Duration,
    /// Before a token of which nothing is asked signs something.
    pub(super) look: Duration,
}

/// What was seen of the token.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) lost: Option<HomeError>,
    /// It signed wrongly: it is not asked again in this life of the node.
    is_faulty: bool,
    pub(super) answered: u64,
    /// Since when it has what it is signing now.
    pub(super) signs_since: Option<Instant>,
}

/// The thread's own.
pub(super) struct Worker {
    pub(super) home: Box<dyn Home>,
    pub(super) label: Label,
    pub(super) public: [u8; 32],
    pub(super) asked: Receiver<Ask>,
    pub(super) waiting: Waiting,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) pace: Pace,
}

impl Worker {
    /// Until nobody can ask any more.
    pub(super) fn run(mut self) {
        loop {
            match self.next() {
                Ok(ask) => {
                    let signature = self.note(self.in_time(&ask.message));
                    // Whoever asked may have given up: what was signed for them is said by nobody.
                    let _ = ask.answer.try_send(signature);
                }
                Err(RecvTimeoutError::Timeout) => {
                    // A token that shows its key may sign nothing with it, and a module may show what it remembers.
                    self.note(self.in_time(AT_START));
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// INVARIANT D3: a vote waits for the one signature under way, and for nothing that came before it.
    fn next(&mut self) -> Result<Ask, RecvTimeoutError> {
        loop {
            self.asked.try_iter().for_each(|ask| self.waiting.put(ask));
            match self.waiting.take() {
                Some(ask) if ask.since.elapsed() < self.pace.patience => return Ok(ask),
                // Nobody waits for it any more, and a vote may come.
                Some(_) => {}
                None => {
                    let ask = self.asked.recv_timeout(self.pace.look)?;
                    self.waiting.put(ask);
                }
            }
        }
    }

    /// A signature for which nobody waited in vain: a token that is too slow for a vote is as good as away.
    pub(super) fn in_time(&self, message: &[u8]) -> Result<[u8; 64], HomeError> {
        let began = Instant::now();
        look(&self.seen).signs_since = Some(began);
        let signature = self.sign(message)?;
        self.find()?;
        if began.elapsed() < self.pace.patience {
            Ok(signature)
        } else {
            Err(late(self.home.name(), self.pace.patience))
        }
    }

    /// A process that ended is started again by the next call: a token that is there costs no vote because of it.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], HomeError> {
        let began = Instant::now();
        let sign = || self.home.sign(&self.label, ToSign::Message(message)).map(|it| it.bytes);
        match sign() {
            Err(HomeError::Lost { .. }) if began.elapsed() < self.pace.patience => sign(),
            other => other,
        }
    }

    /// What the home verified the signature under is this node's half.
    fn find(&self) -> Result<(), HomeError> {
        let found = ed25519(self.home.name(), &self.home.public(&self.label)?)?;
        if found == self.public { Ok(()) } else { Err(another(self.home.name())) }
    }

    pub(super) fn note<T>(&self, result: Result<T, HomeError>) -> Option<T> {
        let mut seen = look(&self.seen);
        seen.signs_since = None;
        match result {
            Ok(value) => {
                seen.answered += 1;
                seen.lost = seen.lost.take().filter(|_| seen.is_faulty);
                Some(value)
            }
            Err(error) => {
                seen.is_faulty |= matches!(error, HomeError::Unverified { .. });
                seen.lost = Some(error);
                None
            }
        }
    }
}

/// What waits for the token.
#[derive(Default)]
pub(super) struct Waiting {
    votes: VecDeque<Ask>,
    others: VecDeque<Ask>,
}

impl Waiting {
    /// Whoever finds no room learns it by the end of its channel.
    pub(super) fn put(&mut self, ask: Ask) {
        let queue = match ask.rank {
            Rank::Vote => &mut self.votes,
            Rank::AfterVotes => &mut self.others,
        };
        if queue.len() < MAX_WAITING {
            queue.push_back(ask);
        }
    }

    fn take(&mut self) -> Option<Ask> {
        self.votes.pop_front().or_else(|| self.others.pop_front())
    }
}

pub(super) fn look(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn ed25519(home: String, public: &PublicKey) -> Result<[u8; 32], HomeError> {
    let scheme = Scheme::Ed25519;
    let found = public.bytes.as_slice().try_into().ok().filter(|_| public.scheme == scheme);
    found.ok_or(HomeError::Point { home, scheme })
}

pub(super) fn another(home: String) -> HomeError {
    let reason = "it holds another key under the label of this node's".to_owned();
    HomeError::Refused { home, reason }
}

pub(super) fn late(home: String, patience: Duration) -> HomeError {
    let reason = format!("it did not answer within {} seconds", patience.as_secs());
    HomeError::Lost { home, reason }
}

/// The most of each rank that waits for the token. Who asks waits for its answer: there are fewer.
pub(super) const MAX_WAITING: usize = 16;
