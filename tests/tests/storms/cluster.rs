//! Four nodes with their own databases and enclaves, a coordinator, each a process of the product, and a chain.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, U256};
use keystead_base::{Canonical as _, Digest};
use keystead_decision::Outcome;
use keystead_node::Config;
use keystead_tests::cluster::sealed;
use keystead_tests::fixture::{Desk, Member, STRANGER};
use keystead_tests::{Anvil, free_port, post};
use keystead_wire::{NodeStatus, RequestStage, RequestView};
use serde_json::{Value, json};

use crate::disks::SmallDisk;
use crate::founded::{Founded, HOME, NODES, founded};
use crate::ground::Ground;
use crate::load::{ACCOUNTS, Heard, Load, ORDERS, PROBE, WALLET};
use crate::oracle::{Mined, Story};
use crate::people::{People, retry, transfer};
use crate::process::{Process, Program};
use crate::product::{Product, configured};

/// The coordinator's place among the processes, after the nodes.
pub(crate) const COORDINATOR: usize = NODES;

/// The cluster of one storm. Everything of it ends with this value.
pub(crate) struct Cluster {
    pub(crate) founded: Arc<Founded>,
    pub(crate) people: Arc<People>,
    pub(crate) anvil: String,
    pub(crate) coordinator: String,
    /// The nodes', and the coordinator's.
    programs: Vec<Program>,
    configs: Vec<Config>,
    running: Mutex<Vec<Option<Process>>>,
    /// After the processes that stand on it.
    pub(crate) ground: Ground,
    /// Before the folder that it is mounted in.
    pub(crate) disk: Option<SmallDisk>,
    folder: tempfile::TempDir,
    _anvil: Anvil,
}

impl Cluster {
    /// On loopback, all nodes running.
    pub(crate) async fn start() -> Self {
        Self::start_on(Ground::Loopback).await
    }

    /// The same elsewhere.
    pub(crate) async fn start_on(ground: Ground) -> Self {
        Self::placed(ground).await.all_up().await
    }

    /// The folders of a cluster, and its chain; no node runs yet.
    pub(crate) async fn placed(ground: Ground) -> Self {
        Self::of(founded().await, ground).await
    }

    /// The same of a cluster that was founded in its own way.
    pub(crate) async fn of(founded: Arc<Founded>, ground: Ground) -> Self {
        let folder = tempfile::Builder::new().prefix("keystead-storm-").tempdir().unwrap();
        let chain = Anvil::start_at(&ground.host(), &["--hardfork", "osaka"]);
        let anvil = chain.url();
        let addresses: Vec<String> = (0..NODES).map(|it| ground.address(it)).collect();
        let product = Product { cluster: founded.cluster, addresses: &addresses, anvil: &anvil };
        let (mut programs, mut configs) = (Vec::new(), Vec::new());
        for node in 0..NODES {
            let folder = folder.path().join(node.to_string());
            let config = configured(founded.copy_node(node, &folder), node, &product);
            product.write_node(&folder, &config);
            configs.push(config);
            programs.push(Program::new("node", folder, ground.prefix(node)));
        }
        let (desk, listen) = (folder.path().join("desk"), format!("127.0.0.1:{}", free_port()));
        product.write_coordinator(&desk, &configs[HOME].genesis, &listen);
        programs.push(Program::new("serve", desk, Vec::new()));
        let nodes = (1..).take(NODES).map(|it| Member::new(&format!("node-{it}"), it)).collect();
        let people = People::new(Desk { nodes, ..Desk::default() }, founded.cluster, addresses.clone());
        let cluster = Self {
            founded,
            people: Arc::new(people),
            coordinator: format!("http://{listen}"),
            anvil,
            ground,
            disk: None,
            configs,
            running: Mutex::new(programs.iter().map(|_| None).collect()),
            programs,
            folder,
            _anvil: chain,
        };
        cluster.fund().await;
        cluster
    }

    /// Starts every process, and waits until the key's home votes.
    pub(crate) async fn all_up(self) -> Self {
        (0..self.programs.len()).for_each(|process| self.launch(process));
        self.takes_part(HOME).await;
        self
    }

    /// A node's part of the disk.
    pub(crate) fn data(&self, node: usize) -> PathBuf {
        self.programs[node].folder.join("data")
    }

    /// A place for what a storm keeps.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What a process said so far.
    pub(crate) fn words(&self, node: usize) -> String {
        self.programs[node].words()
    }

    /// How a node will be started from now on.
    pub(crate) fn program(&mut self, node: usize) -> &mut Program {
        &mut self.programs[node]
    }

