//! Addresses: scripts as people copy them, always together with their network.

use std::str::FromStr;

use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Script, ScriptBuf};
use keystead_base::{Blame, Coded};

use crate::Network;

/// The longest address that BIP-173 allows.
const MAX_ADDRESS_BYTES: usize = 90;

/// The address of a script of one of the five standard kinds; none for every other script.
///
/// A witness program of a version that has no meaning yet has an address, too, and whoever is first may
/// spend from it. It is therefore a script like any unknown one here.
#[must_use]
pub fn address_of(script: &Script, network: Network) -> Option<String> {
    let standard =
        script.is_p2pkh() || script.is_p2sh() || script.is_p2wpkh() || script.is_p2wsh() || script.is_p2tr();
    let address = standard.then(|| Address::from_script(script, network.params()).ok()).flatten()?;
    Some(address.to_string())
}

/// The script of an address of this network.
///
/// # Errors
///
/// [`AddressError`] says whether it is no address, one of another network, or one that nothing standard has.
pub fn parse_address(text: &str, network: Network) -> Result<ScriptBuf, AddressError> {
    if text.len() > MAX_ADDRESS_BYTES {
        return Err(AddressError::TooLong { limit: MAX_ADDRESS_BYTES, found: text.len() });
    }
    let address = Address::<NetworkUnchecked>::from_str(text).map_err(|_| AddressError::Malformed)?;
    let address = address
        .require_network(network.params())
        .map_err(|_| AddressError::WrongNetwork { expected: network })?;
    let script = address.script_pubkey();
    match address_of(&script, network) {
        Some(_) => Ok(script),
        None => Err(AddressError::NotStandard),
    }
}

/// Why a text is no address to pay to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Longer than any address.
    #[error("an address has at most {limit} letters, found {found}")]
    TooLong {
        /// The limit.
        limit: usize,
        /// The length found.
        found: usize,
    },
    /// Neither Base58Check nor Bech32(m), or a wrong checksum.
    #[error("this is no Bitcoin address: a letter is wrong or missing; copy it again")]
    Malformed,
    /// The address of another network.
    #[error("the address is not one of {expected}: ask its owner for one of that network")]
    WrongNetwork {
        /// The network that was asked for.
        expected: Network,
    },
    /// A witness version without a meaning, or a program of an odd length.
    #[error("anybody could take what is sent there: this witness version has no rules yet")]
    NotStandard,
}

impl Coded for AddressError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "address.too_long",
            Self::Malformed => "address.malformed",
            Self::WrongNetwork { .. } => "address.wrong_network",
            Self::NotStandard => "address.not_standard",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

#[cfg(test)]
mod tests;
