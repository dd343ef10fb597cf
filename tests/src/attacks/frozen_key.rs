//! A frozen key signs on (S14).
//!
//! Ronin, 23 March 2022, again: the theft stood unnoticed for six days. A freeze is worth what it stops,
//! from the block that holds it, on every path.
//!
//! `eve` sees something and freezes the key; the insider asks all the same. Two lines of defense: the
//! log denies, and the signer, who reads what is frozen from the header that the nodes voted for,
//! refuses even a certificate. The twin's loot needs both gone: [`WithoutFreeze`] at the log alone ends
//! at the signer, and a [`Signer::Believer`] alone ends at the log.

use keystead_base::Name;
use keystead_decision::{Controls, Frozen, Outcome};
use keystead_quorum::Strict;

use crate::fixture::{ETHER, FRIEND};
use crate::theft::STRICT_CHECKS;
use crate::world::World;
use crate::{Loot, Signer};

/// Plays it.
pub fn attack<C: Controls>(controls: C, signer: Signer) -> Loot {
    let mut world = World::new(controls);
    world.freeze("eve", Some("hot"));
    let (id, outcome) = world.ask("dora", world.ether(FRIEND, ETHER, 0));
    let Outcome::Allow(_) = outcome else { return Loot::decided(&outcome) };
    let certificate = world.certificate(&id).expect("a decision has a certificate");
    let unsigned = world.unsigned(&id);
    match signer.sign(&mut world, &certificate, &unsigned) {
        Ok(signed) => drop(world.chain.execute_raw(&signed.raw)),
        Err(refused) => return refused,
    }
    Loot::stolen(world.chain.balance(FRIEND), "wei of a frozen key")
}

/// Controls to which nothing is frozen.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutFreeze;

impl Controls for WithoutFreeze {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn frozen(&self, _: &Frozen, _: &Name) -> bool {
        false
    }
}
