//! Nodes that compare a real chain with their log.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolCall as _;
use keystead_decision::{Discrepancy, Finding};
use keystead_node::{ChainConfig, EndpointConfig};
use keystead_policy::PolicyVersion;
use keystead_tests::chainside::{anvil, asked, balance, calls, fund, head, mine, sends, steals};
use keystead_tests::cluster::{NodeHome, Station, ether};
use keystead_tests::fixture::{CHAIN, ETHER, FRIEND, STRANGER, TOKEN, name};
use keystead_tests::odd_tokens::{furnish_odd, may_unwrap, pays_odd, tolerant, unwraps};
use keystead_tests::rehearsals::{furnish, token_transfer};
use keystead_tests::start_all;
use keystead_tests::twisted::Twisted;
use keystead_tests::world::reasons;
use keystead_wire::{NodeStatus, RequestStage};
use serde_json::{Value, json};

fn chain(urls: &[String], agree: usize) -> Vec<ChainConfig> {
    let endpoint = |(index, url): (usize, &String)| EndpointConfig {
        name: name(&format!("endpoint-{index}")),
        url: url.clone(),
        ca: None,
    };
    let endpoints = urls.iter().enumerate().map(endpoint).collect();
    vec![ChainConfig { chain: CHAIN.0, agree, endpoints, confirmations: Some(1) }]
}

/// A node that watches this chain, with an active key whose account is rich.
async fn station(urls: &[String], anvil: SocketAddr) -> Station {
    watching(urls, anvil, |_| {}).await
}

/// The same under a policy of its own.
async fn watching(urls: &[String], anvil: SocketAddr, change: fn(&mut PolicyVersion)) -> Station {
    let mut home = NodeHome::with_policy(change);
    home.config.chains = chain(urls, urls.len());
    home.config.limits.settlement_seconds = 1;
    let station = home.start().await;
    station.make_hot_key().await;
    fund(anvil, station.account().await, 100 * ETHER).await;
    station
}

/// Between two questions, and for all of them together: a finding waits its turn for some seconds.
const PAUSE: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(180);

/// Asks until a status is as wanted. Nodes look every second.
async fn until(station: &Station, wanted: impl Fn(&NodeStatus) -> bool) -> NodeStatus {
    let client = station.client("eve").await;
    let (patience, mut beat) = (Instant::now() + PATIENCE, tokio::time::interval(PAUSE));
    while Instant::now() < patience {
        let status = client.status().await.unwrap();
        if wanted(&status) {
            return status;
        }
        beat.tick().await;
    }
    panic!("never: {:?} {:?}", station.events(), client.status().await)
}

fn upto(status: &NodeStatus) -> u64 {
    status.chains[0].reconciled.upto.unwrap_or_default()
}

/// Waits until the chain as it is now was compared.
async fn compared(station: &Station, anvil: SocketAddr) -> NodeStatus {
    let head = head(anvil).await;
    until(station, |it| upto(it) >= head).await
}

async fn pays(station: &Station, anvil: SocketAddr, nonce: u64) {
    let paid = station.ask("desk", ether(FRIEND, ETHER / 4, nonce)).await;
    assert_eq!(paid.stage, RequestStage::Signed, "{paid:?}");
    sends(anvil, &paid.signed.unwrap().raw).await;
}

/// What the log allowed is no finding; a transaction past the log freezes its key, with a reason, and across restarts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l04_a_transaction_that_no_request_made_freezes_its_key() {
    let (chain, anvil) = anvil();
    let station = station(&[chain.url()], anvil).await;
    let account = station.account().await;
    pays(&station, anvil, 0).await;
    let fine = compared(&station, anvil).await;
    assert!(fine.found.is_empty() && fine.frozen.keys.is_empty(), "{fine:?}");
    assert_eq!(fine.chains[0].reconciled.suspects, 0);

    let hash = steals(anvil, account, STRANGER, 7).await;
    let frozen = until(&station, |it| it.frozen.keys.contains(&name("hot"))).await;
    let [found] = frozen.found.as_slice() else { panic!("{frozen:?}") };
    let Finding { address, what: Discrepancy::Transaction { hash: named, nonce, .. }, .. } = &found.finding
    else {
        panic!("{found:?}")
    };
    assert_eq!((*address, named.0, *nonce), (account, hash.0, 1));
    assert!(found.finding.to_string().contains("no request made it"), "{}", found.finding);
    let denied = station.ask("desk", ether(FRIEND, 1, 2)).await;
    assert_eq!(reasons(&denied.decision.outcome)[0].to_string(), "key `hot` is frozen");
    until(&station, |it| it.chains[0].reconciled.suspects == 0).await;

    let station = station.stop().await.start().await;
    mine(anvil, 3).await;
    let again = compared(&station, anvil).await;
    assert_eq!(
        (again.found.len(), again.frozen.keys.len()),
        (1, 1),
        "once, and for as long as nobody thaws it"
    );
    station.stop().await;
}

