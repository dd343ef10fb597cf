//! Bytes to effects and back for Ethereum.
//!
//! [`build`] makes the exact bytes of a request, [`explain`] reads everything that a signature over
//! them would do from those bytes and the signed registry alone, [`assemble`] joins them with their
//! signature, and [`describe`] puts effects into plain words.

mod assemble;
mod build;
mod call;
mod explain;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod fuzz;
mod transaction;
pub mod typed_data;
mod unsigned;
mod words;

pub use assemble::{AssembleError, Assembled, assemble, assemble_released, recover};
pub use build::{BuildError, build};
pub use call::{MAX_CALL_DEPTH, MAX_CALLS, MAX_EFFECTS};
pub use explain::explain;
pub use keystead_intent::{AssetIndex, is_plain};
pub use transaction::Transaction;
pub use unsigned::{Payload, Unsigned};
pub use words::{AddressBook, Line, Speaker, describe, describe_as, describe_run, moment};
