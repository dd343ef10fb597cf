//! The home of the key never shows its enclave the freeze (S14).
//!
//! Kill switches work on those who listen. The thieves have the machine on which the key lives: its node is
//! theirs, and what its enclave hears of the log they decide.
//!
//! A transfer was allowed and waits there, unsigned. `eve` orders a freeze at another node, and it is committed. The
//! thieves show the running enclave the block with the right, and none after it. Where policy asks for a confirmed head each time, the enclave
//! has none for this block, and the honest nodes' answer to its next nonce names the freeze. The twin is the policy that
//! asks when the enclave starts and then no more: the right can be used for as long as it lasts.

use keystead_policy::FreshHeadDemand;

use crate::Loot;
use crate::taken::Taken;

/// The policy that asks for each block of signatures.
#[must_use]
pub fn each_time() -> FreshHeadDemand {
    FreshHeadDemand::PerSignature
}

/// The policy that asks at the start alone.
#[must_use]
pub fn at_boot() -> FreshHeadDemand {
    FreshHeadDemand::AtBoot
}

/// Plays it, under a policy with this demand.
pub async fn attack(demand: FreshHeadDemand) -> Loot {
    let mut taken = Taken::of(|policy| policy.fresh_heads[0].demand = demand).await;
    // What its node had it sign before: the enclave runs as it does every day.
    let before = taken.right(0).await;
    taken.confirm().await.expect("honest words");
    assert!(matches!(taken.cash(&before, "wei as policy allows"), Loot::Stolen { .. }));
    let right = taken.right(1).await;
    taken.honest[2].freeze("eve").await;
    let loot = taken.cash(&right, "wei of a frozen key");
    if loot != Loot::refused("certificate.stale_head") {
        return loot;
    }
    // They bring it the answer to a new nonce, because it signs nothing without one.
    taken.confirm().await.expect("honest words");
    taken.cash(&right, "wei of a frozen key")
}
