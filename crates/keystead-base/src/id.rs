//! Names people give, and ids that digests give.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Blame, Coded, Digest};

/// The longest name.
pub const MAX_NAME_BYTES: usize = 64;

/// A name of a key, person, device, role, node, rule or window.
///
/// One to 64 bytes of `a-z 0-9 - _ .`, first a letter or digit: nothing that a terminal, a path or
/// Cedar could read in another way, and no two that look alike through letter case. Clones share the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

impl Name {
    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() || text.len() > MAX_NAME_BYTES {
            return Err(NameError::Length { found: text.len() });
        }
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if let Some(found) = text.chars().find(|c| !fits(*c) && !matches!(c, '-' | '_' | '.')) {
            return Err(NameError::Character { found });
        }
        match text.chars().next() {
            Some(first) if fits(first) => Ok(Self(text.into())),
            first => Err(NameError::First { found: first.unwrap_or_default() }),
        }
    }
}

/// Why a text is not a [`Name`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty or too long.
    #[error("a name has 1 to {MAX_NAME_BYTES} bytes, found {found}")]
    Length {
        /// The length found.
        found: usize,
    },
    /// A character outside the set.
    #[error("a name is made of a-z, 0-9, '-', '_' and '.', found {found:?}")]
    Character {
        /// The character.
        found: char,
    },
    /// Starts with punctuation.
    #[error("a name starts with a letter or digit, found {found:?}")]
    First {
        /// The character.
        found: char,
    },
}

impl Coded for NameError {
    fn code(&self) -> &'static str {
        match self {
            Self::Length { .. } => "name.length",
            Self::Character { .. } => "name.character",
            Self::First { .. } => "name.first",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

impl BorshSerialize for Name {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        BorshSerialize::serialize(self.as_str(), writer)
    }
}

impl BorshDeserialize for Name {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        String::deserialize_reader(reader)?.parse().map_err(|error: NameError| {
            borsh::io::Error::new(borsh::io::ErrorKind::InvalidData, error.to_string())
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <String as Deserialize>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! digest_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
            Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub Digest);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = crate::DigestError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

digest_id! {
    /// The digest of the genesis document. It stands in every intent, approval, block and vote, so
    /// that nothing signed for one cluster means anything to another.
    ClusterId
}

digest_id! {
    /// The digest of an intent: what an approval is for.
    RequestId
}

/// Sixteen bytes chosen by the requester: the same request sent twice is one request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct RequestNonce(pub [u8; 16]);

impl fmt::Debug for RequestNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestNonce({})", const_hex::encode(self.0))
    }
}

impl Serialize for RequestNonce {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&const_hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for RequestNonce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        const_hex::decode_to_array(text).map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_words() {
        for good in ["a", "hot-1", "3fa.x_y"] {
            assert_eq!(good.parse::<Name>().map(|n| n.to_string()), Ok(good.to_owned()));
        }
        for (bad, code) in [
            ("", "name.length"),
            ("A", "name.character"),
            ("-a", "name.first"),
            ("a b", "name.character"),
            ("é", "name.character"),
        ] {
            assert_eq!(bad.parse::<Name>().unwrap_err().code(), code);
        }
    }
}
