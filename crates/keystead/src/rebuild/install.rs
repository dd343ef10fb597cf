//! What a signed rebuild becomes on a node's machine: its log and its configuration.

use std::path::Path;

use keystead_base::{Canonical as _, ClusterId, Name};
use keystead_decision::ceremony::{NodePart, Part, SignedContribution};
use keystead_decision::rebuild::{FinishedRebuild, RebuildBundle};
use keystead_decision::{State, Strict};
use keystead_ledger::{ExportedLog, Ledger, SignatureRecord};
use keystead_node::{Config as NodeConfig, NodeLimits, PeerConfig, recovered_signature};

use super::REBUILD;
use crate::anchoring::{Anchored, WORD};
use crate::ceremony::{Seat, made_for};
use crate::config::Config;
use crate::failure::{Advise as _, Failure};
use crate::founding::{GENESIS, MEMBERS};
use crate::node_token;
use crate::outside;
use crate::setup::{self, Place, Setup};

/// What became of a machine.
pub(crate) struct Installed {
    /// The height of the log that it has.
    pub(crate) height: u64,
    /// Whether it is one of those that go on; one that comes later waits until the roster names it.
    pub(crate) votes: bool,
}

/// Verifies everything from the pinned genesis on, reads the backup into a fresh ledger, and configures this node.
/// A run that was interrupted is run again.
pub(crate) async fn new_node(
    seat: &Seat,
    bundle: RebuildBundle,
    folder: &Path,
    (pinned, anchored): (ClusterId, Anchored),
    (place, ledger): (&Place, Option<String>),
) -> Result<Installed, Failure> {
    let log = ExportedLog::open(folder)
        .advise("is it a folder that `keystead audit export FOLDER` wrote, whole?")?;
    let finished = bundle.verify(log.genesis(), pinned).advise(NOT_OURS)?;
    anchored.holds(&finished)?;
    let own = seat.contribution()?;
    let votes = sits(&finished, &own, &log.genesis().genesis.name)?;
    let Part::Node(part) = &own.body().part else { return Err(not_a_node(&seat.name)) };
    setup::not_installed(seat.folder(), INSTALLED)?;
    let mut config = config(seat, &finished, part, place)?;
    if let Some(node) = &mut config.node {
        node.ledger = ledger;
    }
    config.anchor = anchored.pinned();
    let state = fill(seat.folder(), &config, &log, &finished).await?;
    outside::keep(&seat.folder().join(GENESIS), &log.genesis().to_document())?;
    anchored.keep(&seat.folder().join(WORD))?;
    outside::keep(&seat.folder().join(REBUILD), &finished.bundle().to_document())?;
    setup::write(seat.folder(), &config)?;
    Ok(Installed { height: state.height(), votes })
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
                let version = ledger.policy(decision.policy.number).await?.map(|(_, version)| version);
                version.and_then(|version| {
                    let (position, signature) = (record.position, &record.signature);
                    recovered_signature(state, &version, decision, position, &intent, signature)
                })
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

/// INVARIANT S13: nobody's keys are put in the place of this node's. Whom the rebuild does not name comes later, as to
/// any cluster: the roster in force decides when it votes.
fn sits(finished: &FinishedRebuild, own: &SignedContribution, cluster: &Name) -> Result<bool, Failure> {
    let name = &own.body().name;
    if finished.roster().node(name).is_none() {
        made_for(&own.body().ceremony, cluster)?;
        return Ok(false);
    }
    if finished.checked().draft().contributions.contains(own) {
        return Ok(true);
    }
    let what = format!("what `{name}` contributed from this folder is not in the rebuild");
    Err(Failure::new("rebuild.not_mine", what, NOT_OURS))
}

fn not_a_node(name: &Name) -> Failure {
    let what = format!("`{name}` contributed as something else than a node");
    Failure::new("rebuild.part", what, "people and coordinators install in the folders that they have")
}

fn config(seat: &Seat, finished: &FinishedRebuild, own: &NodePart, place: &Place) -> Result<Config, Failure> {
    let rebuild = &finished.signed().rebuild;
    let mut nodes = setup::contributed_nodes(&finished.checked().draft().contributions);
    if nodes.iter().all(|it| it.name != seat.name) {
        nodes.push(PeerConfig { name: seat.name.clone(), address: own.address.clone() });
    }
    let setup = Setup {
        cluster: rebuild.cluster,
        keys: MEMBERS.into(),
        nodes,
        own: Some(seat.name.clone()),
        person: None,
        limits: NodeLimits::default(),
    };
    let listen = place.listen.clone().unwrap_or_else(|| own.address.clone());
    let outlook = place.sight.node_outlook(&rebuild.policy.chains)?;
    let node = node_token::named(setup.node(&seat.name, listen, outlook), seat.token()?);
    Ok(setup.config(Some(node), None))
}

pub(super) const NOT_OURS: &str = "do NOT start this: it is not what people signed for this log; ask who finished it for the bundle of the \
                        fingerprint that was read out";
/// The code where a node's folder is configured already.
pub(super) const INSTALLED: &str = "rebuild.installed";
