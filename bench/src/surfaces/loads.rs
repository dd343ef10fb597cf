//! The loads: a question, and a transfer inside the limits by each surface.

use std::sync::Arc;

use keystead_base::Amount;
use keystead_chain::build;
use keystead_intent::{AccountRef, Action, Asset, ChainId, GasTerms, Transfer};
use keystead_tests::fixture::name;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::Plan;
use super::report::SurfaceRow;
use crate::cluster::clients::{self, Until};
use crate::cluster::site::{self, Pays, Site};
use crate::desk::{Desk, free_port, paying};
use crate::load::{self, Figures, Load};
use crate::usage;

/// Whom the transfers go to.
const FRIEND: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
/// The chain of `up --devnet`.
const CHAIN: ChainId = ChainId(31337);

/// One way to ask.
struct Surface {
    name: &'static str,
    /// Whether each answer is a decision.
    decides: bool,
    path: String,
    right: fn(&str) -> bool,
    body: fn(&str, u64) -> String,
}

/// Everything over HTTP, and then the decision alone.
pub(super) fn run(runtime: &Runtime, plan: &Plan) -> Vec<SurfaceRow> {
    let port = free_port().to_string();
    let desk = Desk::start_under(&paying(FRIEND), &[], &["--devnet", "--devnet-port", &port]);
    let mut rows = Vec::new();
    for (place, surface) in surfaces(&desk.address).iter().enumerate() {
        for (run, &clients) in plan.clients.iter().enumerate() {
            eprintln!("{}: {clients} clients", surface.name);
            let figures = runtime.block_on(load_of(&desk, surface, (place << 4 | run) as u64, clients, plan));
            assert_eq!(figures.wrong, 0, "{}: every answer is right", surface.name);
            rows.push(SurfaceRow::new(surface.name, surface.decides, &figures));
        }
    }
    drop(desk);
    rows.extend(runtime.block_on(decisions(plan)));
    rows
}

async fn load_of(desk: &Desk, surface: &Surface, run: u64, clients: usize, plan: &Plan) -> Figures {
    let (path, right) = (surface.path.clone(), surface.right);
    let load = Load { address: desk.coordinator, clients, span: plan.span, path, right };
    let pids: Vec<u32> = desk.processes().into_iter().map(|(_, pid)| pid).collect();
    let (account, body) = (desk.address.clone(), surface.body);
    // Every request of every run has a nonce of its own.
    let nonce = move |client: usize, number: u64| run << 40 | (client as u64) << 24 | number;
    load::run(&load, &pids, move |client, number| body(&account, nonce(client, number))).await
}

fn surfaces(account: &str) -> [Surface; 5] {
    let surface = |name, decides, path: &str, right, body| {
        let path = path.to_owned();
        Surface { name, decides, path, right, body }
    };
    let identifier = format!("/api/v1/eth1/sign/{account}");
    [
        surface("GET /livez", false, "/livez", |it| !it.is_empty(), |_, _| String::new()),
        surface(
            "JSON-RPC eth_chainId",
            false,
            "/",
            |it| it.contains("\"result\":\"0x7a69\""),
            |_, _| rpc("eth_chainId", &json!([])),
        ),
        surface("JSON-RPC eth_signTransaction", true, "/", |it| it.contains("\"result\":\"0x02"), by_rpc),
        surface(
            "web3signer REST",
            true,
            &identifier,
            |it| it.starts_with("0x") && it.len() == 132,
            by_web3signer,
        ),
        surface("own REST", true, "/v1/requests", |it| it.contains("\"stage\":\"signed\""), by_rest),
    ]
}

fn rpc(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}

fn by_rpc(account: &str, nonce: u64) -> String {
    let transaction = json!({
        "from": account, "to": FRIEND, "value": "0x0", "nonce": format!("{nonce:#x}"), "gas": "0x5208",
        "maxFeePerGas": "0x1", "maxPriorityFeePerGas": "0x1",
    });
    rpc("eth_signTransaction", &json!([transaction]))
}

/// What is signed is in the body, as web3signer's clients build it.
fn by_web3signer(account: &str, nonce: u64) -> String {
    let unsigned = build(&Action::Transfer(transfer(nonce)), account.parse().expect("an address"));
    let preimage = unsigned.expect("a transfer").signing_preimage();
    json!({"data": const_hex::encode_prefixed(preimage)}).to_string()
}

fn by_rest(_: &str, nonce: u64) -> String {
    json!({"action": Action::Transfer(transfer(nonce))}).to_string()
}

fn transfer(nonce: u64) -> Transfer {
    Transfer {
        account: AccountRef { key: name("hot"), index: 0 },
        chain: CHAIN,
        asset: Asset::Native,
        to: FRIEND.parse().expect("an address"),
        amount: Amount::ZERO,
        gas: GasTerms { nonce, gas_limit: 21_000, max_fee_per_gas: 1, max_priority_fee_per_gas: 1 },
    }
}

/// The floor of all that decides: the same transfers asked of a node over its own wire, without HTTP and JSON.
async fn decisions(plan: &Plan) -> Vec<SurfaceRow> {
    let site = Arc::new(Site::start(site::found(1).await, None, Pays::Ether).await);
    clients::run(&site, 1, Until::Decisions(1)).await;
    let mut rows = Vec::new();
    for &clients in plan.clients {
        eprintln!("the decision alone: {clients} clients");
        let cpu = || site.pids().iter().filter_map(|pid| usage::cpu_seconds(*pid)).sum::<f64>();
        let before = cpu();
        let seen = clients::run(&site, clients, Until::Span(plan.span)).await;
        let count = seen.times.len().max(1) as f64;
        rows.push(SurfaceRow {
            surface: "the decision alone".to_owned(),
            decides: true,
            clients,
            per_second: count / seen.seconds,
            p50_micros: seen.micros(0.50),
            p99_micros: seen.micros(0.99),
            cpu_micros: 1e6 * (cpu() - before) / count,
        });
    }
    rows
}
