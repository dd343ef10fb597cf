//! EIP-712 typed data: strict JSON, a closed set of types, one hash, and the forms that are known.

mod document;
mod domain;
mod fields;
mod json;
pub(crate) mod known;
mod schema;
mod value;

pub use document::Document;
pub use domain::Domain;
pub use json::{TypedDataError, strict_json};
pub use schema::encode_type;
pub use value::Value;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_known;
