//! A part of a request's way: from its making to its drop.

use std::fmt;
use std::time::SystemTime;

use keystead_wire::TraceContext;

use crate::field::plain_code;
use crate::tracer::{Finished, Pipe};
use crate::{Field, within};

/// Which end of a call a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// None.
    Internal,
    /// Whoever was asked.
    Server,
    /// Whoever asked.
    Client,
}

/// A part that has begun. It ends with its drop.
pub struct Span(pub(crate) Option<Box<Live>>);

pub(crate) struct Live {
    pub(crate) pipe: std::sync::Arc<Pipe>,
    pub(crate) span: Finished,
}

impl Span {
    /// Its place in its trace, for what is a part of it; none where nothing is traced.
    #[must_use]
    pub fn context(&self) -> Option<TraceContext> {
        self.0.as_ref().map(|live| live.span.context)
    }

    /// Says something of it.
    pub fn say(&mut self, field: Field) {
        if let Some(live) = &mut self.0 {
            live.span.fields.push(field);
        }
    }

    /// Says that it failed, by a stable code.
    pub fn fail(&mut self, code: &str) {
        if let Some(live) = &mut self.0 {
            live.span.failed = Some(plain_code(code));
        }
    }

    /// Runs as a part of it.
    pub async fn around<F: Future>(&self, part: F) -> F::Output {
        within(self.context(), part).await
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Span").field(&self.context()).finish()
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(mut live) = self.0.take() {
            live.span.end = SystemTime::now();
            live.pipe.hand_on(live.span);
        }
    }
}
