//! What to offer for gas. Pure.

use keystead_base::Amount;

/// Fees per gas for an EIP-1559 transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fees {
    /// `maxFeePerGas`: pays even if the base fee doubles, which takes six full blocks.
    pub max_fee_per_gas: Amount,
    /// `maxPriorityFeePerGas`: the median of what the last blocks' median transactions paid.
    pub max_priority_fee_per_gas: Amount,
    /// What the next block takes of everybody: who offers less is left out.
    pub base_fee: Amount,
}

impl Fees {
    /// The same under ceilings per gas, in wei; none where they leave less than the next block takes.
    #[must_use]
    pub fn under(self, max_fee: Option<Amount>, max_tip: Option<Amount>) -> Option<Self> {
        let tip = max_tip.map_or(self.max_priority_fee_per_gas, |it| it.min(self.max_priority_fee_per_gas));
        let ceiling = max_fee.map_or(self.max_fee_per_gas, |it| it.min(self.max_fee_per_gas));
        let fits = ceiling >= self.base_fee;
        let (max_fee_per_gas, max_priority_fee_per_gas) = (ceiling, tip.min(ceiling));
        fits.then_some(Self { max_fee_per_gas, max_priority_fee_per_gas, ..self })
    }
}

/// The last blocks, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The base fee of the block after the last one.
    pub next_base_fee: Amount,
    /// Each block's median priority fee.
    pub priority_fees: Vec<Amount>,
}

impl History {
    /// What to offer now.
    #[must_use]
    pub fn suggest(&self) -> Fees {
        let mut sorted = self.priority_fees.clone();
        sorted.sort_unstable();
        let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
        let priority = median.max(LEAST_PRIORITY_FEE);
        Fees {
            max_fee_per_gas: self.next_base_fee.saturating_mul(Amount::from(2_u64)).saturating_add(priority),
            max_priority_fee_per_gas: priority,
            base_fee: self.next_base_fee,
        }
    }
}

/// Many builders ignore transactions that offer them nothing.
const LEAST_PRIORITY_FEE: Amount = Amount(alloy_primitives::U256::from_limbs([1_000_000, 0, 0, 0]));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_pays_and_one_spike_does_not_count() {
        for (base, priorities, max, priority) in [
            (100_u64, vec![2_000_000_u64, 3_000_000, 900_000_000], 3_000_200, 3_000_000),
            (100, vec![], 1_000_200, 1_000_000),
            (0, vec![0, 0, 0], 1_000_000, 1_000_000),
        ] {
            let history = History {
                next_base_fee: base.into(),
                priority_fees: priorities.into_iter().map(Amount::from).collect(),
            };
            let expected = Fees {
                max_fee_per_gas: Amount::from(max as u64),
                max_priority_fee_per_gas: Amount::from(priority as u64),
                base_fee: base.into(),
            };
            assert_eq!(history.suggest(), expected);
        }
    }

    #[test]
    fn what_is_offered_stays_under_its_ceilings_or_is_not_offered() {
        let fees = |max: u64, tip: u64| Fees {
            max_fee_per_gas: max.into(),
            max_priority_fee_per_gas: tip.into(),
            base_fee: 100_u64.into(),
        };
        for (max_fee, max_tip, expected) in [
            (None, None, Some((230, 30))),
            (Some(230), Some(30), Some((230, 30))),
            (Some(229), None, Some((229, 30))),
            (None, Some(7), Some((230, 7))),
            (Some(100), Some(7), Some((100, 7))),
            (Some(99), None, None),
        ] {
            let amount = |it: u64| Amount::from(it);
            let found = fees(230, 30).under(max_fee.map(amount), max_tip.map(amount));
            assert_eq!(found, expected.map(|(max, tip)| fees(max, tip)), "{max_fee:?} {max_tip:?}");
        }
        assert_eq!(fees(230, 130).under(Some(Amount::from(110_u64)), None), Some(fees(110, 110)));
    }
}
