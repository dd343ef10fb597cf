//! A share of the last epoch beside one of this epoch (K3, A6).
//!
//! The mobile adversary of Ostrovsky and Yung (1991): over the years every machine is taken once, and no two at the same time.
//! Proactive refresh is the answer to it (Herzberg and others, 1995).
//!
//! The thieves copied what `node-1` kept from a backup, years ago: its number, and what was set up between it and the others. The
//! key was refreshed since; now they have `node-2`. Any two of three sign. The thieves forge the old share, so that it says it is one
//! of this epoch and of its set-up, and have both machines run; and they put the two numbers together by themselves, which
//! needs no protocol. The product's refresh deals shares of another polynomial with the same constant. The twin's changes
//! the epoch and leaves the shares as they are.

use alloy_primitives::U256;
use keystead_base::{Digest, tagged_hash};

use crate::Loot;
use crate::circle::nodes;
use crate::kinds::{Kept, Kind, Occasion};
use crate::table::{relabelled, scalar};

/// How the shares of the next epoch come about.
pub type Refresh<K> = fn(&Kept<K>) -> Kept<K>;

/// The product's way.
#[must_use]
pub fn dealt_anew<K: Kind>(old: &Kept<K>) -> Kept<K> {
    K::ceremony(old, Occasion::Refresh, |_, _| {}).expect("a refresh")
}

/// The naive way.
#[must_use]
pub fn counted_up<K: Kind>(old: &Kept<K>) -> Kept<K> {
    let next = |share: &K::Share| K::forged(share, &relabelled(&K::bare(share)));
    old.iter().map(|(name, share)| (name.clone(), next(share))).collect()
}

/// Plays it, with a refresh like this.
pub fn attack<K: Kind>(refresh: Refresh<K>) -> Loot {
    let (first, second) = (&nodes(&[1])[0], &nodes(&[2])[0]);
    let old = K::born();
    let new = refresh(&old);
    let [before, after] = [&old, &new].map(|it| K::bare(&it[first]));
    assert_eq!(after.public().key, before.public().key, "the same key");
    assert_eq!(after.epoch(), before.epoch() + 1);
    let copied = K::mixed(&old[first], &new[first]);
    cashed::<K>(&[(first.clone(), copied), (second.clone(), K::copied(&new[second]))].into())
}

/// What two shares sign that the thieves brought together, of the first and the second holder.
pub(crate) fn cashed<K: Kind>(pair: &Kept<K>) -> Loot {
    let shares: Vec<_> = pair.values().map(K::bare).collect();
    let key = &shares[1].public().key;
    let by_hand = K::by_hand(&put_together(&scalar(&shares[0]), &scalar(&shares[1])), text());
    let by_hand = K::verifies(key, text(), &by_hand);
    match K::run(pair, text()) {
        Ok(signature) if K::verifies(key, text(), &signature) => {
            assert!(by_hand, "what signs in a run signs without one");
            Loot::Stolen { what: "a signature of the key over what the thieves like".to_owned() }
        }
        Ok(_) => panic!("a signature that verifies nowhere"),
        Err(_) if by_hand => Loot::Stolen { what: "the key itself".to_owned() },
        Err(abort) => Loot::refused_for(&abort),
    }
}

/// The constant of the line through two points, at one and at two.
fn put_together(first: &[u8; 32], second: &[u8; 32]) -> [u8; 32] {
    let [first, second] = [first, second].map(|it| U256::from_be_bytes(*it));
    first.add_mod(first, ORDER).add_mod(ORDER - second, ORDER).to_be_bytes()
}

fn text() -> Digest {
    tagged_hash("keystead/test", b"everything to the thieves")
}

/// The order of the group of secp256k1.
const ORDER: U256 =
    U256::from_limbs([0xbfd2_5e8c_d036_4141, 0xbaae_dce6_af48_a03b, 0xffff_ffff_ffff_fffe, u64::MAX]);
