//! The decisions of the newest durable blocks: what the others sign under them is checked without a look at the disk.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use keystead_decision::{Decision, Outcome};

/// The rights that the newest blocks gave.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<VecDeque<Rights>>);

#[derive(Debug)]
struct Rights {
    height: u64,
    /// By place in the block; ascending.
    decisions: Vec<(u64, Decision)>,
}

impl Recent {
    /// Keeps what a block that is durable now allows.
    pub(crate) fn keep(&self, height: u64, decisions: &[Decision]) {
        let right = |it: &(u64, &Decision)| matches!(it.1.outcome, Outcome::Allow(_));
        let rights = (0..).zip(decisions).filter(right).map(|(place, it)| (place, it.clone()));
        let rights = Rights { height, decisions: rights.collect() };
        let mut blocks = self.lock();
        blocks.push_back(rights);
        if blocks.len() > MAX_BLOCKS {
            blocks.pop_front();
        }
    }

    /// The right that a block gave at this place; none when it gave none, or is kept no more.
    pub(crate) fn at(&self, height: u64, place: u64) -> Option<Decision> {
        let blocks = self.lock();
        let rights = &blocks.iter().rev().find(|it| it.height == height)?.decisions;
        let found = rights.binary_search_by_key(&place, |(at, _)| *at).ok()?;
        rights.get(found).map(|(_, decision)| decision.clone())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Rights>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Signatures come a few blocks after the decision at most; later ones are looked up on the disk.
const MAX_BLOCKS: usize = 32;
