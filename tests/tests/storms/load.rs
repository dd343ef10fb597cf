//! The load of every storm: payments inside and outside limits, at nodes directly and through a coordinator.
//!
//! A client that gets no answer asks the next node for the same thing, as anybody would; a request is the same
//! however often it comes. What was answered is kept, and the oracle looks for it in the log.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alloy_primitives::Address;
use keystead_base::Digest;
use keystead_decision::{Entry, Outcome};
use keystead_intent::Intent;
use keystead_tests::fixture::{FRIEND, STRANGER};
use keystead_tests::npm_package;
use keystead_wire::{EntryAnswer, NodeClient, RequestStage, RequestView};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};

use crate::cluster::rpc;
use crate::founded::{NARROW, NODES};
use crate::orders::{Books, Order};
use crate::people::{ANSWER, PATIENCE, People, retry, transfer};

/// Accounts of the key: 0 is the wallet's, 1 to 4 the clients', then the contended one, the probe's, and that of the
/// orders.
pub(crate) const ACCOUNTS: u32 = 8;
/// The account that the wallet pays from.
pub(crate) const WALLET: u32 = 0;
/// The account that orders are paid from.
pub(crate) const ORDERS: u32 = 7;
/// The account of which every client takes the same nonces.
const CONTENDED: u32 = 5;
/// An account that the load leaves alone.
pub(crate) const PROBE: u32 = 6;

/// What the clients were told.
#[derive(Default)]
pub(crate) struct Heard {
    /// What was answered about requests.
    pub(crate) answers: Vec<RequestView>,
    /// Hashes that the coordinator answered to the wallet.
    pub(crate) hashes: Vec<Digest>,
    /// What became of the orders.
    pub(crate) orders: Vec<Order>,
    /// How often nobody answered, and what else was said.
    pub(crate) silences: usize,
    pub(crate) refusals: BTreeMap<String, usize>,
}

impl Heard {
    /// Every transaction that the coordinator said is on its way.
    pub(crate) fn promised(&self) -> impl Iterator<Item = Digest> {
        self.hashes.iter().copied().chain(self.orders.iter().filter_map(|it| it.hash))
    }
}

/// The running load.
pub(crate) struct Load {
    shared: Arc<Told>,
    stop: watch::Sender<bool>,
    clients: Vec<JoinHandle<()>>,
}

/// What its parts share.
pub(crate) struct Told {
    people: Arc<People>,
    anvil: String,
    heard: Mutex<Heard>,
    decided: watch::Sender<Option<Instant>>,
    contended: AtomicU64,
    silences: AtomicU64,
    orders_begun: AtomicU64,
}

impl Load {
    /// The wallet pays from the first account through the coordinator, orders from the second.
    pub(crate) fn start(
        people: Arc<People>,
        [account, orders]: [Address; 2],
        anvil: &str,
        coordinator: &str,
    ) -> Self {
        let shared = Arc::new(Told {
            people,
            anvil: anvil.to_owned(),
            heard: Mutex::default(),
            decided: watch::channel(None).0,
            contended: AtomicU64::new(0),
            silences: AtomicU64::new(0),
            orders_begun: AtomicU64::new(0),
        });
        let (stop, stopped) = watch::channel(false);
        let mut clients: Vec<_> = (0..NODES)
            .map(|node| tokio::spawn(Client::new(Arc::clone(&shared), node).run(stopped.clone())))
            .collect();
        let wallet = Wallet { shared: Arc::clone(&shared), account, coordinator: coordinator.to_owned() };
        clients.push(tokio::spawn(wallet.run(stopped.clone())));
        let books =
            Books { shared: Arc::clone(&shared), account: orders, coordinator: coordinator.to_owned() };
        clients.push(tokio::spawn(books.run(stopped)));
        Self { shared, stop, clients }
    }

