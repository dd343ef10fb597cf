//! The networks, each a type's value of its own.

use std::fmt;
use std::str::FromStr;

use keystead_base::{Blame, Coded};
use keystead_intent::ChainId;

use crate::AccountId;

/// A network of NEAR's. **No transaction names its network**: only the hash of a recent block, which nobody can tell from bytes, keeps
/// one for the test network from being one for real money; names that end in `.near` and `.testnet` are refused on the other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Network {
    /// The network whose coins are worth money.
    Mainnet,
    /// The public network for tests.
    Testnet,
}

impl Network {
    /// Every network.
    pub const ALL: [Self; 2] = [Self::Mainnet, Self::Testnet];

    /// The network's stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mainnet => "mainnet",
            Self::Testnet => "testnet",
        }
    }

    /// The chain that intents, policies and limits name it by.
    #[must_use]
    pub fn chain(self) -> ChainId {
        match self {
            Self::Mainnet => ChainId::NEAR_MAINNET,
            Self::Testnet => ChainId::NEAR_TESTNET,
        }
    }

    /// Whether an account's name says that it is another network's. Most names say nothing.
    pub(crate) fn is_foreign(self, account: &AccountId) -> bool {
        account.as_str().ends_with(match self {
            Self::Mainnet => ".testnet",
            Self::Testnet => ".near",
        })
    }

    /// The network of a chain, where it is one of NEAR's.
    #[must_use]
    pub fn of(chain: ChainId) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.chain() == chain)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or(NetworkError)
    }
}

/// A name that no network has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected mainnet or testnet, found another name")]
pub struct NetworkError;

impl Coded for NetworkError {
    fn code(&self) -> &'static str {
        "near.network"
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s08_a_network_is_one_chain_and_one_name() {
        for network in Network::ALL {
            assert_eq!(Network::of(network.chain()), Some(network));
            assert_eq!(network.as_str().parse(), Ok(network));
            assert_eq!(network.chain().near(), Some(network.as_str()));
        }
        assert_eq!((Network::of(ChainId(1)), "betanet".parse::<Network>()), (None, Err(NetworkError)));
    }
}
