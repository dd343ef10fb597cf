//! The coins of a transaction: what S4 means where there are no nonces, and when one transaction replaces another.

use std::collections::BTreeSet;

use bitcoin::OutPoint;
use bitcoin::hashes::Hash as _;
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Blame, Canonical, Coded, Digest};
use keystead_intent::Coin;
use serde::{Deserialize, Serialize};

use crate::{Network, View};

/// The coins that a transaction spends, in one order: two transactions with a coin in common exclude each other.
///
/// INVARIANT S4: at most one transaction is signed for any of these coins, unless a replacement with an approval
/// of its own says which one it replaces.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spends {
    /// The network.
    pub network: Network,
    /// The coins.
    pub coins: BTreeSet<Coin>,
}

impl Canonical for Spends {
    const DOMAIN: &'static str = "keystead/bitcoin-spends/v1";
}

/// The coin that an outpoint names.
#[must_use]
pub fn coin_at(outpoint: OutPoint) -> Coin {
    Coin { transaction: Digest(outpoint.txid.to_byte_array()), output: outpoint.vout }
}

impl Spends {
    /// The coins of what is to be signed.
    #[must_use]
    pub fn of(view: &View) -> Self {
        let coins = view.inputs().iter().map(|it| coin_at(it.outpoint)).collect();
        Self { network: view.network(), coins }
    }

    /// Whether at most one of the two can ever be in a block.
    #[must_use]
    pub fn conflicts_with(&self, other: &Self) -> bool {
        self.network == other.network && !self.coins.is_disjoint(&other.coins)
    }
}

/// A transaction that may replace another one, as far as the two of them tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// Coins that the original does not spend. Rule 2 of BIP-125: each has to be in a block already, and only the
    /// chain tells.
    pub added: Vec<Coin>,
    /// How much more it pays, in satoshi.
    pub extra_fee_sat: u64,
}

/// Whether a transaction may replace another one under rules 1 to 4 of BIP-125, and Bitcoin Core's sixth: a higher
/// fee rate. `relay_sat_per_kvb` is what nodes ask for relaying, in satoshi for a thousand virtual bytes; Bitcoin
/// Core's default was 1,000 for long.
///
/// # Errors
///
/// [`NotReplacing`] names the rule.
pub fn check_replacement(
    original: &View,
    replacement: &View,
    relay_sat_per_kvb: u64,
) -> Result<Replacement, NotReplacing> {
    let (before, after) = (Spends::of(original), Spends::of(replacement));
    if !before.conflicts_with(&after) {
        return Err(NotReplacing::NoConflict);
    }
    if !original.is_replaceable() {
        return Err(NotReplacing::NotSignaled);
    }
    let (old, new) = (original.fee_sat(), replacement.fee_sat());
    let extra = new.checked_sub(old).ok_or(NotReplacing::LowerFee { expected: old, found: new })?;
    let expected = relay_sat_per_kvb.saturating_mul(replacement.virtual_bytes()).div_ceil(1_000);
    if extra < expected {
        return Err(NotReplacing::Bandwidth { expected, found: extra });
    }
    let rate = |fee: u64, size: u64| u128::from(fee) * u128::from(size);
    if rate(new, original.weight()) <= rate(old, replacement.weight()) {
        return Err(NotReplacing::LowerRate);
    }
    let added = after.coins.difference(&before.coins).copied().collect();
    Ok(Replacement { added, extra_fee_sat: extra })
}

/// Why a transaction does not replace another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReplacing {
    /// Both could be in a block.
    #[error("the two have no coin in common: both would be paid; spend a coin of the first one again")]
    NoConflict,
    /// The original says that it stays (rule 1).
    #[error("no input of the original allows a replacement (a sequence below 0xfffffffe)")]
    NotSignaled,
    /// It pays less than the original (rule 3).
    #[error("the fee is at least the original's {expected} sat, found {found}")]
    LowerFee {
        /// The original's fee, in satoshi.
        expected: u64,
        /// The replacement's fee, in satoshi.
        found: u64,
    },
    /// It does not pay for being sent around once more (rule 4).
    #[error("it pays at least {expected} sat more than the original for being relayed, found {found}")]
    Bandwidth {
        /// The least that it pays on top, in satoshi.
        expected: u64,
        /// What it pays on top, in satoshi.
        found: u64,
    },
    /// Miners would earn less from it for the same space (Bitcoin Core's rule 6).
    #[error("its fee rate is above the original's: a higher fee for a larger transaction does not do")]
    LowerRate,
}

impl Coded for NotReplacing {
    fn code(&self) -> &'static str {
        match self {
            Self::NoConflict => "replacement.no_conflict",
            Self::NotSignaled => "replacement.not_signaled",
            Self::LowerFee { .. } => "replacement.lower_fee",
            Self::Bandwidth { .. } => "replacement.bandwidth",
            Self::LowerRate => "replacement.lower_rate",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

#[cfg(test)]
mod tests;
