//! A key that people took out of service signs on (S14).
//!
//! Wintermute, 20 September 2022: the weak key was known for one and was to be out of use, and what it could still sign moved
//! 160 million dollars. A state is worth what those enforce who sign.
//!
//! The people suspend `hot`; the insider asks all the same. Two lines of defense, as for a freeze: the log denies, and the
//! signer reads from the header that the nodes voted for which keys are stopped. The twin's loot needs both gone.

use keystead_base::{Name, Timestamp};
use keystead_decision::{Controls, Key, Outcome};
use keystead_intent::{Action, AuthorityChange, KeyCeremony};
use keystead_policy::Reason;
use keystead_quorum::Strict;

use crate::fixture::{ETHER, FRIEND, name};
use crate::theft::STRICT_CHECKS;
use crate::world::World;
use crate::{Loot, Signer};

/// Plays it.
pub fn attack<C: Controls>(controls: C, signer: Signer) -> Loot {
    let mut world = World::new(controls);
    let suspend = AuthorityChange::Key(KeyCeremony::Suspend { key: name("hot") });
    let (suspended, _) = world.ask("cleo", Action::Authority(suspend));
    world.approve("ana", &suspended);
    world.approve("ben", &suspended);
    let (id, outcome) = world.ask("dora", world.ether(FRIEND, ETHER, 0));
    let Outcome::Allow(_) = outcome else { return Loot::decided(&outcome) };
    let certificate = world.certificate(&id).expect("a decision has a certificate");
    let unsigned = world.unsigned(&id);
    match signer.sign(&mut world, &certificate, &unsigned) {
        Ok(signed) => drop(world.chain.execute_raw(&signed.raw)),
        Err(refused) => return refused,
    }
    Loot::stolen(world.chain.balance(FRIEND), "wei of a suspended key")
}

/// Controls under which a key signs in whatever state it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutStates;

impl Controls for WithoutStates {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn signs<'a>(&self, _: &'a Key, _: &Name, _: Timestamp) -> Result<Option<&'a Name>, Reason> {
        Ok(None)
    }
}
