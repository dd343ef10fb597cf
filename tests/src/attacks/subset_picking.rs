//! Each payment by other holders, so that each of them counts a part (S10).
//!
//! Where every signer keeps its own limits, whoever picks the signers chooses who counts: with any two of three a limit
//! of ten is spent up to fifteen times, as each payment is unseen by one of them.
//!
//! Thirteen payments of one ether, of ten that are allowed in a day; each is signed by the two that counted least. The
//! log counts once for all holders, whoever signs. In the twin each holder asks a log of its own.

use alloy_primitives::U256;
use keystead_decision::{Outcome, Strict};

use crate::Loot;
use crate::circle::nodes;
use crate::fixture::{ETHER, FRIEND};
use crate::holders::{Circle, log};
use crate::world::World;

/// The product's way: all holders ask the same log.
#[must_use]
pub fn one_log() -> usize {
    1
}

/// The naive way: so many logs as there are holders.
#[must_use]
pub fn a_log_for_each() -> usize {
    3
}

/// Plays it, with so many logs.
pub fn attack(logs: usize) -> Loot {
    let mut circle = Circle::born();
    let mut logs: Vec<World<Strict>> = (0..logs).map(|_| log()).collect();
    for (nonce, pair) in (0..13).zip([[1, 2], [2, 3], [3, 1]].iter().cycle()) {
        let payment = circle.ether(FRIEND, ETHER, nonce);
        let mut asked: Vec<usize> = pair.iter().map(|it| (usize::from(*it) - 1) % logs.len()).collect();
        asked.sort_unstable();
        asked.dedup();
        for log in asked {
            let (_, outcome) = logs[log].ask("desk", payment.clone());
            if !matches!(outcome, Outcome::Allow(_)) {
                assert!(circle.world.chain.balance(FRIEND) <= limit(), "before it was refused");
                return Loot::decided(&outcome);
            }
        }
        let unsigned = circle.unsigned(&payment);
        let signature = circle.sign(&nodes(pair), unsigned.signing_digest()).expect("a signature");
        circle.cash(&unsigned, &signature);
    }
    let gone = circle.world.chain.balance(FRIEND);
    Loot::stolen(gone.saturating_sub(limit()), "wei above the daily limit")
}

fn limit() -> U256 {
    U256::from(10 * ETHER)
}
