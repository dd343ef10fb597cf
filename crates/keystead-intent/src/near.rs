//! NEAR as intents name it: its networks among the chains, its transactions, and its accounts.

use alloy_primitives::{Address, Bytes};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::Canonical;
use serde::{Deserialize, Serialize};

use crate::bitcoin::first_twenty;
use crate::{AccountRef, ChainId, MAX_EIP155_CHAIN};

impl ChainId {
    /// NEAR's network whose coins are worth money.
    pub const NEAR_MAINNET: Self = Self(MAX_EIP155_CHAIN + 9);
    /// NEAR's public network for tests.
    pub const NEAR_TESTNET: Self = Self(MAX_EIP155_CHAIN + 10);

    /// The network's stable name, where this is a network of NEAR's.
    #[must_use]
    pub fn near(self) -> Option<&'static str> {
        match self {
            Self::NEAR_MAINNET => Some("mainnet"),
            Self::NEAR_TESTNET => Some("testnet"),
            _ => None,
        }
    }
}

/// Signs a transaction of NEAR's.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NearTransaction {
    /// Which key signs. The transaction itself names the account of NEAR's whose key it is.
    pub account: AccountRef,
    /// The network that it is meant for; the bytes name none.
    pub chain: ChainId,
    /// The unsigned transaction in Borsh: its SHA-256 is what ML-DSA-65 signs.
    pub transaction: Bytes,
}

impl Canonical for NearTransaction {
    const DOMAIN: &'static str = "keystead/near-transaction/v1";
}

/// An account by its name on one network.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NearAccount {
    /// The network.
    pub chain: ChainId,
    /// The name, such as `vault.near`.
    pub name: String,
}

impl Canonical for NearAccount {
    const DOMAIN: &'static str = "keystead/near-account/v1";
}

impl NearAccount {
    /// The account's id, under which effects, the address book and windows name it: the first 20 bytes of its digest.
    #[must_use]
    pub fn id(&self) -> Address {
        first_twenty(&self.digest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// INVARIANT S8: no number is a chain of two kinds.
    #[test]
    fn s08_networks_of_near_are_no_chains_of_another_kind_and_have_names() {
        let chains = (0..12).map(|more| ChainId(MAX_EIP155_CHAIN + more));
        let named: Vec<_> = chains.clone().filter(|it| it.near().is_some()).collect();
        assert_eq!(named, [ChainId::NEAR_MAINNET, ChainId::NEAR_TESTNET]);
        let kinds = |it: &ChainId| [it.bitcoin(), it.solana(), it.near()].into_iter().flatten().count();
        assert!(chains.into_iter().all(|it| kinds(&it) <= 1));
        assert_eq!(ChainId::NEAR_MAINNET.to_string(), "near:mainnet");
    }

    #[test]
    fn s12_another_name_or_network_is_another_account() {
        let id = |chain, name: &str| NearAccount { chain, name: name.to_owned() }.id();
        let (main, test) = (ChainId::NEAR_MAINNET, ChainId::NEAR_TESTNET);
        assert!(id(main, "bob.near") != id(test, "bob.near") && id(main, "bob.near") != id(main, "b0b.near"));
    }
}
