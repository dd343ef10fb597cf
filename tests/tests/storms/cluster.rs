//! Four node processes with their own databases and enclaves, a coordinator, and a chain.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, U256};
use keystead_base::{Canonical as _, Digest};
use keystead_coordinator::{Coordinator, Doors, HttpLimits, HttpServer, Settings};
use keystead_decision::Outcome;
use keystead_node::{ChainConfig, Config, EndpointConfig, NodeLimits, PeerConfig};
use keystead_tests::cluster::sealed;
use keystead_tests::fixture::{CHAIN, Desk, Member, STRANGER, name};
use keystead_tests::{Anvil, post};
use keystead_transmit::{ChainView, Finality};
use keystead_wire::{NodeStatus, RequestStage, RequestView};
use serde_json::{Value, json};

use crate::disks::SmallDisk;
use crate::founded::{Founded, HOME, NODES, founded};
use crate::ground::Ground;
use crate::load::{ACCOUNTS, Load, PROBE};
use crate::oracle::{Mined, Story};
use crate::people::{PATIENCE, People, retry, transfer};
use crate::process::{Process, Program};

/// The cluster of one storm. Everything of it ends with this value.
pub(crate) struct Cluster {
    pub(crate) founded: &'static Founded,
    pub(crate) people: Arc<People>,
    pub(crate) anvil: String,
    pub(crate) coordinator: String,
    programs: Vec<Program>,
    configs: Vec<Config>,
    running: Mutex<Vec<Option<Process>>>,
    /// After the processes that stand on it.
    pub(crate) ground: Ground,
    /// Before the folder that it is mounted in.
    pub(crate) disk: Option<SmallDisk>,
    folder: tempfile::TempDir,
    _anvil: Anvil,
    _coordinator: HttpServer,
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

    /// The folders of a cluster, and what stands beside its nodes; no node runs yet.
    pub(crate) async fn placed(ground: Ground) -> Self {
        let founded = founded().await;
        let folder = tempfile::Builder::new().prefix("keystead-storm-").tempdir().unwrap();
        let chain = Anvil::start_at(&ground.host(), &["--hardfork", "osaka"]);
        let anvil = chain.url();
        let addresses: Vec<String> = (0..NODES).map(|it| ground.address(it)).collect();
        let folders: Vec<PathBuf> = (0..NODES).map(|node| folder.path().join(node.to_string())).collect();
        let configs = folders.iter().enumerate();
        let configs = configs.map(|(node, folder)| configured(founded, node, folder, &addresses, &anvil));
        let configs: Vec<Config> = configs.collect();
        let programs = folders.into_iter().zip(&configs).enumerate().map(|(node, (folder, config))| {
            write(&folder, config);
            Program { prefix: ground.prefix(node), folder, environment: Vec::new() }
        });
        let programs: Vec<Program> = programs.collect();
        let nodes = (1..).take(NODES).map(|it| Member::new(&format!("node-{it}"), it)).collect();
        let people = People::new(Desk { nodes, ..Desk::default() }, founded.cluster, addresses);
        let server = coordinator(&people, &anvil, folder.path()).await;
        let cluster = Self {
            founded,
            people: Arc::new(people),
            coordinator: format!("http://{}", server.address()),
            anvil,
            ground,
            disk: None,
            configs,
            running: Mutex::new(programs.iter().map(|_| None).collect()),
            programs,
            folder,
            _anvil: chain,
            _coordinator: server,
        };
        cluster.fund().await;
        cluster
    }

