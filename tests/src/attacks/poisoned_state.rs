//! An endpoint shows a state in which a bad contract is good (A1, S2).
//!
//! Simulations were deceived on a large scale in January 2025: pages showed wallets a state in which their contract
//! paid, and switched it before the transaction was signed. Here the state never was: the token's code was replaced, and
//! takes all that the account has; the thief's endpoint shows the code that stood there before, so that a run on what it
//! says agrees with the bytes.
//!
//! The product's node believes of a state what two of its three endpoints say. The twin has the thief's alone.

use std::sync::Arc;

use alloy_primitives::U256;
use keystead_devnet::{Devnet, DevnetServer};
use keystead_node::{ChainConfig, EndpointConfig};
use keystead_policy::limits::MIN_RUN_WAIT_SECONDS;

use crate::Loot;
use crate::cluster::{NodeHome, Station};
use crate::contracts::{COINS, DEPLOYER, coins, deploy, mintCall, place, say};
use crate::fixture::{CHAIN, ETHER, FRIEND, TOKEN, name};
use crate::rehearsals::{demanded, token_transfer};
use crate::theft::THIEF;

/// The endpoints of a node.
#[derive(Clone, Copy, Debug)]
pub struct Endpoints {
    liars: usize,
    honest: usize,
    agree: usize,
}

/// Two of three have to agree, and one is the thief's.
#[must_use]
pub fn agreeing() -> Endpoints {
    Endpoints { liars: 1, honest: 2, agree: 2 }
}

/// All of three have to agree, and two are the thief's: more than half of them, and too few.
#[must_use]
pub fn disagreeing() -> Endpoints {
    Endpoints { liars: 2, honest: 1, agree: 3 }
}

/// One endpoint, the thief's.
#[must_use]
pub fn alone() -> Endpoints {
    Endpoints { liars: 1, honest: 0, agree: 1 }
}

/// Plays it: one unit of the token for a friend.
pub async fn attack(endpoints: Endpoints) -> Loot {
    let mut servers = Vec::new();
    for _ in 0..endpoints.liars + endpoints.honest {
        servers.push(served().await);
    }
    let mut home = NodeHome::with_policy(|policy| {
        demanded(policy);
        policy.simulation.iter_mut().for_each(|rule| rule.wait_seconds = MIN_RUN_WAIT_SECONDS);
    });
    home.config.chains = vec![configured(&servers, endpoints.agree)];
    let station = home.start().await;
    station.make_hot_key().await;
    let (mut real, lie) = states(&station).await;
    for (index, server) in servers.iter().enumerate() {
        *server.chain() = if index < endpoints.liars { lie.clone() } else { real.clone() };
    }
    let asked = station.ask("desk", token_transfer(FRIEND, 1, 0)).await;
    let asked = if asked.stage.is_over() { asked } else { station.wait(&asked.request).await };
    let Some(signed) = asked.signed else { return Loot::decided(&asked.decision.outcome) };
    real.execute_raw(&signed.raw).expect("a transaction that is taken");
    Loot::stolen(coins(&real, THIEF), "units of the token")
}

/// The chain as it is, and as the thief shows it: blocks of the same hashes, and another code behind the token.
async fn states(station: &Station) -> (Devnet, Devnet) {
    let (account, now) = (station.account().await, station.now().await.seconds());
    let mut real = Devnet::new(CHAIN.0, now);
    real.fund(account, U256::from(ETHER));
    place(&mut real, TOKEN, "Skimmer");
    say(&mut real, DEPLOYER, TOKEN, &mintCall { to: account, value: U256::from(COINS) });
    let good = deploy(&mut real, "Coin", &[]);
    real.mine();
    let mut lie = real.clone();
    lie.set_code(TOKEN, real.code(good));
    assert_eq!(lie.head().hash(), real.head().hash());
    (real, lie)
}

async fn served() -> DevnetServer {
    let chain = Devnet::new(CHAIN.0, 0);
    DevnetServer::start(([127, 0, 0, 1], 0).into(), chain, Arc::new(|| 0)).await.expect("a free port")
}

fn configured(servers: &[DevnetServer], agree: usize) -> ChainConfig {
    let endpoint = |(index, server): (usize, &DevnetServer)| EndpointConfig {
        name: name(&format!("endpoint-{index}")),
        url: server.url(),
        ca: None,
    };
    let endpoints = servers.iter().enumerate().map(endpoint).collect();
    ChainConfig { chain: CHAIN.0, agree, endpoints, confirmations: Some(1) }
}
