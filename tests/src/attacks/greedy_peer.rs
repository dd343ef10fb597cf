//! One known peer takes every place (A2, A4).
//!
//! A device of an insider, or a coordinator that somebody took over, holds a pinned key and is let in. It
//! opens connections for as long as there are any, and keeps them. Nobody else reaches the node: not the
//! other people, and no freeze.
//!
//! The product gives one peer a share of the places; the twin has one number for all.

use keystead_wire::Limits;

use crate::Loot;
use crate::edge::{Who, Wire};

/// The product's share of one peer, and few places in all, so that the test is short.
#[must_use]
pub fn product() -> Limits {
    Limits { connections: 24, ..Limits::default() }
}

/// The naive server's: first come, first served.
#[must_use]
pub fn without_shares() -> Limits {
    Limits { connections_per_peer: usize::MAX, ..product() }
}

/// Plays it.
pub async fn attack(limits: Limits) -> Loot {
    let server = Wire::start(limits, |_, question: Vec<u8>| async move { question }).await;
    let (mut held, mut refusal) = (Vec::new(), None);
    while refusal.is_none() {
        match server.connect(Who::Thief).await {
            Ok(client) => held.push(client),
            Err(error) => refusal = Some(Loot::refused_for(&error)),
        }
    }
    match server.connect(Who::Honest).await {
        Ok(client) => {
            assert_eq!(client.call(b"in".to_vec()).await, Ok(b"in".to_vec()));
            refusal.expect("the thief was stopped")
        }
        Err(error) => Loot::harmed(format!("{} places taken, and for others: {error}", held.len())),
    }
}
