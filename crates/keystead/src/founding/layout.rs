//! What lies where after a ceremony on one machine.
//!
//! One node works in the cluster's own folder. Of several each has a folder of its own below it, with all that it
//! needs and nothing of the others, so that it can be moved to a machine of its own.

use std::path::{Path, PathBuf};

use keystead_base::{ClusterId, Name};
use keystead_node::{
    ChainConfig, Config as NodeConfig, EnclaveConfig, EndpointConfig, MemberConfig, NodeLimits, PeerConfig,
    Times,
};

use super::{GENESIS, MEMBERS, Plan, SERVICE, VAULT_PASSPHRASE, service_name};
use crate::config::{ClientConfig, Config, CoordinatorConfig, FILE};
use crate::failure::Failure;
use crate::outside;

/// A plan and its folder.
pub(super) struct Layout<'a> {
    pub(super) folder: &'a Path,
    pub(super) plan: &'a Plan,
}

impl Layout<'_> {
    /// The folders of nodes that have their own.
    pub(super) fn own_homes(&self) -> impl Iterator<Item = PathBuf> + '_ {
        let several = self.plan.nodes.len() > 1;
        self.plan.nodes.iter().filter(move |_| several).map(|node| self.folder.join(node.name.as_str()))
    }

    pub(super) fn folders(&self) -> Result<(), Failure> {
        outside::private_folder(&self.folder.join(MEMBERS))?;
        self.own_homes().try_for_each(|home| outside::private_folder(&home))
    }

    /// Whose keys lie where: nodes, the service, people.
    pub(super) fn keys(&self) -> Result<Vec<(Name, PathBuf)>, Failure> {
        let members = self.folder.join(MEMBERS);
        let nodes = self.plan.nodes.iter().map(|node| (node.name.clone(), self.keys_of(node)));
        let others = [service_name()?].into_iter().chain(self.plan.founders.iter().cloned());
        Ok(nodes.chain(others.map(|name| (name, members.clone()))).collect())
    }

    fn keys_of(&self, node: &PeerConfig) -> PathBuf {
        match self.plan.nodes.len() {
            1 => self.folder.join(MEMBERS),
            _ => self.folder.join(node.name.as_str()),
        }
    }

    /// Genesis, passphrases of the vaults, and configurations.
    pub(super) fn write(&self, cluster: ClusterId, genesis: &[u8]) -> Result<(), Failure> {
        outside::create(&self.folder.join(GENESIS), genesis)?;
        for node in &self.plan.nodes {
            vault_passphrase(&self.keys_of(node))?;
        }
        for home in self.own_homes() {
            outside::create(&home.join(GENESIS), genesis)?;
        }
        match self.plan.nodes.as_slice() {
            [only] => {
                configure(self.folder, &self.shared(cluster, Some(self.node(only, Path::new(MEMBERS)))))
            }
            several => {
                for (node, home) in several.iter().zip(self.own_homes()) {
                    configure(&home, &self.of_a_node(cluster, node))?;
                }
                configure(self.folder, &self.shared(cluster, None))
            }
        }
    }

    /// People and the coordinator, and the node if it is the only one.
    fn shared(&self, cluster: ClusterId, node: Option<NodeConfig>) -> Config {
        let nodes = self.plan.nodes.clone();
        let client = client(Path::new(MEMBERS), self.plan.founders.first().cloned(), nodes);
        Config { cluster, client, node, coordinator: Some(self.coordinator()) }
    }

    /// Commands in a node's folder talk to that node first.
    fn of_a_node(&self, cluster: ClusterId, node: &PeerConfig) -> Config {
        let here = Path::new(".");
        let others = self.plan.nodes.iter().filter(|it| it.name != node.name);
        let client = client(here, None, [node].into_iter().chain(others).cloned().collect());
        Config { cluster, client, node: Some(self.node(node, here)), coordinator: None }
    }

    fn node(&self, node: &PeerConfig, keys: &Path) -> NodeConfig {
        let endpoints = self.endpoints();
        let chain = ChainConfig {
            chain: self.plan.chain,
            agree: 1,
            endpoints: endpoints.clone(),
            confirmations: self.plan.confirmations,
        };
        let others = self.plan.nodes.iter().filter(|it| it.name != node.name);
        NodeConfig {
            data: "node".into(),
            genesis: GENESIS.into(),
            member: member(keys, node.name.as_str()),
            enclave: EnclaveConfig {
                program: None,
                passphrase: keys.join(VAULT_PASSPHRASE),
                require: Vec::new(),
            },
            ledger: None,
            listen: node.address.clone(),
            peers: others.cloned().collect(),
            times: Times::default(),
            chains: if endpoints.is_empty() { Vec::new() } else { vec![chain] },
            limits: NodeLimits { settlement_seconds: 1, ..NodeLimits::default() },
        }
    }

    fn coordinator(&self) -> CoordinatorConfig {
        CoordinatorConfig {
            member: member(Path::new(MEMBERS), SERVICE),
            listen: self.plan.coordinator_listen.clone(),
            data: "coordinator".into(),
            chain: self.plan.chain,
            endpoints: self.endpoints(),
            agree: 1,
            deadline_seconds: 60,
            lifetime_seconds: 3600,
            addresses_per_key: 4,
            token: None,
            hosts: Vec::new(),
        }
    }

    fn endpoints(&self) -> Vec<EndpointConfig> {
        let endpoint = |url: &String| {
            Some(EndpointConfig { name: "endpoint".parse().ok()?, url: url.clone(), ca: None })
        };
        self.plan.endpoint.iter().filter_map(endpoint).collect()
    }
}

fn client(members: &Path, person: Option<Name>, nodes: Vec<PeerConfig>) -> ClientConfig {
    ClientConfig {
        genesis: GENESIS.into(),
        members: members.to_owned(),
        person,
        token: None,
        ca: None,
        nodes,
    }
}

/// Where a member's key and its passphrase lie.
pub(crate) fn member(folder: &Path, name: &str) -> MemberConfig {
    MemberConfig {
        key: folder.join(format!("{name}.key")),
        passphrase: folder.join(format!("{name}.passphrase")),
    }
}

fn configure(folder: &Path, config: &Config) -> Result<(), Failure> {
    let text = toml::to_string_pretty(config)
        .map_err(|error| Failure::new("config.toml", error.to_string(), "report this as a bug"))?;
    outside::create(&folder.join(FILE), text.as_bytes())
}

/// A fresh passphrase for the vault of a node.
pub(crate) fn vault_passphrase(folder: &Path) -> Result<(), Failure> {
    let mut random = keystead_base::Secret::new([0; 32]);
    outside::fill(random.expose_mut());
    let text = keystead_base::Secret::new(const_hex::encode(random.expose()));
    outside::create_secret(&folder.join(VAULT_PASSPHRASE), text.expose().as_bytes())
}
