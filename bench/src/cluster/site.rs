//! A cluster as it runs in earnest: each node a process with its own database and its own enclave process.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bitcoin::Txid;
use bitcoin::hashes::Hash as _;
use keystead_base::{ClusterId, RequestNonce, Secret, Timestamp};
use keystead_coordinator::Batcher;
use keystead_decision::SignedGenesis;
use keystead_intent::{Action, Intent, PsbtSpend};
use keystead_policy::Roster;
use keystead_solana::{Draft, Pubkey, Version, compile, order};
use keystead_tests::binary;
use keystead_tests::cluster::{NodeHome, ether};
use keystead_tests::fixture::{Desk, FRIEND, name};
use keystead_tests::purse::{Purse, REGTEST, pay, payee};
use keystead_tests::solana;
use keystead_tests::world::hot;
use keystead_wire::{Hello, Identity, Limits, NodeClient, Role, Target};

use super::proxy::{self, Road};
use crate::usage;

/// The running processes, and a way to each.
pub(crate) struct Site {
    pub(crate) homes: Vec<NodeHome>,
    /// What a coordinator of each node does with the requests of its clients.
    pub(crate) desks: Vec<Batcher>,
    /// One connection to each node, to look.
    pub(crate) clients: Vec<NodeClient>,
    processes: Vec<Process>,
    asked: AtomicU64,
    pays: Pays,
}

/// What the clients ask for.
#[derive(Clone)]
pub(crate) enum Pays {
    /// Transfers of ether.
    Ether,
    /// Messages of Solana's that move a lamport from this key.
    Sol(Pubkey),
    /// Bitcoin transactions that spend one coin of this wallet each.
    Coins(Arc<Purse>),
}

/// Founds a cluster with an active key `hot` whose home is the first node, and stops it again.
pub(crate) async fn found(nodes: u8) -> Vec<NodeHome> {
    let homes = NodeHome::several(nodes, |policy| policy.roster.quorum = Roster::quorum_of(nodes.into()));
    let starts: Vec<_> = homes.into_iter().map(|home| tokio::spawn(home.start())).collect();
    let mut stations = Vec::new();
    for start in starts {
        stations.push(start.await.expect("a node that starts"));
    }
    stations[0].make_hot_key().await;
    let mut homes = Vec::new();
    for station in stations {
        homes.push(station.stop().await);
    }
    homes
}

/// Says to each node how it reaches each other one: with a road, through a proxy of its own.
pub(crate) fn meet(homes: &mut [NodeHome], road: Option<&Arc<Road>>) {
    let listening: Vec<String> = homes.iter().map(|home| home.config.listen.clone()).collect();
    for home in homes {
        for (peer, target) in home.config.peers.iter_mut().zip(&listening) {
            peer.address = match road {
                Some(road) => proxy::open(target.clone(), road).to_string(),
                None => target.clone(),
            };
        }
    }
}

impl Site {
    /// Starts a process for each home. With a road, each node reaches each other one through a proxy of its own.
    pub(crate) async fn start(mut homes: Vec<NodeHome>, road: Option<&Arc<Road>>, pays: Pays) -> Self {
        meet(&mut homes, road);
        let processes = homes.iter().map(Process::start).collect();
        let (mut desks, mut clients) = (Vec::new(), Vec::new());
        for (index, home) in homes.iter().enumerate() {
            let client = NodeClient::connect(target(home, index)).await.expect("a pinned client");
            // The fixture's members cannot be cloned: their keys are made again from the same byte.
            let desk = Desk::default().desk;
            desks.push(Batcher::start(client.clone(), desk.name, desk.signer));
            clients.push(client);
        }
        let asked = AtomicU64::new(SITES.fetch_add(1, Ordering::Relaxed) << SLOT_BITS);
        Self { homes, desks, clients, processes, asked, pays }
    }

    /// Kills the processes; what is on their disks stays.
    pub(crate) fn stop(self) -> Vec<NodeHome> {
        drop(self.processes);
        self.homes
    }

    /// The cluster's genesis.
    pub(crate) fn genesis(&self) -> &SignedGenesis {
        &self.homes[0].genesis
    }

    /// The cluster.
    pub(crate) fn cluster(&self) -> ClusterId {
        self.genesis().genesis.cluster()
    }

