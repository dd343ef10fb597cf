//! Solana as intents name it: its clusters among the chains, its addresses, and the places that a durable nonce gives.

use alloy_primitives::{Address, Bytes};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest};
use serde::{Deserialize, Serialize};

use crate::bitcoin::first_twenty;
use crate::{AccountRef, ChainId, MAX_EIP155_CHAIN, Slot};

impl ChainId {
    /// Solana's cluster whose coins are worth money (`mainnet-beta`).
    pub const SOLANA_MAINNET: Self = Self(MAX_EIP155_CHAIN + 5);
    /// Solana's cluster for those who build applications.
    pub const SOLANA_DEVNET: Self = Self(MAX_EIP155_CHAIN + 6);
    /// Solana's cluster for those who run validators.
    pub const SOLANA_TESTNET: Self = Self(MAX_EIP155_CHAIN + 7);
    /// A private cluster of Solana's kind.
    pub const SOLANA_LOCALNET: Self = Self(MAX_EIP155_CHAIN + 8);

    /// The cluster's stable name, where this is a cluster of Solana's.
    #[must_use]
    pub fn solana(self) -> Option<&'static str> {
        match self {
            Self::SOLANA_MAINNET => Some("mainnet"),
            Self::SOLANA_DEVNET => Some("devnet"),
            Self::SOLANA_TESTNET => Some("testnet"),
            Self::SOLANA_LOCALNET => Some("localnet"),
            _ => None,
        }
    }
}

/// Signs a message of Solana's, legacy or of version 0.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolanaMessage {
    /// Who signs.
    pub account: AccountRef,
    /// The cluster that it is meant for; the bytes name none.
    pub chain: ChainId,
    /// The message: the bytes that Ed25519 signs.
    pub message: Bytes,
}

impl Canonical for SolanaMessage {
    const DOMAIN: &'static str = "keystead/solana-message/v1";
}

/// An address on one cluster: a wallet, a token account, a mint or a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolanaAddress {
    /// The cluster.
    pub chain: ChainId,
    /// The address's 32 bytes, which people see in Base58.
    pub key: Digest,
}

impl Canonical for SolanaAddress {
    const DOMAIN: &'static str = "keystead/solana-address/v1";
}

impl SolanaAddress {
    /// The address's id, under which effects, the address book and windows name it: the first 20 bytes of its digest.
    #[must_use]
    pub fn id(&self) -> Address {
        first_twenty(&self.digest())
    }
}

/// One value of one nonce account: a cluster executes at most one transaction that carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolanaNonce {
    /// The cluster.
    pub chain: ChainId,
    /// The nonce account. Its address belongs to the place: accounts that advance in one block have one value.
    pub account: Digest,
    /// The value that stands in the place of a recent blockhash.
    pub value: Digest,
}

impl Canonical for SolanaNonce {
    const DOMAIN: &'static str = "keystead/solana-nonce/v1";
}

impl SolanaNonce {
    /// The place among those that are given away once (S4). Values have no order, so all of them count as nonce 0 of
    /// an account of their own: the first 20 bytes of the digest.
    #[must_use]
    pub fn slot(&self) -> Slot {
        Slot { chain: self.chain, account: first_twenty(&self.digest()), nonce: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// INVARIANT S8: no number is a chain of two kinds.
    #[test]
    fn s08_clusters_of_solana_are_no_chains_of_another_kind_and_have_names() {
        let chains = (0..10).map(|more| ChainId(MAX_EIP155_CHAIN + more));
        let named: Vec<_> = chains.clone().map(|it| it.solana().is_some()).collect();
        assert_eq!(named, [false, false, false, false, false, true, true, true, true, false]);
        assert!(chains.into_iter().all(|it| it.bitcoin().is_none() || it.solana().is_none()));
        assert_eq!(ChainId::SOLANA_MAINNET.to_string(), "solana:mainnet");
        assert_eq!(ChainId::SOLANA_LOCALNET.to_string(), "solana:localnet");
    }

    /// INVARIANT S4: another cluster, account or value is another place.
    #[test]
    fn s04_places_tell_clusters_accounts_and_values_apart() {
        let nonce = |chain, account, value| SolanaNonce {
            chain,
            account: Digest([account; 32]),
            value: Digest([value; 32]),
        };
        let (main, dev) = (ChainId::SOLANA_MAINNET, ChainId::SOLANA_DEVNET);
        let slots = [(main, 1, 1), (dev, 1, 1), (main, 2, 1), (main, 1, 2)];
        let slots: std::collections::BTreeSet<_> =
            slots.into_iter().map(|(chain, account, value)| nonce(chain, account, value).slot()).collect();
        assert_eq!(slots.len(), 4);
        let id = |chain, byte| SolanaAddress { chain, key: Digest([byte; 32]) }.id();
        assert!(id(main, 1) != id(dev, 1) && id(main, 1) != id(main, 2) && id(main, 1) == id(main, 1));
    }
}
