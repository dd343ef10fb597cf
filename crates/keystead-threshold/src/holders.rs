//! Who holds the shares of a key, and how many of them it takes.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Blame, Coded, Name};
use serde::{Deserialize, Serialize};

/// The most nodes that one key is shared among.
pub const MAX_HOLDERS: usize = 16;

/// The nodes that hold the shares of a key in one epoch, and its threshold.
///
/// A node's share index is its place in the list, from 1 on. Nobody stands in it twice.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, Serialize, Deserialize)]
#[serde(try_from = "Unchecked", deny_unknown_fields)]
pub struct Holders {
    threshold: u8,
    members: Vec<Name>,
}

#[derive(BorshDeserialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    threshold: u8,
    members: Vec<Name>,
}

impl Holders {
    /// Any `threshold` of `members`, in the order of their share indices.
    ///
    /// # Errors
    ///
    /// [`HoldersError`] unless 2 ≤ threshold ≤ members ≤ [`MAX_HOLDERS`] and all are different.
    pub fn new(threshold: u8, members: Vec<Name>) -> Result<Self, HoldersError> {
        if members.len() > MAX_HOLDERS {
            return Err(HoldersError::TooMany { found: members.len() });
        }
        if threshold < 2 || usize::from(threshold) > members.len() {
            return Err(HoldersError::Threshold { found: threshold, members: members.len() });
        }
        if let Some(name) = twice(&members) {
            return Err(HoldersError::Twice { name });
        }
        Ok(Self { threshold, members })
    }

    /// How many sign.
    #[must_use]
    pub fn threshold(&self) -> u8 {
        self.threshold
    }

    /// All of them, the first having index 1.
    #[must_use]
    pub fn members(&self) -> &[Name] {
        &self.members
    }

    /// How many they are.
    #[must_use]
    pub fn count(&self) -> u8 {
        u8::try_from(self.members.len()).unwrap_or(u8::MAX)
    }

    /// A node's share index, from 1 on.
    #[must_use]
    pub fn index_of(&self, name: &Name) -> Option<u8> {
        let place = self.members.iter().position(|member| member == name)?;
        u8::try_from(place + 1).ok()
    }

    /// The node with a share index.
    #[must_use]
    pub fn name_of(&self, index: u8) -> Option<&Name> {
        self.members.get(usize::from(index).checked_sub(1)?)
    }

    /// Whether a node is one of them.
    #[must_use]
    pub fn holds(&self, name: &Name) -> bool {
        self.members.contains(name)
    }
}

/// The first name that stands in a list a second time.
pub(crate) fn twice(names: &[Name]) -> Option<Name> {
    let repeated = |(at, name): (usize, &Name)| names.iter().take(at).any(|earlier| earlier == name);
    names.iter().enumerate().find(|it| repeated(*it)).map(|(_, name)| name.clone())
}

impl TryFrom<Unchecked> for Holders {
    type Error = HoldersError;

    fn try_from(found: Unchecked) -> Result<Self, HoldersError> {
        Self::new(found.threshold, found.members)
    }
}

impl BorshDeserialize for Holders {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let found = Unchecked::deserialize_reader(reader)?;
        found.try_into().map_err(|error: HoldersError| {
            borsh::io::Error::new(borsh::io::ErrorKind::InvalidData, error.to_string())
        })
    }
}

/// Why nodes cannot hold a key together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoldersError {
    /// More than the limit.
    #[error("a key is shared among at most {MAX_HOLDERS} nodes, found {found}")]
    TooMany {
        /// How many there were.
        found: usize,
    },
    /// A threshold of less than two, or of more than there are.
    #[error("a threshold is at least 2 and at most the {members} holders, found {found}")]
    Threshold {
        /// The threshold.
        found: u8,
        /// How many holders there were.
        members: usize,
    },
    /// One node with two shares.
    #[error("`{name}` would hold two shares")]
    Twice {
        /// The node.
        name: Name,
    },
}

impl Coded for HoldersError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooMany { .. } => "holders.too_many",
            Self::Threshold { .. } => "holders.threshold",
            Self::Twice { .. } => "holders.twice",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<Name> {
        text.split_whitespace().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn an_index_is_a_place_from_one_on() {
        let holders = Holders::new(2, names("a b c")).unwrap();
        assert_eq!(holders.index_of(&"c".parse().unwrap()), Some(3));
        assert_eq!(holders.name_of(1).unwrap().as_str(), "a");
        assert_eq!(holders.name_of(0), None);
        assert_eq!(holders.name_of(4), None);
    }

    #[test]
    fn what_cannot_hold_a_key_is_refused_in_each_form() {
        for (threshold, members, code) in [
            (1, "a b", "holders.threshold"),
            (3, "a b", "holders.threshold"),
            (2, "a b a", "holders.twice"),
            (2, "a b c d e f g h i j k l m n o p q", "holders.too_many"),
        ] {
            assert_eq!(Holders::new(threshold, names(members)).unwrap_err().code(), code);
            let bytes = borsh::to_vec(&(threshold, names(members))).unwrap();
            assert!(Holders::try_from_slice(&bytes).is_err(), "{members}");
        }
    }
}
