//! Nodes as processes of the product that hold a key in shares, and people who ask them; no chain, no coordinator.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alloy_primitives::{Address, Bytes, U256};
use keystead_decision::KeyState;
use keystead_devnet::Devnet;
use keystead_intent::{AuthorityChange, KeyCeremony, KeyKind};
use keystead_node::Config;
use keystead_policy::PolicyVersion;
use keystead_solana::{Pubkey, order};
use keystead_tests::cluster::NodeHome;
use keystead_tests::fixture::{BIRTH, CHAIN, Desk, ETHER, FRIEND, Member, name};
use keystead_tests::solana::{PAYEE, SOL, asks, lists_solana, message_with, moves_sol};
use keystead_wire::{ConveningView, KeyView, RequestStage, RequestView};

use crate::founded::Founded;
use crate::ground::Ground;
use crate::people::{ANSWER, People, retry, transfer};
use crate::process::{Process, Program};
use crate::product::Product;

/// Some nodes, each a process with its own database and enclave. Everything of them ends with this value.
pub(crate) struct Circle {
    pub(crate) people: Arc<People>,
    programs: Vec<Program>,
    running: Mutex<Vec<Option<Process>>>,
    pub(crate) ground: Ground,
    nonce: AtomicU64,
    signed: Mutex<Vec<(u64, Bytes)>>,
    homes: Vec<NodeHome>,
}

impl Circle {
    /// So many nodes, whose folders are there; none runs.
    pub(crate) fn placed(nodes: u8, ground: Ground) -> Self {
        Self::placed_with(nodes, ground, |_| {}, |_, _| {})
    }

    /// The same under a policy of their own, where nodes may see chains, or have enclaves that are not the product's.
    pub(crate) fn placed_with(
        nodes: u8,
        ground: Ground,
        policy: impl Fn(&mut PolicyVersion),
        place: impl Fn(usize, &mut Config),
    ) -> Self {
        let mut homes = NodeHome::several(nodes, |version| {
            version.timing.certificate_seconds = RIGHT_SECONDS;
            policy(version);
            lists_solana(version, SOL);
            moves_sol(version, "trader", SOL_KEY);
        });
        let addresses: Vec<String> = (0..homes.len()).map(|it| ground.address(it)).collect();
        let cluster = homes[0].genesis.genesis.cluster();
        let product = Product { cluster, addresses: &addresses, anvil: "" };
        for (node, (home, address)) in homes.iter_mut().zip(&addresses).enumerate() {
            home.config.listen.clone_from(address);
            home.config.enclave.program = None;
            place(node, &mut home.config);
        }
        let write = |(node, home): (usize, &NodeHome)| {
            let peers = product.peers();
            product.write_node(&home.path(""), &Config { peers, ..home.config.clone() });
            Program::new("node", home.path(""), ground.prefix(node))
        };
        let programs: Vec<Program> = homes.iter().enumerate().map(write).collect();
        let members = (1..=nodes).map(|it| Member::new(&format!("node-{it}"), it)).collect();
        let desk = Desk { nodes: members, ..Desk::default() };
        let running = Mutex::new(programs.iter().map(|_| None).collect());
        let people = Arc::new(People::new(desk, cluster, addresses));
        let (nonce, signed) = (AtomicU64::new(0), Mutex::default());
        Self { people, programs, running, ground, nonce, signed, homes }
    }

    /// So many nodes, all running.
    pub(crate) async fn start(nodes: u8) -> Self {
        Self::placed(nodes, Ground::Loopback).all_up().await
    }

    /// Starts all, and waits until each of them votes.
    pub(crate) async fn all_up(self) -> Self {
        (0..self.programs.len()).for_each(|node| self.launch(node));
        for node in 0..self.programs.len() {
            self.votes(node).await;
        }
        self
    }

    /// A node's part of the disk.
    pub(crate) fn data(&self, node: usize) -> PathBuf {
        self.homes[node].config.data.clone()
    }

