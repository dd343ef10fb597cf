//! Long byte strings of one length each, on the heap.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::tagged_hash;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `N` bytes. Canonical: just they, without a length. JSON: their hex.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Octets<const N: usize>(Box<[u8; N]>);

impl<const N: usize> Octets<N> {
    /// The bytes, or nothing if there are more or fewer than `N`.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.to_vec().into_boxed_slice().try_into().ok().map(Self)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> BorshSerialize for Octets<N> {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        writer.write_all(self.0.as_slice())
    }
}

impl<const N: usize> BorshDeserialize for Octets<N> {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let mut bytes = Box::new([0; N]);
        reader.read_exact(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }
}

impl<const N: usize> fmt::Debug for Octets<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Octets({N}: {})", tagged_hash("keystead/debug", self.0.as_slice()).short())
    }
}

impl<const N: usize> Serialize for Octets<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&const_hex::encode(self.0.as_slice()))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Octets<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        let bytes = const_hex::decode(text).map_err(serde::de::Error::custom)?;
        Self::from_slice(&bytes).ok_or_else(|| {
            serde::de::Error::custom(format!("expected {N} bytes in hex, found {}", bytes.len()))
        })
    }
}
