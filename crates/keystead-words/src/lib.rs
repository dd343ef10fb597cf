//! The words that a contract's author has for its bytes: ERC-7730 descriptors, read strictly.
//!
//! A descriptor says how to show the arguments of a call or the fields of typed data. What it says stands beside
//! the effects that `keystead-chain` reads from the same bytes, never instead of them: a descriptor is somebody's
//! word about a contract. Numbers, tokens and addresses in it are written by the same [`keystead_chain::Speaker`],
//! and every argument is either shown or said to be left out.
//!
//! Descriptors come from two places: a set of our own that is part of the program ([`Library::bundled`]), and files
//! whose digests stand in the signed policy ([`Library::add`]). The page `specs/words.md` says what is read of the
//! standard, and what is not.

mod abi;
mod descriptor;
mod error;
mod field;
mod file;
mod include;
mod kind;
mod language;
mod library;
mod path;
mod phrase;
mod render;
mod template;
mod value;

pub use descriptor::{Descriptor, MAX_DESCRIPTOR_BYTES, descriptor_digest};
pub use error::DescriptorError;
pub use include::join;
pub use keystead_speech::{Language, Phrase};
pub use library::{BUNDLED_SET, Library};
