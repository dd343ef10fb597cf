//! What a signed rebuild becomes on one machine: a new node's log and configuration, or an old member's way to them.

use std::path::Path;

use keystead_base::{Canonical as _, ClusterId, Name};
use keystead_decision::ceremony::{NodePart, Part, SignedContribution};
use keystead_decision::rebuild::{FinishedRebuild, RebuildBundle};
use keystead_decision::{State, Strict};
use keystead_ledger::{ExportedLog, Ledger, SignatureRecord};
use keystead_node::{Config as NodeConfig, NodeLimits, PeerConfig, recovered_signature};

use super::REBUILD;
use crate::ceremony::Seat;
use crate::config::{Config, FILE};
use crate::failure::{Advise as _, Failure};
use crate::founding::{GENESIS, MEMBERS};
use crate::outside;
use crate::setup::{self, Place, Setup};

/// Verifies everything from the pinned genesis on, reads the backup into a fresh ledger, and configures this node.
/// A run that was interrupted is run again.
pub(crate) async fn new_node(
    seat: &Seat,
    bundle: RebuildBundle,
    folder: &Path,
    pinned: ClusterId,
    (place, ledger): (&Place, Option<String>),
) -> Result<u64, Failure> {
    let log = ExportedLog::open(folder)
        .advise("is it a folder that `keystead audit export FOLDER` wrote, whole?")?;
    let finished = bundle.verify(log.genesis(), pinned).advise(NOT_OURS)?;
    let own = seat.contribution()?;
    holds(&finished, &own)?;
    let Part::Node(part) = &own.body().part else { return Err(not_a_node(&seat.name)) };
    not_installed(seat.folder())?;
    let mut config = config(seat, &finished, part, place)?;
    if let Some(node) = &mut config.node {
        node.ledger = ledger;
    }
    let state = fill(seat.folder(), &config, &log, &finished).await?;
    outside::keep(&seat.folder().join(GENESIS), &log.genesis().to_document())?;
    outside::keep(&seat.folder().join(REBUILD), &finished.bundle().to_document())?;
    setup::write(seat.folder(), &config)?;
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
    ledger.keep_signatures(signatures(&ledger, log, &state).await?).await?;
    ledger.begin_rebuild(&state, finished.signed()).await?;
    ledger.close().await;
    Ok(state)
}

/// INVARIANT S10: a transaction's hash says what becomes of a reservation, so each signature is recovered here.
async fn signatures(
    ledger: &Ledger,
    log: &ExportedLog,
    state: &State,
) -> Result<Vec<SignatureRecord>, Failure> {
    let mut kept = Vec::new();
    for record in log.signatures()? {
        let decisions = ledger.decisions(record.height).await?;
        let place = usize::try_from(record.position).unwrap_or(usize::MAX);
        let intent = ledger.request(&record.request).await?.map(|it| it.intent);
        let recovered = match (decisions.get(place), intent) {
            (Some(decision), Some(intent)) => {
                recovered_signature(state, decision, record.position, &intent, &record.signature)
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

fn config(seat: &Seat, finished: &FinishedRebuild, own: &NodePart, place: &Place) -> Result<Config, Failure> {
    let rebuild = &finished.signed().rebuild;
    let setup = Setup {
        cluster: rebuild.cluster,
        keys: MEMBERS.into(),
        nodes: nodes(finished),
        own: Some(seat.name.clone()),
        person: None,
        limits: NodeLimits::default(),
    };
    let listen = place.listen.clone().unwrap_or_else(|| own.address.clone());
    let outlook = place.node_outlook(&rebuild.policy.chains)?;
    Ok(setup.config(Some(setup.node(&seat.name, listen, outlook)), None))
}

const NOT_OURS: &str = "do NOT start this: it is not what people signed for this log; ask who finished it for the bundle of the \
                        fingerprint that was read out";
/// The configuration as it was before.
const BEFORE: &str = "keystead.toml.before-rebuild";