    /// Tells a lying enclave how to lie when it is started next.
    pub(crate) fn tell_to_lie(&self, node: usize, lie: &str) {
        let file = self.homes[node].config.enclave.passphrase.with_file_name("lie");
        std::fs::write(file, lie).expect("a file");
    }

    pub(crate) fn launch(&self, node: usize) {
        let started = self.programs[node].start();
        self.with(node, |process| *process = Some(started));
    }

    /// `kill -9`, with its enclave.
    pub(crate) fn kill(&self, node: usize) {
        if let Some(process) = self.with(node, Option::take) {
            process.kill();
        }
    }

    pub(crate) fn with<T>(&self, node: usize, look: impl FnOnce(&mut Option<Process>) -> T) -> T {
        look(&mut self.running.lock().expect("nobody panics here")[node])
    }

    /// Starts a node that has ended by itself, and says whether it had.
    pub(crate) fn supervise(&self, node: usize) -> bool {
        let ended = self.with(node, |it| it.as_mut().is_some_and(|it| it.ended().is_some()));
        if ended {
            self.launch(node);
        }
        ended
    }

    /// What a node said in all its lives.
    pub(crate) fn words(&self, node: usize) -> String {
        self.programs[node].words()
    }

    /// Waits until a node votes.
    pub(crate) async fn votes(&self, node: usize) {
        self.stands(node, "votes").await;
    }

    /// Waits until a node's standing begins so.
    pub(crate) async fn stands(&self, node: usize, standing: &str) {
        retry(async || self.people.status(node).await?.standing.starts_with(standing).then_some(())).await;
    }

    /// Sends a signal to the enclaves of some nodes.
    pub(crate) fn hang(&self, nodes: &[usize], signal: &str) {
        for node in nodes {
            let enclave = self.with(*node, |it| it.as_ref().and_then(Process::enclave)).expect("an enclave");
            let mut kill = Command::new("kill");
            assert!(kill.args([signal, &enclave.to_string()]).status().expect("kill starts").success());
        }
    }

    /// A ceremony from its request to its end: asked at one node, approved at others.
    pub(crate) async fn ceremony(&self, at: [usize; 3], ceremony: KeyCeremony) -> RequestView {
        self.people.change(at, AuthorityChange::Key(ceremony)).await
    }

    /// A key born in shares: any two of the first three sign.
    pub(crate) async fn born(&self, key: &str) -> KeyView {
        let (kind, holders) = (kind(key), nodes(&[1, 2, 3]));
        let generate = KeyCeremony::Generate { key: name(key), kind, threshold: 2, holders };
        let view = self.ceremony([0, 1, 2], generate).await;
        assert_eq!(view.stage, RequestStage::Applied, "{view:?} {}", self.told());
        let key = self.key(key, 0).await;
        assert_eq!(key.state, KeyState::Active);
        key
    }

    /// A key as a node knows it.
    pub(crate) async fn key(&self, key: &str, node: usize) -> KeyView {
        let client = self.people.client("cleo", node, ANSWER);
        let find = |keys: Vec<KeyView>| keys.into_iter().find(|it| it.name == name(key));
        retry(async || client.keys().await.ok().and_then(find)).await
    }

    /// Waits until a node knows a key to be so.
    pub(crate) async fn knows(&self, key: &str, node: usize, is: impl Fn(&KeyView) -> bool) {
        retry(async || is(&self.key(key, node).await).then_some(())).await;
    }

    /// The key's ceremony under way as a node knows it, once it is as `is` says.
    pub(crate) async fn convening(&self, node: usize, is: impl Fn(&ConveningView) -> bool) {
        retry(async || self.people.status(node).await?.ceremonies.iter().any(&is).then_some(())).await;
    }

    /// A payment by a key, asked of this node until it is signed.
    pub(crate) async fn pays(&self, key: &str, node: usize) -> Duration {
        let start = Instant::now();
        match key {
            HOT => self.pays_ether(node).await,
            _ => self.pays_sol(node).await,
        }
        start.elapsed()
    }

