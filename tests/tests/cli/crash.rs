//! A coordinator that is killed, wherever on a request's way, keeps its promises when it comes back.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use keystead_tests::binary;
use keystead_tests::tracer::{Thread, Tracer, calls_of, has_strace, is_gone, threads};
use serde_json::json;

use crate::desk::{Desk, EXCHANGE, call_at, path, try_call_at};

/// A second coordinator of the same cluster, with a journal of its own.
pub(crate) struct Coordinator {
    process: Child,
    pub(crate) url: String,
}

impl Coordinator {
    pub(crate) fn start(folder: &Path) -> Self {
        let mut command = Command::new(binary("keystead"));
        command.args(["--dir", path(folder), "serve", "--listen", "127.0.0.1:0"]);
        // One worker, so that its threads are the same ones every time.
        command.env("TOKIO_WORKER_THREADS", "1");
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, url: line.split_whitespace().last().unwrap().to_owned() }
    }

    fn threads(&self) -> std::collections::BTreeMap<Thread, u32> {
        threads("coordinator", self.process.id())
    }
}

impl Drop for Coordinator {
    /// SIGKILL: no last words.
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.process.kill();
        self.process.wait().unwrap();
    }
}

/// A folder of the same cluster, for a coordinator of its own.
pub(crate) fn beside(desk: &Desk) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for shared in ["members", "genesis", "keystead.toml"] {
        symlink(desk.folder.join(shared), home.path().join(shared)).unwrap();
    }
    home
}

#[test]
fn d4_a_promised_broadcast_survives_a_kill() {
    let desk = Desk::open();
    let home = beside(&desk);
    let coordinator = Coordinator::start(home.path());
    let params = desk.transfer(EXCHANGE, 2_000_000_000_000_000_000);
    let waiting = call_at(&coordinator.url, "eth_sendTransaction", params);
    let id = waiting["error"]["data"]["request"].as_str().unwrap_or_else(|| panic!("{waiting}")).to_owned();
    drop(coordinator);

    // People approve while it is gone; the signature waits at the node.
    ["ana", "ben"].iter().for_each(|who| drop(desk.as_person(who, &["approve", &id, "--yes"])));
    let shown = desk.as_person("cleo", &["request", "show", &id]);
    let hash = shown["detail"]["view"]["signed"]["transaction"].as_str().unwrap_or_else(|| panic!("{shown}"));
    let hash = format!("0x{hash}");
    let seen = call_at(&desk.anvil.url(), "eth_getTransactionByHash", json!([hash]));
    assert!(seen["result"].is_null(), "nobody sent it yet: {seen}");

    let _back = Coordinator::start(home.path());
    let receipt = desk.cast(&["receipt", &hash, "--confirmations", "1"], &desk.anvil.url());
    assert!(receipt.contains("success"), "{receipt}");
}

/// D4: each sync, write and send between the call and its answer is the last thing that a coordinator does.
/// Whatever it was, nothing is paid twice, and no nonce is left behind that would block the next payment.
#[tokio::test]
async fn d04_killed_at_every_sync_write_and_send_of_a_payment_the_coordinator_recovers() {
    if !has_strace() {
        return;
    }
    let desk = Desk::open();
    let home = beside(&desk);
    let first = Coordinator::start(home.path());
    let paying = async { assert!(pay(&desk, &first.url, 1).is_some()) };
    let calls = calls_of(&first.threads(), paying).await;
    drop(first);
    let mut kills = 0;
    for ((thread, call), count) in &calls {
        for when in 1..=*count {
            kills += usize::from(killed_at(&desk, home.path(), thread, call, when));
        }
    }
    println!("killed at {kills} of {} calls: {calls:?}", calls.values().sum::<usize>());
    assert!(kills >= 5, "only {kills} calls were reached");
}

/// True when the coordinator died on the way.
fn killed_at(desk: &Desk, home: &Path, thread: &Thread, call: &str, when: usize) -> bool {
    let before = balance(desk);
    let coordinator = Coordinator::start(home);
    let number = coordinator.threads()[thread];
    let tracer = Tracer::killing(number, call, when);
    let answered = pay(desk, &coordinator.url, AMOUNT);
    tracer.detach();
    let killed = answered.is_none() || is_gone(number);
    drop(coordinator);

    let back = Coordinator::start(home);
    let next = (0..TRIES).find_map(|_| pay(desk, &back.url, 1));
    let next =
        next.unwrap_or_else(|| panic!("{thread}, call {when} of {call}: nothing can be paid any more"));
    let receipt = desk.cast(&["receipt", &next, "--confirmations", "1"], &desk.anvil.url());
    assert!(receipt.contains("success"), "{receipt}");
    let paid = balance(desk) - before;
    let expected = if answered.is_some() { vec![AMOUNT + 1] } else { vec![1, AMOUNT + 1] };
    assert!(expected.contains(&paid), "{thread}, call {when} of {call}: {paid} wei were paid");
    killed
}

/// The hash of a payment; none when nobody answers, or the nonce is one that another request holds.
fn pay(desk: &Desk, url: &str, wei: u128) -> Option<String> {
    let answer = try_call_at(url, "eth_sendTransaction", desk.transfer(EXCHANGE, wei))?;
    answer["result"].as_str().map(str::to_owned)
}

fn balance(desk: &Desk) -> u128 {
    let answer = call_at(&desk.anvil.url(), "eth_getBalance", json!([EXCHANGE, "latest"]));
    let digits = answer["result"].as_str().unwrap().trim_start_matches("0x").to_owned();
    u128::from_str_radix(&digits, 16).unwrap()
}

const AMOUNT: u128 = 1_000;
/// A nonce that a signed payment holds is free once that payment is broadcast.
const TRIES: usize = 200;