    /// Starts every node, and waits until a payment is signed.
    pub(crate) async fn all_up(self) -> Self {
        (0..NODES).for_each(|node| self.launch(node));
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

    /// What a node said so far.
    pub(crate) fn words(&self, node: usize) -> String {
        self.programs[node].words()
    }

    /// How a node will be started from now on.
    pub(crate) fn program(&mut self, node: usize) -> &mut Program {
        &mut self.programs[node]
    }

    /// A machine that was never there, in the place of a node: its address is in every configuration from now on.
    pub(crate) fn replace(&mut self, node: usize, member: &Member) {
        let (address, folder) = (self.ground.address(node), self.folder.path().join(member.name.as_str()));
        let mut config = self.founded.copy_node(node, &folder);
        std::fs::remove_dir_all(&config.data).expect("a folder");
        std::fs::write(&config.member.key, sealed(member).to_document()).expect("a file");
        config.chains.clone_from(&self.configs[node].chains);
        (config.limits, config.listen) = (self.configs[node].limits, address.clone());
        self.configs[node] = config;
        self.programs[node].folder = folder;
        let mut peers = self.configs[HOME].peers.clone();
        peers[node] = PeerConfig { name: member.name.clone(), address: address.clone() };
        for (program, config) in self.programs.iter().zip(&mut self.configs) {
            config.peers.clone_from(&peers);
            write(&program.folder, config);
        }
        self.people.reseat(node, address, member);
    }

    /// What a supervisor does: starts a node.
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

    /// Looks at a node's process, or puts another one there.
    pub(crate) fn with<T>(&self, node: usize, look: impl FnOnce(&mut Option<Process>) -> T) -> T {
        look(&mut self.running.lock().expect("nobody panics here")[node])
    }

    /// Waits until a node's process has ended by itself, and gives its exit code, or the signal as an error.
    pub(crate) async fn ended(&self, node: usize) -> Result<i32, i32> {
        retry(async || self.with(node, |it| it.as_mut().and_then(Process::ended))).await
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
        Load::start(Arc::clone(&self.people), self.founded.address(0), &self.anvil, &self.coordinator)
    }

    /// Ends a storm: the load is answered, everything allowed is signed, all nodes agree, and nothing is broken.
    pub(crate) async fn verify(&self, storm: &str, load: Load) {
        let heard = load.finish().await;
        self.execute(&heard.answers).await;
        assert_eq!(heard.refusals, BTreeMap::new(), "nobody is refused who may ask");
        let hashes = heard.hashes.iter().map(|it| it.parse().expect("a hash")).collect();
        let mut story =
            Story { answers: heard.answers, hashes, mined: self.mined().await, ..Story::default() };
        let folders = self.stop().await;
        story.read(self.people.cluster, &folders).await;
        assert_eq!(story.findings(), Vec::<String>::new(), "{storm}");
        println!("{storm}: {}, {} times nobody answered; no invariant broken", story.size(), heard.silences);
    }

    /// Sends what was signed meanwhile, and what the load left to others, to the chain.
    async fn execute(&self, answers: &[RequestView]) {
        for answer in answers.iter().filter(|it| matches!(it.decision.outcome, Outcome::Allow(_))) {
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

    /// All nodes at one height, nobody running any more: their folders.
    async fn stop(&self) -> Vec<PathBuf> {
        retry(async || {
            let heights = self.heights().await;
            heights.iter().all(|it| it.is_some() && *it == heights[0]).then_some(())
        })
        .await;
        (0..NODES).for_each(|node| self.kill(node));
        (0..NODES).map(|node| self.data(node)).collect()
    }
}

impl Drop for Cluster {
    /// A storm that failed says what the nodes said.
    fn drop(&mut self) {
        if std::thread::panicking() {
            for node in 0..self.programs.len() {
                let words = self.words(node);
                let last: Vec<&str> = words.lines().rev().take(LINES_SHOWN).collect();
                println!("--- node-{}, newest first\n{}", node + 1, last.join("\n"));
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

fn configured(founded: &Founded, node: usize, folder: &Path, addresses: &[String], anvil: &str) -> Config {
    let endpoint = EndpointConfig { name: name("anvil"), url: anvil.to_owned(), ca: None };
    let peer = |(index, address): (usize, &String)| PeerConfig {
        name: Founded::node(index),
        address: address.clone(),
    };
    Config {
        listen: addresses[node].clone(),
        peers: addresses.iter().enumerate().map(peer).collect(),
        chains: vec![ChainConfig {
            chain: CHAIN.0,
            agree: 1,
            endpoints: vec![endpoint],
            confirmations: Some(1),
        }],
        limits: NodeLimits { settlement_seconds: 1, snapshot_blocks: 64, ..NodeLimits::default() },
        ..founded.copy_node(node, folder)
    }
}

/// Writes a node's configuration where its program looks for it.
pub(crate) fn write(folder: &Path, config: &Config) {
    std::fs::write(folder.join("config.json"), serde_json::to_string(config).unwrap()).unwrap();
}

/// A client of the nodes, like any other: it holds no key.
async fn coordinator(people: &People, anvil: &str, folder: &Path) -> HttpServer {
    let settings = Settings {
        cluster: people.cluster,
        service: name("desk"),
        chain: CHAIN,
        deadline: Duration::from_secs(10),
        lifetime: Duration::from_secs(3600),
        addresses_per_key: 1,
    };
    let endpoint = EndpointConfig { name: name("anvil"), url: anvil.to_owned(), ca: None };
    let view = ChainView::new(CHAIN.0, vec![endpoint.open().unwrap()], 1, Finality::Finalized).unwrap();
    // Not the key's home first.
    let targets = (1..NODES).chain([HOME]).map(|node| people.target("desk", node, PATIENCE)).collect();
    let signer = Member::new("desk", 20).signer;
    let started =
        Coordinator::start(settings, targets, signer, Some(view), &folder.join("broadcast.journal"));
    let listen = ([127, 0, 0, 1], 0).into();
    HttpServer::start(listen, started.unwrap(), Doors::default(), HttpLimits::default()).await.unwrap()
}

const LINES_SHOWN: usize = 25;
