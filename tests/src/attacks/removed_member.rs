//! Whoever left one after the other comes back together (K3, A3).
//!
//! A custodian dismisses one holder and, a year later, another. Both kept what they had when they left, as people do. Each of
//! them alone is less than a key that two sign withstands, and they never held shares of the same epoch at the end.
//!
//! `node-1` leaves {1, 2, 3}, and keeps its share of the first epoch with what was set up for it; `node-2` leaves {2, 3, 4}, and
//! keeps its number of the second, and even what was set up between it and `node-1`, which it should have wiped. The
//! product hands a key on by dealing it anew to those who stay. The twin strikes the name off the list.
//!
//! What resharing does *not* end are t holders of one epoch who kept their shares (SECURITY.md): only a sweep to a new key does.

use keystead_base::Name;
use keystead_threshold::{Bip340, Holders, Purpose};

use crate::Loot;
use crate::attacks::mixed_epochs::cashed;
use crate::circle::nodes;
use crate::kinds::{Kept, Kind};
use crate::table::{Shares, dealt, relabelled, scalar};

/// How a key is handed on without one of its holders: by whom, and to whom.
pub type HandOn = fn(&Shares, dealers: Vec<Name>, next: Vec<Name>) -> Shares;

/// The product's way. Both kinds of keys are dealt like this; what an ECDSA key is set up with afterwards changes no number.
#[must_use]
pub fn reshared(shares: &Shares, dealers: Vec<Name>, next: Vec<Name>) -> Shares {
    let next = Holders::new(2, next).expect("holders");
    dealt::<Bip340>(shares, Purpose::Reshare { dealers, next })
}

/// The naive way. Newcomers would be dealt a point of the same polynomial; the thieves need none of theirs.
#[must_use]
pub fn struck_off(shares: &Shares, dealers: Vec<Name>, _: Vec<Name>) -> Shares {
    dealers.into_iter().map(|name| (name.clone(), relabelled(&shares[&name]))).collect()
}

/// Plays it, with a key that is handed on like this.
pub fn attack<K: Kind>(hand_on: HandOn) -> Loot {
    let [first, second, stays] = &nodes(&[1, 2, 3])[..] else { panic!("three") };
    let born = K::born();
    let before = born.iter().map(|(name, share)| (name.clone(), K::bare(share))).collect();
    let once = hand_on(&before, nodes(&[2, 3]), nodes(&[2, 3, 4]));
    let twice = hand_on(&once, nodes(&[3, 2]), nodes(&[3, 4, 5]));
    assert!(!once.contains_key(first), "it left");
    assert_eq!(twice[stays].public().key, before[stays].public().key, "the same key");

    let kept = K::with_number(&born[second], &scalar(&once[second]));
    let pair: Kept<K> = [(first.clone(), K::copied(&born[first])), (second.clone(), kept)].into();
    cashed::<K>(&pair)
}
