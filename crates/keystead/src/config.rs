//! `keystead.toml`: one file, unknown keys refused, secrets only by the names of their files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use keystead_base::{ClusterId, Name};
use keystead_node::{Config as NodeConfig, EndpointConfig, MemberConfig};
use keystead_transmit::{ChainView, Endpoint, Finality, Limits};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::outside;

/// The file's name in its folder.
pub(crate) const FILE: &str = "keystead.toml";

/// The whole file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The pinned cluster: a genesis with another id is refused.
    pub(crate) cluster: ClusterId,
    /// Where clients find a node, and their own keys.
    pub(crate) client: ClientConfig,
    /// What `keystead node` needs.
    #[serde(default)]
    pub(crate) node: Option<NodeConfig>,
    /// What `keystead serve` needs.
    #[serde(default)]
    pub(crate) coordinator: Option<CoordinatorConfig>,
}

/// Where clients find things.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientConfig {
    /// The signed genesis.
    pub(crate) genesis: PathBuf,
    /// `host:port` of a node.
    pub(crate) node: String,
    /// The folder with key files `NAME.key` and their passphrases `NAME.passphrase`.
    pub(crate) members: PathBuf,
    /// Who speaks when `--as` names nobody.
    #[serde(default)]
    pub(crate) person: Option<Name>,
}

/// What a coordinator needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CoordinatorConfig {
    /// Its service key.
    pub(crate) member: MemberConfig,
    /// Where JSON-RPC and HTTP listen.
    pub(crate) listen: String,
    /// The folder of its journal.
    pub(crate) data: PathBuf,
    /// The chain that it speaks for.
    pub(crate) chain: u64,
    /// Its endpoints.
    #[serde(default)]
    pub(crate) endpoints: Vec<EndpointConfig>,
    /// How many endpoints must agree.
    #[serde(default = "one")]
    pub(crate) agree: usize,
    /// How long a caller is kept while people are waited for.
    #[serde(default = "deadline")]
    pub(crate) deadline_seconds: u64,
    /// How long a request lives.
    #[serde(default = "lifetime")]
    pub(crate) lifetime_seconds: u64,
    /// How many addresses of each key are listed.
    #[serde(default = "addresses")]
    pub(crate) addresses_per_key: u32,
}

impl Config {
    /// Reads `DIR/keystead.toml`; relative paths in it begin there.
    pub(crate) fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(FILE);
        let mut config: Self = toml::from_str(&outside::read_text(&path)?).map_err(|error| {
            let next = "every key of the file is explained in docs/cli.md";
            Failure::new("config.toml", format!("{}: {error}", path.display()), next)
        })?;
        config.resolve(folder);
        Ok(config)
    }

    fn resolve(&mut self, folder: &Path) {
        let base = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let at = |path: &mut PathBuf| *path = base.join(&*path);
        at(&mut self.client.genesis);
        at(&mut self.client.members);
        if let Some(node) = &mut self.node {
            at(&mut node.data);
            at(&mut node.genesis);
            secret(&base, &mut node.enclave.passphrase);
            at(&mut node.member.key);
            secret(&base, &mut node.member.passphrase);
        }
        if let Some(coordinator) = &mut self.coordinator {
            at(&mut coordinator.data);
            at(&mut coordinator.member.key);
            secret(&base, &mut coordinator.member.passphrase);
        }
    }

    pub(crate) fn node(&self) -> Result<&NodeConfig, Failure> {
        self.node.as_ref().ok_or_else(|| section("node"))
    }

    pub(crate) fn coordinator(&self) -> Result<&CoordinatorConfig, Failure> {
        self.coordinator.as_ref().ok_or_else(|| section("coordinator"))
    }
}

impl CoordinatorConfig {
    /// The coordinator's own view of its chain; none without endpoints.
    pub(crate) fn view(&self) -> Result<Option<ChainView>, Failure> {
        if self.endpoints.is_empty() {
            return Ok(None);
        }
        let endpoint = |it: &EndpointConfig| Endpoint::new(it.name.clone(), &it.url, Limits::default());
        let endpoints = self.endpoints.iter().map(endpoint).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(ChainView::new(self.chain, endpoints, self.agree, Finality::Finalized)?))
    }

    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_seconds)
    }
}

/// `credential:NAME` is a file that the service manager puts into `$CREDENTIALS_DIRECTORY`.
fn secret(base: &Path, path: &mut PathBuf) {
    let credential = path.to_str().and_then(|text| text.strip_prefix("credential:")).map(PathBuf::from);
    *path = match (credential, std::env::var_os("CREDENTIALS_DIRECTORY")) {
        (Some(name), Some(folder)) => PathBuf::from(folder).join(name),
        (Some(_), None) | (None, _) => base.join(&*path),
    };
}

fn section(name: &str) -> Failure {
    let what = format!("{FILE} has no section [{name}]");
    Failure::new(
        "config.section",
        what,
        "add the section (docs/cli.md), or use the folder of a machine that has one",
    )
}

fn one() -> usize {
    1
}

fn deadline() -> u64 {
    60
}

fn lifetime() -> u64 {
    3600
}

fn addresses() -> u32 {
    4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let text = format!(
            "cluster = \"{}\"\ncolour = 1\n[client]\ngenesis = \"genesis\"\nnode = \"x\"\nmembers = \"m\"\n",
            "0".repeat(64)
        );
        let error = toml::from_str::<Config>(&text).unwrap_err().to_string();
        assert!(error.contains("colour"), "{error}");
        assert!(toml::from_str::<Config>(&text.replace("colour = 1\n", "")).is_ok());
    }
}