    /// A machine that was never there, in the place of a node. It knows where the others listen; none of them
    /// knows of it.
    pub(crate) fn replace(&mut self, node: usize, member: &Member) {
        let (address, folder) = (self.ground.address(node), self.folder.path().join(member.name.as_str()));
        let mut addresses: Vec<String> = self.configs.iter().map(|it| it.listen.clone()).collect();
        addresses[node].clone_from(&address);
        let product = Product { cluster: self.people.cluster, addresses: &addresses, anvil: &self.anvil };
        let mut config = configured(self.founded.copy_node(node, &folder), node, &product);
        config.peers[node].name = member.name.clone();
        std::fs::remove_dir_all(&config.data).expect("a folder");
        std::fs::write(&config.member.key, sealed(member).to_document()).expect("a file");
        product.write_node(&folder, &config);
        self.configs[node] = config;
        self.programs[node].folder = folder;
        self.people.reseat(node, address, member);
    }

    /// What a supervisor does: starts a process.
    pub(crate) fn launch(&self, node: usize) {
        let started = self.programs[node].start();
        self.with(node, |process| *process = Some(started));
    }

    /// `kill -9`.
    pub(crate) fn kill(&self, node: usize) {
        if let Some(process) = self.with(node, Option::take) {
            process.kill();
        }
    }

    /// Looks at a process, or puts another one there.
    pub(crate) fn with<T>(&self, node: usize, look: impl FnOnce(&mut Option<Process>) -> T) -> T {
        look(&mut self.running.lock().expect("nobody panics here")[node])
    }

    /// Waits until a process has ended by itself, and gives its exit code, or the signal as an error.
    pub(crate) async fn ended(&self, node: usize) -> Result<i32, i32> {
        retry(async || self.with(node, |it| it.as_mut().and_then(Process::ended))).await
    }

    /// Whether a process has ended by itself, and how.
    pub(crate) fn ended_now(&self, process: usize) -> Option<Result<i32, i32>> {
        self.with(process, |it| it.as_mut().and_then(Process::ended))
    }

    /// A node ends by itself only with an error that names its ledger: its last words.
    pub(crate) fn ended_for_its_ledger(&self, node: usize, ended: Result<i32, i32>) -> String {
        let words = self.words(node);
        let error = words.lines().rev().find(|line| line.contains("error[")).unwrap_or_default();
        assert!(ended == Ok(1) && error.contains("error[ledger."), "node-{}: {ended:?}: {words}", node + 1);
        error.to_owned()
    }

    /// What a supervisor does until a node takes part: starts it as often as it ends for its ledger.
    pub(crate) async fn comes_back(&self, node: usize) -> Duration {
        let start = Instant::now();
        retry(async || {
            if let Some(ended) = self.ended_now(node) {
                self.ended_for_its_ledger(node, ended);
                self.launch(node);
            }
            (self.people.status(node).await?.standing == "votes").then_some(())
        })
        .await;
        self.takes_part(node).await;
        start.elapsed()
    }

    /// Waits until a node votes and has reached what the others have, and says how long that took.
    pub(crate) async fn takes_part(&self, node: usize) -> Duration {
        let start = Instant::now();
        let height = self.height().await;
        retry(async || {
            let status = self.people.status(node).await?;
            (status.standing == "votes" && status.height >= height).then_some(())
        })
        .await;
        start.elapsed()
    }

    /// What a running node says of itself, however long it takes on a busy machine.
    pub(crate) async fn status(&self, node: usize) -> NodeStatus {
        retry(async || self.people.status(node).await).await
    }

    /// How far these running nodes are.
    pub(crate) async fn reached(&self, nodes: &[usize]) -> Vec<u64> {
        let mut heights = Vec::new();
        for node in nodes {
            heights.push(self.status(*node).await.height);
        }
        heights
    }

    /// How far the farthest node that answers is.
    pub(crate) async fn height(&self) -> u64 {
        self.heights().await.into_iter().flatten().max().unwrap_or_default()
    }

    /// How far each node is that answers.
    pub(crate) async fn heights(&self) -> Vec<Option<u64>> {
        let mut heights = Vec::new();
        for node in 0..NODES {
            heights.push(self.people.status(node).await.map(|it| it.height));
        }
        heights
    }

    /// Asks this node for a payment until it is signed, and says how long that took (D3).
    pub(crate) async fn pays(&self, node: usize, index: u32) -> Duration {
        let start = Instant::now();
        let nonce = self.nonce(index).await;
        let view =
            self.people.ask("dora", node, transfer(index, keystead_tests::fixture::FRIEND, 1, nonce)).await;
        self.spends(&view).await;
        start.elapsed()
    }

    /// Has the chain execute what was signed.
    pub(crate) async fn spends(&self, view: &RequestView) {
        assert!(matches!(view.stage, RequestStage::Signed | RequestStage::Settled), "{view:?}");
        let raw = &view.signed.as_ref().expect("a signature").raw;
        self.rpc("eth_sendRawTransaction", json!([raw])).await;
    }

    /// The next nonce of one of the key's accounts.
    pub(crate) async fn nonce(&self, index: u32) -> u64 {
        quantity(&self.rpc("eth_getTransactionCount", json!([self.founded.address(index), "latest"])).await)
    }

