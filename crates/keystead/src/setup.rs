//! `keystead.toml` of one machine, made in one place: by `init`, after a ceremony or a rebuild, and for a node that comes later.

use std::path::{Path, PathBuf};

use clap::Args;
use keystead_base::{ClusterId, Name};
use keystead_decision::ceremony::{Contribution, Part, SignedContribution};
use keystead_intent::ChainId;
use keystead_node::{
    ChainConfig, Config as NodeConfig, EnclaveConfig, EndpointConfig, MemberConfig, NodeLimits, PeerConfig,
    Times,
};
use keystead_transmit::{ChainView, Finality};

use crate::config::{ClientConfig, Config, CoordinatorConfig, FILE};
use crate::failure::Failure;
use crate::founding::{GENESIS, VAULT_PASSPHRASE};
use crate::outside;

/// What only this machine knows: where it listens, and how it reaches the chain.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Place {
    /// Where this machine listens: a node at the address that it contributed unless named, a coordinator at
    /// 127.0.0.1:8550.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,
    #[command(flatten)]
    pub(crate) sight: Sight,
}

/// How the chain is reached.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Sight {
    /// The chain of the endpoints; the policy's only one unless named.
    #[arg(long, value_name = "ID")]
    chain: Option<u64>,
    /// An endpoint of the chain, http://host:port or https://host; several must agree by more than half.
    #[arg(long, value_name = "URL")]
    endpoint: Vec<String>,
    /// So many blocks make a transaction final; the chain's own word when not named.
    #[arg(long)]
    confirmations: Option<u64>,
}

impl Place {
    /// The first option that somebody named.
    pub(crate) fn named(&self) -> Option<&'static str> {
        let Sight { chain, endpoint, confirmations } = &self.sight;
        let listen = self.listen.as_ref().map(|_| "--listen");
        let chain = chain.map(|_| "--chain");
        let endpoint = endpoint.first().map(|_| "--endpoint");
        listen.or(chain).or(endpoint).or(confirmations.map(|_| "--confirmations"))
    }
}

impl Sight {
    /// The chain as this machine looks at it, one of the policy's; the only one there is unless it is named.
    pub(crate) fn outlook(&self, chains: &[ChainId]) -> Result<Outlook, Failure> {
        let chain = match (self.chain, chains) {
            (Some(named), all) if all.iter().any(|it| it.0 == named) => named,
            (None, [only]) => only.0,
            (named, all) => return Err(no_such_chain(named, all)),
        };
        Outlook::new(chain, &self.endpoint, self.confirmations)
    }

    /// The same for a node, which needs none.
    pub(crate) fn node_outlook(&self, chains: &[ChainId]) -> Result<Option<Outlook>, Failure> {
        if self.endpoint.is_empty() { Ok(None) } else { self.outlook(chains).map(Some) }
    }
}

fn no_such_chain(named: Option<u64>, all: &[ChainId]) -> Failure {
    let all = all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let found = named.map_or_else(|| "none".to_owned(), |it| it.to_string());
    let what = format!("expected one of the chains of the policy ({all}), found {found}");
    Failure::usage(what, "name it: `--chain ID`")
}

/// A chain and how it is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Outlook {
    chain: u64,
    endpoints: Vec<EndpointConfig>,
    confirmations: Option<u64>,
}

impl Outlook {
    pub(crate) fn new(chain: u64, urls: &[String], confirmations: Option<u64>) -> Result<Self, Failure> {
        Ok(Self { chain, endpoints: endpoints(urls)?, confirmations })
    }

    /// The chain that it looks at.
    pub(crate) fn chain(&self) -> u64 {
        self.chain
    }

    /// The chain as more than half of the endpoints tell it.
    pub(crate) fn view(&self) -> Result<ChainView, Failure> {
        if self.endpoints.is_empty() {
            return Err(Failure::usage("no endpoint of the chain is named", "name one: `--endpoint URL`"));
        }
        let endpoints = self.endpoints.iter().map(EndpointConfig::open).collect::<Result<Vec<_>, _>>()?;
        let finality = self.confirmations.map_or(Finality::Finalized, Finality::Confirmations);
        Ok(ChainView::new(self.chain, endpoints, self.agree(), finality)?)
    }

    /// More than half.
    fn agree(&self) -> usize {
        self.endpoints.len() / 2 + 1
    }
}

/// Endpoints, named by their number.
fn endpoints(urls: &[String]) -> Result<Vec<EndpointConfig>, Failure> {
    let endpoint = |(url, number): (&String, u32)| {
        Ok(EndpointConfig { name: format!("endpoint-{number}").parse()?, url: url.clone(), ca: None })
    };
    urls.iter().zip(1..).map(endpoint).collect()
}