    /// Waits until some client is told of a decision that was made from now on, and says how long that took.
    pub(crate) async fn next_decision(&self) -> Duration {
        let start = Instant::now();
        let mut decided = self.shared.decided.subscribe();
        // A first answer may have been under way; what is asked after it was not.
        for _ in 0..2 {
            decided.mark_unchanged();
            timeout(PATIENCE, decided.changed()).await.expect("D3: the load goes on").unwrap();
        }
        start.elapsed()
    }

    /// Waits for so many answers, whatever they say.
    pub(crate) async fn answers(&self, count: usize) {
        let before = self.count();
        retry(async || (self.count() >= before + count).then_some(())).await;
    }

    /// Waits until so many questions found nobody who answers.
    pub(crate) async fn silences(&self, count: u64) {
        let before = self.shared.silences.load(Ordering::Relaxed);
        retry(async || (self.shared.silences.load(Ordering::Relaxed) >= before + count).then_some(())).await;
    }

    /// Waits for so many orders that are answered.
    pub(crate) async fn orders(&self, count: usize) {
        let before = self.shared.heard().orders.len();
        retry(async || (self.shared.heard().orders.len() >= before + count).then_some(())).await;
    }

    /// Waits until an order is asked for that nobody asked for before.
    pub(crate) async fn order_begun(&self) {
        let before = self.shared.orders_begun.load(Ordering::Relaxed);
        retry(async || (self.shared.orders_begun.load(Ordering::Relaxed) > before).then_some(())).await;
    }

    /// Waits until an order is answered that was asked for from now on, and says how long that took.
    pub(crate) async fn next_order(&self) -> Duration {
        let start = Instant::now();
        self.orders(2).await;
        start.elapsed()
    }

    fn count(&self) -> usize {
        self.shared.heard().answers.len()
    }

    /// Everything that was asked is answered, and nothing more is.
    pub(crate) async fn finish(self) -> Heard {
        self.stop.send_replace(true);
        for client in self.clients {
            timeout(PATIENCE, client).await.expect("D3: what was asked is answered").unwrap();
        }
        let mut heard = std::mem::take(&mut *self.shared.heard());
        heard.silences = usize::try_from(self.shared.silences.load(Ordering::Relaxed)).unwrap();
        heard
    }
}

impl Told {
    fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().expect("nobody panics here")
    }

    fn answered(&self, view: RequestView) {
        self.heard().answers.push(view);
        self.decided.send_replace(Some(Instant::now()));
    }

    pub(crate) fn order_begins(&self) {
        self.orders_begun.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn order_ends(&self, order: Order) {
        self.heard().orders.push(order);
    }

    fn refused(&self, code: &str) {
        *self.heard().refusals.entry(code.to_owned()).or_default() += 1;
    }
}

/// A trading desk that asks its own node first.
struct Client {
    shared: Arc<Told>,
    /// Which node it asks next.
    node: usize,
    account: u32,
    nonce: u64,
    turn: u64,
    clients: Vec<NodeClient>,
}

impl Client {
    fn new(shared: Arc<Told>, node: usize) -> Self {
        let clients = (0..NODES).map(|it| shared.people.client("dora", it, CALL)).collect();
        Self { shared, node, account: u32::try_from(node + 1).unwrap(), nonce: 0, turn: 0, clients }
    }

    async fn run(mut self, stopped: watch::Receiver<bool>) {
        let mut pace = interval(PACE);
        while !*stopped.borrow() {
            pace.tick().await;
            self.turn += 1;
            let (to, wei, contended) = match self.turn % 8 {
                3 => (STRANGER, 1, false),
                5 => (NARROW, 50 + self.turn % 37, false),
                7 => (FRIEND, u64::from(self.account), true),
                _ => (FRIEND, 1, false),
            };
            let (account, nonce) = match contended {
                true => (CONTENDED, self.shared.contended.fetch_add(1, Ordering::Relaxed) / 3),
                false => (self.account, self.nonce),
            };
            let intent = self.shared.people.intent("dora", transfer(account, to, wei, nonce));
            let view = self.ask(&intent).await;
            if !contended && view.as_ref().is_some_and(|it| matches!(it.decision.outcome, Outcome::Allow(_)))
            {
                self.nonce += 1;
            }
            if let Some(view) = view {
                self.execute(&view, contended).await;
                self.shared.answered(view);
            }
        }
    }

