//! A 32-byte SHA-256 digest, and the one way to make it: with a domain.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// Thirty-two bytes of SHA-256, shown as lower-case hex.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// All zero: the parent of the first block, the predecessor of the first policy version.
    pub const ZERO: Self = Self([0; 32]);

    /// The digest's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight hex digits, for tables and logs; never for comparison.
    #[must_use]
    pub fn short(&self) -> String {
        const_hex::encode(self.0).chars().take(8).collect()
    }
}

/// `SHA-256(u8 length of domain || domain || bytes)`.
///
/// The length byte keeps two domains, one a prefix of the other, from ever meeting.
///
/// # Panics
///
/// Never for the domains of this workspace: they are constants shorter than 256 bytes.
#[must_use]
pub fn tagged_hash(domain: &str, bytes: &[u8]) -> Digest {
    let length = u8::try_from(domain.len()).unwrap_or(u8::MAX);
    let mut hash = Sha256::new();
    hash.update([length]);
    hash.update(domain.as_bytes());
    hash.update(bytes);
    Digest(hash.finalize().into())
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&const_hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = text.chars().count();
        const_hex::decode_to_array(text).map(Self).map_err(|_| DigestError { found })
    }
}

/// Text that is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits, found {found} characters that are not that")]
pub struct DigestError {
    /// How many characters there were.
    pub found: usize,
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <String as Deserialize>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_and_its_prefix_never_meet() {
        assert_ne!(tagged_hash("ab", b"c"), tagged_hash("a", b"bc"));
    }

    #[test]
    fn hex_goes_there_and_back() {
        let digest = tagged_hash("keystead/test", b"");
        assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
    }
}
