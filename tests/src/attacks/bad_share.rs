//! A dealer gives one holder a wrong share (K6).
//!
//! Feldman's paper of 1987 is about this dealer: whoever only adds up what it is sent has a share that signs nothing, learns it
//! when it is needed, and is then the one who is named.
//!
//! `b` deals `a` a number beside its polynomial. The product's holder compares it with what `b` committed to, and
//! names it. The twin's adds it up.

use alloy_primitives::U256;
use keystead_base::{Digest, tagged_hash};
use keystead_threshold::{Bip340, Generate, Kind, Purpose, Scheme};

use crate::Loot;
use crate::fixture::name;
use crate::table::{Shares, again, holders, scalar, seated, session, signed, signing, with_scalar};

/// What a holder does with what it is dealt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiving {
    /// It compares it with the commitment.
    Checked,
    /// It adds it up.
    Added,
}

/// The product's way.
#[must_use]
pub fn checked() -> Receiving {
    Receiving::Checked
}

/// The naive way.
#[must_use]
pub fn added() -> Receiving {
    Receiving::Added
}

/// Plays it, with holders who receive like this.
pub fn attack(receiving: Receiving) -> Loot {
    let session = session(Scheme::Bip340Frost, (1, holders(2, "a b c")), Purpose::Generate, "a birth");
    let mut table = seated(&session, |_| Generate::<Bip340>::new());
    table.run(|to, delivery| {
        let lies = to == 0 && delivery.kind == Kind::DealShare && delivery.from == name("b");
        // Whoever adds up goes on: what it adds comes below.
        if lies && receiving == Receiving::Checked {
            let share: [u8; 32] = delivery.payload.expose()[..].try_into().expect("a scalar");
            delivery.payload.expose_mut().copy_from_slice(&beside(&share));
        }
    });
    let mut shares = Shares::new();
    for (name, end) in table.ends() {
        match end.expect("an end") {
            Ok(share) => drop(shares.insert(name, share)),
            Err(abort) => return Loot::refused_for(&abort),
        }
    }
    // A sum of which one part is off by one is off by one.
    let wrong = with_scalar(&shares[&name("a")], &beside(&scalar(&shares[&name("a")])));
    let pair: Shares = [(name("a"), wrong), (name("c"), again(&shares[&name("c")]))].into();
    let mut run = signing::<Bip340>(&pair, text(), "a payment");
    run.run(|_, _| {});
    let (_, end) = run.ends().pop().expect("`c`");
    let abort = end.expect("an end").map(drop).expect_err("a wrong share signs nothing");
    assert_eq!(abort.culprit, keystead_threshold::Culprit::Node(name("a")), "the victim is named");
    assert!(signed::<Bip340>(signing(&shares, text(), "with the right one")).is_ok());
    Loot::harmed("an honest holder has a share that signs nothing, and is named for it")
}

/// The next scalar.
fn beside(share: &[u8; 32]) -> [u8; 32] {
    (U256::from_be_bytes(*share) + U256::from(1)).to_be_bytes()
}

fn text() -> Digest {
    tagged_hash("keystead/test", b"a payment")
}
