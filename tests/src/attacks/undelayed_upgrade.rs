//! A change of authority takes effect before anybody could object (S9).
//!
//! Beanstalk, 17 April 2022: a proposal to hand over all of the protocol's assets was voted for with
//! borrowed votes and executed in the same transaction, by a path that was meant for emergencies and
//! waited for nobody.
//!
//! `ana` and `ben` are coerced, one evening, to approve that the vault's code is replaced. `eve`, who may
//! veto, reads the notice a quarter of an hour later. Policy lets such changes wait for half an hour of block
//! time. The twin waits for nothing: when she reads it, the vault is empty.

use keystead_base::RequestId;
use keystead_decision::{Controls, Entry, Outcome};
use keystead_intent::Approval;
use keystead_policy::{Engine, PolicyVersion, Question, Requirement, Ruling};
use keystead_quorum::Strict;

use crate::fixture::name;
use crate::theft::{STRICT_CHECKS, executed};
use crate::world::{World, outcome_of};
use crate::{Loot, vault};

/// Plays it; `eve` vetoes as soon as she reads the notice.
pub fn attack<C: Controls>(controls: C) -> Loot {
    play(controls, true)
}

/// The same, and nobody objects: what the delay alone is worth.
pub fn unopposed<C: Controls>(controls: C) -> Loot {
    play(controls, false)
}

fn play<C: Controls>(controls: C, eve_reads: bool) -> Loot {
    let mut world = World::with_policy(controls, vault::upgradable);
    let hollow = vault::place(&mut world);
    world.adopt(wait_half_an_hour);
    let (id, _) = world.ask("dora", vault::upgrade(&world, hollow));
    let evening = world.now();
    let outcome = coerced(&mut world, &id);
    if executed(&mut world, &id, &outcome).is_ok() {
        return vault::swept(&mut world);
    }
    world.commit_at(evening.plus_seconds(DELAY / 2), vec![Entry::Tick]);
    if eve_reads {
        let outcome = outcome_of(&world.veto("eve", &id), &id);
        assert_eq!(Loot::decided(&outcome), Loot::refused("deny.vetoed"));
    }
    world.commit_at(evening.plus_seconds(DELAY + 1), vec![Entry::Tick]);
    let outcome = last_word(&world, &id);
    match executed(&mut world, &id, &outcome) {
        Ok(_) => vault::swept(&mut world),
        Err(refused) => refused,
    }
}

fn wait_half_an_hour(policy: &mut PolicyVersion) {
    let row = policy.quorums.iter_mut().find(|row| row.id == name("authority-two"));
    row.expect("a row").delay_seconds = DELAY;
}

/// Both approve, with words that hold for the whole delay.
fn coerced<C: Controls>(world: &mut World<C>, id: &RequestId) -> Outcome {
    let mut outcome = Outcome::Priced;
    for who in ["ana", "ben"] {
        let expires = world.now().plus_seconds(2 * DELAY - 60);
        let approval = Approval { expires, ..world.approval(who, id) };
        outcome = outcome_of(&world.commit(vec![world.sign_approval(approval)]), id);
    }
    outcome
}

fn last_word<C: Controls>(world: &World<C>, id: &RequestId) -> Outcome {
    let about = |decisions: &Vec<keystead_decision::Decision>| {
        decisions.iter().rev().find(|it| it.subject == *id).map(|it| it.outcome.clone())
    };
    world.log.iter().rev().find_map(|(_, _, decisions)| about(decisions)).expect("a decision")
}

/// In seconds of block time.
const DELAY: u64 = 1_800;

/// Controls by which nothing waits.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutDelay;

impl Controls for WithoutDelay {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn rule(&self, engine: &Engine, question: &Question<'_>) -> Ruling {
        match engine.decide(question) {
            Ruling::Pass { requirement, charges, rules } => {
                let requirement = Requirement { delay_seconds: 0, ..requirement };
                Ruling::Pass { requirement, charges, rules }
            }
            denied => denied,
        }
    }
}
