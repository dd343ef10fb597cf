//! What is proven of a policy version by a solver, or refuted with an example (specs/policy-proofs.md).
//!
//! Rules and quorum rows become one set of Cedar policies over a schema with a few more attributes: how many people
//! approved, how long it waited, which thresholds are reached. A stated property is a `forbid` over the same words;
//! it holds if no request that passes matches it. `cedar-policy-symcc` writes that as SMT-LIB, and cvc5 answers.

mod auxiliary;
#[cfg(test)]
mod differential;
mod error;
mod label;
mod ladder;
mod laws;
mod passage;
mod property;
mod prover;
#[cfg(test)]
mod tests;
mod witness;

pub use error::ProveError;
pub use label::{Label, Part, PartLabel, parts};
pub use property::{MAX_PROPERTIES, MAX_PROPERTIES_BYTES, Properties};
pub use prover::{Comparison, Finding, Prover, Theorem};
pub use witness::Witness;
