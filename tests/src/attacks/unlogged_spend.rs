//! A stolen key spends a coin past the log, and nobody notices (L4).
//!
//! Bitfinex, 2 August 2016: 119,754 bitcoin left in more than two thousand transactions that nobody of the house had asked for.
//! Each was valid by itself; nothing compared what left with what had been asked.
//!
//! Somebody has the secret of `hot`, from a backup and its recipient's key file, and spends one of its coins past every node:
//! that needs no request. Then the insider asks for what the limits give, as every day. What took the coin freezes its key once
//! it is final; in the twin's wiring ([`Unfollowed`]) it is written down and followed by
//! nothing.

use alloy_primitives::U256;
use keystead_decision::Controls;

pub use super::unlogged_transaction::WithoutReconciliation as Unfollowed;
use crate::Loot;
use crate::coin_desk::{CoinDesk, PAID, honest, reconciled, transaction};
use crate::purse::payee;
use crate::regtest::Shape;

/// Plays it.
///
/// # Panics
///
/// When a service of the test fails.
pub async fn attack<C: Controls + Clone + 'static>(controls: C) -> Loot {
    let desk = CoinDesk::under(controls, 1, vec![(Shape::Core, honest())]).await;
    let (coin, other) = (desk.coin(0).await, desk.coin(1).await);
    desk.chain.mine(5);
    desk.compared().await;
    desk.steals(&desk.stolen().await, &coin, &payee());
    desk.chain.mine(5);
    desk.compared().await;
    // What was found is in the log.
    desk.until_status(|it| reconciled(it).suspects == 0).await;
    let asked = desk.pays(other, 1_000).await;
    if asked.signed.is_none() {
        return Loot::decided(&asked.decision.outcome);
    }
    let _ = desk.chain.send(&transaction(&asked));
    desk.mined(&asked, 0).await;
    Loot::stolen(U256::from(PAID), "sat of a key that somebody else had")
}
