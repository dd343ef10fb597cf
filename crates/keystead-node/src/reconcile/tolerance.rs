//! What of an asset may be missing because its events do not say everything: fees on transfer, rounding, rebases.
//!
//! The signed policy says by how much, for each asset; of all others nothing may be missing.

use alloy_primitives::U256;
use keystead_decision::State;
use keystead_intent::{Asset, ChainId};
use keystead_policy::Tolerance;

/// How much is missing, of how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shortfall {
    /// What is missing.
    pub(crate) missing: U256,
    /// What went and came meanwhile.
    pub(crate) moved: U256,
    /// What was held.
    pub(crate) held: U256,
}

impl Shortfall {
    /// Whether the policy in force tolerates it.
    pub(crate) fn is_tolerated(&self, state: &State, chain: ChainId, asset: Asset) -> bool {
        self.is_within(&state.policy().engine.version().tolerance(chain, asset))
    }

    fn is_within(&self, it: &Tolerance) -> bool {
        let slack = share(self.moved, it.flow_bps).saturating_add(share(self.held, it.hold_bps));
        self.missing <= slack
    }
}

/// So many basis points of an amount, rounded up: tokens round by a unit.
fn share(amount: U256, bps: u32) -> U256 {
    let product = amount.saturating_mul(U256::from(bps));
    let (whole, rest) = product.div_rem(U256::from(10_000));
    if rest.is_zero() { whole } else { whole.saturating_add(U256::ONE) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l03_what_is_tolerated_is_what_policy_says_and_not_a_unit_more() {
        let of = |missing: u64, moved: u64, held: u64| Shortfall {
            missing: U256::from(missing),
            moved: U256::from(moved),
            held: U256::from(held),
        };
        for (shortfall, flow_bps, hold_bps, tolerated) in [
            (of(1, 1_000_000, 1_000_000), 0, 0, false),
            (of(0, 0, 0), 0, 0, true),
            (of(200, 10_000, 0), 200, 0, true),
            (of(201, 10_000, 0), 200, 0, false),
            (of(1, 10_000, 50_000), 0, 0, false),
            (of(5, 0, 50_000), 0, 1, true),
            (of(6, 0, 50_000), 0, 1, false),
            (of(205, 10_000, 50_000), 200, 1, true),
            // A token that rounds, of a balance of some units.
            (of(1, 0, 3), 0, 1, true),
            (of(1, 0, 0), 200, 200, false),
        ] {
            let it = Tolerance { chain: ChainId(1), asset: Asset::Native, flow_bps, hold_bps };
            assert_eq!(shortfall.is_within(&it), tolerated, "{shortfall:?} {flow_bps} {hold_bps}");
        }
    }
}