    /// A transfer inside the limits, like no other before it: of next to nothing and for next to no fee, so that the limit of
    /// a day lasts on any machine.
    pub(crate) fn intent(&self) -> Intent {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let action = match &self.pays {
            Pays::Ether => next_to_free(number),
            Pays::Sol(payer) => lamport(*payer, number),
            Pays::Coins(purse) => coin(purse, number),
        };
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&number.to_be_bytes());
        Intent {
            cluster: self.cluster(),
            requester: name("desk"),
            nonce: RequestNonce(nonce),
            expires: now().plus_seconds(3600),
            action,
        }
    }

    /// Nodes and enclaves.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let nodes = self.processes.iter().map(|it| it.child.id());
        nodes.flat_map(|node| [vec![node], usage::children(node)].concat()).collect()
    }

    /// The nodes alone.
    pub(crate) fn nodes(&self) -> Vec<u32> {
        self.processes.iter().map(|it| it.child.id()).collect()
    }

    /// The height that a node says it has.
    pub(crate) async fn height(&self, node: usize) -> u64 {
        self.clients[node].status().await.expect("a status").height
    }

    /// Bytes of the first node's database.
    pub(crate) fn ledger_bytes(&self) -> u64 {
        let folder = &self.homes[0].config.data;
        let size = |file: &str| std::fs::metadata(folder.join(file)).map_or(0, |it| it.len());
        size("ledger.sqlite") + size("ledger.sqlite-wal")
    }
}

fn next_to_free(number: u64) -> Action {
    let mut action = ether(FRIEND, 0, number);
    if let Action::Transfer(transfer) = &mut action {
        (transfer.gas.max_fee_per_gas, transfer.gas.max_priority_fee_per_gas) = (1, 1);
    }
    action
}

/// A message like no other: its blockhash has the number.
fn lamport(payer: Pubkey, number: u64) -> Action {
    let mut blockhash = [0; 32];
    blockhash[..8].copy_from_slice(&number.to_be_bytes());
    let instructions = vec![order::transfer(payer, solana::PAYEE, 1)];
    let draft = Draft { version: Version::Zero, payer, blockhash, instructions };
    solana::asks("hot", compile(&draft).expect("a message").to_bytes())
}

/// A transaction of a coin that nobody spent before. Nothing of it is on a chain: its digest covers what the coin is worth.
fn coin(purse: &Purse, number: u64) -> Action {
    let mut coin = purse.coin(0, COIN, 0);
    let mut before = [0; 32];
    before[..8].copy_from_slice(&number.to_be_bytes());
    coin.previous.input[0].previous_output.txid = Txid::from_byte_array(before);
    let psbt = purse.psbt(vec![coin], vec![pay(PAID, payee()), purse.change(0, COIN - PAID - 200)]).into();
    Action::Psbt(PsbtSpend { account: hot(), chain: REGTEST, psbt, replaces: None, shared: None })
}

/// This moment.
pub(crate) fn now() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    Timestamp(u64::try_from(elapsed.as_millis()).expect("a clock of this age"))
}

/// How the desk reaches a node.
fn target(home: &NodeHome, index: usize) -> Target {
    let desk = &home.desk.desk;
    Target {
        address: home.config.listen.clone(),
        server: home.desk.nodes[index].transport().0.0,
        identity: Identity::from_seed(&Secret::new(desk.transport_seed)).expect("a seed"),
        hello: Hello::new(home.genesis.genesis.cluster(), Role::Service, 1),
        limits: Limits::default(),
    }
}

/// A node's process; its enclave ends with it.
struct Process {
    child: Child,
}

impl Process {
    fn start(home: &NodeHome) -> Self {
        let path = home.path("node.json");
        let text = serde_json::to_string(&home.config).expect("a configuration");
        std::fs::write(&path, text).expect("a file");
        // Whatever becomes of this program, none of its nodes outlives it.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .args([binary("test_node"), path])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a node's process");
        let mut line = String::new();
        let output = child.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("a line");
        assert!(line.starts_with("listening "), "a node that listens, not {line:?}");
        Self { child }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two starts of one cluster use no slot twice.
static SITES: AtomicU64 = AtomicU64::new(1);
const SLOT_BITS: u32 = 40;

/// What a coin is worth, and what is paid of it, in satoshi.
const COIN: u64 = 10_000;
const PAID: u64 = 1_000;
