//! Names of accounts.

use std::fmt;
use std::str::FromStr;

use alloy_primitives::Address;
use keystead_intent::NearAccount;

use crate::{Network, Refusal};

/// An account's name, by NEAR's rules: so two names never differ in what is not seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(String);

impl AccountId {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id under which effects, the address book and windows name it on a network.
    #[must_use]
    pub fn id(&self, network: Network) -> Address {
        NearAccount { chain: network.chain(), name: self.0.clone() }.id()
    }
}

impl FromStr for AccountId {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let letter = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
        let parts = text.split(['.', '-', '_']);
        let good = (2..=64).contains(&text.len())
            && parts.clone().all(|it| !it.is_empty() && it.chars().all(letter));
        match good {
            true => Ok(Self(text.to_owned())),
            false => {
                let found = text.chars().filter(char::is_ascii_graphic).take(64).collect();
                Err(Refusal::Account { found })
            }
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
