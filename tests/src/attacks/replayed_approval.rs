//! An approval of one thing is used for another (S11).
//!
//! The coordinator carries every approval and can send it again, to whatever it likes. Sent again as it
//! is, it counts for the request that it names, which is over. With the name changed, its signature
//! fails. What is left is to give the approver's client the number of another request along with the
//! payload that the approver reads: the digest is then that of the payload, and the number is not.
//!
//! The people read two ether; the number belongs to seven. The twin asks for the number only.

use keystead_base::{Coded as _, RequestId};
use keystead_chain::build;
use keystead_decision::{Controls, Entry, Outcome};
use keystead_intent::Approval;
use keystead_quorum::{Checks, Context, Refusal};

use crate::Loot;
use crate::fixture::{ETHER, FRIEND};
use crate::theft::{approved, executed};
use crate::world::{World, outcome_of};

/// Plays it.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::new(controls);
    let honest = world.ether(FRIEND, 2 * ETHER, 0);
    let (first, waits) = world.ask("desk", honest.clone());
    let Entry::Approval(old) = world.sign_approval(world.approval("ana", &first)) else { unreachable!() };
    assert!(matches!(approved(&mut world, &first, waits), Outcome::Allow(_)));

    let (seven, _) = world.ask("dora", world.ether(FRIEND, 7 * ETHER, 1));
    let verbatim = world.commit(vec![Entry::Approval(old.clone())]);
    assert_eq!(Loot::decided(&outcome_of(&verbatim, &first)), Loot::refused("deny.not_open"));
    let mut renamed = old;
    renamed.body.request = seven;
    let forged = world.state.admit(Entry::Approval(renamed)).expect_err("a signature that fails");
    assert_eq!(forged.code(), "admission.signature");

    let read = build(&honest, world.account()).expect("an honest payload").signing_digest();
    let mut outcome = Outcome::Priced;
    for who in ["ana", "ben"] {
        let approval = Approval { signing_digest: read, ..world.approval(who, &seven) };
        outcome = outcome_of(&world.commit(vec![world.sign_approval(approval)]), &seven);
    }
    steal(world, &first, &seven, &outcome)
}

fn steal<C: Controls>(mut world: World<C>, first: &RequestId, seven: &RequestId, outcome: &Outcome) -> Loot {
    let Outcome::Allow(_) = outcome else { return Loot::decided(outcome) };
    let honest = world.unsigned(first);
    let (r, s, odd_y) = world.sign_digest(0, &honest.signing_digest());
    let raw = keystead_chain::assemble(&honest, r, s, odd_y).expect("the honest payment").raw;
    world.chain.execute_raw(&raw).expect("the honest payment is made");
    let before = world.chain.balance(FRIEND);
    match executed(&mut world, seven, outcome) {
        Ok(_) => Loot::stolen(world.chain.balance(FRIEND).saturating_sub(before), "wei nobody read"),
        Err(refused) => refused,
    }
}

/// Checks that do not compare the digest, the request or the cluster.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutRequestBinding;

impl Checks for WithoutRequestBinding {
    fn binds_request(&self, _: &Context<'_>, _: &Approval) -> Result<(), Refusal> {
        Ok(())
    }
}
