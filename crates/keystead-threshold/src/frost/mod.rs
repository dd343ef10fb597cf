//! BIP-340 and Ed25519 by FROST (RFC 9591): key generation and signing.

mod child;
mod generate;
mod sign;

pub use generate::Generate;
pub use sign::{MAX_MESSAGE_BYTES, Sign, Signature};
