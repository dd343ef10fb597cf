//! The files that the product's own processes are started from: `keystead.toml` of each node, and the coordinator's.

use std::path::{Path, PathBuf};

use keystead_base::{Canonical as _, ClusterId};
use keystead_node::{ChainConfig, Config, EndpointConfig, MemberConfig, NodeLimits, PeerConfig};
use keystead_tests::cluster::{PASSPHRASE, sealed};
use keystead_tests::fixture::{CHAIN, Member, name};
use serde::Serialize;

use crate::founded::{Founded, HOME};

/// What all of them have in common.
pub(crate) struct Product<'a> {
    pub(crate) cluster: ClusterId,
    /// Where each node listens.
    pub(crate) addresses: &'a [String],
    /// The chain's endpoint.
    pub(crate) anvil: &'a str,
}

/// `keystead.toml`, as docs/cli.md has it.
#[derive(Serialize)]
struct File<'a> {
    cluster: ClusterId,
    client: Client<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a Config>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coordinator: Option<Coordinator>,
}

#[derive(Serialize)]
struct Client<'a> {
    genesis: &'a Path,
    members: PathBuf,
    nodes: Vec<PeerConfig>,
}

#[derive(Serialize)]
struct Coordinator {
    listen: String,
    data: PathBuf,
    chain: u64,
    deadline_seconds: u64,
    addresses_per_key: u32,
    member: MemberConfig,
    endpoints: Vec<EndpointConfig>,
}

impl Product<'_> {
    pub(crate) fn write_node(&self, folder: &Path, config: &Config) {
        self.write(folder, &config.genesis, Some(config), None);
    }

    /// A client of the nodes, like any other: it holds no key of value. It asks the key's home last.
    pub(crate) fn write_coordinator(&self, folder: &Path, genesis: &Path, listen: &str) {
        std::fs::create_dir_all(folder).expect("a folder");
        let desk = Member::new("desk", 20);
        let member = MemberConfig {
            key: folder.join("desk.key"),
            passphrase: folder.join("desk.passphrase"),
            token: None,
        };
        std::fs::write(&member.key, sealed(&desk).to_document()).expect("a file");
        std::fs::write(&member.passphrase, PASSPHRASE).expect("a file");
        let coordinator = Coordinator {
            listen: listen.to_owned(),
            data: folder.join("data"),
            chain: CHAIN.0,
            deadline_seconds: 10,
            addresses_per_key: crate::load::ACCOUNTS,
            member,
            endpoints: vec![endpoint(self.anvil)],
        };
        self.write(folder, genesis, None, Some(coordinator));
    }

    fn write(&self, folder: &Path, genesis: &Path, node: Option<&Config>, coordinator: Option<Coordinator>) {
        let mut nodes = self.peers();
        nodes.rotate_left(HOME + 1);
        let client = Client { genesis, members: folder.to_owned(), nodes };
        let file = File { cluster: self.cluster, client, node, coordinator };
        std::fs::write(folder.join("keystead.toml"), toml::to_string(&file).expect("TOML")).expect("a file");
    }

    pub(crate) fn peers(&self) -> Vec<PeerConfig> {
        let peer = |(index, address): (usize, &String)| PeerConfig {
            name: Founded::node(index),
            address: address.clone(),
        };
        self.addresses.iter().enumerate().map(peer).collect()
    }
}

/// A node's part, with its peers and its view of the chain; its enclave is the product's own.
pub(crate) fn configured(mut config: Config, node: usize, product: &Product<'_>) -> Config {
    config.enclave.program = None;
    Config {
        listen: product.addresses[node].clone(),
        peers: product.peers(),
        chains: vec![seen_at(product.anvil)],
        limits: NodeLimits { settlement_seconds: 1, snapshot_blocks: 64, ..NodeLimits::default() },
        ..config
    }
}

/// The fixture's chain, as a node sees it at its one endpoint.
pub(crate) fn seen_at(anvil: &str) -> ChainConfig {
    ChainConfig { chain: CHAIN.0, agree: 1, endpoints: vec![endpoint(anvil)], confirmations: Some(1) }
}

fn endpoint(anvil: &str) -> EndpointConfig {
    EndpointConfig { name: name("anvil"), url: anvil.to_owned(), ca: None }
}
