//! An approver's own reading of a request: from raw bytes, never from the server's words.
//!
//! A server says what waits and what it would sign. [`review`] takes the request alone, builds the bytes
//! from it, reads the words out of those bytes, and computes what an approval has to name. Where the
//! server said something else, nothing comes back that could be signed.
//!
//! It knows no file, no terminal and no connection: every approver's client calls it, whatever it runs on.

mod error;
pub mod policy_words;
mod review;
mod words;

pub use error::ReviewError;
pub use review::{Reviewed, review};
pub use words::{
    address_book, change_words, change_words_in, effect_words, message_words, near_words, run_words,
    spend_words,
};
