//! Bytes to effects and back for Bitcoin.
//!
//! A [`Wallet`] is what is ours: [`Descriptor`]s of one [`Network`], as data.

mod address;
mod checksum;
mod derive;
mod descriptor;
#[cfg(test)]
mod fixture;
mod network;
mod wallet;

pub use address::{AddressError, address_of, parse_address};
pub use derive::{Branch, Derived, DerivedKey, Place};
pub use descriptor::{Descriptor, DescriptorError, Form, Key, MAX_DESCRIPTOR_BYTES, MAX_KEYS};
pub use network::{Network, NetworkError};
pub use wallet::{MAX_DESCRIPTORS, Owned, Wallet, WalletError};
