//! `increaseAllowance`: an approval under another name (S2, S9).
//!
//! BadgerDAO, 2 December 2021: a script injected into the site asked visitors for allowances, and more
//! than 120 million dollars followed. `increaseAllowance` gives the same right as `approve`, and whoever looks for
//! the one selector does not see the other.
//!
//! The twin knows transfers only: a call that is none moves nothing.

use alloy_primitives::U256;
use alloy_sol_types::SolCall as _;
use keystead_chain::{AssetIndex, Unsigned};
use keystead_decision::Controls;
use keystead_intent::Effects;
use keystead_quorum::Strict;

use crate::Loot;
use crate::contracts::{COINS, increaseAllowanceCall, stock, take_coins};
use crate::fixture::TOKEN;
use crate::theft::{STRICT_CHECKS, THIEF, executed, transfers_only};
use crate::world::World;

/// Plays it: the amount is stated, and is all there is.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::new(controls);
    stock(&mut world);
    let call = increaseAllowanceCall { spender: THIEF, added: U256::from(COINS) };
    let (id, outcome) = world.ask("dora", world.call(TOKEN, call.abi_encode(), 0));
    match executed(&mut world, &id, &outcome) {
        Ok(receipt) => Loot::stolen(take_coins(&mut world.chain, receipt.from), "units of the token"),
        Err(refused) => refused,
    }
}

/// Controls whose decoder knows transfers only.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutAllowances;

impl Controls for WithoutAllowances {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn explain(&self, unsigned: &Unsigned, assets: &AssetIndex) -> Effects {
        transfers_only(unsigned, assets)
    }
}
