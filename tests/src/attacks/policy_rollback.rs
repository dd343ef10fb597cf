//! The old rules come back, with all their signatures (S13).
//!
//! BlackLotus, 2023: the boot loader that it brought along was genuine, signed, and had been replaced for
//! a flaw a year before; nothing refused what had once been right. Signatures do not age.
//!
//! Version 0 lets traders move funds. After a quarrel with `dora` version 1 does not. Then `ana` and `ben`
//! are asked to "restore version 0, signed by all founders" and, believing the coordinator's story of a
//! lost disk, approve. Two lines of defense: the log takes no version but the next one that names the
//! present one, and the signer follows versions by the same rule. [`WithoutSuccession`] alone ends at the
//! signer.

use alloy_primitives::Bytes;
use keystead_base::{Canonical as _, RequestId};
use keystead_decision::{Controls, Outcome, Transition};
use keystead_intent::{Action, AuthorityChange};
use keystead_policy::{PolicyError, PolicyVersion, Sections};
use keystead_quorum::Strict;

use crate::fixture::{ETHER, FRIEND, name};
use crate::theft::STRICT_CHECKS;
use crate::world::{World, outcome_of};
use crate::{Loot, Signer};

/// Plays it.
pub fn attack<C: Controls>(controls: C, signer: Signer) -> Loot {
    let mut world = World::new(controls);
    let old = world.state.policy().engine.version().clone();
    world.adopt(|policy| policy.rules.retain(|rule| rule.id != name("traders-move-hot")));
    let document = Bytes::from(old.to_document());
    let (id, outcome) = world.ask("cleo", Action::Authority(AuthorityChange::Policy { document }));
    if !matches!(outcome, Outcome::Wait { .. }) {
        return Loot::decided(&outcome);
    }
    let restored = restore(&mut world, &id);
    if !matches!(restored, Outcome::Activated { .. }) {
        return Loot::decided(&restored);
    }
    under_old_rules(world, signer, old)
}

/// The two approve, in blocks that the signer is not shown.
fn restore<C: Controls>(world: &mut World<C>, id: &RequestId) -> Outcome {
    for who in ["ana", "ben"] {
        let approval = world.sign_approval(world.approval(who, id));
        world.commit_unseen(vec![approval]);
    }
    let (_, _, decisions) = world.log.last().expect("a block");
    outcome_of(decisions, id)
}

fn under_old_rules<C: Controls>(mut world: World<C>, signer: Signer, old: PolicyVersion) -> Loot {
    let (commit, ..) = world.log.last().expect("a block").clone();
    if signer == Signer::LightClient
        && let Err(error) = world.light.follow(&Transition { commit, policy: old, rebuild: None })
    {
        return Loot::refused_for(&error);
    }
    let intent = world.intent("dora", world.ether(FRIEND, ETHER, 0));
    let id = intent.id();
    let outcome = outcome_of(&world.commit_unseen(vec![world.requests(vec![intent])]), &id);
    let Outcome::Allow(_) = outcome else { return Loot::decided(&outcome) };
    let certificate = world.certificate(&id).expect("a decision has a certificate");
    let unsigned = world.unsigned(&id);
    match signer.sign(&mut world, &certificate, &unsigned) {
        Ok(signed) => drop(world.chain.execute_raw(&signed.raw)),
        Err(refused) => return refused,
    }
    Loot::stolen(world.chain.balance(FRIEND), "wei under rules that were withdrawn")
}

/// Controls that take any version that enough people approve.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutSuccession;

impl Controls for WithoutSuccession {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn successor(&self, current: &PolicyVersion, next: &PolicyVersion) -> Result<Sections, PolicyError> {
        Ok(Sections::between(current, next))
    }
}