    /// Asks one node after the other until one answers; none when all that comes is a refusal.
    async fn ask(&mut self, intent: &Intent) -> Option<RequestView> {
        let entry = self.shared.people.entry(intent);
        let (mut pace, start) = (interval(RETRY), Instant::now());
        loop {
            pace.tick().await;
            match self.once(intent, &entry).await {
                Ok(view) => return view,
                Err(()) => {
                    self.shared.silences.fetch_add(1, Ordering::Relaxed);
                    self.node = (self.node + 1) % NODES;
                }
            }
            assert!(start.elapsed() < PATIENCE, "D3: nobody answers {}", intent.id());
        }
    }

    async fn once(&self, intent: &Intent, entry: &Entry) -> Result<Option<RequestView>, ()> {
        let client = &self.clients[self.node];
        match client.submit(vec![entry.clone()]).await.ok().and_then(|mut answers| answers.pop()) {
            Some(EntryAnswer::Requests(mut views)) => Ok(views.pop()),
            Some(EntryAnswer::Refused(refused)) => {
                self.shared.refused(&refused.code);
                Ok(None)
            }
            Some(EntryAnswer::Decided(_)) => panic!("a request has another answer"),
            // It may be decided and wait for the key's home: that is an answer, too.
            None => match timeout(ANSWER, client.request(intent.id())).await {
                Ok(Ok(Some(detail))) => Ok(Some(detail.view)),
                _ => Err(()),
            },
        }
    }

    /// Sends what was signed to the chain; of the contended account nobody knows the order.
    async fn execute(&self, view: &RequestView, contended: bool) {
        if let (Some(signed), false, RequestStage::Signed) = (&view.signed, contended, view.stage) {
            rpc(&self.shared.anvil, "eth_sendRawTransaction", json!([signed.raw])).await;
        }
    }
}

/// An unmodified wallet: `cast`, and the coordinator as its endpoint.
struct Wallet {
    shared: Arc<Told>,
    account: Address,
    coordinator: String,
}

impl Wallet {
    async fn run(self, stopped: watch::Receiver<bool>) {
        let mut pace = interval(WALLET_PACE);
        while !*stopped.borrow() {
            pace.tick().await;
            let mut cast = tokio::process::Command::new(npm_package("@foundry-rs/cast-linux-amd64/bin/cast"));
            cast.args(["send", "--unlocked", "--async", "--rpc-url", &self.coordinator, "--value", "1"]);
            cast.args(["--gas-limit", "21000", "--from", &self.account.to_string(), &FRIEND.to_string()]);
            let output = cast.stdin(Stdio::null()).kill_on_drop(true).output();
            match timeout(WALLET_PATIENCE, output).await {
                Ok(Ok(output)) if output.status.success() => {
                    let hash =
                        String::from_utf8_lossy(&output.stdout).trim().trim_start_matches("0x").parse();
                    self.shared.heard().hashes.push(hash.expect("a hash"));
                }
                // A wallet that is told no, or nothing, tries again later.
                _ => drop(self.shared.silences.fetch_add(1, Ordering::Relaxed)),
            }
        }
    }
}

/// Between two requests of a client.
const PACE: Duration = Duration::from_millis(100);
/// Between two questions that nobody answers.
const RETRY: Duration = Duration::from_millis(100);
/// How long a client waits for one node.
const CALL: Duration = Duration::from_millis(1500);
const WALLET_PACE: Duration = Duration::from_millis(700);
/// How long a wallet waits for the coordinator.
pub(crate) const WALLET_PATIENCE: Duration = Duration::from_secs(15);
