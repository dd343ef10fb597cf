//! More nodes lie than the cluster withstands (S10): how much they gain, to the wei.
//!
//! Not a story of the past but the sum at the end of the threat model. Two of four nodes lie, one of them the home
//! of the key, and they have the network between the two honest ones: each honest node has a log of its own, valid
//! to the last entry, with the liars' votes. What each counts is right; together they let the limit of a day leave
//! twice. That is all: each log has an honest voter, so nothing is in either that policy denies.
//!
//! With one liar, the number that four nodes withstand, nothing leaves beyond the limit.

use crate::{Loot, forking};

/// So many as four nodes withstand.
#[must_use]
pub fn tolerated() -> u8 {
    1
}

/// One more: the twin.
#[must_use]
pub fn one_more() -> u8 {
    2
}

/// Plays it, with so many liars among four.
pub async fn attack(liars: u8) -> Loot {
    forking::played(4, liars).await
}
