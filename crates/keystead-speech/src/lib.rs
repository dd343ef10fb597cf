//! What people read, in every language: phrases, numbers, and addresses that look alike.
//!
//! A sentence that somebody approves by is a [`Phrase`] with its values. Each language is one file with a text for each
//! phrase, and a test holds the files to the same phrases and values. Nothing that is hashed, signed or decided has a
//! word of this crate in it: who reads German approves the same digest as who reads English.

mod alike;
mod language;
mod number;
mod phrase;
mod template;

pub use alike::{look_alike, texts_look_alike};
pub use language::{Language, LanguageError};
pub use number::grouped;
pub use phrase::Phrase;
