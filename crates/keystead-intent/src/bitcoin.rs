//! Bitcoin as intents name it: its networks among the chains, coins, and what is ours there.

use alloy_primitives::{Address, Bytes};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest, Name, RequestId};
use serde::{Deserialize, Serialize};

use crate::{AccountRef, ChainId};

/// The highest EIP-155 chain id (EIP-2294). Those above it are no chain of Ethereum's kind; Bitcoin's networks
/// have the first of them, so that no number means two chains.
pub const MAX_EIP155_CHAIN: u64 = 9_223_372_036_854_775_771;

impl ChainId {
    /// Bitcoin, whose coins are worth money.
    pub const BITCOIN_MAINNET: Self = Self(MAX_EIP155_CHAIN + 1);
    /// Bitcoin's public test network (BIP-94).
    pub const BITCOIN_TESTNET4: Self = Self(MAX_EIP155_CHAIN + 2);
    /// Bitcoin's test network whose blocks are signed (BIP-325).
    pub const BITCOIN_SIGNET: Self = Self(MAX_EIP155_CHAIN + 3);
    /// A private network of Bitcoin's kind.
    pub const BITCOIN_REGTEST: Self = Self(MAX_EIP155_CHAIN + 4);

    /// The network's stable name, where this is a network of Bitcoin's.
    #[must_use]
    pub fn bitcoin(self) -> Option<&'static str> {
        match self {
            Self::BITCOIN_MAINNET => Some("mainnet"),
            Self::BITCOIN_TESTNET4 => Some("testnet4"),
            Self::BITCOIN_SIGNET => Some("signet"),
            Self::BITCOIN_REGTEST => Some("regtest"),
            _ => None,
        }
    }
}

/// Signs what a PSBT spends of one account's coins (BIP-174, 370).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PsbtSpend {
    /// Whose coins: the index is the account of BIP-44.
    pub account: AccountRef,
    /// On which network of Bitcoin's.
    pub chain: ChainId,
    /// The PSBT, as bytes.
    pub psbt: Bytes,
    /// The request whose coins it spends again, where it replaces one (S4).
    pub replaces: Option<RequestId>,
    /// The wallet that the account's key shares with others, by the name that policy gives it; the key's own without.
    pub shared: Option<Name>,
}

impl Canonical for PsbtSpend {
    const DOMAIN: &'static str = "keystead/psbt-spend/v1";
}

/// One coin: an output of a transaction.
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
#[serde(deny_unknown_fields)]
pub struct Coin {
    /// The transaction's hash as its bytes are, which people see reversed.
    pub transaction: Digest,
    /// Which of its outputs.
    pub output: u32,
}

impl std::fmt::Display for Coin {
    /// As people see it: the hash reversed, and the output.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut seen = self.transaction;
        seen.0.reverse();
        write!(f, "{seen}:{}", self.output)
    }
}

/// What a transaction of Bitcoin's spends, and at which rate it pays for its place.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoinSpend {
    /// The coins, ascending: at most one transaction is signed for any of them (S4).
    pub coins: Vec<Coin>,
    /// The fee rate in satoshi for each virtual byte, rounded up.
    pub fee_rate: u64,
    /// What it waits for before it is valid.
    pub lock: SpendLock,
}

/// What a transaction waits for before a block may hold it (BIP-65, 68, 113).
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct SpendLock {
    /// The block before which it is not valid, or from [`Self::FIRST_TIME`] on the Unix time; zero where nothing holds it to
    /// either.
    pub lock_time: u32,
    /// How many blocks what it spends has to be old; the most of all inputs.
    pub relative_blocks: u16,
    /// How many seconds what it spends has to be old; the most of all inputs.
    pub relative_seconds: u32,
}

impl SpendLock {
    /// From here on a lock time is a Unix time.
    pub const FIRST_TIME: u32 = 500_000_000;

