//! A chain takes back what the log took for settled (S10).
//!
//! Ethereum Classic, August 2020: blocks thousands deep were replaced, and what exchanges had taken for final was paid
//! twice.
//!
//! A payment takes most of the day's limit, and the insider keeps what was signed. Then it is called off, by a
//! replacement that moves nothing, which a block takes: so the payment's amount is free, and as much is paid once more. The
//! chain gives that block up, the kept payment takes the nonce after all, and both are paid. A settlement waits until as
//! many blocks stand on it as the node was told ([`deep`]); the twin's takes the newest one ([`shallow`]).

use std::net::SocketAddr;

use alloy_primitives::U256;
use keystead_base::{Amount, RequestId};
use keystead_chain::{Payload, build};
use keystead_intent::{Action, Asset, RawEthereum, Replacement, Transfer};
use keystead_node::{ChainConfig, EndpointConfig};
use keystead_policy::PolicyVersion;
use keystead_wire::{ChainWatch, RequestStage};
use serde_json::json;

use crate::Loot;
use crate::chainside::{anvil, asked, balance, fund, head, mine, sends};
use crate::cluster::{NodeHome, Station, ether};
use crate::fixture::{CHAIN, ETHER, FRIEND, name};
use crate::world::{gas, hot};

/// How many blocks make one final, itself included: more than this chain gives up.
#[must_use]
pub fn deep() -> u64 {
    6
}

/// The newest block is final.
#[must_use]
pub fn shallow() -> u64 {
    1
}

/// Plays it, where so many blocks make one final.
///
/// # Panics
///
/// When a service of the test fails.
pub async fn attack(confirmations: u64) -> Loot {
    let (chain, anvil) = anvil();
    let mut home = NodeHome::with_policy(narrow);
    let endpoints = vec![EndpointConfig { name: name("endpoint-0"), url: chain.url(), ca: None }];
    let confirmations = Some(confirmations);
    home.config.chains = vec![ChainConfig { chain: CHAIN.0, agree: 1, endpoints, confirmations }];
    home.config.limits.settlement_seconds = 1;
    let station = home.start().await;
    station.make_hot_key().await;
    fund(anvil, station.account().await, 100 * ETHER).await;

    let kept = station.ask("dora", ether(FRIEND, ETHER, 0)).await;
    let called_off = station.ask("dora", cancel(&station, kept.request).await).await;
    let snapshot = asked(anvil, "evm_snapshot", json!([])).await;
    sends(anvil, &called_off.signed.expect("a signature").raw).await;
    mine(anvil, 1).await;
    seen(&station, anvil, &called_off.request).await;
    let more = station.ask("dora", ether(FRIEND, ETHER, 1)).await;
    let Some(signed) = more.signed else { return Loot::decided(&more.decision.outcome) };
    asked(anvil, "evm_revert", json!([snapshot])).await;
    sends(anvil, &kept.signed.expect("a signature").raw).await;
    sends(anvil, &signed.raw).await;
    let beyond = balance(anvil, FRIEND).await.saturating_sub(U256::from(LIMIT));
    Loot::stolen(beyond, "wei beyond the day's limit")
}

/// Until the node has settled a request, or looked at the chain as it is now without doing so.
async fn seen(station: &Station, anvil: SocketAddr, request: &RequestId) {
    let (client, newest) = (station.client("eve").await, head(anvil).await);
    let mut looks = 0;
    while looks < 2 {
        let view = client.request(*request).await.expect("an answer").expect("a request").view;
        if view.stage == RequestStage::Settled {
            return;
        }
        let status = client.status().await.expect("a status");
        // A look begins with the head: one that began after the block is over when the next one has begun.
        if matches!(status.chains[0].watch, ChainWatch::Agreed { head } if head >= newest + looks) {
            mine(anvil, 1).await;
            looks += 1;
        }
    }
}

/// A transfer of nothing to the account itself in the place of a request.
async fn cancel(station: &Station, replaces: RequestId) -> Action {
    let (address, mut gas) = (station.account().await, gas(0));
    gas.max_fee_per_gas *= 2;
    gas.max_priority_fee_per_gas *= 2;
    let (account, chain, asset, amount) = (hot(), CHAIN, Asset::Native, Amount::ZERO);
    let nothing = Transfer { account, chain, asset, to: address, amount, gas };
    let unsigned = build(&Action::Transfer(nothing), address).expect("bytes");
    let Payload::Transaction(preimage) = unsigned.payload().clone() else { panic!("a transaction") };
    Action::Replacement(Replacement {
        replaces,
        transaction: RawEthereum { account: hot(), chain, preimage },
    })
}

/// A day sees a little more than one payment.
fn narrow(policy: &mut PolicyVersion) {
    let window = policy.windows.iter_mut().find(|it| it.id == name("ether-per-day")).expect("a window");
    window.limit = Amount::from(LIMIT);
}

/// One payment and a half.
const LIMIT: u128 = ETHER + ETHER / 2;
