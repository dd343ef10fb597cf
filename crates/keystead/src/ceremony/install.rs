//! What a finished ceremony becomes on one machine: genesis, transcript, and keystead.toml for the member's part.

use std::path::{Path, PathBuf};

use keystead_base::Canonical as _;
use keystead_decision::ceremony::{FinishedCeremony, NodePart, Part, SignedContribution};
use keystead_node::{
    ChainConfig, Config as NodeConfig, EnclaveConfig, EndpointConfig, NodeLimits, PeerConfig, Times,
};

use super::Seat;
use crate::config::{ClientConfig, Config, CoordinatorConfig, FILE};
use crate::failure::{Advise as _, Failure};
use crate::founding::{GENESIS, MEMBERS, VAULT_PASSPHRASE, member};
use crate::outside;

/// What only this machine knows: where it listens, and how it reaches the chain.
pub(crate) struct Place {
    pub(crate) listen: Option<String>,
    pub(crate) chain: Option<u64>,
    pub(crate) endpoints: Vec<String>,
    pub(crate) confirmations: Option<u64>,
}

/// Verifies a finished ceremony against what this member contributed and signed, and writes what its part needs.
///
/// A run that was interrupted is run again: files that are there already must be the same.
pub(crate) fn install(seat: &Seat, finished: &FinishedCeremony, place: &Place) -> Result<PathBuf, Failure> {
    let own = seat.contribution()?;
    finished.holds(&own).advise(NOT_OURS)?;
    signed_here(seat, finished)?;
    let config = Layout { seat, finished, place }.config(&own.body().part)?;
    let text = toml::to_string_pretty(&config)
        .map_err(|error| Failure::new("config.toml", error.to_string(), "report this as a bug"))?;
    let file = seat.folder().join(FILE);
    if file.exists() {
        let what = format!("{} is there already; a ceremony never writes over a cluster", file.display());
        return Err(Failure::new("ceremony.installed", what, "nothing is left to do here: start it"));
    }
    keep(&seat.folder().join(GENESIS), &finished.genesis().to_document())?;
    keep(&seat.folder().join(CEREMONY), &finished.signed().to_document())?;
    outside::create(&file, text.as_bytes())?;
    Ok(file)
}

/// The transcript that was finished is the one that this member read and signed.
fn signed_here(seat: &Seat, finished: &FinishedCeremony) -> Result<(), Failure> {
    match seat.assent()? {
        Some(assent) if assent.transcript == finished.fingerprint() => Ok(()),
        Some(assent) => {
            let what = format!(
                "expected the transcript {} that `{}` signed here, found {}",
                assent.transcript,
                seat.name,
                finished.fingerprint()
            );
            Err(Failure::new("ceremony.other_transcript", what, NOT_OURS))
        }
        None => {
            let what = format!("`{}` has signed nothing in {}", seat.name, seat.folder().display());
            Err(Failure::new("ceremony.unsigned", what, "use the folder in which this member signed"))
        }
    }
}

fn keep(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if path.exists() && outside::read(path)? == bytes {
        return Ok(());
    }
    outside::create(path, bytes)
}

/// One member's view of a finished ceremony.
struct Layout<'a> {
    seat: &'a Seat,
    finished: &'a FinishedCeremony,
    place: &'a Place,
}

