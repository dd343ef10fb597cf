//! One endpoint lies while the others time out (A1).
//!
//! Kelp's lesson: whoever goes on with the one voice that is left goes on with the liar's.
//!
//! A payment takes most of the day's limit; the thief keeps what was signed. Two of the three endpoints of the node are
//! made silent, and the third says that another transaction took the payment's nonce: so its amount would be free again,
//! and the thief would ask for as much once more, and send both. Two lines of defense: two of three must agree, so that
//! one voice says nothing; and a nonce that is gone by no request freezes its key. The twin's wiring has neither:
//! [`failover`] with [`WithoutReconciliation`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use alloy_primitives::U256;
use keystead_base::{Amount, RequestId};
use keystead_decision::{Controls, Entry};
use keystead_node::{ChainConfig, EndpointConfig};
use keystead_policy::PolicyVersion;
use keystead_wire::{ChainWatch, RequestStage};
use serde_json::{Value, json};

pub use super::unlogged_transaction::WithoutReconciliation;
use super::unlogged_transaction::compared;
use crate::Loot;
use crate::chainside::{anvil, balance, fund, head, mine, sends};
use crate::cluster::{NodeHome, Station, ether};
use crate::fixture::{CHAIN, ETHER, FRIEND, name};
use crate::twisted::Twisted;

/// How the node asks its endpoints.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    agree: usize,
    of: usize,
}

/// The product's: two of three.
#[must_use]
pub fn two_of_three() -> Asked {
    Asked { agree: 2, of: 3 }
}

/// The naive product's, once two of its endpoints are down: whoever still answers.
#[must_use]
pub fn failover() -> Asked {
    Asked { agree: 1, of: 1 }
}

/// Plays it, under these controls and with endpoints that are asked like this.
///
/// # Panics
///
/// When a service of the test fails.
pub async fn attack<C: Controls + Clone + 'static>(controls: C, asked: Asked) -> Loot {
    let (_chain, anvil) = anvil();
    let lies = Arc::new(AtomicBool::new(false));
    let is_lying = Arc::clone(&lies);
    let twist = move |method: &str, result: &mut Value| {
        if is_lying.load(Ordering::SeqCst) && method == "eth_getTransactionCount" {
            *result = json!("0x1");
        }
    };
    let liar = Twisted::before(anvil, Arc::new(twist)).await;
    let others = [Twisted::honest(anvil).await, Twisted::honest(anvil).await];
    let mut home = NodeHome::with_policy(narrow);
    let urls = [liar.url(), others[0].url(), others[1].url()];
    let endpoint = |(index, url): (usize, &String)| EndpointConfig {
        name: name(&format!("endpoint-{index}")),
        url: url.clone(),
        ca: None,
    };
    let endpoints = urls.iter().enumerate().map(endpoint).take(asked.of).collect();
    home.config.chains =
        vec![ChainConfig { chain: CHAIN.0, agree: asked.agree, endpoints, confirmations: Some(1) }];
    home.config.limits.settlement_seconds = 1;
    let station = home.start_under(controls).await;
    station.make_hot_key().await;
    fund(anvil, station.account().await, 100 * ETHER).await;
    // The second look began after the first one was over: the account is watched by then.
    for _ in 0..2 {
        mine(anvil, 1).await;
        compared(&station, head(anvil).await).await;
    }

    let kept = station.ask("dora", ether(FRIEND, ETHER, 0)).await;
    others.iter().for_each(|it| it.silence(true));
    lies.store(true, Ordering::SeqCst);
    settle_down(&station, &kept.request).await;
    let more = station.ask("dora", ether(FRIEND, ETHER, 1)).await;
    let Some(signed) = more.signed else { return Loot::decided(&more.decision.outcome) };
    sends(anvil, &kept.signed.expect("a signature").raw).await;
    sends(anvil, &signed.raw).await;
    let beyond = balance(anvil, FRIEND).await.saturating_sub(U256::from(LIMIT));
    Loot::stolen(beyond, "wei beyond the day's limit")
}

/// A node looks every second, and states what it found when its turn comes.
const PATIENCE: Duration = Duration::from_secs(180);

/// Until the node has looked at what the endpoints say now: the payment is dead to it, and what that means is in the log;
/// or nothing is known.
async fn settle_down(station: &Station, kept: &RequestId) {
    let client = station.client("eve").await;
    let patience = Instant::now() + PATIENCE;
    while Instant::now() < patience {
        let status = client.status().await.expect("a status");
        let view = client.request(*kept).await.expect("an answer").expect("a request").view;
        let unknown =
            matches!(&status.chains[0].watch, ChainWatch::Unknown { text } if text.contains("agree"));
        if unknown || (view.stage == RequestStage::Dead && is_found(station, status.height).await) {
            return;
        }
    }
    panic!("the node does not look: {:?} {:?}", station.events(), client.status().await)
}

async fn is_found(station: &Station, height: u64) -> bool {
    let blocks = station.client("eve").await.blocks(1, height).await.expect("blocks");
    blocks.iter().flat_map(|it| &it.entries).any(|it| matches!(it, Entry::Finding(_)))
}

/// A day sees a little more than one payment.
fn narrow(policy: &mut PolicyVersion) {
    let window = policy.windows.iter_mut().find(|it| it.id == name("ether-per-day")).expect("a window");
    window.limit = Amount::from(LIMIT);
}

/// One payment and a half.
const LIMIT: u128 = ETHER + ETHER / 2;
