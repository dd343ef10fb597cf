//! One known function: its selector, and what a call of it does.

use alloy_sol_types::SolCall;
use alloy_sol_types::abi::AbiDecoderConfig;

use super::{Frame, Walk};

/// A row of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function {
    /// The first four bytes of the Keccak-256 of the signature.
    pub(crate) selector: [u8; 4],
    /// For instance `transfer(address,uint256)`.
    pub(crate) signature: &'static str,
    /// Adds the call's effects; adds none when it fails.
    pub(crate) read: Read,
}

/// Reads one call.
pub(crate) type Read = fn(&mut Walk<'_>, &Frame<'_>) -> Result<(), Malformed>;

/// Arguments that do not decode strictly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The row of a function.
pub(crate) const fn function<C: SolCall>(read: Read) -> Function {
    Function { selector: C::SELECTOR, signature: C::SIGNATURE, read }
}

impl Frame<'_> {
    /// Decodes the arguments, if they are the one canonical encoding of themselves.
    ///
    /// Contracts read other encodings too (dirty high bits, shared or shifted tails, bytes after
    /// the end); two readers could then see two things in the same bytes.
    pub(crate) fn decode<C: SolCall>(&self) -> Result<C, Malformed> {
        let call = C::abi_decode_with_config(self.data, STRICT).map_err(|_| Malformed)?;
        match call.abi_encode() == self.data {
            true => Ok(call),
            false => Err(Malformed),
        }
    }
}

/// The deepest types here are lists of structs with bytes; memory is bounded by the payload's own limit.
const STRICT: AbiDecoderConfig =
    AbiDecoderConfig::new().strict(true).recursion_limit(8).memory_limit(4 << 20);
