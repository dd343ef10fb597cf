//! A cluster as it runs in earnest: each node a process with its own database and its own enclave process.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use keystead_base::{ClusterId, RequestNonce, Secret, Timestamp};
use keystead_coordinator::Batcher;
use keystead_decision::SignedGenesis;
use keystead_intent::{Action, Intent};
use keystead_policy::Roster;
use keystead_tests::binary;
use keystead_tests::cluster::{NodeHome, ether};
use keystead_tests::fixture::{Desk, FRIEND, name};
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
    pub(crate) async fn start(mut homes: Vec<NodeHome>, road: Option<&Arc<Road>>) -> Self {
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
        Self { homes, desks, clients, processes, asked }
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

    /// A transfer inside the limits, with a chain nonce that nobody used before: of nothing and for next to no fee, so
    /// that the limit of a day lasts on any machine.
    pub(crate) fn intent(&self) -> Intent {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let mut action = ether(FRIEND, 0, number);
        if let Action::Transfer(transfer) = &mut action {
            (transfer.gas.max_fee_per_gas, transfer.gas.max_priority_fee_per_gas) = (1, 1);
        }
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
