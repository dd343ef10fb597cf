//! The networks, each a type's value of its own: nothing for one is ever read as something for another.

use std::fmt;
use std::str::FromStr;

use bitcoin::constants::genesis_block;
use bitcoin::{BlockHash, NetworkKind};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Blame, Coded};
use keystead_intent::ChainId;
use serde::{Deserialize, Serialize};

/// A Bitcoin network.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// The network whose coins are worth money.
    Mainnet,
    /// The public test network (BIP-94).
    Testnet4,
    /// The public test network whose blocks are signed (BIP-325).
    Signet,
    /// A private network that makes its own blocks.
    Regtest,
}

impl Network {
    /// Every network.
    pub const ALL: [Self; 4] = [Self::Mainnet, Self::Testnet4, Self::Signet, Self::Regtest];

    /// The network's stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mainnet => "mainnet",
            Self::Testnet4 => "testnet4",
            Self::Signet => "signet",
            Self::Regtest => "regtest",
        }
    }

    /// The chain that intents, policies and limits name it by.
    #[must_use]
    pub fn chain(self) -> ChainId {
        match self {
            Self::Mainnet => ChainId::BITCOIN_MAINNET,
            Self::Testnet4 => ChainId::BITCOIN_TESTNET4,
            Self::Signet => ChainId::BITCOIN_SIGNET,
            Self::Regtest => ChainId::BITCOIN_REGTEST,
        }
    }

    /// The network of a chain, where it is one of Bitcoin's.
    #[must_use]
    pub fn of(chain: ChainId) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.chain() == chain)
    }

    /// The coin type of BIP-44 (SLIP-44): 0 where coins are worth money, 1 elsewhere.
    #[must_use]
    pub fn coin_type(self) -> u32 {
        match self {
            Self::Mainnet => 0,
            Self::Testnet4 | Self::Signet | Self::Regtest => 1,
        }
    }

    /// How people write an amount of this network's coins.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Mainnet => "BTC",
            Self::Testnet4 | Self::Signet | Self::Regtest => "tBTC",
        }
    }

    /// An amount of them with all eight digits: `0.00100000 BTC`.
    #[must_use]
    pub fn amount(self, sat: u64) -> String {
        format!("{} {}", keystead_base::Amount::from(sat).with_all_decimals(DECIMALS), self.symbol())
    }

    /// The hash of its first block, by which a server shows which network it is on.
    #[must_use]
    pub fn genesis(self) -> BlockHash {
        genesis_block(self.params()).block_hash()
    }

    /// What extended keys and Base58 addresses tell apart: real money, or any test network.
    pub(crate) fn kind(self) -> NetworkKind {
        match self {
            Self::Mainnet => NetworkKind::Main,
            Self::Testnet4 | Self::Signet | Self::Regtest => NetworkKind::Test,
        }
    }

    pub(crate) fn params(self) -> bitcoin::Network {
        match self {
            Self::Mainnet => bitcoin::Network::Bitcoin,
            Self::Testnet4 => bitcoin::Network::Testnet4,
            Self::Signet => bitcoin::Network::Signet,
            Self::Regtest => bitcoin::Network::Regtest,
        }
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
#[error("expected mainnet, testnet4, signet or regtest, found another name")]
pub struct NetworkError;

impl Coded for NetworkError {
    fn code(&self) -> &'static str {
        "network.unknown"
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

/// Digits behind the point: a coin has 100,000,000 satoshi.
const DECIMALS: u8 = 8;