/// What the parts of one machine have in common.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) cluster: ClusterId,
    /// Where the keys of its members lie, from its folder on.
    pub(crate) keys: PathBuf,
    /// Every node that is known, and where it listens.
    pub(crate) nodes: Vec<PeerConfig>,
    /// The node that lives here, if one does.
    pub(crate) own: Option<Name>,
    /// Who speaks in commands when nobody is named.
    pub(crate) person: Option<Name>,
    pub(crate) limits: NodeLimits,
}

impl Setup {
    pub(crate) fn config(&self, node: Option<NodeConfig>, coordinator: Option<CoordinatorConfig>) -> Config {
        Config {
            cluster: self.cluster,
            anchor: None,
            client: self.client(),
            node,
            coordinator,
            telemetry: None,
        }
    }

    /// A node's own machine talks to that node first; the others to any that they can reach.
    fn client(&self) -> ClientConfig {
        let mut nodes = self.nodes.clone();
        nodes.sort_by_key(|node| Some(&node.name) != self.own.as_ref());
        ClientConfig {
            genesis: GENESIS.into(),
            members: self.keys.clone(),
            person: self.person.clone(),
            drill_days: None,
            token: None,
            ca: None,
            bitcoin: Vec::new(),
            nodes,
        }
    }

    /// The node `name`, which has the others as its peers.
    pub(crate) fn node(&self, name: &Name, listen: String, outlook: Option<Outlook>) -> NodeConfig {
        let chain = outlook.filter(|it| !it.endpoints.is_empty()).map(|it| ChainConfig {
            chain: it.chain,
            agree: it.agree(),
            endpoints: it.endpoints,
            confirmations: it.confirmations,
        });
        let passphrase = self.keys.join(VAULT_PASSPHRASE);
        NodeConfig {
            data: "node".into(),
            genesis: GENESIS.into(),
            member: self.member(name),
            enclave: EnclaveConfig {
                program: None,
                passphrase,
                require: Vec::new(),
                tpm: None,
                root: None,
                tokens: Vec::new(),
            },
            ledger: None,
            listen,
            metrics: None,
            bitcoin: Vec::new(),
            peers: self.nodes.iter().filter(|node| node.name != *name).cloned().collect(),
            nats: None,
            nats_login: None,
            times: Times::default(),
            chains: chain.into_iter().collect(),
            limits: self.limits,
        }
    }

    pub(crate) fn coordinator(&self, name: &Name, listen: String, outlook: Outlook) -> CoordinatorConfig {
        CoordinatorConfig {
            member: self.member(name),
            listen,
            data: "coordinator".into(),
            chain: outlook.chain,
            agree: outlook.agree(),
            endpoints: outlook.endpoints,
            deadline_seconds: 60,
            relay: false,
            lifetime_seconds: 3600,
            addresses_per_key: 4,
            token: None,
            tokens: None,
            tls: None,
            oidc: None,
            webhooks: Vec::new(),
            hosts: Vec::new(),
        }
    }

    /// Where a member's key and its passphrase lie.
    fn member(&self, name: &Name) -> MemberConfig {
        MemberConfig {
            key: self.keys.join(format!("{name}.key")),
            passphrase: self.keys.join(format!("{name}.passphrase")),
            token: None,
        }
    }
}

/// Where the nodes listen that contributed.
pub(crate) fn contributed_nodes(contributions: &[SignedContribution]) -> Vec<PeerConfig> {
    let bodies = contributions.iter().map(SignedContribution::body);
    let peer = |body: &Contribution| match &body.part {
        Part::Node(node) => Some(PeerConfig { name: body.name.clone(), address: node.address.clone() }),
        Part::Service(_) | Part::Founder(_) => None,
    };
    bodies.filter_map(peer).collect()
}

/// A folder takes its place in one cluster once; `code` says on which way it was to take it.
pub(crate) fn not_installed(folder: &Path, code: &str) -> Result<(), Failure> {
    let file = folder.join(FILE);
    if !file.exists() {
        return Ok(());
    }
    let what = format!("{} is there already; nothing writes over a cluster", file.display());
    Err(Failure::new(code, what, "nothing is left to do here: start it"))
}

/// Writes `keystead.toml` into a folder that has none, and says where it is.
pub(crate) fn write(folder: &Path, config: &Config) -> Result<PathBuf, Failure> {
    let text = toml::to_string_pretty(config)
        .map_err(|error| Failure::new("config.toml", error.to_string(), "report this as a bug"))?;
    let file = folder.join(FILE);
    outside::create(&file, text.as_bytes())?;
    Ok(file)
}
