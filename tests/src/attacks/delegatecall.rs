//! A Safe is told to run foreign code in its own place (S2, S9).
//!
//! Bybit, 21 February 2025: three owners confirmed what their screen called a transfer. The bytes said
//! operation 1, delegatecall, of a contract whose `transfer(address,uint256)` wrote the first storage
//! slot: where a Safe proxy keeps the address of its own code. With that replaced, 401,347 ether and the
//! staked tokens left by a function named `sweep`.
//!
//! The twin reads selector and arguments of the inner call and ignores `operation`: a call of value
//! zero moves nothing.

use alloy_primitives::U256;
use alloy_sol_types::SolCall as _;
use keystead_chain::{AssetIndex, Unsigned};
use keystead_decision::Controls;
use keystead_intent::{ContractKind, EffectKind, Effects};
use keystead_quorum::Strict;

use crate::Loot;
use crate::contracts::{SAFE, by_safe, deploy, place_safe, register, say, sweepCall, transferCall};
use crate::fixture::ETHER;
use crate::theft::{STRICT_CHECKS, THIEF, executed};
use crate::world::World;

/// Plays it.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world =
        World::with_policy(controls, |policy| register(policy, "cold-safe", SAFE, ContractKind::Safe));
    let owner = world.account();
    place_safe(&mut world.chain, owner);
    world.chain.fund(SAFE, U256::from(400 * ETHER));
    let backdoor = deploy(&mut world.chain, "Backdoor", &[]);
    let sweeper = deploy(&mut world.chain, "Sweeper", &[]);

    let inner = transferCall { to: sweeper, amount: U256::ZERO }.abi_encode();
    let (id, outcome) = world.ask("dora", world.call(SAFE, by_safe(owner, backdoor, DELEGATECALL, inner), 0));
    if let Err(refused) = executed(&mut world, &id, &outcome) {
        return refused;
    }
    say(&mut world.chain, THIEF, SAFE, &sweepCall { to: THIEF });
    Loot::stolen(world.chain.balance(THIEF), "wei of the Safe")
}

/// Safe's `Enum.Operation.DelegateCall`.
const DELEGATECALL: u8 = 1;

/// Controls whose decoder ignores the operation of a Safe's transaction.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutOperation;

impl Controls for WithoutOperation {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn explain(&self, unsigned: &Unsigned, assets: &AssetIndex) -> Effects {
        let mut effects = keystead_chain::explain(unsigned, assets);
        for effect in &mut effects.items {
            if matches!(effect.kind, EffectKind::DelegateCall { .. }) {
                effect.kind = EffectKind::NoValue;
            }
        }
        effects
    }
}
