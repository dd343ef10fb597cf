//! Addresses: 32 bytes that people see in Base58, and those that a program's seeds derive.

use std::fmt;
use std::str::FromStr;

use alloy_primitives::Address;
use keystead_base::{Blame, Coded, Digest};
use keystead_intent::SolanaAddress;

use crate::Cluster;

/// The most letters that 32 bytes have in Base58.
pub const MAX_PUBKEY_LETTERS: usize = 44;

/// An address of a wallet, a token account, a mint or a program: the same 32 bytes on every cluster. A wallet's is its
/// Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pubkey(pub [u8; 32]);

impl Pubkey {
    /// From the one Base58 form of it, for constants: anything else does not compile.
    pub(crate) const fn of(text: &str) -> Self {
        Self(bs58::decode(text.as_bytes()).into_array_const_unwrap())
    }

    /// The id under which effects, the address book and windows name it on one cluster.
    #[must_use]
    pub fn id(self, cluster: Cluster) -> Address {
        SolanaAddress { chain: cluster.chain(), key: Digest(self.0) }.id()
    }
}

impl fmt::Display for Pubkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&bs58::encode(self.0).into_string())
    }
}

impl fmt::Debug for Pubkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pubkey({self})")
    }
}

impl FromStr for Pubkey {
    type Err = PubkeyError;

    fn from_str(text: &str) -> Result<Self, PubkeyError> {
        if text.len() > MAX_PUBKEY_LETTERS {
            return Err(PubkeyError::TooLong { limit: MAX_PUBKEY_LETTERS, found: text.len() });
        }
        let bytes = bs58::decode(text).into_vec().map_err(|_| PubkeyError::Alphabet)?;
        let found = bytes.len();
        bytes.try_into().map(Self).map_err(|_| PubkeyError::Length { found })
    }
}

/// Why a text is no address. Base58 here has no checksum: another letter may be another address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PubkeyError {
    /// More letters than any address has.
    #[error("an address has at most {limit} letters, found {found}")]
    TooLong {
        /// The limit.
        limit: usize,
        /// The length found.
        found: usize,
    },
    /// A letter outside Base58.
    #[error("an address is written in Base58, which has no 0, O, I and l: copy it again")]
    Alphabet,
    /// Another number of bytes.
    #[error("an address has 32 bytes, found {found}: copy it again")]
    Length {
        /// The length found, in bytes.
        found: usize,
    },
}

impl Coded for PubkeyError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "pubkey.too_long",
            Self::Alphabet => "pubkey.alphabet",
            Self::Length { .. } => "pubkey.length",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_their_one_form() {
        let usdc = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";
        let key: Pubkey = usdc.parse().unwrap();
        assert_eq!(key.to_string(), usdc);
        assert_eq!("11111111111111111111111111111111".parse(), Ok(Pubkey([0; 32])));
        for (text, code) in [
            ("", "pubkey.length"),
            ("1111111111111111111111111111111", "pubkey.length"),
            ("111111111111111111111111111111111", "pubkey.length"),
            ("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyT", "pubkey.length"),
            ("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1vv", "pubkey.too_long"),
            ("0PjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "pubkey.alphabet"),
            ("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1 ", "pubkey.alphabet"),
            // 2^256 and more: 44 letters that are 33 bytes.
            ("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "pubkey.length"),
        ] {
            assert_eq!(text.parse::<Pubkey>().unwrap_err().code(), code, "{text}");
        }
    }

    #[test]
    fn s08_ids_tell_clusters_apart() {
        let key = Pubkey([7; 32]);
        let ids: std::collections::BTreeSet<_> = Cluster::ALL.into_iter().map(|it| key.id(it)).collect();
        assert_eq!(ids.len(), Cluster::ALL.len());
    }
}
