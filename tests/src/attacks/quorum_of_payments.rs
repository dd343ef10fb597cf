//! Whoever may pay may also change who rules (S9).
//!
//! Radiant Capital, 16 October 2024: three of eleven keys sufficed for everything that the multisig could
//! do, and what the three signed was no payment: it handed over the ownership of the lending pools.
//!
//! Policy asks two people for large payments and three for a change of authority. `dora` asks to
//! replace the vault's code, and `ana` and `ben` are bought; `cleo` is not. The twin asks for what a
//! payment of the same amount would need, and an upgrade pays nothing.

use keystead_decision::{Controls, Entry};
use keystead_policy::{Engine, PolicyVersion, Question, Ruling, Subject};
use keystead_quorum::Strict;

use crate::fixture::name;
use crate::theft::{STRICT_CHECKS, amounts_only, approved, executed};
use crate::world::{World, outcome_of};
use crate::{Loot, vault};

/// Plays it, until the request is forgotten.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::with_policy(controls, vault::upgradable);
    let hollow = vault::place(&mut world);
    world.adopt(three_for_authority);
    let (id, outcome) = world.ask("dora", vault::upgrade(&world, hollow));
    let evening = world.now();
    let outcome = approved(&mut world, &id, outcome);
    if executed(&mut world, &id, &outcome).is_ok() {
        return vault::swept(&mut world);
    }
    let decisions = world.commit_at(evening.plus_seconds(3_700), vec![Entry::Tick]);
    let outcome = outcome_of(&decisions, &id);
    match executed(&mut world, &id, &outcome) {
        Ok(_) => vault::swept(&mut world),
        Err(refused) => refused,
    }
}

fn three_for_authority(policy: &mut PolicyVersion) {
    let row = policy.quorums.iter_mut().find(|row| row.id == name("authority-two"));
    row.expect("a row").needs[0].count = 3;
}

/// Controls that take the quorum from the amount, whatever the class.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutClasses;

impl Controls for WithoutClasses {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn rule(&self, engine: &Engine, question: &Question<'_>) -> Ruling {
        let Subject::Payload(effects) = question.subject else { return engine.decide(question) };
        let payment = amounts_only(effects);
        let as_payment = engine.decide(&Question { subject: Subject::Payload(&payment), ..*question });
        match (engine.decide(question), as_payment) {
            (Ruling::Pass { charges, rules, .. }, Ruling::Pass { requirement, .. }) => {
                Ruling::Pass { requirement, charges, rules }
            }
            (ruling, _) => ruling,
        }
    }
}