    /// Whether it waits for nothing.
    #[must_use]
    pub fn is_final(&self) -> bool {
        *self == Self::default()
    }
}

impl std::fmt::Display for SpendLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let absolute = match self.lock_time {
            0 => None,
            height @ 1..Self::FIRST_TIME => Some(format!("for block {height}")),
            time => Some(format!("until {time} (Unix time)")),
        };
        let blocks = (self.relative_blocks > 0)
            .then(|| format!("until what it spends is {} blocks old", self.relative_blocks));
        let seconds = (self.relative_seconds > 0)
            .then(|| format!("until what it spends is {} seconds old", self.relative_seconds));
        let parts: Vec<_> = [absolute, blocks, seconds].into_iter().flatten().collect();
        if parts.is_empty() { f.write_str("for nothing") } else { f.write_str(&parts.join(", and ")) }
    }
}

/// What is ours of one key on one network, as the log records it: the descriptors of BIP-44, 49, 84 and 86 for one
/// account, each in its canonical text with its checksum. Of a wallet that the key shares with others, the one descriptor
/// that policy has of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BitcoinWallet {
    /// The network.
    pub chain: ChainId,
    /// The account of BIP-44.
    pub account: u32,
    /// `pkh`, `sh(wpkh)`, `wpkh` and `tr`, in this order; or `wsh(sortedmulti)` alone; or of a key in shares, `wpkh` alone.
    pub descriptors: Vec<String>,
    /// The key that signs beside those of others (BIP-48), as descriptors have it; empty for a key in shares.
    pub cosigner: String,
}

impl Canonical for BitcoinWallet {
    const DOMAIN: &'static str = "keystead/bitcoin-wallet/v1";
}

impl BitcoinWallet {
    /// The wallet's id, where an account on Ethereum has its address: the first 20 bytes of its digest.
    #[must_use]
    pub fn id(&self) -> Address {
        first_twenty(&self.digest())
    }
}

/// Where coins go on one network.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BitcoinDestination {
    /// The network.
    pub chain: ChainId,
    /// The script that the coins are locked with.
    pub script: Bytes,
}

impl Canonical for BitcoinDestination {
    const DOMAIN: &'static str = "keystead/bitcoin-destination/v1";
}

impl BitcoinDestination {
    /// The destination's id, under which the address book and windows name it: the first 20 bytes of its digest.
    #[must_use]
    pub fn id(&self) -> Address {
        first_twenty(&self.digest())
    }
}

pub(crate) fn first_twenty(digest: &Digest) -> Address {
    let mut id = Address::ZERO;
    id.0.iter_mut().zip(digest.0).for_each(|(to, from)| *to = from);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    /// INVARIANT S8: no number is both a chain of Ethereum's kind and a network of Bitcoin's.
    #[test]
    fn s08_networks_of_bitcoin_are_beyond_every_eip_155_chain_and_have_names() {
        let names: Vec<_> = (0..7).map(|more| ChainId(MAX_EIP155_CHAIN + more).bitcoin()).collect();
        let [mainnet, testnet4, signet, regtest] = ["mainnet", "testnet4", "signet", "regtest"].map(Some);
        assert_eq!(names, [None, mainnet, testnet4, signet, regtest, None, None]);
        assert_eq!(ChainId::BITCOIN_REGTEST.to_string(), "bitcoin:regtest");
        assert_eq!(ChainId(1).to_string(), "eip155:1");
    }

    #[test]
    fn ids_tell_networks_and_scripts_apart() {
        let id = |chain, script: &'static [u8]| {
            BitcoinDestination { chain, script: Bytes::from_static(script) }.id()
        };
        let (main, test) = (ChainId::BITCOIN_MAINNET, ChainId::BITCOIN_REGTEST);
        assert_ne!(id(main, b"\x51"), id(test, b"\x51"));
        assert_ne!(id(main, b"\x51"), id(main, b"\x52"));
        assert_eq!(id(main, b"\x51"), id(main, b"\x51"));
    }
}
