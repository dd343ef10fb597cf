//! A stolen key pays past the log, and nobody notices (L4).
//!
//! Ronin, 23 March 2022: 173,600 ether left in two transactions that nobody of the house had made. It was found out six
//! days later, when a customer could not withdraw; until then everything went on as if nothing had happened.
//!
//! Somebody has the secret of `hot` and sends a little with it, past every node: that needs no request. Then the insider
//! asks for all that the limits give, as every day. What left the account without a request freezes its key within a
//! few blocks; in the twin's wiring ([`WithoutReconciliation`]) it is written down and followed by nothing.

use keystead_decision::{Controls, Finding};
use keystead_node::{ChainConfig, EndpointConfig};
use keystead_quorum::Strict;

use crate::Loot;
use crate::chainside::{anvil, balance, fund, head, mine, sends, steals};
use crate::cluster::{NodeHome, Station, ether};
use crate::fixture::{CHAIN, ETHER, FRIEND, name};
use crate::theft::{STRICT_CHECKS, THIEF};

/// Plays it.
///
/// # Panics
///
/// When a service of the test fails.
pub async fn attack<C: Controls + Clone + 'static>(controls: C) -> Loot {
    let (chain, anvil) = anvil();
    let mut home = NodeHome::new();
    let endpoint = EndpointConfig { name: name("endpoint-0"), url: chain.url(), ca: None };
    let (endpoints, confirmations) = (vec![endpoint], Some(1));
    home.config.chains = vec![ChainConfig { chain: CHAIN.0, agree: 1, endpoints, confirmations }];
    home.config.limits.settlement_seconds = 1;
    let station = home.start_under(controls).await;
    station.make_hot_key().await;
    let account = station.account().await;
    fund(anvil, account, 100 * ETHER).await;
    // The second look began after the first one was over: the account is watched by then.
    for _ in 0..2 {
        mine(anvil, 1).await;
        compared(&station, head(anvil).await).await;
    }
    steals(anvil, account, THIEF, 1).await;
    compared(&station, head(anvil).await).await;
    let asked = station.ask("dora", ether(FRIEND, ETHER, 1)).await;
    let Some(signed) = asked.signed else { return Loot::decided(&asked.decision.outcome) };
    sends(anvil, &signed.raw).await;
    Loot::stolen(balance(anvil, FRIEND).await, "wei of a key that somebody else had")
}

/// Waits until the node has compared the chain up to a block, and the log has what it found.
pub(super) async fn compared(station: &Station, block: u64) {
    let client = station.client("eve").await;
    loop {
        let status = client.status().await.expect("a status");
        let reconciled = &status.chains[0].reconciled;
        if reconciled.upto >= Some(block) && reconciled.suspects == 0 {
            return;
        }
    }
}

/// Controls to which a finding is a note.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutReconciliation;

impl Controls for WithoutReconciliation {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn freezes_on(&self, _: &Finding) -> bool {
        false
    }
}
