//! What a signed rebuild becomes on one machine: a new node's log and configuration, or an old member's way to them.

use std::path::{Path, PathBuf};

use keystead_base::{Canonical as _, ClusterId, Name};
use keystead_decision::ceremony::{NodePart, Part, SignedContribution};
use keystead_decision::rebuild::{FinishedRebuild, RebuildBundle};
use keystead_decision::{State, Strict};
use keystead_ledger::{ExportedLog, Ledger, SignatureRecord};
use keystead_node::{
    ChainConfig, Config as NodeConfig, EnclaveConfig, EndpointConfig, MemberConfig, NodeLimits, PeerConfig,
    Times, recovered_signature,
};

use super::REBUILD;
use crate::ceremony::Seat;
use crate::config::{ClientConfig, Config, FILE};
use crate::failure::{Advise as _, Failure};
use crate::founding::{GENESIS, MEMBERS, VAULT_PASSPHRASE};
use crate::outside;

/// What only a new node's machine knows: where it listens, its database, and how it reaches the chain.
pub(crate) struct Outlook {
    pub(crate) listen: Option<String>,
    pub(crate) ledger: Option<String>,
    pub(crate) chain: Option<u64>,
    pub(crate) endpoints: Vec<String>,
    pub(crate) confirmations: Option<u64>,
}

/// Verifies everything from the pinned genesis on, reads the backup into a fresh ledger, and configures this node.
/// A run that was interrupted is run again.
pub(crate) async fn new_node(
    seat: &Seat,
    bundle: RebuildBundle,
    folder: &Path,
    pinned: ClusterId,
    outlook: &Outlook,
) -> Result<u64, Failure> {
    let log = ExportedLog::open(folder)
        .advise("is it a folder that `keystead audit export FOLDER` wrote, whole?")?;
    let finished = bundle.verify(log.genesis(), pinned).advise(NOT_OURS)?;
    let own = seat.contribution()?;
    holds(&finished, &own)?;
    let Part::Node(part) = &own.body().part else { return Err(not_a_node(&seat.name)) };
    not_installed(seat.folder())?;
    let config = config(seat, &finished, part, outlook)?;
    let state = fill(seat.folder(), &config, &log, &finished).await?;
    keep(&seat.folder().join(GENESIS), &log.genesis().to_document())?;
    keep(&seat.folder().join(REBUILD), &finished.bundle().to_document())?;
    let text = toml::to_string_pretty(&config)
        .map_err(|error| Failure::new("config.toml", error.to_string(), "report this as a bug"))?;
    outside::create(&seat.folder().join(FILE), text.as_bytes())?;
    Ok(state.height())
}

/// INVARIANT D1: the whole log, with what its last nodes had signed and not seen the end of.
async fn fill(
    folder: &Path,
    config: &Config,
    log: &ExportedLog,
    finished: &FinishedRebuild,
) -> Result<State, Failure> {
    let node = config.node()?;
    let data = folder.join(&node.data);
    outside::private_folder(&data)?;
    let here = NodeConfig { data, ..node.clone() };
    let ledger = Ledger::open(&here.ledger_url()).await?;
    let state = ledger.import(log, config.cluster, &Strict::default()).await?;
    state
        .goes_on(&finished.signed().rebuild)
        .advise("take the very backup that the rebuild was drafted from")?;
    ledger.keep_signatures(signatures(&ledger, log).await?).await?;
    ledger.begin_rebuild(&state, finished.signed()).await?;
    ledger.close().await;
    Ok(state)
}

/// INVARIANT S10: a transaction's hash says what becomes of a reservation, so each signature is recovered here.
async fn signatures(ledger: &Ledger, log: &ExportedLog) -> Result<Vec<SignatureRecord>, Failure> {
    let mut kept = Vec::new();
    for record in log.signatures()? {
        let decisions = ledger.decisions(record.height).await?;
        let place = usize::try_from(record.position).unwrap_or(usize::MAX);
        let intent = ledger.request(&record.request).await?.map(|it| it.intent);
        let recovered = match (decisions.get(place), intent) {
            (Some(decision), Some(intent)) => {
                recovered_signature(decision, record.position, &intent, &record.signature)
            }
            _ => None,
        };
        if recovered.as_ref() != Some(&record) {
            let what =
                format!("the backup's signature of request {} is not the one of its key", record.request);
            return Err(Failure::new(
                "rebuild.signature_file",
                what,
                "take another backup, or delete that file",
            ));
        }
        kept.push(record);
    }
    Ok(kept)
}

/// An old member's folder keeps keys, genesis and pin; from now on it looks for the new nodes.
pub(crate) fn old_member(
    folder: &Path,
    config: &Config,
    bundle: RebuildBundle,
) -> Result<FinishedRebuild, Failure> {
    let genesis = crate::member::genesis(config)?;
    let finished = bundle.verify(&genesis, config.cluster).advise(NOT_OURS)?;
    not_a_new_node(config, &finished, folder)?;
    let path = folder.join(FILE);
    let text = outside::read_text(&path)?;
    let failed = |error: String| Failure::new("config.toml", error, "mend keystead.toml (docs/cli.md)");
    let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| failed(error.to_string()))?;
    let nodes = toml::Value::try_from(nodes(&finished)).map_err(|error| failed(error.to_string()))?;
    if let Some(client) = table.get_mut("client").and_then(toml::Value::as_table_mut) {
        client.insert("nodes".to_owned(), nodes);
    }
    // A node that shared this folder is lost with the others.
    table.remove("node");
    let beside = config.client.genesis.with_file_name(REBUILD);
    outside::replace(&beside, &finished.bundle().to_document())?;
    keep_old(&folder.join(BEFORE), text.as_bytes())?;
    let text = toml::to_string_pretty(&table).map_err(|error| failed(error.to_string()))?;
    outside::replace(&path, text.as_bytes())?;
    Ok(finished)
}

