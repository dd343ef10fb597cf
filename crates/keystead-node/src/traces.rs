//! Of which traces the requests are that this node takes part in, and what is told of its own part.
//!
//! The book is beside everything that decides: it is written to by stages that have done their work, and read by none.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use keystead_base::{Canonical as _, Name, RequestId};
use keystead_decision::{Applied, Decision, Entry, Outcome};
use keystead_trace::{Counted, Field, Kind, Past, Tracer};
use keystead_wire::{MAX_TRACE_MARKS, NodeRequest, TraceContext, TraceMark};
use tokio::sync::Semaphore;

use crate::error::CallError;
use crate::shared::Shared;

/// What is told of this node's part.
#[derive(Debug)]
pub(crate) struct Traces {
    tracer: Tracer,
    book: Mutex<Book>,
    /// Places for what other nodes are told.
    telling: Arc<Semaphore>,
}

/// The requests that are told of, newest last.
#[derive(Debug, Default)]
struct Book {
    ways: HashMap<RequestId, Way>,
    order: VecDeque<RequestId>,
}

/// A request's way through this node.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// This node's own part: everything else here is below it.
    own: TraceContext,
    parent: Option<[u8; 8]>,
    /// A client asked this node: its answer ends the own part.
    is_asked: bool,
    /// That answer was told of.
    is_answered: bool,
    /// Where the part that is under way began.
    since: SystemTime,
    stage: Stage,
}

/// Which part that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It is on its way into a block.
    Deciding,
    /// It waits for its run: nothing of it is judged yet.
    Simulating,
    /// It waits for people, or for its time.
    Waiting,
    /// It was allowed: until it is final.
    Allowed,
}

impl Traces {
    pub(crate) fn new(tracer: Tracer) -> Self {
        Self { tracer, book: Mutex::default(), telling: Arc::new(Semaphore::new(MAX_TELLING)) }
    }

    /// Whether anything is told.
    pub(crate) fn is_on(&self) -> bool {
        self.tracer.is_on()
    }

    pub(crate) fn counted(&self) -> Counted {
        self.tracer.counted()
    }

    /// Whoever asks says of which traces requests are; gives what other nodes are told: that they are parts of this one's.
    pub(crate) fn marked(&self, marks: &[TraceMark]) -> Vec<TraceMark> {
        let mut book = self.book();
        let mark = |it: &TraceMark| {
            let own = book.begin(&self.tracer, it.request, Some(it.context))?.own;
            Some(TraceMark { request: it.request, context: own })
        };
        marks.iter().filter_map(mark).collect()
    }

    /// Requests came from a client: those that it said nothing of are traces of their own.
    pub(crate) fn received(&self, requests: &[RequestId]) {
        if self.is_on() {
            let mut book = self.book();
            for id in requests {
                book.begin(&self.tracer, *id, None);
                if let Some(way) = book.ways.get_mut(id) {
                    way.is_asked = true;
                }
            }
        }
    }

