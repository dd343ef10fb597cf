//! The words of one person's share, on their way to that person's paper.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Words of a share: wiped when dropped, and printed by nobody. Only the stream between the two processes has their bytes.
pub struct ShareWords(Secret<String>);

impl ShareWords {
    /// The words, for whoever shows them to their owner.
    #[must_use]
    pub fn into_secret(self) -> Secret<String> {
        self.0
    }

    fn text(&self) -> &str {
        self.0.expose()
    }
}

impl From<Secret<String>> for ShareWords {
    fn from(words: Secret<String>) -> Self {
        Self(words)
    }
}

impl Clone for ShareWords {
    fn clone(&self) -> Self {
        Self(Secret::new(self.text().to_owned()))
    }
}

impl fmt::Debug for ShareWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShareWords(…)")
    }
}

impl PartialEq for ShareWords {
    fn eq(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq as _;
        bool::from(self.text().as_bytes().ct_eq(other.text().as_bytes()))
    }
}

impl Eq for ShareWords {}

impl BorshSerialize for ShareWords {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        BorshSerialize::serialize(self.0.expose(), writer)
    }
}

impl BorshDeserialize for ShareWords {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        String::deserialize_reader(reader).map(|words| Self(Secret::new(words)))
    }
}

/// For the vectors of the protocol.
impl Serialize for ShareWords {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

impl<'de> Deserialize<'de> for ShareWords {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <String as Deserialize>::deserialize(deserializer).map(|words| Self(Secret::new(words)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reply;

    #[test]
    fn k1_a_reply_prints_no_word_of_a_share() {
        let words = || ShareWords::from(Secret::new("shadow pistol academic".to_owned()));
        assert_eq!(format!("{:?}", Reply::Words(words())), "Words(ShareWords(…))");
        assert_eq!(
            (words(), words().clone().into_secret().expose().as_str()),
            (words(), "shadow pistol academic")
        );
        let bytes = borsh::to_vec(&words()).unwrap();
        assert_eq!(ShareWords::try_from_slice(&bytes).unwrap(), words());
    }
}
