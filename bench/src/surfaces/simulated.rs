//! What a simulation adds to a request: the same transfers under a policy that demands a run, and under one that does not.

use std::net::SocketAddr;

use keystead_tests::fixture::{self, FRIEND};
use keystead_tests::rehearsals::demanded;
use keystead_tests::{Anvil, post};
use serde_json::json;
use tokio::runtime::Runtime;

use super::Plan;
use super::report::SimulationRow;
use crate::desk::Desk;
use crate::load::{self, Figures, Load};

/// One client before a chain that makes a block each second: a run is made on the state of a recent one.
pub(super) fn run(runtime: &Runtime, plan: &Plan) -> SimulationRow {
    let anvil = Anvil::start(&["--hardfork", "osaka", "--block-time", "1"]);
    let [without, with] = [false, true].map(|simulates| {
        eprintln!("one client, {} a simulation", if simulates { "with" } else { "without" });
        let figures = measured(runtime, plan, &anvil, simulates);
        assert_eq!(figures.wrong, 0, "every answer is a signed transaction");
        figures
    });
    SimulationRow {
        without_p50_micros: without.p50 / 1e3,
        with_p50_micros: with.p50 / 1e3,
        with_p99_micros: with.p99 / 1e3,
        with_per_second: with.per_second,
        added_p50_millis: (with.p50 - without.p50) / 1e6,
        added_cpu_millis: (with.cpu - without.cpu) / 1e6,
    }
}

fn measured(runtime: &Runtime, plan: &Plan, anvil: &Anvil, simulates: bool) -> Figures {
    let mut policy = fixture::Desk::default().policy();
    if simulates {
        demanded(&mut policy);
    }
    let url = anvil.url();
    let desk = Desk::start_under(&policy, &["--endpoint", &url, "--confirmations", "1"], &[]);
    let chain: SocketAddr = url.trim_start_matches("http://").parse().expect("an address");
    let rich = json!({"jsonrpc": "2.0", "id": 1, "method": "anvil_setBalance", "params": [desk.address, "0x3635c9adc5dea00000"]});
    runtime.block_on(post(chain, "/", &rich.to_string()));
    let right = |it: &str| it.contains("\"result\":\"0x02");
    let load = Load { address: desk.coordinator, clients: 1, span: plan.span, path: "/".to_owned(), right };
    let account = desk.address.clone();
    let pids: Vec<u32> = desk.processes().into_iter().map(|(_, pid)| pid).collect();
    runtime.block_on(load::run(&load, &pids, move |_, number| transfer(&account, number)))
}

/// Of one wei, for a fee that a block of anvil's takes.
fn transfer(account: &str, nonce: u64) -> String {
    let transaction = json!({
        "from": account, "to": FRIEND, "value": "0x1", "nonce": format!("{nonce:#x}"), "gas": "0x5208",
        "maxFeePerGas": "0x77359400", "maxPriorityFeePerGas": "0x1",
    });
    json!({"jsonrpc": "2.0", "id": 1, "method": "eth_signTransaction", "params": [transaction]}).to_string()
}
