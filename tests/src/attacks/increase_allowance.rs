//! `increaseAllowance`: an approval under another name (S2, S9).
//!
//! BadgerDAO, 2 December 2021: a script injected into the site asked visitors for allowances, and more
//! than 120 million dollars followed. `increaseAllowance` gives the same right as `approve`, and whoever looks for
//! the one selector does not see the other.
//!
//! The twin knows transfers only: a call that is none moves nothing.

use alloy_primitives::U256;
use keystead_decision::Controls;

use crate::Loot;
use crate::contracts::{COINS, granted, increaseAllowanceCall};
use crate::theft::THIEF;

pub use crate::theft::TransfersOnly as WithoutAllowances;

/// Plays it: the amount is stated, and is all there is.
pub fn attack<C: Controls>(controls: C) -> Loot {
    granted(controls, &increaseAllowanceCall { spender: THIEF, added: U256::from(COINS) })
}
