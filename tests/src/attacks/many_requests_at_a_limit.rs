//! Many requests reach a limit at the same moment (S10).
//!
//! Flexcoin, 2 March 2014: requests for transfers between accounts, sent in thousands at once, were each
//! checked against the balance before any of them was booked. 896 bitcoin left, and the bank closed.
//!
//! Twenty requests of one ether come in one block; the window holds ten. The control checks and reserves
//! in one step of one total order. The twin takes each for the only one.

use alloy_primitives::U256;
use keystead_decision::Controls;
use keystead_policy::{Charge, Reason};
use keystead_quorum::Strict;

use crate::Loot;
use crate::fixture::{ETHER, FRIEND};
use crate::theft::{STRICT_CHECKS, executed};
use crate::world::{World, outcome_of};

/// Plays it.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::new(controls);
    let mut intents = Vec::new();
    for nonce in 0..20 {
        let action = world.ether(FRIEND, ETHER, nonce);
        intents.push(world.intent("dora", action));
    }
    let ids: Vec<_> = intents.iter().map(|intent| intent.id()).collect();
    let decisions = world.commit(vec![world.requests(intents)]);
    let ends = ids.iter().map(|id| executed(&mut world, id, &outcome_of(&decisions, id)));
    let refused = ends.collect::<Vec<_>>().into_iter().find_map(Result::err);
    let gone = world.chain.balance(FRIEND);
    match refused {
        Some(refused) if gone <= U256::from(10 * ETHER) => refused,
        _ => Loot::stolen(gone.saturating_sub(U256::from(10 * ETHER)), "wei above the daily limit"),
    }
}

/// Controls that compare a request with its window alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutSum;

impl Controls for WithoutSum {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn window(&self, _: &keystead_decision::State, _: &Charge) -> Result<(), Reason> {
        Ok(())
    }
}