/// What happens while a node is away it finds afterwards, in bounded steps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l04_what_happened_while_the_node_was_away_is_found() {
    let (chain, anvil) = anvil();
    let station = station(&[chain.url()], anvil).await;
    let account = station.account().await;
    compared(&station, anvil).await;
    let home = station.stop().await;
    steals(anvil, account, STRANGER, 7).await;
    mine(anvil, 150).await;
    let station = home.start().await;
    let frozen = until(&station, |it| it.frozen.keys.contains(&name("hot"))).await;
    let Discrepancy::Transaction { nonce: 0, .. } = frozen.found[0].finding.what else {
        panic!("{frozen:?}")
    };
    compared(&station, anvil).await;
    station.stop().await;
}

/// Tokens that others take count as stolen, unless a request gave them the right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l04_what_no_right_covers_is_found_and_what_a_request_moves_is_not() {
    let (chain, anvil) = anvil();
    let station = station(&[chain.url()], anvil).await;
    let account = station.account().await;
    furnish(anvil, account).await;
    let moved = station.ask("desk", token_transfer(FRIEND, 7, 0)).await;
    sends(anvil, &moved.signed.unwrap().raw).await;
    let fine = compared(&station, anvil).await;
    assert!(fine.found.is_empty() && fine.chains[0].reconciled.suspects == 0, "{fine:?}");

    // A right that no request gave: the account's nonce is as before.
    takes_tokens(anvil, account).await;
    let frozen = until(&station, |it| it.frozen.keys.contains(&name("hot"))).await;
    let Discrepancy::Tokens { amount, .. } = frozen.found[0].finding.what else { panic!("{frozen:?}") };
    assert_eq!(amount, keystead_base::Amount::from(5_u64));
    station.stop().await;
}

/// An allowance appears in the token's own storage, and its holder takes five coins.
async fn takes_tokens(anvil: SocketAddr, account: Address) {
    let snapshot = asked(anvil, "evm_snapshot", json!([])).await;
    let approve = approveCall { spender: STRANGER, amount: U256::from(5) }.abi_encode();
    let hash = calls(anvil, account, json!({"to": TOKEN, "input": Bytes::from(approve)})).await;
    let trace = json!([hash, {"tracer": "prestateTracer", "tracerConfig": {"diffMode": true}}]);
    let diff = asked(anvil, "debug_traceTransaction", trace).await;
    let token = TOKEN.to_string().to_lowercase();
    let written = diff["post"][&token]["storage"].as_object().unwrap().clone();
    asked(anvil, "evm_revert", json!([snapshot])).await;
    for (slot, value) in written {
        asked(anvil, "anvil_setStorageAt", json!([TOKEN, slot, value])).await;
    }
    fund(anvil, STRANGER, ETHER).await;
    let amount = U256::from(5);
    let take = transferFromCall { from: account, to: STRANGER, amount }.abi_encode();
    calls(anvil, STRANGER, json!({"to": TOKEN, "input": Bytes::from(take)})).await;
}

alloy_sol_types::sol! {
    function approve(address spender, uint256 amount) returns (bool);
    function transferFrom(address from, address to, uint256 amount) returns (bool);
}

/// With one of two endpoints down nothing is known: the node stays where it is, says so, and goes on afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l04_what_is_unknown_is_not_reconciled_and_says_so() {
    let (chain, anvil) = anvil();
    let other = Twisted::honest(anvil).await;
    let station = station(&[chain.url(), other.url()], anvil).await;
    let before = compared(&station, anvil).await;
    other.silence(true);
    steals(anvil, station.account().await, STRANGER, 7).await;
    let held = until(&station, |it| it.chains[0].reconciled.held_up.is_some()).await;
    assert_eq!(upto(&held), upto(&before));
    assert!(held.frozen.keys.is_empty(), "one voice freezes nothing");
    other.silence(false);
    let frozen = until(&station, |it| it.frozen.keys.contains(&name("hot"))).await;
    assert_eq!(frozen.found.len(), 1);
    station.stop().await;
}

