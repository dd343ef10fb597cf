//! A call that comes twice pays once: by a key of the caller's, by a nonce of the caller's, through crashes.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use keystead_tests::binary;
use serde_json::{Value, json};

use crate::crash::{Coordinator, beside};
use crate::desk::{Desk, EXCHANGE, path, post_to};

const MILLI: u128 = 1_000_000_000_000_000;

#[test]
fn s05_the_same_call_under_the_same_key_pays_once() {
    let desk = Desk::open();
    let before = Paid::of(&desk);
    let first = ask(&desk, &desk.url, "order-1", 10 * MILLI);
    let hash = first["result"].as_str().unwrap_or_else(|| panic!("{first}")).to_owned();
    for _ in 0..3 {
        assert_eq!(ask(&desk, &desk.url, "order-1", 10 * MILLI)["result"], hash);
    }
    let both = std::thread::scope(|scope| {
        let calls = [(); 8].map(|()| scope.spawn(|| ask(&desk, &desk.url, "order-2", 10 * MILLI)));
        calls.map(|call| call.join().unwrap()["result"].to_string())
    });
    assert!(both.iter().all(|hash| *hash == both[0] && hash.starts_with("\"0x")), "{both:?}");
    assert_eq!(Paid::of(&desk).since(&before), (20 * MILLI, 2));

    let other = ask(&desk, &desk.url, "order-1", 11 * MILLI);
    assert_eq!(other["error"]["data"]["code"], "request.key_reused", "{other}");
    let denied = ask(&desk, &desk.url, "order-3", 11_000 * MILLI);
    let again = ask(&desk, &desk.url, "order-3", 11_000 * MILLI);
    assert_eq!(
        denied["error"]["data"]["request"], again["error"]["data"]["request"],
        "a no stays a no: {again}"
    );
    assert_eq!(Paid::of(&desk).since(&before), (20 * MILLI, 2));

    a_nonce_of_the_callers_own_is_enough(&desk);
    every_call_of_a_batch_is_one_request(&desk);
}

fn a_nonce_of_the_callers_own_is_enough(desk: &Desk) {
    let before = Paid::of(desk);
    let mut transaction = desk.transfer(EXCHANGE, 3 * MILLI);
    transaction[0]["nonce"] = json!(format!("{:#x}", before.nonce));
    let first = desk.call("eth_sendTransaction", transaction.clone());
    assert!(first["result"].is_string(), "{first}");
    assert_eq!(desk.call("eth_sendTransaction", transaction.clone())["result"], first["result"]);
    transaction[0]["value"] = json!("0x1");
    let other = desk.call("eth_sendTransaction", transaction);
    assert_eq!(other["error"]["data"]["reasons"][0]["code"], "deny.slot_taken", "{other}");
    assert_eq!(Paid::of(desk).since(&before), (3 * MILLI, 1));
}

fn every_call_of_a_batch_is_one_request(desk: &Desk) {
    let before = Paid::of(desk);
    let call = |id: u64| json!({"jsonrpc": "2.0", "id": id, "method": "eth_sendTransaction", "params": desk.transfer(EXCHANGE, MILLI)});
    let body = json!([call(1), call(2)]).to_string();
    let header = "idempotency-key: \"a-batch\"\r\n";
    let (_, first) = post_to(&desk.url, &body, header);
    assert_ne!(first[0]["result"], first[1]["result"], "two calls are two payments: {first}");
    assert_eq!(post_to(&desk.url, &body, header).1, first);
    assert_eq!(Paid::of(desk).since(&before), (2 * MILLI, 2));
}

/// Accepted, and killed before it could answer: the people's yes, a new start, the same call again.
#[test]
fn s05_a_retry_after_a_kill_gets_the_first_ones_hash() {
    let desk = Desk::open();
    let home = beside(&desk);
    let before = Paid::of(&desk);
    let coordinator = Coordinator::start(home.path());
    let waiting = ask(&desk, &coordinator.url, "big", 2_000 * MILLI);
    let id = waiting["error"]["data"]["request"].as_str().unwrap_or_else(|| panic!("{waiting}")).to_owned();
    drop(coordinator);
    ["ana", "ben"].iter().for_each(|who| drop(desk.as_person(who, &["approve", &id, "--yes"])));
    let coordinator = Coordinator::start(home.path());
    let first = ask(&desk, &coordinator.url, "big", 2_000 * MILLI);
    drop(coordinator);
    let coordinator = Coordinator::start(home.path());
    let second = ask(&desk, &coordinator.url, "big", 2_000 * MILLI);
    let shown = desk.as_person("cleo", &["request", "show", &id]);
    let signed = shown["detail"]["view"]["signed"]["transaction"].as_str().unwrap();
    assert_eq!(first["result"], format!("0x{signed}"), "{first}");
    assert_eq!(second["result"], first["result"]);
    assert_eq!(Paid::of(&desk).since(&before), (2_000 * MILLI, 1));
}

/// Killed at the first sync after its promise was written: the node never heard of the request.
#[test]
fn s05_a_promise_that_never_left_is_paid_once_by_its_retry() {
    let desk = Desk::open();
    let home = beside(&desk);
    let before = Paid::of(&desk);
    let url = {
        let mut dying = Dying::start(home.path());
        let hung_up = std::panic::catch_unwind(|| ask(&desk, &dying.url, "lost", 10 * MILLI));
        assert!(hung_up.is_err(), "it was killed before it answered");
        dying.wait();
        dying.url.clone()
    };
    assert!(!url.is_empty() && Paid::of(&desk).since(&before) == (0, 0), "nothing was submitted");
    let back = Coordinator::start(home.path());
    let first = ask(&desk, &back.url, "lost", 10 * MILLI);
    assert!(first["result"].is_string(), "{first}");
    assert_eq!(ask(&desk, &back.url, "lost", 10 * MILLI)["result"], first["result"]);
    assert_eq!(Paid::of(&desk).since(&before), (10 * MILLI, 1));
}

/// A coordinator that dies when it forces its first promise to the disk.
struct Dying {
    process: Child,
    url: String,
}

impl Dying {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync"]);
        command.args(["-e", "inject=fdatasync:signal=SIGKILL:when=1"]).arg(binary("keystead"));
        command.args(["--dir", path(folder), "serve", "--listen", "127.0.0.1:0"]);
        let mut process = command.process_group(0).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, url: line.split_whitespace().last().unwrap_or_default().to_owned() }
    }

    fn wait(&mut self) {
        self.process.wait().unwrap();
    }
}

impl Drop for Dying {
    fn drop(&mut self) {
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.process.wait();
    }
}

fn ask(desk: &Desk, url: &str, key: &str, wei: u128) -> Value {
    let params = desk.transfer(EXCHANGE, wei);
    // A client that tries again counts its ids on; the call is the same.
    let id = std::process::id() ^ u32::try_from(wei % 97).unwrap();
    let body = json!({"jsonrpc": "2.0", "id": id, "method": "eth_sendTransaction", "params": params});
    post_to(url, &body.to_string(), &format!("idempotency-key: \"{key}\"\r\n")).1
}

/// What the chain says was paid.
struct Paid {
    wei: u128,
    nonce: u64,
}

impl Paid {
    fn of(desk: &Desk) -> Self {
        let ask = |what: &str, whose: &str| desk.cast(&[what, whose], &desk.anvil.url());
        Self {
            wei: ask("balance", EXCHANGE).parse().unwrap(),
            nonce: ask("nonce", &desk.account).parse().unwrap(),
        }
    }

    fn since(&self, before: &Self) -> (u128, u64) {
        (self.wei - before.wei, self.nonce - before.nonce)
    }
}
