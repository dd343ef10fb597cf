//! What a finished ceremony becomes on one machine: genesis, transcript, and keystead.toml for the member's part.

use std::path::PathBuf;

use keystead_base::Canonical as _;
use keystead_decision::ceremony::{FinishedCeremony, Part};
use keystead_node::NodeLimits;

use super::Seat;
use crate::config::Config;
use crate::failure::{Advise as _, Failure};
use crate::founding::{GENESIS, MEMBERS};
use crate::node_token;
use crate::outside;
use crate::setup::{self, Place, Setup};

/// Verifies a finished ceremony against what this member contributed and signed, and writes what its part needs.
///
/// A run that was interrupted is run again: files that are there already must be the same.
pub(crate) fn install(seat: &Seat, finished: &FinishedCeremony, place: &Place) -> Result<PathBuf, Failure> {
    let own = seat.contribution()?;
    finished.holds(&own).advise(NOT_OURS)?;
    signed_here(seat, finished)?;
    let config = config(seat, finished, place, &own.body().part)?;
    setup::not_installed(seat.folder(), "ceremony.installed")?;
    outside::keep(&seat.folder().join(GENESIS), &finished.genesis().to_document())?;
    outside::keep(&seat.folder().join(CEREMONY), &finished.signed().to_document())?;
    setup::write(seat.folder(), &config)
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

/// One member's view of a finished ceremony.
fn config(seat: &Seat, finished: &FinishedCeremony, place: &Place, part: &Part) -> Result<Config, Failure> {
    let genesis = &finished.signed().transcript.genesis;
    let (name, chains) = (&seat.name, genesis.policy.chains.as_slice());
    let setup = Setup {
        cluster: genesis.cluster(),
        keys: MEMBERS.into(),
        nodes: setup::contributed_nodes(&finished.signed().transcript.contributions),
        own: matches!(part, Part::Node(_)).then(|| name.clone()),
        person: matches!(part, Part::Founder(_)).then(|| name.clone()),
        limits: NodeLimits::default(),
    };
    let listen = |or: &str| place.listen.clone().unwrap_or_else(|| or.to_owned());
    let (node, coordinator) = match part {
        Part::Node(own) => {
            let node = setup.node(name, listen(&own.address), place.sight.node_outlook(chains)?);
            (Some(node_token::named(node, seat.token()?)), None)
        }
        Part::Service(_) => {
            (None, Some(setup.coordinator(name, listen(COORDINATOR_LISTEN), place.sight.outlook(chains)?)))
        }
        Part::Founder(_) => (None, None),
    };
    Ok(setup.config(node, coordinator))
}

/// The transcript with all signatures, beside the genesis.
pub(crate) const CEREMONY: &str = "ceremony";
const COORDINATOR_LISTEN: &str = "127.0.0.1:8550";
const NOT_OURS: &str = "do NOT start this cluster: it is not the one that this member signed; ask who finished it for \
                        the bundle of the fingerprint that was read out";
