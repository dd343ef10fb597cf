//! One person, two devices, two votes (S11).
//!
//! Ronin, March 2022: five of nine validators had to agree, and four of the nine keys lay with one
//! company. Counting keys is not counting people.
//!
//! Two approvals are needed, and `ana` has a laptop and a phone. The other way round, one key enrolled
//! for two people, needs no check at the tally: no policy version with such a roster exists, as
//! [`one_key_for_two`] shows.

use keystead_base::{Canonical as _, Signed};
use keystead_decision::{Controls, Entry, Strict};
use keystead_intent::{Action, Approval, AuthorityChange};
use keystead_policy::{Device, Factor, PolicyVersion};
use keystead_quorum::{Checks, Refusal, Verified};

use crate::Loot;
use crate::fixture::{ETHER, FRIEND, Member, name};
use crate::theft::executed;
use crate::world::{World, outcome_of};

/// Plays it.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let phone = Member::new("phone", 99);
    let mut world = World::with_policy(controls, |policy| enroll(policy, &phone));
    let (id, _) = world.ask("dora", world.ether(FRIEND, 9 * ETHER, 0));
    world.approve("ana", &id);
    let approval = Approval { device: name("phone"), ..world.approval("ana", &id) };
    let second = Signed::new(approval, name("ana"), &phone.signer).expect("a signature");
    let outcome = outcome_of(&world.commit(vec![Entry::Approval(second)]), &id);
    match executed(&mut world, &id, &outcome) {
        Ok(_) => Loot::stolen(world.chain.balance(FRIEND), "wei on one person's word"),
        Err(refused) => refused,
    }
}

/// The founders are asked for a roster in which `ben` has the key of `ana`.
#[must_use]
pub fn one_key_for_two() -> Loot {
    let mut world = World::new(Strict::default());
    let mut next = world.state.policy().engine.version().clone();
    next.previous = next.digest();
    next.number += 1;
    next.roster.people[1].devices[0].key = next.roster.people[0].devices[0].key.clone();
    let document = next.to_document().into();
    let (_, outcome) = world.ask("cleo", Action::Authority(AuthorityChange::Roster { document }));
    Loot::decided(&outcome)
}

fn enroll(policy: &mut PolicyVersion, phone: &Member) {
    let device = Device {
        name: phone.name.clone(),
        factor: Factor::Software,
        key: phone.signer.public().clone(),
        transport: phone.transport(),
    };
    policy.roster.people[0].devices.push(device);
}

/// Checks that count devices.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutDistinctPeople;

impl Checks for WithoutDistinctPeople {
    fn distinct_device(&self, _: &[Verified], _: &Verified) -> Result<(), Refusal> {
        Ok(())
    }
}
