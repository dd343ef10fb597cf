//! Everything that was seen so far: the latest answer of each node, and the news between two looks.

use std::collections::VecDeque;

use keystead_base::{Name, Timestamp};
use keystead_wire::NodeStatus;

use super::look::Sighting;
use super::news::{self, News, Snapshot};
use super::poll::Seen;
use super::words;
use crate::outside;

/// What is known.
pub(crate) struct Board {
    sightings: Vec<Sighting>,
    before: Option<Snapshot>,
    news: VecDeque<News>,
    /// How many of the newest news came with the last look.
    fresh: usize,
    looks: u64,
    now: Timestamp,
}

impl Board {
    /// Of nodes at these addresses, and whom to expect there.
    pub(crate) fn new(nodes: impl IntoIterator<Item = (String, Option<Name>)>) -> Self {
        let sightings = nodes.into_iter().map(|(address, name)| Sighting::new(address, name)).collect();
        let now = outside::now();
        Self { sightings, before: None, news: VecDeque::new(), fresh: 0, looks: 0, now }
    }

    /// Takes an answer; none comes when nobody asks any more.
    pub(crate) fn take(&mut self, seen: Option<Seen>) {
        if let Some(seen) = seen {
            self.take_at(seen, outside::now());
        }
    }

    pub(crate) fn take_at(&mut self, seen: Seen, now: Timestamp) {
        if let Some(sighting) = self.sightings.get_mut(seen.door) {
            sighting.take(seen.answer, now);
        }
    }

    /// Looks at everything, and notes what changed since the last look.
    pub(crate) fn look(&mut self) {
        self.look_at(outside::now());
    }

    pub(crate) fn look_at(&mut self, now: Timestamp) {
        self.now = now;
        if !self.is_complete() {
            return;
        }
        self.looks = self.looks.saturating_add(1);
        let after = Snapshot::of(self);
        let found = self.before.as_ref().map(|before| news::between(before, &after)).unwrap_or_default();
        self.fresh = found.len();
        self.news.extend(found.into_iter().map(|(text, tone)| News { at: now, text, tone }));
        while self.news.len() > MAX_NEWS {
            self.news.pop_front();
        }
        self.before = Some(after);
    }

    /// Whether every node was asked once.
    pub(crate) fn is_complete(&self) -> bool {
        self.sightings.iter().all(|it| it.asked)
    }

    pub(crate) fn sightings(&self) -> &[Sighting] {
        &self.sightings
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn looks(&self) -> u64 {
        self.looks
    }

    /// Newest first.
    pub(crate) fn news(&self) -> impl Iterator<Item = &News> {
        self.news.iter().rev()
    }

    /// What the last look found, newest first.
    pub(crate) fn fresh_news(&self) -> Vec<&News> {
        self.news().take(self.fresh).collect()
    }

    /// The answer of the first node that is furthest; the last one there was when none answers.
    pub(crate) fn furthest(&self) -> Option<&NodeStatus> {
        let answers = self.sightings.iter().filter_map(Sighting::answer);
        let latest = self.sightings.iter().max_by_key(|it| it.seen);
        answers
            .min_by_key(|it| std::cmp::Reverse(it.height))
            .or_else(|| latest.and_then(|it| it.status.as_deref()))
    }

    /// The cluster in one line.
    pub(crate) fn headline(&self) -> String {
        match self.furthest() {
            None => "no node answered yet".to_owned(),
            Some(status) => {
                let signing = words::signing(&status.frozen);
                format!("{} · height {} · {signing}", status.name, status.height)
            }
        }
    }
}

/// How much news is kept.
const MAX_NEWS: usize = 200;
