//! One person asks and approves (S11).
//!
//! Barings, February 1995: Nick Leeson traded, and ran the office that settled and checked his trades.
//! The account that hid the losses held 827 million pounds of them when the bank fell.
//!
//! One approver is enough here, and `ana` is a trader as well. She asks for five ether and approves.

use keystead_base::Name;
use keystead_decision::Controls;
use keystead_policy::PolicyVersion;
use keystead_quorum::{Checks, Context, Refusal};

use crate::Loot;
use crate::fixture::{ETHER, FRIEND, name};
use crate::theft::executed;
use crate::world::{World, outcome_of};

/// Plays it. The friend of the address book is hers.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::with_policy(controls, two_hats);
    let (id, _) = world.ask("ana", world.ether(FRIEND, 5 * ETHER, 0));
    let outcome = outcome_of(&world.approve("ana", &id), &id);
    match executed(&mut world, &id, &outcome) {
        Ok(_) => Loot::stolen(world.chain.balance(FRIEND), "wei on one person's word"),
        Err(refused) => refused,
    }
}

fn two_hats(policy: &mut PolicyVersion) {
    let ana = policy.roster.people.iter_mut().find(|person| person.name == name("ana")).expect("ana");
    ana.roles.push(name("trader"));
    let large = policy.quorums.iter_mut().find(|row| row.id == name("large-two")).expect("a row");
    large.needs[0].count = 1;
}

/// Checks that do not ask who made the request.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutSeparation;

impl Checks for WithoutSeparation {
    fn not_requester(&self, _: &Context<'_>, _: &Name) -> Result<(), Refusal> {
        Ok(())
    }
}