/// The configuration of before the first rebuild stays.
fn keep_old(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if path.exists() { Ok(()) } else { outside::create(path, bytes) }
}

fn keep(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if path.exists() && outside::read(path)? == bytes {
        return Ok(());
    }
    outside::create(path, bytes)
}

/// A node of the rebuild that was set up before keeps what it has.
fn not_a_new_node(config: &Config, finished: &FinishedRebuild, folder: &Path) -> Result<(), Failure> {
    let key = config.node.as_ref().and_then(|it| it.member.key.file_stem()?.to_str()?.parse::<Name>().ok());
    match key.filter(|name| finished.roster().node(name).is_some()) {
        Some(_) => not_installed(folder),
        None => Ok(()),
    }
}

fn not_installed(folder: &Path) -> Result<(), Failure> {
    let file = folder.join(FILE);
    if file.exists() {
        let what = format!("{} is there already; a rebuild never writes over a node", file.display());
        return Err(Failure::new("rebuild.installed", what, "nothing is left to do here: start it"));
    }
    Ok(())
}

/// INVARIANT S13: nobody's keys are put in the place of this node's.
fn holds(finished: &FinishedRebuild, own: &SignedContribution) -> Result<(), Failure> {
    if finished.checked().draft().contributions.contains(own) {
        return Ok(());
    }
    let what = format!("what `{}` contributed from this folder is not in the rebuild", own.body().name);
    Err(Failure::new("rebuild.not_mine", what, NOT_OURS))
}

fn not_a_node(name: &Name) -> Failure {
    let what = format!("`{name}` contributed as something else than a node");
    Failure::new("rebuild.part", what, "people and coordinators install in the folders that they have")
}

fn nodes(finished: &FinishedRebuild) -> Vec<PeerConfig> {
    let bodies = finished.checked().draft().contributions.iter().map(SignedContribution::body);
    let peer = |body: &keystead_decision::ceremony::Contribution| match &body.part {
        Part::Node(node) => Some(PeerConfig { name: body.name.clone(), address: node.address.clone() }),
        Part::Service(_) | Part::Founder(_) => None,
    };
    bodies.filter_map(peer).collect()
}

fn config(
    seat: &Seat,
    finished: &FinishedRebuild,
    own: &NodePart,
    outlook: &Outlook,
) -> Result<Config, Failure> {
    let all = nodes(finished);
    let peers: Vec<PeerConfig> = all.iter().filter(|it| it.name != seat.name).cloned().collect();
    let mut first = all;
    first.sort_by_key(|node| node.name != seat.name);
    let members = PathBuf::from(MEMBERS);
    let key = |what: &str| members.join(format!("{}.{what}", seat.name));
    let node = NodeConfig {
        data: "node".into(),
        genesis: GENESIS.into(),
        member: MemberConfig { key: key("key"), passphrase: key("passphrase") },
        enclave: EnclaveConfig {
            program: None,
            passphrase: members.join(VAULT_PASSPHRASE),
            require: Vec::new(),
        },
        ledger: outlook.ledger.clone(),
        listen: outlook.listen.clone().unwrap_or_else(|| own.address.clone()),
        peers,
        times: Times::default(),
        chains: chains(finished, outlook)?,
        limits: NodeLimits::default(),
    };
    let client =
        ClientConfig { genesis: GENESIS.into(), members, person: None, token: None, ca: None, nodes: first };
    let cluster = finished.signed().rebuild.cluster;
    Ok(Config { cluster, client, node: Some(node), coordinator: None })
}

fn chains(finished: &FinishedRebuild, outlook: &Outlook) -> Result<Vec<ChainConfig>, Failure> {
    if outlook.endpoints.is_empty() {
        return Ok(Vec::new());
    }
    let known = &finished.signed().rebuild.policy.chains;
    let chain = match (outlook.chain, known.as_slice()) {
        (Some(named), all) if all.iter().any(|it| it.0 == named) => named,
        (None, [only]) => only.0,
        (_, all) => {
            let all = all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let what = format!("expected one of the chains of the policy ({all})");
            return Err(Failure::usage(what, "name it: `--chain ID`"));
        }
    };
    let agree = outlook.endpoints.len() / 2 + 1;
    let endpoints = endpoints(&outlook.endpoints)?;
    Ok(vec![ChainConfig { chain, agree, endpoints, confirmations: outlook.confirmations }])
}

/// The endpoints, by number.
pub(crate) fn endpoints(urls: &[String]) -> Result<Vec<EndpointConfig>, Failure> {
    let numbered = urls.iter().zip(1_u32..);
    let endpoint = |(url, number): (&String, u32)| {
        Ok(EndpointConfig { name: format!("endpoint-{number}").parse()?, url: url.clone(), ca: None })
    };
    numbered.map(endpoint).collect()
}

const NOT_OURS: &str = "do NOT start this: it is not what people signed for this log; ask who finished it for the bundle of the \
                        fingerprint that was read out";
/// The configuration as it was before.
const BEFORE: &str = "keystead.toml.before-rebuild";