    /// A payment of one wei by the key `hot`.
    async fn pays_ether(&self, node: usize) {
        let nonce = self.nonce.fetch_add(1, Ordering::Relaxed);
        let view = self.people.ask("dora", node, transfer(0, FRIEND, 1, nonce)).await;
        assert_eq!(view.stage, RequestStage::Signed, "no request fails: {view:?} {}", self.told());
        let raw = view.signed.expect("a signature").raw;
        self.signed.lock().expect("nobody panics here").push((nonce, raw));
    }

    /// A payment of one lamport by the key `sol`; the signature is good.
    async fn pays_sol(&self, node: usize) {
        let account = self.key(SOL_KEY, node).await.account.expect("an account");
        let public = account.ed25519_key().expect("a key of Ed25519");
        let mut blockhash = [0; 32];
        blockhash[..8].copy_from_slice(&self.nonce.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let payer = Pubkey(public);
        let message = message_with(payer, blockhash, vec![order::transfer(payer, PAYEE, 1)]);
        let view = self.people.ask("dora", node, asks(SOL_KEY, message.clone())).await;
        assert_eq!(view.stage, RequestStage::Signed, "no request fails: {view:?} {}", self.told());
        let signature: [u8; 64] =
            view.signed.expect("a signature").signature[..].try_into().expect("64 bytes");
        let verifier = ed25519_dalek::VerifyingKey::from_bytes(&public).expect("a point");
        verifier.verify_strict(&message, &signature.into()).expect("a signature of the message");
    }

    /// All that the key `hot` signed is executed from its account: how many payments. Other keys' were verified one by one.
    pub(crate) fn executes(&self, address: Option<Address>) -> usize {
        let Some(account) = address else { return 0 };
        let mut chain = Devnet::new(CHAIN.0, BIRTH.seconds());
        chain.fund(account, U256::from(1_000 * ETHER));
        let mut signed = self.signed.lock().expect("nobody panics here");
        signed.sort();
        for (nonce, raw) in signed.iter() {
            let receipt = chain.execute_raw(raw).expect("the chain takes it");
            assert!(receipt.outcome.is_success(), "{nonce}: {:?}", receipt.outcome);
        }
        assert_eq!(chain.balance(FRIEND), U256::from(signed.len()));
        signed.len()
    }

    /// The last words of each node, for whoever reads why something failed.
    pub(crate) fn told(&self) -> String {
        let last = |node: usize| {
            let words = self.words(node);
            let lines: Vec<&str> = words.lines().collect();
            let shown = lines.len().saturating_sub(LINES_SHOWN);
            format!("{}:\n{}\n", Founded::node(node), lines[shown..].join("\n"))
        };
        (0..self.programs.len()).map(last).collect()
    }
}

/// The kind of a key of the storm.
pub(crate) fn kind(key: &str) -> KeyKind {
    match key {
        SOL_KEY => KeyKind::ThresholdEd25519,
        VAULT => KeyKind::ThresholdBip340,
        _ => KeyKind::ThresholdSecp256k1,
    }
}

/// The key whose turn it is: of ECDSA, or of FROST. Says so, for whoever wants the same again.
pub(crate) fn turn(seed: usize) -> &'static str {
    let key = [HOT, SOL_KEY][seed % KINDS];
    println!("with the key `{key}`; KEYSTEAD_STORM_SEED={seed} takes the same again");
    key
}

/// The names of some nodes.
pub(crate) fn nodes(numbers: &[u8]) -> Vec<keystead_base::Name> {
    numbers.iter().map(|it| name(&format!("node-{it}"))).collect()
}

/// Of ECDSA, which pays ether.
pub(crate) const HOT: &str = "hot";
/// How many kinds take turns.
pub(crate) const KINDS: usize = 2;
/// Of FROST, which pays lamports.
pub(crate) const SOL_KEY: &str = "sol";
/// Of FROST, which pays coins of Bitcoin's.
pub(crate) const VAULT: &str = "vault";
/// Rights, and with them shares of an epoch that is over, live so long.
const RIGHT_SECONDS: u64 = 20;
const LINES_SHOWN: usize = 15;
