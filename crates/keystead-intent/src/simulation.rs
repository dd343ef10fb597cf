//! What a transaction did when it was run on a block's state without being sent.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::Amount;
use serde::{Deserialize, Serialize};

use crate::Asset;

/// The most entries of each list of a [`Run`].
pub const MAX_RUN_CHANGES: usize = 64;
/// The most bytes of revert data that are kept.
pub const MAX_REVERT_BYTES: usize = 256;

/// The block on whose state a transaction was run. Its hash names that state, so everybody runs on the same one.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct SimulatedBlock {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Its time in seconds since the Unix epoch.
    pub time_seconds: u64,
}

/// One run: how it ended, and what it changed for the accounts that it was asked about.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// How it ended.
    pub ending: Ending,
    /// Gas used, after refunds.
    pub gas_used: u64,
    /// How many transactions of the account come before this one and were not run.
    pub ahead: u64,
    /// Balances that changed, ascending; of coins without the network fee.
    pub balances: Vec<BalanceChange>,
    /// Rights to take something from an account that changed, ascending.
    pub rights: Vec<RightChange>,
    /// Contracts that were created, ascending.
    pub created: Vec<Address>,
    /// Whether there was more than this form holds: then nobody can tell all that it does.
    pub cut: bool,
}

impl Run {
    /// A run that did nothing.
    #[must_use]
    pub fn without_changes(ending: Ending, gas_used: u64, ahead: u64) -> Self {
        let (balances, rights, created) = (Vec::new(), Vec::new(), Vec::new());
        Self { ending, gas_used, ahead, balances, rights, created, cut: false }
    }

    /// Whether whoever agreed to `seen` agreed to this too: it ends alike, no account loses more of anything, nor do
    /// all of them together, and nobody gains a right that was not gained there. What comes in may differ from block
    /// to block, as far as it does not make up for what leaves.
    #[must_use]
    pub fn takes_no_more_than(&self, seen: &Self) -> bool {
        let alike = self.ending == seen.ending && self.cut == seen.cut && self.created == seen.created;
        let known = |it: &BalanceChange| {
            let same =
                |seen: &&BalanceChange| (seen.account, seen.asset, seen.id) == (it.account, it.asset, it.id);
            it.lost() <= seen.balances.iter().find(same).map(BalanceChange::lost).unwrap_or_default()
        };
        let rights = self.gained_rights().all(|it| seen.rights.contains(it));
        let leaves = seen.leaves();
        let together = |(piece, amount): (&Piece, &Amount)| leaves.get(piece).is_some_and(|it| amount <= it);
        alike && rights && self.balances.iter().all(known) && self.leaves().iter().all(together)
    }

    /// What all accounts together lose: what one of them gives another is not lost. One numbered token does not make
    /// up for another. Sums hold at the maximum.
    #[must_use]
    pub fn leaves(&self) -> BTreeMap<Piece, Amount> {
        let mut totals = BTreeMap::<Piece, (Amount, Amount)>::new();
        for change in &self.balances {
            let (lost, gained) = totals.entry((change.asset, change.id)).or_default();
            *lost = lost.saturating_add(change.lost());
            *gained = gained.saturating_add(change.gained());
        }
        let loss =
            |(piece, (lost, gained)): (Piece, (Amount, Amount))| Some((piece, lost.checked_sub(gained)?));
        totals.into_iter().filter_map(loss).filter(|(_, amount)| *amount != Amount::ZERO).collect()
    }

    /// The rights that somebody gains.
    pub fn gained_rights(&self) -> impl Iterator<Item = &RightChange> {
        self.rights.iter().filter(|it| it.right.is_gained())
    }

    /// Whether it ran to its end.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.ending == Ending::Succeeded
    }
}

/// What a balance is of: an asset, or one numbered token of it.
pub type Piece = (Asset, Option<Amount>);

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ending {
    /// It returned.
    Succeeded,
    /// It reverted: nothing but nonce and fee changed.
    Reverted {
        /// The first [`MAX_REVERT_BYTES`] of what it gave as its reason.
        data: Bytes,
    },
    /// It ran out of gas or broke a rule of the machine: all gas is spent, and nothing else changed.
    Halted,
    /// The chain would not take it in that state.
    NotTaken(NotTaken),
}

impl Ending {
    /// The ending's stable name, as Cedar writes it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeds",
            Self::Reverted { .. } => "reverts",
            Self::Halted => "halts",
            Self::NotTaken(_) => "not_taken",
        }
    }
}

/// Why a chain would not take a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotTaken {
    /// Its nonce is used.
    Nonce,
    /// The account cannot pay what it sends and the most that the network may take.
    Funds,
    /// It offers less than the base fee.
    Fee,
    /// Its gas limit is too low to begin with, or higher than a block or a transaction may have.
    Gas,
    /// It breaks another rule of the protocol.
    Rule,
}

/// A balance before and after.
#[derive(
    Clone,
    Copy,
    Debug,
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
pub struct BalanceChange {
    /// Whose.
    pub account: Address,
    /// Of what.
    pub asset: Asset,
    /// Of which numbered token (ERC-721, ERC-1155); none for the number or amount of all.
    pub id: Option<Amount>,
    /// Before: base units, or a number of NFTs.
    pub before: Amount,
    /// After.
    pub after: Amount,
}

