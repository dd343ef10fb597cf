//! An approval without end is a key to the account (S2, S9).
//!
//! Furucombo, 27 February 2021: users had approved its proxy without limit, as its site asked them to. Then a
//! flaw in that proxy was found, and 14 million dollars left accounts whose owners signed nothing more.
//!
//! The twin knows transfers only: `approve` moves nothing.

use alloy_primitives::U256;
use alloy_sol_types::SolCall as _;
use keystead_chain::{AssetIndex, Unsigned};
use keystead_decision::Controls;
use keystead_intent::Effects;
use keystead_quorum::Strict;

use crate::Loot;
use crate::contracts::{approveCall, stock, take_coins};
use crate::fixture::TOKEN;
use crate::theft::{STRICT_CHECKS, THIEF, executed, transfers_only};
use crate::world::World;

/// Plays it.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::new(controls);
    stock(&mut world);
    let call = approveCall { spender: THIEF, amount: U256::MAX };
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
