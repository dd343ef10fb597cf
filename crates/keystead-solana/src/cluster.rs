//! The clusters, each a type's value of its own: nothing for one is ever read as something for another.

use std::fmt;
use std::str::FromStr;

use keystead_base::{Blame, Coded};
use keystead_intent::ChainId;

/// A Solana cluster. **No transaction names its cluster**: only the recent blockhash, which nobody can tell from bytes,
/// or the value of a nonce account keeps one for the test clusters from being one for real money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cluster {
    /// The cluster whose coins are worth money.
    Mainnet,
    /// The public cluster for those who build applications.
    Devnet,
    /// The public cluster for those who run validators.
    Testnet,
    /// A private cluster that makes its own blocks.
    Localnet,
}

impl Cluster {
    /// Every cluster.
    pub const ALL: [Self; 4] = [Self::Mainnet, Self::Devnet, Self::Testnet, Self::Localnet];

    /// The cluster's stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mainnet => "mainnet",
            Self::Devnet => "devnet",
            Self::Testnet => "testnet",
            Self::Localnet => "localnet",
        }
    }

    /// The chain that intents, policies and limits name it by.
    #[must_use]
    pub fn chain(self) -> ChainId {
        match self {
            Self::Mainnet => ChainId::SOLANA_MAINNET,
            Self::Devnet => ChainId::SOLANA_DEVNET,
            Self::Testnet => ChainId::SOLANA_TESTNET,
            Self::Localnet => ChainId::SOLANA_LOCALNET,
        }
    }

    /// The cluster of a chain, where it is one of Solana's.
    #[must_use]
    pub fn of(chain: ChainId) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.chain() == chain)
    }

    /// The hash of its first block in Base58, by which a server shows which cluster it is of; none for a private one.
    #[must_use]
    pub fn genesis(self) -> Option<&'static str> {
        match self {
            Self::Mainnet => Some("5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"),
            Self::Devnet => Some("EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG"),
            Self::Testnet => Some("4uhcVJyU9pJkvQyS88uRDiswHXSGkY3zQawwpjk2NsNY"),
            Self::Localnet => None,
        }
    }

    /// The name of CAIP-2 (namespace `solana`): the first 32 letters of the genesis hash.
    #[must_use]
    pub fn caip2(self) -> Option<String> {
        let reference: String = self.genesis()?.chars().take(CAIP2_LETTERS).collect();
        Some(format!("solana:{reference}"))
    }
}

/// How long a reference of CAIP-2 may be.
const CAIP2_LETTERS: usize = 32;

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Cluster {
    type Err = ClusterError;

    fn from_str(text: &str) -> Result<Self, ClusterError> {
        Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or(ClusterError)
    }
}

/// A name that no cluster has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected mainnet, devnet, testnet or localnet, found another name")]
pub struct ClusterError;

impl Coded for ClusterError {
    fn code(&self) -> &'static str {
        "cluster.unknown"
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s08_a_cluster_is_one_chain_and_one_name() {
        for cluster in Cluster::ALL {
            assert_eq!(Cluster::of(cluster.chain()), Some(cluster));
            assert_eq!(cluster.as_str().parse(), Ok(cluster));
            assert_eq!(cluster.chain().solana(), Some(cluster.as_str()));
            assert!(cluster.genesis().is_none_or(|it| it.parse::<crate::Pubkey>().is_ok()), "32 bytes");
        }
        assert_eq!(Cluster::of(ChainId::BITCOIN_MAINNET), None);
        let caip2 = Cluster::ALL.map(|it| it.caip2().unwrap_or_default());
        assert_eq!(caip2[0], "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp");
        assert_eq!(caip2[1], "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1");
        assert_eq!(caip2[2], "solana:4uhcVJyU9pJkvQyS88uRDiswHXSGkY3z");
    }
}
