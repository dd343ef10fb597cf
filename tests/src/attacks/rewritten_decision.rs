//! The coordinator rewrites a decision in its own database (S3).
//!
//! Bitfinex, 2 August 2016: each withdrawal needed the signature of a second company, which held the
//! limits. Somebody sat in the exchange's systems, the limits did not bind, and 119,756 bitcoin left.
//!
//! Here the coordinator's rows are copies. The log said no to five ether for the thief; the coordinator
//! turns the row into a yes, with a grant for just these bytes, and hands it to the signer beside the
//! votes and the proof that it had.
//!
//! The product's signer recomputes the way from the decision to the header that the nodes voted for. The
//! twin believes whoever feeds it.

use keystead_chain::{Unsigned, build};
use keystead_decision::{Certificate, Grant, Outcome, Strict};
use keystead_intent::{DangerClass, Slot};

use crate::fixture::{CHAIN, ETHER};
use crate::theft::THIEF;
use crate::world::{World, hot};
use crate::{Loot, Signer};

/// Plays it, with this signer.
pub fn attack(signer: Signer) -> Loot {
    let mut world = World::new(Strict::default());
    let action = world.ether(THIEF, 5 * ETHER, 0);
    let (id, outcome) = world.ask("dora", action.clone());
    assert_eq!(Loot::decided(&outcome), Loot::refused("deny.destination_unknown"));

    let unsigned = build(&action, world.account()).expect("a payload");
    let mut certificate = world.certificate(&id).expect("a denial has a certificate");
    certificate.decision.outcome = Outcome::Allow(forged(&unsigned, &certificate));
    match signer.sign(&mut world, &certificate, &unsigned) {
        Ok(signed) => drop(world.chain.execute_raw(&signed.raw)),
        Err(refused) => return refused,
    }
    Loot::stolen(world.chain.balance(THIEF), "wei that the log refused")
}

fn forged(unsigned: &Unsigned, certificate: &Certificate) -> Grant {
    Grant {
        account: hot(),
        address: unsigned.account(),
        epoch: 0,
        chain: CHAIN,
        signing_digest: unsigned.signing_digest(),
        slot: Some(Slot { chain: CHAIN, account: unsigned.account(), nonce: 0 }),
        class: DangerClass::Transfer,
        expires: certificate.commit.header.time.plus_seconds(60),
    }
}
