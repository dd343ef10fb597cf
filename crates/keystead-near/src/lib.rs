//! Bytes to effects for NEAR (specs/near.md).
//!
//! A [`Transaction`] is what somebody would have us sign, read strictly: what is accepted is written again as the very
//! same bytes. [`explain`] says what its signature does, [`Transaction::hash`] is what ML-DSA-65 signs, and
//! [`Transaction::assemble`] joins it with a signature that it verified.

mod account;
mod action;
mod effects;
mod key;
mod reader;
mod refusal;
mod transaction;
#[cfg(test)]
mod vectors;

pub use account::AccountId;
pub use action::{Action, Permission};
pub use effects::{Effect, EffectKind, explain};
pub use key::PublicKey;
pub use refusal::Refusal;
pub use transaction::{MAX_ACTIONS, MAX_TRANSACTION_BYTES, Transaction};