    async fn fund(&self) {
        for index in 0..ACCOUNTS {
            let address = self.founded.address(index);
            self.rpc("anvil_setBalance", json!([address, "0x3635c9adc5dea00000"])).await;
        }
    }

    /// The chain's answer.
    pub(crate) async fn rpc(&self, method: &str, params: Value) -> Value {
        rpc(&self.anvil, method, params).await
    }

    /// The load of every storm, from now on.
    pub(crate) fn load(&self) -> Load {
        let accounts = [self.founded.address(WALLET), self.founded.address(ORDERS)];
        Load::start(Arc::clone(&self.people), accounts, &self.anvil, &self.coordinator)
    }

    /// Ends a storm: the load is answered, everything allowed is signed, all nodes agree, and nothing is broken.
    pub(crate) async fn verify(&self, storm: &str, load: Load) {
        let heard = load.finish().await;
        self.execute(&heard).await;
        assert_eq!(heard.refusals, BTreeMap::new(), "nobody is refused who may ask");
        let mined = self.mined().await;
        let (answers, hashes, orders) = (heard.answers, heard.hashes, heard.orders);
        let mut story = Story { answers, hashes, orders, mined, ..Story::default() };
        let ledgers = self.stop().await;
        story.read(self.people.cluster, &ledgers).await;
        assert_eq!(story.findings(), Vec::<String>::new(), "{storm}");
        println!("{storm}: {}, {} times nobody answered; no invariant broken", story.size(), heard.silences);
    }

    /// Sends what was signed meanwhile, and what the load left to others, to the chain. What a wallet was promised is
    /// the coordinator's to send.
    async fn execute(&self, heard: &Heard) {
        for answer in heard.answers.iter().filter(|it| matches!(it.decision.outcome, Outcome::Allow(_))) {
            let signed = match &answer.signed {
                Some(signed) => signed.clone(),
                None => self.people.wait(HOME, answer.request).await.signed.expect("D3: a signature"),
            };
            self.rpc("eth_sendRawTransaction", json!([signed.raw])).await;
        }
        // A signature is stored with the next block at the key's home: this is one. The wallet's last may have come
        // just now, and all nodes are about to be killed.
        let last = self.people.ask("dora", HOME, transfer(PROBE, STRANGER, 1, 0)).await;
        assert_eq!(last.stage, RequestStage::Denied, "{last:?}");
        // What waits for an earlier nonce is not pending.
        retry(async || (self.rpc("txpool_status", json!([])).await["pending"] == "0x0").then_some(())).await;
        for hash in heard.promised() {
            let receipt = json!([format!("0x{hash}")]);
            let executed = async || {
                self.rpc("eth_getTransactionReceipt", receipt.clone()).await.is_object().then_some(())
            };
            retry(executed).await;
        }
    }

    /// What the chain executed from the key's accounts.
    async fn mined(&self) -> Vec<Mined> {
        let head = quantity(&self.rpc("eth_blockNumber", json!([])).await);
        let accounts: Vec<Address> = (0..ACCOUNTS).map(|it| self.founded.address(it)).collect();
        let mut mined = Vec::new();
        for number in 1..=head {
            let block = self.rpc("eth_getBlockByNumber", json!([format!("{number:#x}"), true])).await;
            let transactions: Vec<Transaction> =
                serde_json::from_value(block["transactions"].clone()).unwrap();
            let ours = transactions.iter().filter(|it| accounts.contains(&it.from));
            mined.extend(ours.map(|it| Mined { hash: Digest(it.hash.0), to: it.to, value: it.value }));
        }
        mined
    }

    /// All nodes at one height, nobody running any more: their ledgers.
    async fn stop(&self) -> Vec<String> {
        retry(async || {
            let heights = self.heights().await;
            heights.iter().all(|it| it.is_some() && *it == heights[0]).then_some(())
        })
        .await;
        (0..self.programs.len()).for_each(|process| self.kill(process));
        self.configs.iter().map(Config::ledger_url).collect()
    }
}

impl Drop for Cluster {
    /// A storm that failed says what the nodes said.
    fn drop(&mut self) {
        if std::thread::panicking() {
            for node in 0..self.programs.len() {
                let words = self.words(node);
                let last: Vec<&str> = words.lines().rev().take(LINES_SHOWN).collect();
                println!("--- process {}, newest first\n{}", node + 1, last.join("\n"));
            }
        }
    }
}

/// A transaction as the chain describes it, as far as the oracle looks.
#[derive(serde::Deserialize)]
struct Transaction {
    hash: B256,
    from: Address,
    to: Address,
    value: U256,
}

fn quantity(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

/// The chain's answer.
pub(crate) async fn rpc(url: &str, method: &str, params: Value) -> Value {
    let server = url.trim_start_matches("http://").parse().unwrap();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let (_, answer) = post(server, "/", &body).await;
    let mut answer: Value = serde_json::from_str(&answer).unwrap();
    answer["result"].take()
}

const LINES_SHOWN: usize = 25;