    /// A part of some requests' way, if they are told of, from `start` to now.
    pub(crate) fn part(
        &self,
        requests: &[RequestId],
        (name, kind): (&'static str, Kind),
        start: SystemTime,
        failed: Option<&str>,
    ) {
        for id in requests {
            let Some(way) = self.way(id) else { continue };
            self.tracer.tell(way.own, past((name, kind), start, vec![Field::Request(*id)], failed));
        }
    }

    /// The whole of this node's part, as whoever asked saw it.
    pub(crate) fn answered(&self, requests: &[RequestId], start: SystemTime) {
        for id in requests {
            // Whoever asks again is told of as part of its own trace alone.
            let Some(way) = self.way(id).filter(|_| self.book().is_first_answer(id)) else { continue };
            let past = past(("node.submit", Kind::Server), start, vec![Field::Request(*id)], None);
            self.tracer.tell_at(way.own, way.parent, past);
        }
    }

    /// Blocks became durable by a write that began at `start`.
    pub(crate) fn wrote(&self, blocks: &[&Applied], start: SystemTime) {
        if self.is_on() {
            for (height, decision) in blocks.iter().flat_map(decisions) {
                self.decided(decision, height, start);
            }
        }
    }

    fn decided(&self, decision: &Decision, height: u64, write: SystemTime) {
        let Some(way) = self.way(&decision.subject) else { return };
        let said = || {
            let outcome = Field::Outcome(decision.outcome.word());
            let policy = Field::Policy(decision.policy.number);
            vec![Field::Request(decision.subject), outcome, Field::Height(height), policy]
        };
        if way.stage == Stage::Deciding && !way.is_asked {
            let own = past(("node.follow", Kind::Internal), way.since, said(), None);
            self.tracer.tell_at(way.own, way.parent, own);
        }
        let under_way = match (way.stage, &decision.outcome) {
            (Stage::Waiting, Outcome::Counted { .. }) | (Stage::Simulating, Outcome::Simulated) => None,
            (Stage::Deciding, _) => Some("node.decide"),
            (Stage::Simulating, _) => Some("node.simulate"),
            (Stage::Waiting, _) => Some("node.approvals"),
            (Stage::Allowed, Outcome::Ended { .. }) => Some("node.settle"),
            (Stage::Allowed, _) => None,
        };
        if let Some(name) = under_way {
            let past = Past { end: write, ..past((name, Kind::Internal), way.since, said(), None) };
            self.tracer.tell(way.own, past);
        }
        self.tracer.tell(way.own, past(("node.commit", Kind::Internal), write, said(), None));
        self.book().goes_on(&decision.subject, &decision.outcome);
    }

    fn way(&self, id: &RequestId) -> Option<Way> {
        // Where nothing is told the book is empty.
        if self.is_on() { self.book().ways.get(id).copied() } else { None }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// What was said of a request first holds.
    fn begin(&mut self, tracer: &Tracer, id: RequestId, parent: Option<TraceContext>) -> Option<Way> {
        if let Some(way) = self.ways.get(&id) {
            return Some(*way);
        }
        let own = tracer.place(parent)?;
        let (since, stage) = (SystemTime::now(), Stage::Deciding);
        let way = Way {
            own,
            parent: parent.map(|it| it.span()),
            is_asked: false,
            is_answered: false,
            since,
            stage,
        };
        self.ways.insert(id, way);
        self.order.push_back(id);
        if self.order.len() > MAX_WAYS
            && let Some(oldest) = self.order.pop_front()
        {
            self.ways.remove(&oldest);
        }
        Some(way)
    }

    fn is_first_answer(&mut self, id: &RequestId) -> bool {
        self.ways.get_mut(id).is_some_and(|way| !std::mem::replace(&mut way.is_answered, true))
    }

    fn goes_on(&mut self, id: &RequestId, outcome: &Outcome) {
        let Some(way) = self.ways.get_mut(id) else { return };
        let stage = match (way.stage, outcome) {
            (_, Outcome::Allow(_) | Outcome::Ceremony { .. }) => Stage::Allowed,
            (Stage::Deciding, Outcome::Simulate { .. }) => Stage::Simulating,
            (Stage::Simulating, Outcome::Simulated) => Stage::Simulating,
            (Stage::Deciding | Stage::Simulating, _) => Stage::Waiting,
            (stage, _) => stage,
        };
        if stage != way.stage {
            (way.stage, way.since) = (stage, SystemTime::now());
        }
    }
}

impl Shared {
    /// The other nodes hear of which traces a client's requests are. Nobody waits for that, and what does not arrive is not told.
    pub(crate) fn tell_of_traces(&self, marks: &[TraceMark]) -> Result<(), CallError> {
        check(marks)?;
        let own = self.traces.marked(marks);
        if own.is_empty() {
            return Ok(());
        }
        let document = NodeRequest::Traces(own).to_document();
        for client in self.peers.reachable() {
            // Other calls to that node never wait behind these.
            let Ok(place) = Arc::clone(&self.traces.telling).try_acquire_owned() else { break };
            let document = document.clone();
            tokio::spawn(async move {
                drop(client.call(document).await);
                drop(place);
            });
        }
        Ok(())
    }

    /// Another node was given requests of these traces. It is told to no further node.
    pub(crate) fn heard_of_traces(&self, from: &Name, marks: &[TraceMark]) -> Result<(), CallError> {
        check(marks)?;
        if self.state().roster().node(from).is_none() {
            return Err(CallError::NotANode { name: from.clone() });
        }
        drop(self.traces.marked(marks));
        Ok(())
    }
}

fn check(marks: &[TraceMark]) -> Result<(), CallError> {
    match marks.len() {
        found if found > MAX_TRACE_MARKS => Err(CallError::Marks { limit: MAX_TRACE_MARKS, found }),
        _ => Ok(()),
    }
}

/// The requests that an entry asks for.
pub(crate) fn requests(entry: &Entry) -> Vec<RequestId> {
    match entry {
        Entry::Requests(signed) => signed.body.intents.iter().map(|intent| intent.id()).collect(),
        _ => Vec::new(),
    }
}

fn decisions<'a>(applied: &&'a Applied) -> impl Iterator<Item = (u64, &'a Decision)> {
    let height = applied.block.header.height;
    applied.decisions.iter().map(move |decision| (height, decision))
}

fn past(
    (name, kind): (&'static str, Kind),
    start: SystemTime,
    fields: Vec<Field>,
    failed: Option<&str>,
) -> Past {
    Past { name, kind, start, end: SystemTime::now(), fields, failed: failed.map(str::to_owned) }
}

/// Other nodes that are told of traces at once.
const MAX_TELLING: usize = 32;
/// Requests that are told of; the oldest gives way.
const MAX_WAYS: usize = 4096;
