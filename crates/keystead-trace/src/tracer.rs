//! Makes spans, and hands those that ended to the queue before the collector.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use keystead_wire::TraceContext;
use tokio::sync::mpsc;

use crate::export::{self, Collector, Resource};
use crate::field::plain_code;
use crate::span::Live;
use crate::{Field, Kind, Span};

/// Spans that wait for the collector; more are dropped, and counted.
pub const MAX_WAITING_SPANS: usize = 8192;

/// Makes spans; without a collector none. Clones share the queue.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<Pipe>>);

/// The near end of the queue.
pub(crate) struct Pipe {
    queue: mpsc::Sender<Finished>,
    tally: Arc<Tally>,
}

/// What became of spans.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sent: AtomicU64,
    pub(crate) dropped: AtomicU64,
}

/// How many spans the collector took, and how many it will never see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Taken.
    pub sent: u64,
    /// Dropped: the queue was full, or the collector did not take them.
    pub dropped: u64,
}

/// A span that ended.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    pub(crate) name: Cow<'static, str>,
    pub(crate) kind: Kind,
    pub(crate) context: TraceContext,
    pub(crate) parent: Option<[u8; 8]>,
    pub(crate) start: SystemTime,
    pub(crate) end: SystemTime,
    pub(crate) fields: Vec<Field>,
    pub(crate) failed: Option<String>,
}

/// A part that is over when it is first spoken of.
#[derive(Clone, Debug)]
pub struct Past {
    /// Its name.
    pub name: &'static str,
    /// Which end of a call it was.
    pub kind: Kind,
    /// When it began.
    pub start: SystemTime,
    /// When it ended.
    pub end: SystemTime,
    /// What is said of it.
    pub fields: Vec<Field>,
    /// The stable code of its failure.
    pub failed: Option<String>,
}

impl Tracer {
    /// Tells a collector, from a task of this runtime that ends with the last clone.
    #[must_use]
    pub fn to(collector: Collector, resource: Resource) -> Self {
        let (queue, waiting) = mpsc::channel(MAX_WAITING_SPANS);
        let tally = Arc::new(Tally::default());
        tokio::spawn(export::run(waiting, collector, resource, Arc::clone(&tally)));
        Self(Some(Arc::new(Pipe { queue, tally })))
    }

    /// Whether anybody is told.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// A part of `parent`, or the first of a trace of its own.
    #[must_use]
    pub fn span(&self, name: impl Into<Cow<'static, str>>, kind: Kind, parent: Option<TraceContext>) -> Span {
        let Some((pipe, context)) = self.0.as_ref().zip(self.place(parent)) else { return Span(None) };
        let now = SystemTime::now();
        let parent = parent.map(|it| it.span());
        let name = name.into();
        let span =
            Finished { name, kind, context, parent, start: now, end: now, fields: Vec::new(), failed: None };
        Span(Some(Box::new(Live { pipe: Arc::clone(pipe), span })))
    }

    /// A new place: in the trace of `parent`, and told of where that one is, or in one of its own.
    #[must_use]
    pub fn place(&self, parent: Option<TraceContext>) -> Option<TraceContext> {
        self.0.as_ref()?;
        match parent {
            Some(parent) => TraceContext::new(parent.trace(), random()?, parent.is_sampled()),
            None => TraceContext::new(random()?, random()?, true),
        }
    }

    /// A part of `parent` that is over already.
    pub fn tell(&self, parent: TraceContext, past: Past) {
        if let Some(context) = self.place(Some(parent)) {
            self.tell_at(context, Some(parent.span()), past);
        }
    }

    /// The same at a place that was made before, below `parent`.
    pub fn tell_at(&self, context: TraceContext, parent: Option<[u8; 8]>, past: Past) {
        let Some(pipe) = &self.0 else { return };
        let Past { name, kind, start, end, fields, failed } = past;
        let (name, failed) = (name.into(), failed.as_deref().map(plain_code));
        pipe.hand_on(Finished { name, kind, context, parent, start, end, fields, failed });
    }

    /// How many spans the collector took, and how many were dropped.
    #[must_use]
    pub fn counted(&self) -> Counted {
        let Some(pipe) = &self.0 else { return Counted::default() };
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counted { sent: read(&pipe.tally.sent), dropped: read(&pipe.tally.dropped) }
    }
}

impl Pipe {
    /// Never waits. What its caller does not want told is told to nobody.
    pub(crate) fn hand_on(&self, span: Finished) {
        if span.context.is_sampled() && self.queue.try_send(span).is_err() {
            self.tally.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tracer({})", if self.is_on() { "on" } else { "off" })
    }
}

/// A system without randomness makes no spans.
fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}
