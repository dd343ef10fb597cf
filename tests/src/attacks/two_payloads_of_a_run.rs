//! Whoever leads a run tells a holder other bytes than the log allowed (S2, S3).
//!
//! A signing service that is told what to sign by whoever calls it is a raw-hash oracle: the Bybit kind of theft, with
//! shares in the place of devices. One ether to a friend is allowed. The thieves are the coordinator and one holder; it
//! leads the run, and says that it is about nine ether for them.
//!
//! A holder's enclave makes the session of the grant that the log showed it, and its id binds the digest: the
//! leader's messages are then another session's. The twin differs in one argument: it takes the digest that the leader names.

use keystead_base::Digest;
use keystead_decision::Outcome;

use crate::Loot;
use crate::circle::nodes;
use crate::fixture::{ETHER, FRIEND};
use crate::holders::{Circle, empty, signs};
use crate::table::{Draw, Table, begin};
use crate::theft::THIEF;

/// What a called holder signs, of what was granted and what the leader says.
pub type DigestOf = fn(granted: Digest, told: Digest) -> Digest;

/// The product's way.
#[must_use]
pub fn granted(granted: Digest, _: Digest) -> Digest {
    granted
}

/// The naive way.
#[must_use]
pub fn told(_: Digest, told: Digest) -> Digest {
    told
}

/// Plays it, with holders who take the digest like this.
pub fn attack(digest_of: DigestOf) -> Loot {
    let mut circle = Circle::born();
    let payment = circle.ether(FRIEND, ETHER, 0);
    let (granted, stolen) = (circle.unsigned(&payment), circle.unsigned(&circle.ether(THIEF, 9 * ETHER, 0)));
    let (request, allowed) = circle.world.ask("desk", payment);
    assert!(matches!(allowed, Outcome::Allow(_)), "{allowed:?}");
    let right = circle.permitted(&request, &granted.signing_digest()).expect("a right");

    let (signers, told) = (nodes(&[1, 2]), stolen.signing_digest());
    let of_leader = circle.session(&signers, told);
    let mut of_holder = of_leader.clone();
    if let keystead_threshold::Purpose::Sign { digest, .. } = &mut of_holder.purpose {
        *digest = digest_of(right, told);
    }
    let mut table = Table::new();
    for (holder, session) in signers.iter().zip([&of_leader, &of_holder]) {
        let begun = begin(&mut empty(), session, holder).expect("a run");
        table.seat(begun, signs(holder), Draw::of(session, holder));
    }
    table.run(|_, _| {});
    let (_, end) = table.ends().pop().expect("the honest holder");
    match end.expect("an end") {
        Ok((_, signature)) => circle.cash(&stolen, &signature),
        Err(abort) => return Loot::refused_for(&abort),
    }
    Loot::stolen(circle.world.chain.balance(THIEF), "wei that nobody allowed")
}