/// The endpoint of one node of four invents a transaction. The others do not see it, and nothing is frozen; what really
/// happens is found by all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l04_a_node_whose_endpoint_invents_a_transaction_freezes_nothing() {
    let (chain_of_all, anvil) = anvil();
    let mut homes = NodeHome::several(4, |_| {});
    let invented: Arc<Mutex<Option<Invention>>> = Arc::default();
    let asked_for = Arc::clone(&invented);
    let twist = move |method: &str, result: &mut Value| {
        invent(asked_for.lock().unwrap().as_mut(), method, result);
    };
    let liar = Twisted::before(anvil, Arc::new(twist)).await;
    for (index, home) in homes.iter_mut().enumerate() {
        let url = if index == 0 { liar.url() } else { chain_of_all.url() };
        home.config.chains = chain(&[url], 1);
        home.config.limits.settlement_seconds = 1;
    }
    let stations = start_all(homes).await;
    stations[0].make_hot_key().await;
    let account = stations[1].account().await;
    fund(anvil, account, ETHER).await;
    // What was before a node's first look is not compared.
    for station in &stations {
        until(station, |it| it.chains[0].reconciled.upto.is_some()).await;
    }
    let block = head(anvil).await + 1;
    *invented.lock().unwrap() = Some(Invention { account, block, block_hash: Value::Null });
    mine(anvil, 2).await;
    until(&stations[0], |it| it.chains[0].reconciled.suspects > 0).await;
    let others = until(&stations[1], |it| it.peers.iter().any(|peer| peer.objection.is_some())).await;
    assert!(others.frozen.keys.is_empty() && others.found.is_empty(), "{others:?}");
    assert!(stations[1].ask("desk", ether(FRIEND, 1, 0)).await.signed.is_some());

    steals(anvil, account, STRANGER, 7).await;
    let frozen = until(&stations[1], |it| it.frozen.keys.contains(&name("hot"))).await;
    assert_eq!(frozen.found.len(), 1, "{frozen:?}");
    assert_eq!(balance(anvil, STRANGER).await, U256::from(7));
    for station in stations {
        station.stop().await;
    }
}

/// What a liar invents: a transaction of this account in this block, whose hash it sees when it is asked for it.
struct Invention {
    account: Address,
    block: u64,
    block_hash: Value,
}

/// The block with the transaction, and its receipt.
fn invent(what: Option<&mut Invention>, method: &str, result: &mut Value) {
    let (Some(it), hash) = (what, B256::repeat_byte(0x77)) else { return };
    let number = format!("{:#x}", it.block);
    let is_it = result.get("number").and_then(Value::as_str) == Some(number.as_str());
    if is_it {
        it.block_hash = result["hash"].clone();
    }
    if method == "eth_getTransactionReceipt" && result.is_null() {
        *result = json!({"transactionHash": hash, "blockNumber": number, "blockHash": it.block_hash, "status": "0x1",
                         "gasUsed": "0x5208", "effectiveGasPrice": "0x1"});
    }
    let transactions = result.get_mut("transactions").and_then(Value::as_array_mut);
    if let Some(transactions) = transactions.filter(|_| is_it) {
        transactions.push(json!({"hash": hash, "from": it.account, "nonce": "0x0", "value": "0x0"}));
    }
}

/// Coins that go without a transaction of the account are missed at the end of a span; what went and came as it is
/// seen to go and come is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l03_coins_that_are_not_there_freeze_their_key() {
    let (chain, anvil) = anvil();
    let station = station(&[chain.url()], anvil).await;
    let account = station.account().await;
    furnish(anvil, account).await;
    until(&station, |it| it.chains[0].reconciled.upto.is_some()).await;
    to_block(anvil, 32).await;
    let begun = until(&station, |it| it.chains[0].reconciled.balances_at == Some(32)).await;
    pays(&station, anvil, 0).await;
    let moved = station.ask("desk", token_transfer(FRIEND, 7, 1)).await;
    sends(anvil, &moved.signed.unwrap().raw).await;
    fund(anvil, STRANGER, ETHER).await;
    calls(anvil, STRANGER, json!({"to": account, "value": U256::from(5)})).await;
    to_block(anvil, 64).await;
    let fine = until(&station, |it| it.chains[0].reconciled.balances_at == Some(64)).await;
    assert!(fine.found.is_empty() && fine.chains[0].reconciled.suspects == 0, "{fine:?}");
    assert!(begun.found.is_empty());

    let there = balance(anvil, account).await - U256::ONE;
    asked(anvil, "anvil_setBalance", json!([account, there])).await;
    to_block(anvil, 96).await;
    let frozen = until(&station, |it| it.frozen.keys.contains(&name("hot"))).await;
    let Discrepancy::Balance { block, expected, found, .. } = frozen.found[0].finding.what else {
        panic!("{frozen:?}")
    };
    assert_eq!((block.number, found.0, expected.0), (96, there, there + U256::ONE));
    station.stop().await;
}

