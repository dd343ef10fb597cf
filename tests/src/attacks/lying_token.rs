//! The bytes say one thing, and the contract does another (S2).
//!
//! Radiant Capital, 16 October 2024: every signer compared what the screen and a simulation showed, and what was signed
//! was something else; 50 million dollars left. Whether the bytes lie or the contract does, one reading alone does not
//! see it: what the bytes say and what they do when they are run must agree.
//!
//! The token's code was replaced: its `transfer` takes all that the account has, and says in its event that it took
//! what it was told to. The twin runs the transaction as well, and does not compare.

use alloy_primitives::U256;
use alloy_sol_types::SolCall as _;
use keystead_decision::Controls;
use keystead_policy::{Engine, Facts, Question, Ruling, Simulated};

use crate::Loot;
use crate::contracts::{COINS, DEPLOYER, coins, mintCall, place, say, transferCall};
use crate::fixture::{FRIEND, TOKEN};
use crate::rehearsals::demanded;
use crate::theft::{STRICT_CHECKS, THIEF, executed};
use crate::world::{World, outcome_of};

/// Plays it: one unit of the token for a friend.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::with_policy(controls, demanded);
    let owner = world.account();
    place(&mut world.chain, TOKEN, "Skimmer");
    say(&mut world.chain, DEPLOYER, TOKEN, &mintCall { to: owner, value: U256::from(COINS) });
    let transfer = transferCall { to: FRIEND, amount: U256::from(1) };
    let (id, _) = world.ask("desk", world.call(TOKEN, transfer.abi_encode(), 0));
    let outcome = outcome_of(&world.simulate(&id), &id);
    match executed(&mut world, &id, &outcome) {
        Ok(_) => Loot::stolen(coins(&world.chain, THIEF), "units of the token"),
        Err(refused) => refused,
    }
}

/// Runs transactions, and believes the bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutComparison;

impl Controls for WithoutComparison {
    type Checks = keystead_quorum::Strict;

    fn checks(&self) -> &Self::Checks {
        &STRICT_CHECKS
    }

    fn rule(&self, engine: &Engine, question: &Question<'_>) -> Ruling {
        let facts = Facts { simulation: Simulated::No, ..*question.facts };
        engine.decide(&Question { facts: &facts, ..*question })
    }
}
