//! The coordinator swaps the payload after it was approved (S2, S3).
//!
//! The last step of the Bybit kind of theft: all approvals are genuine, and other bytes reach the device
//! that signs. Two ether to a friend were approved by two people; nine for the thief are handed in with
//! that certificate.
//!
//! The product's signer compares the certificate's digest with that of the very bytes. The twin's differs
//! in one argument: it compares the certificate's digest with the certificate's digest.

use keystead_base::Digest;
use keystead_chain::{Unsigned, assemble, build};
use keystead_decision::{Certificate, Outcome, Strict};

use crate::Loot;
use crate::fixture::{ETHER, FRIEND};
use crate::theft::{THIEF, approved};
use crate::world::World;

/// Which digest a signer takes for that of the bytes in its hands.
pub type DigestOf = fn(&Certificate, &Unsigned) -> Digest;

/// The product's way.
#[must_use]
pub fn computed(_: &Certificate, unsigned: &Unsigned) -> Digest {
    unsigned.signing_digest()
}

/// The naive way.
#[must_use]
pub fn granted(certificate: &Certificate, unsigned: &Unsigned) -> Digest {
    match &certificate.decision.outcome {
        Outcome::Allow(grant) => grant.signing_digest,
        _ => unsigned.signing_digest(),
    }
}

/// Plays it, with this signer.
pub fn attack(digest_of: DigestOf) -> Loot {
    let mut world = World::new(Strict::default());
    let (id, waits) = world.ask("desk", world.ether(FRIEND, 2 * ETHER, 0));
    assert!(matches!(approved(&mut world, &id, waits), Outcome::Allow(_)));
    let certificate = world.certificate(&id).expect("a decision has a certificate");
    let swapped = build(&world.ether(THIEF, 9 * ETHER, 0), world.account()).expect("a payload");

    let (digest, now) = (digest_of(&certificate, &swapped), world.now());
    let grant = match world.light.permit_signing(&certificate, &digest, now) {
        Ok(permit) => permit.into_grant(),
        Err(error) => return Loot::refused_for(&error),
    };
    let (r, s, odd_y) = world.sign_digest(grant.account.index, &swapped.signing_digest());
    let signed = assemble(&swapped, r, s, odd_y).expect("a signature of this account");
    world.chain.execute_raw(&signed.raw).expect("a transaction that the chain takes");
    Loot::stolen(world.chain.balance(THIEF), "wei that nobody approved")
}
