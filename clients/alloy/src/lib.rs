#![doc = include_str!("../README.md")]

mod document;
mod error;
mod signer;
#[cfg(test)]
mod tests;

pub use alloy_rpc_client;
pub use error::KeysteadSignerError;
pub use signer::KeysteadSigner;
