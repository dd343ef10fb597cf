//! Whoever left one after the other comes back together (K3, A3).
//!
//! A custodian dismisses one holder and, a year later, another. Both kept what they had when they left, as people do. Each of
//! them alone is less than a key that two sign withstands, and they never held shares of the same epoch at the end.
//!
//! `a` leaves {a, b, c}, and keeps its share of the first epoch; `b` leaves {b, c, d}, and keeps that of the second. The
//! product hands a key on by dealing it anew to those who stay. The twin strikes the name off the list.
//!
//! What resharing does *not* end are t holders of one epoch who kept their shares (SECURITY.md): only a sweep to a new key does.

use keystead_base::Name;
use keystead_threshold::{Bip340, Purpose};

use crate::Loot;
use crate::attacks::mixed_epochs::cashed;
use crate::fixture::name;
use crate::table::{Shares, again, born, dealt, holders, names, relabelled, scalar, with_scalar};

/// How a key is handed on without one of its holders: by whom, and to whom.
pub type HandOn = fn(&Shares, dealers: Vec<Name>, next: &str) -> Shares;

/// The product's way.
#[must_use]
pub fn reshared(shares: &Shares, dealers: Vec<Name>, next: &str) -> Shares {
    dealt::<Bip340>(shares, Purpose::Reshare { dealers, next: holders(2, next) })
}

/// The naive way. Newcomers would be dealt a point of the same polynomial; the thieves need none of theirs.
#[must_use]
pub fn struck_off(shares: &Shares, dealers: Vec<Name>, _: &str) -> Shares {
    dealers.into_iter().map(|name| (name.clone(), relabelled(&shares[&name]))).collect()
}

/// Plays it, with a key that is handed on like this.
pub fn attack(hand_on: HandOn) -> Loot {
    let first = born::<Bip340>(holders(2, "a b c"));
    let second = hand_on(&first, names("b c"), "b c d");
    let third = hand_on(&second, names("c b"), "c d e");
    assert!(!second.contains_key(&name("a")), "it left");
    assert_eq!(third[&name("c")].public().key, first[&name("c")].public().key, "the same key");

    // `b` wiped its share of the first epoch in good order, and brings that of the second.
    let kept = with_scalar(&first[&name("b")], &scalar(&second[&name("b")]));
    let pair: Shares = [(name("a"), again(&first[&name("a")])), (name("b"), kept)].into();
    cashed(&pair)
}
