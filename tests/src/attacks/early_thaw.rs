//! Signing goes on before what was stolen is replaced (S14).
//!
//! BtcTurk, June 2024, August 2025, and once more: hot wallets were emptied with keys that had been known to others, and
//! that went on signing after the incident before. Who declares a compromise names what has to be replaced, and what is
//! not replaced cannot be forgotten under pressure.
//!
//! The people declare a compromise of `hot`, then thaw it, because customers wait; the thief, who has the desk's device
//! too, asks for a payment.

use keystead_base::Name;
use keystead_decision::{Controls, Outcome};
use keystead_intent::{Action, AuthorityChange, Suspect};
use keystead_quorum::Strict;

use crate::Loot;
use crate::fixture::{ETHER, FRIEND, name};
use crate::theft::STRICT_CHECKS;
use crate::world::{World, outcome_of};

/// Plays it: `device` of somebody is known to others, and nobody replaces it.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::new(controls);
    let (person, device) = device_of(&world, "cleo");
    let suspects = vec![Suspect::Device { person, device }];
    let why = "a stolen laptop".to_owned();
    approved(&mut world, AuthorityChange::Compromise { suspects, why });
    let thawed = approved(&mut world, AuthorityChange::Thaw { key: None });
    let Outcome::Thawed { .. } = thawed else { return Loot::decided(&thawed) };
    let (id, outcome) = world.ask("dora", world.ether(FRIEND, ETHER, 0));
    let Outcome::Allow(_) = outcome else { return Loot::decided(&outcome) };
    world.sign_and_execute(&id).expect("a transaction that executes");
    Loot::stolen(world.chain.balance(FRIEND), "wei after an early thaw")
}

fn device_of<C: Controls>(world: &World<C>, person: &str) -> (Name, Name) {
    let person = name(person);
    let device = world.state.roster().person(&person).expect("a person").devices[0].name.clone();
    (person, device)
}

fn approved<C: Controls>(world: &mut World<C>, change: AuthorityChange) -> Outcome {
    let (id, first) = world.ask("cleo", Action::Authority(change));
    if !matches!(first, Outcome::Wait { .. }) {
        return first;
    }
    world.approve("ana", &id);
    let last = world.approve("ben", &id);
    outcome_of(&last, &id)
}

/// Controls under which a thaw waits for nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutRotation;

impl Controls for WithoutRotation {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn waits_for_rotation(&self) -> bool {
        false
    }
}