impl BalanceChange {
    /// How much less there is.
    #[must_use]
    pub fn lost(&self) -> Amount {
        self.before.checked_sub(self.after).unwrap_or_default()
    }

    /// How much more there is.
    #[must_use]
    pub fn gained(&self) -> Amount {
        self.after.checked_sub(self.before).unwrap_or_default()
    }
}

/// A right to take something, before and after.
#[derive(
    Clone,
    Copy,
    Debug,
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
pub struct RightChange {
    /// From whom.
    pub owner: Address,
    /// The token.
    pub token: Address,
    /// Who may take it.
    pub holder: Address,
    /// What may be taken.
    pub right: Right,
}

/// What somebody may take.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Right {
    /// An amount of an ERC-20 token.
    Allowance {
        /// How much before.
        before: Amount,
        /// How much after.
        after: Amount,
    },
    /// One ERC-721 token.
    Nft {
        /// Which.
        id: Amount,
        /// Whether it could be taken before.
        before: bool,
        /// Whether it can be taken after.
        after: bool,
    },
    /// Every token of a collection.
    Operator {
        /// Whether they could be taken before.
        before: bool,
        /// Whether they can be taken after.
        after: bool,
    },
}

impl Right {
    /// Whether there is more to take than before.
    #[must_use]
    pub fn is_gained(&self) -> bool {
        match self {
            Self::Allowance { before, after } => after > before,
            Self::Nft { before, after, .. } | Self::Operator { before, after } => *after && !*before,
        }
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        match self {
            Self::Allowance { before, after } => after == before,
            Self::Nft { before, after, .. } | Self::Operator { before, after } => after == before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balance(before: u64, after: u64) -> BalanceChange {
        BalanceChange {
            account: Address::ZERO,
            asset: Asset::Native,
            id: None,
            before: before.into(),
            after: after.into(),
        }
    }

    #[test]
    fn whoever_agreed_to_a_run_agreed_to_what_takes_no_more() {
        let seen =
            Run { balances: vec![balance(100, 90)], ..Run::without_changes(Ending::Succeeded, 21_000, 0) };
        let with = |before, after| Run { balances: vec![balance(before, after)], ..seen.clone() };
        assert!(Run { gas_used: 30_000, ahead: 2, ..with(70, 60) }.takes_no_more_than(&seen));
        assert!(with(70, 75).takes_no_more_than(&seen));
        assert!(!with(70, 59).takes_no_more_than(&seen));
        assert!(!Run { created: vec![Address::ZERO], ..seen.clone() }.takes_no_more_than(&seen));
        assert!(!Run { ending: Ending::Halted, ..seen.clone() }.takes_no_more_than(&seen));
        assert!(!Run { cut: true, ..seen.clone() }.takes_no_more_than(&seen));
        let right = Right::Allowance { before: Amount::ZERO, after: 5_u64.into() };
        let zero = Address::ZERO;
        let rights = vec![RightChange { owner: zero, token: zero, holder: zero, right }];
        let gives = Run { rights, ..seen.clone() };
        assert!(!gives.takes_no_more_than(&seen) && gives.takes_no_more_than(&gives));
        assert!(seen.takes_no_more_than(&gives));
    }

    /// What hot paid to cold, a contract that was switched meanwhile pays to somebody else.
    #[test]
    fn s11_what_was_ours_and_goes_elsewhere_now_was_not_agreed_to() {
        let (hot, cold) =
            (balance(1000, 0), BalanceChange { account: Address::repeat_byte(1), ..balance(0, 1000) });
        let run = |balances| Run { balances, ..Run::without_changes(Ending::Succeeded, 21_000, 0) };
        let inside = run(vec![hot, cold]);
        assert!(inside.leaves().is_empty());
        assert!(!run(vec![hot]).takes_no_more_than(&inside));
        assert!(!run(vec![hot, BalanceChange { after: 999_u64.into(), ..cold }]).takes_no_more_than(&inside));
        assert!(inside.takes_no_more_than(&run(vec![hot])));
        // One numbered token is no other.
        let of = |id: u64, it| BalanceChange { id: Some(id.into()), ..it };
        let (same, other) = (run(vec![of(1, hot), of(1, cold)]), run(vec![of(1, hot), of(2, cold)]));
        assert!(same.leaves().is_empty() && !other.takes_no_more_than(&same));
        assert_eq!(other.leaves()[&(Asset::Native, Some(1_u64.into()))], 1000_u64.into());
    }

    #[test]
    fn only_more_is_gained() {
        let allowance =
            |before: u64, after: u64| Right::Allowance { before: before.into(), after: after.into() };
        for (right, gained, unchanged) in [
            (allowance(1, 2), true, false),
            (allowance(2, 2), false, true),
            (allowance(2, 1), false, false),
            (Right::Operator { before: false, after: true }, true, false),
            (Right::Operator { before: true, after: true }, false, true),
            (Right::Nft { id: Amount::ZERO, before: true, after: false }, false, false),
        ] {
            assert_eq!((right.is_gained(), right.is_unchanged()), (gained, unchanged), "{right:?}");
        }
    }
}
