//! Signatures are gathered for days and broadcast in one hour (S10).
//!
//! No famous theft, but the arithmetic of every product that counts a daily limit by the clock: each day
//! the insider has nine ether signed and sends nothing. The window forgets; the signatures stay good,
//! and one evening all of them are broadcast.
//!
//! The control counts an amount until its transaction is final. The twin counts it from the decision
//! on, for a day.

use alloy_primitives::{Bytes, U256};
use keystead_decision::{Controls, Entry};
use keystead_quorum::Strict;

use crate::Loot;
use crate::fixture::{ETHER, FRIEND};
use crate::theft::{STRICT_CHECKS, signed};
use crate::world::World;

/// Plays it.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::new(controls);
    let mut hoard = Vec::new();
    let mut refusal = gather(&mut world, 0, &mut hoard);
    let tomorrow = world.now().plus_seconds(86_400 + 60);
    world.commit_at(tomorrow, vec![Entry::Tick]);
    refusal = gather(&mut world, hoard.len(), &mut hoard).or(refusal);
    world.chain.set_time(tomorrow.seconds());
    for raw in hoard {
        world.chain.execute_raw(&raw).expect("a signature of the hoard is good");
    }
    let gone = world.chain.balance(FRIEND);
    match refusal {
        Some(refused) if gone <= U256::from(10 * ETHER) => refused,
        _ => Loot::stolen(gone.saturating_sub(U256::from(10 * ETHER)), "wei above the daily limit"),
    }
}

/// A day's nine ether, or as many as are allowed.
fn gather<C: Controls>(world: &mut World<C>, from: usize, hoard: &mut Vec<Bytes>) -> Option<Loot> {
    for nonce in from..from + 9 {
        let (id, outcome) = world.ask("dora", world.ether(FRIEND, ETHER, nonce as u64));
        match signed(world, &id, &outcome) {
            Ok(signed) => hoard.push(signed.raw),
            Err(refused) => return Some(refused),
        }
    }
    None
}

/// Controls by which an amount counts for its window's span, spent or not.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutUnsettled;

impl Controls for WithoutUnsettled {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn counts_unsettled(&self) -> bool {
        false
    }
}
