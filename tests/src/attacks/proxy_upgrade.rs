//! The code behind an address is replaced (S9).
//!
//! PAID Network, 5 March 2021: with the key of the deployer the token's proxy was pointed at code that
//! could mint, and 59 million tokens were minted; two and a half million of them were sold before the
//! market was closed. No transfer of the victim's was ever signed.
//!
//! The treasury keeps ether in a vault behind an ERC-1967 proxy that it owns. The twin knows transfers
//! only: a call that is none moves nothing.

use keystead_decision::Controls;

use crate::theft::executed;
use crate::world::World;
use crate::{Loot, vault};

pub use crate::theft::TransfersOnly as WithoutAuthority;

/// Plays it.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::with_policy(controls, vault::registered);
    let hollow = vault::place(&mut world);
    let (id, outcome) = world.ask("dora", vault::upgrade(&world, hollow));
    match executed(&mut world, &id, &outcome) {
        Ok(_) => vault::swept(&mut world),
        Err(refused) => refused,
    }
}
