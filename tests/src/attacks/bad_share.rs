//! A dealer gives one holder a wrong share (K6).
//!
//! Feldman's paper of 1987 is about this dealer: whoever only adds up what it is sent has a share that signs nothing, learns it
//! when it is needed, and is then the one who is named.
//!
//! `node-2` deals `node-1` a number beside its polynomial, at a birth, in a refresh, or where a key is handed on. The
//! product's holder compares it with what `node-2` committed to, and names it. The twin's adds it up. A share of FROST signs
//! nothing then; with one of ECDSA nobody sets up anything.

use alloy_primitives::U256;
use keystead_threshold::{Bip340, Culprit, Kind as Said};

use crate::Loot;
use crate::circle::nodes;
use crate::kinds::{Kind, Occasion};
use crate::table::{Shares, dealt, scalar, with_scalar};

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
pub fn attack<K: Kind>(occasion: Occasion, receiving: Receiving) -> Loot {
    let [victim, liar] = &nodes(&[1, 2])[..] else { panic!("two") };
    let born = K::born();
    if receiving == Receiving::Checked {
        let lied = K::ceremony(&born, occasion, |to, said| {
            if to == 0 && said.kind == Said::DealShare && said.from == *liar {
                let share: [u8; 32] = said.payload.expose()[..].try_into().expect("a scalar");
                said.payload.expose_mut().copy_from_slice(&beside(&share));
            }
        });
        let abort = lied.map(drop).expect_err("what it is dealt lies on no polynomial");
        assert_eq!(abort.culprit, Culprit::Node(liar.clone()));
        return Loot::refused_for(&abort);
    }
    // Whoever adds up goes on. A sum of which one part is off by one is off by one.
    let mut shares: Shares = born.iter().map(|(name, share)| (name.clone(), K::bare(share))).collect();
    if occasion != Occasion::Birth {
        shares = dealt::<Bip340>(&shares, occasion.purpose());
    }
    let right = scalar(&shares[victim]);
    shares.insert(victim.clone(), with_scalar(&shares[victim], &beside(&right)));
    let abort = K::used(&shares).expect_err("a wrong share is of no use");
    assert_eq!(abort.culprit, Culprit::Node(victim.clone()), "the victim is named");
    Loot::harmed("an honest holder has a share that is of no use, and is named for it")
}

/// The next scalar.
fn beside(share: &[u8; 32]) -> [u8; 32] {
    (U256::from_be_bytes(*share) + U256::from(1)).to_be_bytes()
}
