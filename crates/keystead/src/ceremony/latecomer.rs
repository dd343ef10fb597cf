//! A node that comes after the founding: its folder, configured from a genesis whose cluster id was read out.

use std::path::PathBuf;
use std::str::FromStr;

use keystead_base::{Canonical as _, ClusterId, Name};
use keystead_decision::SignedGenesis;
use keystead_decision::ceremony::{NodePart, Part};
use keystead_node::{NodeLimits, PeerConfig};

use super::Seat;
use crate::failure::{Advise as _, Failure};
use crate::founding::{GENESIS, MEMBERS};
use crate::node_token;
use crate::outside;
use crate::setup::{self, Place, Setup};

/// What those who run the cluster tell whoever sets up the new machine.
pub(crate) struct Told<'a> {
    /// From any member's folder; it is public, and believed only under the id below.
    pub(crate) genesis: &'a SignedGenesis,
    /// As it was read out.
    pub(crate) cluster: ClusterId,
    /// The nodes to call: those that vote, and those that come at the same time.
    pub(crate) nodes: &'a [Peer],
}

/// `NAME@HOST:PORT`: a node by its name in the roster, and where it listens.
#[derive(Clone, Debug)]
pub(crate) struct Peer(pub(crate) PeerConfig);

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, address) = text.split_once('@').ok_or("expected NAME@HOST:PORT")?;
        let name = name.parse().map_err(|error: keystead_base::NameError| error.to_string())?;
        let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        match port.and_then(|(_, port)| port.parse::<u16>().ok()) {
            Some(1..) => Ok(Self(PeerConfig { name, address: address.to_owned() })),
            _ => Err(format!("expected HOST:PORT after the name, found {address:?}")),
        }
    }
}

/// Verifies what a node was told, and configures its folder. The roster in force decides when it votes.
///
/// A run that was interrupted is run again: a genesis that is there already must be the same.
pub(crate) fn install_latecomer(seat: &Seat, told: &Told<'_>, place: &Place) -> Result<PathBuf, Failure> {
    let own = seat.contribution()?;
    let Part::Node(part) = &own.body().part else { return Err(no_node(&seat.name)) };
    read_out(told)?;
    made_for(&own.body().ceremony, &told.genesis.genesis.name)?;
    let setup = setup(seat, told, part)?;
    let chains = &told.genesis.genesis.policy.chains;
    let listen = place.listen.clone().unwrap_or_else(|| part.address.clone());
    let node = setup.node(&seat.name, listen, place.sight.node_outlook(chains)?);
    let node = node_token::named(node, seat.token()?);
    setup::not_installed(seat.folder(), "ceremony.installed")?;
    outside::keep(&seat.folder().join(GENESIS), &told.genesis.to_document())?;
    setup::write(seat.folder(), &setup.config(Some(node), None))
}

/// INVARIANT S13: everything that a node believes of its cluster follows from the genesis; the id names all of it.
fn read_out(told: &Told<'_>) -> Result<(), Failure> {
    let (_, found) = told.genesis.verify().advise(NOT_THEIRS)?;
    if found == told.cluster {
        return Ok(());
    }
    let what = format!("expected the genesis of cluster {}, found that of {found}", told.cluster);
    Err(Failure::new("roster.genesis", what, NOT_THEIRS))
}

/// A contribution names the cluster that its keys are for.
pub(crate) fn made_for(contributed: &Name, cluster: &Name) -> Result<(), Failure> {
    if contributed == cluster {
        return Ok(());
    }
    let what = format!("expected a contribution for the cluster `{cluster}`, found one for `{contributed}`");
    let next = "make new keys: `keystead ceremony join FOLDER NAME --cluster CLUSTER --part node …`";
    Err(Failure::new("roster.other_cluster", what, next))
}

fn setup(seat: &Seat, told: &Told<'_>, part: &NodePart) -> Result<Setup, Failure> {
    let mut nodes: Vec<PeerConfig> = told.nodes.iter().map(|it| it.0.clone()).collect();
    nodes.retain(|node| node.name != seat.name);
    if nodes.is_empty() {
        return Err(Failure::usage("no other node is named", "name those that run: `--peer NAME@HOST:PORT`"));
    }
    nodes.push(PeerConfig { name: seat.name.clone(), address: part.address.clone() });
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    if nodes.windows(2).any(|pair| matches!(pair, [a, b] if a.name == b.name)) {
        return Err(Failure::usage(
            "expected one address for each node, found several",
            "name each node once",
        ));
    }
    Ok(Setup {
        cluster: told.cluster,
        keys: MEMBERS.into(),
        nodes,
        own: Some(seat.name.clone()),
        person: None,
        limits: NodeLimits::default(),
    })
}

fn no_node(name: &Name) -> Failure {
    let what = format!("`{name}` did not join as a node");
    Failure::new(
        "roster.part",
        what,
        "name a node's folder with --dir: `keystead ceremony join … --part node`",
    )
}

const NOT_THEIRS: &str = "do NOT start this node: have the cluster's id read out again (`keystead status` shows it), \
                          and ask who gave you the file";