async fn to_block(anvil: SocketAddr, block: u64) {
    mine(anvil, block - head(anvil).await).await;
}

/// What a chain takes back after it was final is looked at again, and said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l04_final_blocks_that_a_chain_gives_up_are_looked_at_again() {
    let (chain, anvil) = anvil();
    let station = station(&[chain.url()], anvil).await;
    mine(anvil, 1).await;
    compared(&station, anvil).await;
    let snapshot = asked(anvil, "evm_snapshot", json!([])).await;
    mine(anvil, 3).await;
    compared(&station, anvil).await;
    asked(anvil, "evm_revert", json!([snapshot])).await;
    steals(anvil, station.account().await, STRANGER, 7).await;
    mine(anvil, 5).await;
    let frozen = until(&station, |it| it.frozen.keys.contains(&name("hot"))).await;
    assert!(matches!(frozen.found[0].finding.what, Discrepancy::Transaction { nonce: 0, .. }), "{frozen:?}");
    assert!(frozen.chains[0].reconciled.reorganized > 0, "{frozen:?}");
    station.stop().await;
}

/// Wrapped coins that a request unwraps leave by an event of their own: nothing is missing, and the rest is still looked
/// after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l03_wrapped_coins_that_are_unwrapped_are_no_loss() {
    let (chain, anvil) = anvil();
    let station = watching(&[chain.url()], anvil, may_unwrap).await;
    furnish_odd(anvil, station.account().await, "Wrapped").await;
    until(&station, |it| it.chains[0].reconciled.upto.is_some()).await;
    to_block(anvil, 32).await;
    until(&station, |it| it.chains[0].reconciled.balances_at == Some(32)).await;
    let unwrapped = station.ask("desk", unwraps(400, 0)).await;
    sends(anvil, &unwrapped.signed.expect("a signature").raw).await;
    to_block(anvil, 64).await;
    let fine = until(&station, |it| it.chains[0].reconciled.balances_at == Some(64)).await;
    assert!(fine.found.is_empty() && fine.chains[0].reconciled.suspects == 0, "{fine:?}");
    station.stop().await;
}

/// A token that credits less than its event says freezes the key, unless the signed policy says by how much it may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l03_a_token_with_a_fee_freezes_nobody_where_policy_tolerates_it() {
    let (chain, anvil) = anvil();
    let strict = watching(&[chain.url()], anvil, |_| {}).await;
    let tolerates = watching(&[chain.url()], anvil, tolerant).await;
    for station in [&strict, &tolerates] {
        furnish_odd(anvil, station.account().await, "Taxed").await;
        until(station, |it| it.chains[0].reconciled.upto.is_some()).await;
    }
    to_block(anvil, 32).await;
    for station in [&strict, &tolerates] {
        until(station, |it| it.chains[0].reconciled.balances_at == Some(32)).await;
        pays_odd(anvil, station.account().await, 1_000).await;
    }
    to_block(anvil, 64).await;
    let frozen = until(&strict, |it| it.frozen.keys.contains(&name("hot"))).await;
    let Discrepancy::Balance { expected, found, .. } = frozen.found[0].finding.what else {
        panic!("{frozen:?}")
    };
    assert_eq!((expected.0, found.0), (U256::from(2_000), U256::from(1_980)));
    let fine = until(&tolerates, |it| it.chains[0].reconciled.balances_at == Some(64)).await;
    assert!(fine.found.is_empty() && fine.chains[0].reconciled.suspects == 0, "{fine:?}");
    strict.stop().await;
    tolerates.stop().await;
}
