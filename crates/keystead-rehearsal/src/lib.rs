//! What a transaction would do, run on a block's state that somebody else reads.
//!
//! [`rehearse`] runs the exact transaction that would be signed with `revm`, on the state after one block, and asks
//! the tokens themselves what changed for the accounts that it is told about. It reads no chain: whoever calls it
//! brings a [`StateReader`], and what that cannot say makes the whole run unknown.

mod error;
mod machine;
mod memo;
mod questions;
mod reader;
mod rehearse;
mod traces;

#[cfg(test)]
mod tests;

pub use error::{RehearsalError, Unread};
pub use memo::MAX_READS;
pub use reader::{Head, Piece, Read, ReadAccount, StateReader};
pub use rehearse::{Watched, rehearse};
