//! The way of a request as spans that a collector may be told of, and nothing that it carries.
//!
//! A span says when a part began and ended, and of what kind it was: [`Field`] is the whole list of what it may say. There is
//! no field for a payload, a token, a key or a person's words, so none of them is ever told (K1). Nothing waits for
//! the collector: what finds the queue full is dropped and counted.

mod current;
mod export;
mod field;
mod otlp;
mod span;
#[cfg(test)]
mod tests;
mod tracer;

pub use current::{current, within};
pub use export::{Collector, Resource};
pub use field::Field;
pub use span::{Kind, Span};
pub use tracer::{Counted, MAX_WAITING_SPANS, Past, Tracer};