impl Layout<'_> {
    fn config(&self, part: &Part) -> Result<Config, Failure> {
        let (node, coordinator) = match part {
            Part::Node(own) => (Some(self.node(own)?), None),
            Part::Service(_) => (None, Some(self.coordinator()?)),
            Part::Founder(_) => (None, None),
        };
        let cluster = self.finished.signed().transcript.genesis.cluster();
        Ok(Config { cluster, client: self.client(part), node, coordinator })
    }

    /// A node's own machine talks to that node first; the others to any that they can reach.
    fn client(&self, part: &Part) -> ClientConfig {
        let mut nodes: Vec<PeerConfig> = self.nodes().collect();
        nodes.sort_by_key(|node| node.name != self.seat.name);
        ClientConfig {
            genesis: GENESIS.into(),
            members: MEMBERS.into(),
            person: matches!(part, Part::Founder(_)).then(|| self.seat.name.clone()),
            token: None,
            ca: None,
            nodes,
        }
    }

    fn node(&self, own: &NodePart) -> Result<NodeConfig, Failure> {
        Ok(NodeConfig {
            data: "node".into(),
            genesis: GENESIS.into(),
            member: member(Path::new(MEMBERS), self.seat.name.as_str()),
            enclave: EnclaveConfig {
                program: None,
                passphrase: Path::new(MEMBERS).join(VAULT_PASSPHRASE),
                require: Vec::new(),
            },
            ledger: None,
            listen: self.place.listen.clone().unwrap_or_else(|| own.address.clone()),
            peers: self.nodes().filter(|node| node.name != self.seat.name).collect(),
            times: Times::default(),
            chains: self.chains()?,
            limits: NodeLimits::default(),
        })
    }

    fn coordinator(&self) -> Result<CoordinatorConfig, Failure> {
        Ok(CoordinatorConfig {
            member: member(Path::new(MEMBERS), self.seat.name.as_str()),
            listen: self.place.listen.clone().unwrap_or_else(|| COORDINATOR_LISTEN.to_owned()),
            data: "coordinator".into(),
            chain: self.chain()?,
            endpoints: self.endpoints()?,
            agree: self.agree(),
            deadline_seconds: 60,
            lifetime_seconds: 3600,
            addresses_per_key: 4,
            token: None,
            hosts: Vec::new(),
        })
    }

    fn chains(&self) -> Result<Vec<ChainConfig>, Failure> {
        if self.place.endpoints.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![ChainConfig {
            chain: self.chain()?,
            agree: self.agree(),
            endpoints: self.endpoints()?,
            confirmations: self.place.confirmations,
        }])
    }

    /// The chain that the endpoints are of: the policy's only one, unless it is named.
    fn chain(&self) -> Result<u64, Failure> {
        let chains = &self.finished.signed().transcript.genesis.policy.chains;
        match (self.place.chain, chains.as_slice()) {
            (Some(named), all) if all.iter().any(|it| it.0 == named) => Ok(named),
            (None, [only]) => Ok(only.0),
            (named, all) => {
                let all = all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                let found = named.map_or_else(|| "none".to_owned(), |it| it.to_string());
                let what = format!("expected one of the chains of the policy ({all}), found {found}");
                Err(Failure::usage(what, "name it: `--chain ID`"))
            }
        }
    }

    fn endpoints(&self) -> Result<Vec<EndpointConfig>, Failure> {
        let numbered = self.place.endpoints.iter().zip(1..);
        let endpoint = |(url, number): (&String, u32)| {
            Ok(EndpointConfig { name: format!("endpoint-{number}").parse()?, url: url.clone(), ca: None })
        };
        numbered.map(endpoint).collect()
    }

    /// More than half.
    fn agree(&self) -> usize {
        self.place.endpoints.len() / 2 + 1
    }

    fn nodes(&self) -> impl Iterator<Item = PeerConfig> {
        let bodies = self.finished.signed().transcript.contributions.iter().map(SignedContribution::body);
        bodies.filter_map(|body| match &body.part {
            Part::Node(node) => Some(PeerConfig { name: body.name.clone(), address: node.address.clone() }),
            Part::Service(_) | Part::Founder(_) => None,
        })
    }
}

/// The transcript with all signatures, beside the genesis.
pub(crate) const CEREMONY: &str = "ceremony";
const COORDINATOR_LISTEN: &str = "127.0.0.1:8550";
const NOT_OURS: &str = "do NOT start this cluster: it is not the one that this member signed; ask who finished it for \
                        the bundle of the fingerprint that was read out";
