//! What lies where after a ceremony on one machine.
//!
//! One node works in the cluster's own folder. Of several each has a folder of its own below it, with all that it
//! needs and nothing of the others, so that it can be moved to a machine of its own.

use std::path::{Path, PathBuf};

use keystead_base::{ClusterId, Name};
use keystead_node::{Config as NodeConfig, NodeLimits, PeerConfig};

use super::{GENESIS, MEMBERS, Plan, VAULT_PASSPHRASE, service_name};
use crate::config::Config;
use crate::failure::Failure;
use crate::node_token;
use crate::outside;
use crate::setup::{self, Outlook, Setup};

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
            [only] => setup::write(self.folder, &self.shared(cluster, Some(only))?).map(drop),
            several => {
                for (node, home) in several.iter().zip(self.own_homes()) {
                    setup::write(&home, &self.of_a_node(cluster, node)?)?;
                }
                setup::write(self.folder, &self.shared(cluster, None)?).map(drop)
            }
        }
    }

    /// People and the coordinator, and the node if it is the only one.
    fn shared(&self, cluster: ClusterId, node: Option<&PeerConfig>) -> Result<Config, Failure> {
        let person = self.plan.founders.first().cloned();
        let setup = self.setup(cluster, MEMBERS, node, person);
        let node = node.map(|it| self.node(&setup, it)).transpose()?;
        let listen = self.plan.coordinator_listen.clone();
        let coordinator = setup.coordinator(&service_name()?, listen, self.outlook()?);
        Ok(setup.config(node, Some(coordinator)))
    }

    /// Commands in a node's folder talk to that node first.
    fn of_a_node(&self, cluster: ClusterId, node: &PeerConfig) -> Result<Config, Failure> {
        let setup = self.setup(cluster, ".", Some(node), None);
        Ok(setup.config(Some(self.node(&setup, node)?), None))
    }

    fn setup(
        &self,
        cluster: ClusterId,
        keys: &str,
        node: Option<&PeerConfig>,
        person: Option<Name>,
    ) -> Setup {
        Setup {
            cluster,
            keys: keys.into(),
            nodes: self.plan.nodes.clone(),
            own: node.map(|it| it.name.clone()),
            person,
            limits: NodeLimits { settlement_seconds: 1, ..NodeLimits::default() },
        }
    }

    fn node(&self, setup: &Setup, node: &PeerConfig) -> Result<NodeConfig, Failure> {
        let token = self.plan.tokens.get(&node.name).cloned();
        let config = setup.node(&node.name, node.address.clone(), Some(self.outlook()?));
        Ok(node_token::named(config, token))
    }

    fn outlook(&self) -> Result<Outlook, Failure> {
        let plan = self.plan;
        Outlook::new(plan.chain, plan.endpoint.as_slice(), plan.confirmations)
    }
}

/// A fresh passphrase for the vault of a node.
pub(crate) fn vault_passphrase(folder: &Path) -> Result<(), Failure> {
    let mut random = keystead_base::Secret::new([0; 32]);
    outside::fill(random.expose_mut());
    let text = keystead_base::Secret::new(const_hex::encode(random.expose()));
    outside::create_secret(&folder.join(VAULT_PASSPHRASE), text.expose().as_bytes())
}
