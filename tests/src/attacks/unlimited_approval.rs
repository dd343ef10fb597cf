//! An approval without end is a key to the account (S2, S9).
//!
//! Furucombo, 27 February 2021: users had approved its proxy without limit, as its site asked them to. Then a
//! flaw in that proxy was found, and 14 million dollars left accounts whose owners signed nothing more.
//!
//! The twin knows transfers only: `approve` moves nothing.

use alloy_primitives::U256;
use keystead_decision::Controls;

use crate::Loot;
use crate::contracts::{approveCall, granted};
use crate::theft::THIEF;

pub use crate::theft::TransfersOnly as WithoutAllowances;

/// Plays it.
pub fn attack<C: Controls>(controls: C) -> Loot {
    granted(controls, &approveCall { spender: THIEF, amount: U256::MAX })
}
