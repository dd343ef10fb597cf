//! Where a seed comes from: sources that are tested before they are mixed, a receipt of it, and the word of who watched (E1).
//!
//! Nothing here draws a sample, opens a file or reads a clock: samples and the time come in. What a family of weak
//! generators would have made is found by [`weak`].

mod error;
mod hand;
mod health;
mod mixture;
mod receipt;
mod samples;
mod self_test;
mod source;
#[cfg(test)]
mod vectors;
pub mod weak;
mod witness;

pub use error::EntropyError;
pub use hand::{Symbols, Tally};
pub use health::Health;
pub use mixture::{Mixture, SEED_BYTES, expand, seed_check};
pub use receipt::{EntropyPromise, EntropyReceipt, MAX_WITNESSES, SourceRecord};
pub use samples::{MAX_SAMPLES, SALT_BYTES, Samples};
pub use self_test::ENTROPY_SELF_TESTS;
pub use source::{Claim, Source};
pub use witness::{EntropyWitness, WitnessError};
