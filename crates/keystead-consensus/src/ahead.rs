//! Messages for heights that this node has not reached, bounded for each sender.

use std::collections::{BTreeMap, VecDeque};

use keystead_base::Name;

use crate::Message;

/// What came too early.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    messages: BTreeMap<Name, VecDeque<(u64, Message)>>,
}

impl Ahead {
    /// Keeps a message; the oldest of the same sender goes when there is no room.
    pub(crate) fn keep(&mut self, from: Name, height: u64, message: Message) {
        let queue = self.messages.entry(from).or_default();
        if queue.len() >= MAX_AHEAD {
            queue.pop_front();
        }
        queue.push_back((height, message));
    }

    /// Takes the messages for a height, and forgets those for lower ones.
    pub(crate) fn take(&mut self, height: u64) -> Vec<(Name, Message)> {
        let mut due = Vec::new();
        for (from, queue) in &mut self.messages {
            let (now, later): (VecDeque<_>, VecDeque<_>) = queue.drain(..).partition(|it| it.0 <= height);
            *queue = later;
            due.extend(now.into_iter().filter(|it| it.0 == height).map(|it| (from.clone(), it.1)));
        }
        due
    }

    /// Whether something waits for a height.
    pub(crate) fn has(&self, height: u64) -> bool {
        self.messages.values().any(|queue| queue.iter().any(|it| it.0 == height))
    }
}

/// The most messages of one sender that are kept: a few heights' worth.
const MAX_AHEAD: usize = 64;
