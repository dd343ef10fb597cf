//! Bytes to effects for NEAR (specs/near.md).
//!
//! A [`Transaction`] is what somebody would have us sign, read strictly: what is accepted is written again as the very
//! same bytes. [`explain`] says what its signature does, [`Transaction::hash`] is what ML-DSA-65 signs, and
//! [`Transaction::assemble`] joins it with a signature that it verified. An [`Unsigned`] is one for a key of ours on one
//! [`Network`], with its effects as policy reads them; [`describe_as`] puts it into words.

mod account;
mod action;
#[cfg(test)]
mod documents;
mod draft;
mod effects;
mod fee;
mod intents;
mod key;
mod network;
mod reader;
mod refusal;
mod subject;
#[cfg(test)]
mod terms;
mod transaction;
mod unsigned;
#[cfg(test)]
mod vectors;
mod words;

pub use account::AccountId;
pub use action::{Action, Permission};
pub use draft::Draft;
pub use effects::{Effect, EffectKind, explain};
pub use intents::selector;
pub use key::PublicKey;
pub use network::{Network, NetworkError};
pub use refusal::Refusal;
pub use subject::Subject;
pub use transaction::{MAX_ACTIONS, MAX_TRANSACTION_BYTES, Transaction};
pub use unsigned::Unsigned;
pub use words::{Line, Speaker, describe_as};
