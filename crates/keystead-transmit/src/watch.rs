//! What became of a transaction: the pure decision from what is believed.

use alloy_primitives::{Address, B256};

use crate::{ReceiptFacts, Unknown};

/// A transaction that was sent, or that somebody could send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Its hash.
    pub hash: B256,
    /// The account that signed it.
    pub account: Address,
    /// The nonce that it takes.
    pub nonce: u64,
}

/// What enough endpoints say of a watched transaction at one final height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The height that counts as final; `None` before the chain has one.
    pub final_height: Option<u64>,
    /// The account's next nonce at the final height. It was read before the receipt: had the transaction
    /// itself moved the nonce, the receipt would be there.
    pub final_nonce: u64,
    /// Where the transaction stands.
    pub receipt: Option<ReceiptFacts>,
    /// The time of its block.
    pub time_seconds: Option<u64>,
}

/// What is known of a watched transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not final: not seen yet, or in a block that may still go away.
    Pending {
        /// Where it stands now.
        seen: Option<ReceiptFacts>,
    },
    /// Final.
    Settled {
        /// Where and how.
        receipt: ReceiptFacts,
        /// The time of its block, in seconds since the Unix epoch.
        time_seconds: u64,
    },
    /// Another transaction is final at its nonce: it can never execute.
    Replaced {
        /// The other transaction, if it was found.
        by: Option<B256>,
    },
    /// Too few endpoints agree. Nothing follows from it.
    Unknown(Unknown),
}

/// Decides from one observation.
///
/// It is settled only if its block is final, and dead only if the nonce is final and it has no receipt.
#[must_use]
pub fn decide(watched: &Watched, seen: &Observation) -> Verdict {
    let is_final = |block: u64| seen.final_height.is_some_and(|height| block <= height);
    match (&seen.receipt, seen.time_seconds) {
        (Some(receipt), Some(time_seconds)) if is_final(receipt.block) => {
            Verdict::Settled { receipt: receipt.clone(), time_seconds }
        }
        (Some(receipt), _) => Verdict::Pending { seen: Some(receipt.clone()) },
        (None, _) if seen.final_height.is_some() && seen.final_nonce > watched.nonce => {
            Verdict::Replaced { by: None }
        }
        (None, _) => Verdict::Pending { seen: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_final_facts_settle_or_kill() {
        let watched = Watched { hash: B256::ZERO, account: Address::ZERO, nonce: 5 };
        let receipt = |block| ReceiptFacts {
            block,
            block_hash: B256::ZERO,
            succeeded: true,
            fee: keystead_base::Amount::ZERO,
        };
        let settled = |block| Verdict::Settled { receipt: receipt(block), time_seconds: 9 };
        for (final_height, final_nonce, block, expected) in [
            (None, 0, None, Verdict::Pending { seen: None }),
            (None, 0, Some(0), Verdict::Pending { seen: Some(receipt(0)) }),
            (Some(10), 5, None, Verdict::Pending { seen: None }),
            (Some(10), 6, Some(10), settled(10)),
            (Some(10), 6, Some(9), settled(9)),
            (Some(10), 5, Some(11), Verdict::Pending { seen: Some(receipt(11)) }),
            (Some(10), 6, Some(11), Verdict::Pending { seen: Some(receipt(11)) }),
            (Some(10), 6, None, Verdict::Replaced { by: None }),
            (None, 6, None, Verdict::Pending { seen: None }),
        ] {
            let seen = Observation {
                final_height,
                final_nonce,
                receipt: block.map(receipt),
                time_seconds: block.map(|_| 9),
            };
            assert_eq!(decide(&watched, &seen), expected, "{seen:?}");
        }
    }
}
