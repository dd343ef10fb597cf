//! An approval outlives the rules that it was given under (S11).
//!
//! Ronin, 23 March 2022: in November 2021 Axie DAO had lent its vote to Sky Mavis for a busy month. The
//! arrangement ended in December and the right was never taken back; four stolen keys and that old right made five
//! of nine, and 173,600 ether left.
//!
//! Here `ana` approves while three people have to agree, and counts on the other two to look closely.
//! Then a policy version asks for two only. The thief's friend `ben` and the old word of `ana` are two.
//!
//! Two controls stand here: a change of policy clears what was gathered, and an old approval that is
//! sent again names an old version. The thief sends it again; the twin lacks the second. Without the first
//! alone ([`KeepsApprovals`]) what was gathered still names the old version, and counts no more.

use keystead_decision::{Controls, Outcome};
use keystead_intent::Approval;
use keystead_policy::PolicyVersion;
use keystead_quorum::{Checks, Context, Refusal, Strict};

use crate::Loot;
use crate::fixture::{ETHER, FRIEND, name};
use crate::theft::{STRICT_CHECKS, executed};
use crate::world::{World, outcome_of};

/// Plays it.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::with_policy(controls, |policy| people_for_large(policy, 3));
    let (id, _) = world.ask("dora", world.ether(FRIEND, 9 * ETHER, 0));
    let old = world.sign_approval(world.approval("ana", &id));
    world.commit(vec![old.clone()]);

    world.adopt(|policy| people_for_large(policy, 2));
    let again = world.commit(vec![old]);
    let outcome = outcome_of(&again, &id);
    if !matches!(outcome, Outcome::Counted { .. }) {
        return Loot::decided(&outcome);
    }
    let outcome = outcome_of(&world.approve("ben", &id), &id);
    match executed(&mut world, &id, &outcome) {
        Ok(_) => Loot::stolen(world.chain.balance(FRIEND), "wei on the word of one"),
        Err(refused) => refused,
    }
}

fn people_for_large(policy: &mut PolicyVersion, count: u32) {
    let large = policy.quorums.iter_mut().find(|row| row.id == name("large-two"));
    large.expect("a row").needs[0].count = count;
}

/// Checks that do not ask under which policy version an approval was given.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutPolicyBinding;

impl Checks for WithoutPolicyBinding {
    fn binds_policy(&self, _: &Context<'_>, _: &Approval) -> Result<(), Refusal> {
        Ok(())
    }
}

/// Controls by which a change of policy leaves gathered approvals where they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeepsApprovals;

impl Controls for KeepsApprovals {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn voids_approvals(&self) -> bool {
        false
    }
}
