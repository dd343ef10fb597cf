//! Nodes that come in: what their machines hand over, and how those machines are set up.

use std::path::{Path, PathBuf};

use clap::Args;
use keystead_base::{Canonical as _, ClusterId};
use keystead_decision::SignedGenesis;
use keystead_decision::ceremony::{Part, SignedContribution};
use keystead_keys::MemberPublic;
use keystead_policy::{Node, Roster};
use serde_json::json;

use super::{Global, Session};
use crate::ceremony::{Heard, Peer, Seat, Told, install_latecomer, made_for};
use crate::failure::{Advise as _, Failure};
use crate::output::Report;
use crate::rebuild::REBUILD;
use crate::seating::{self, Labels};
use crate::setup::Place;
use crate::{member, outside};

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    /// The signed genesis of the cluster.
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// The cluster's id as it was read out; blanks do not matter.
    #[arg(long, value_name = "HEX")]
    cluster: Heard,
    /// The other nodes, by their names in the roster, those that come in at the same time too.
    #[arg(long = "peer", required = true, value_name = "NAME@HOST:PORT")]
    peers: Vec<Peer>,
    #[command(flatten)]
    place: Place,
}

/// What people call a node.
#[derive(Debug, Args)]
pub(crate) struct LabelArgs {
    /// Who runs it.
    #[arg(long)]
    operator: Option<String>,
    /// The machine; the node's name when not named.
    #[arg(long)]
    host: Option<String>,
    /// The cloud or data center.
    #[arg(long)]
    provider: Option<String>,
}

/// A node that comes in, and where it listens, if it said so.
pub(super) struct Newcomer {
    pub(super) node: Node,
    address: Option<String>,
}

impl Newcomer {
    /// The node of a file that its own machine wrote: a contribution to this cluster, or the public side of a key.
    pub(super) fn read(
        session: &Session,
        file: &Path,
        labels: &LabelArgs,
        before: Option<&Node>,
    ) -> Result<Self, Failure> {
        let bytes = outside::read(file)?;
        match SignedContribution::from_document(&bytes) {
            Ok(signed) => contributed(session, file, &signed, labels),
            Err(_) => Ok(Self { node: bare(file, &bytes, labels, before)?, address: None }),
        }
    }
}

/// INVARIANT S13: whoever made the contribution holds the key that it names, and made it for this cluster.
fn contributed(
    session: &Session,
    file: &Path,
    signed: &SignedContribution,
    labels: &LabelArgs,
) -> Result<Newcomer, Failure> {
    let body = signed.verify().advise("have the node's machine send its .contribution file again")?;
    made_for(&body.ceremony, &member::genesis(&session.config)?.genesis.name)?;
    let Part::Node(part) = &body.part else {
        let what = format!("{}: `{}` did not join as a node", file.display(), body.name);
        return Err(Failure::new("roster.file", what, JOINING));
    };
    let label = |named: &Option<String>, own: &String| named.as_ref().unwrap_or(own).clone();
    let node = Node {
        name: body.name.clone(),
        key: body.key.clone(),
        transport: body.transport,
        operator: label(&labels.operator, &part.operator),
        host: label(&labels.host, &part.host),
        provider: label(&labels.provider, &part.provider),
        build: part.build.clone(),
        boot: 0,
    };
    Ok(Newcomer { node, address: Some(part.address.clone()) })
}

/// The node of a bare public side. Labels that nobody names are those of the node before it.
fn bare(file: &Path, bytes: &[u8], labels: &LabelArgs, before: Option<&Node>) -> Result<Node, Failure> {
    let public: MemberPublic = serde_json::from_slice(bytes)
        .map_err(|error| Failure::new("roster.file", format!("{}: {error}", file.display()), JOINING))?;
    let label = |named: &Option<String>, old: Option<&String>, or: &str| {
        named.as_ref().or(old).cloned().unwrap_or_else(|| or.to_owned())
    };
    let labels = Labels {
        operator: label(&labels.operator, before.map(|it| &it.operator), "founders"),
        host: label(&labels.host, None, public.name.as_str()),
        provider: label(&labels.provider, before.map(|it| &it.provider), "own"),
        build: env!("CARGO_PKG_VERSION").to_owned(),
    };
    Ok(seating::node(public, labels))
}

pub(super) fn installed(global: &Global, args: &InstallArgs) -> Result<Report, Failure> {
    let seat = Seat::open(&global.dir)?;
    let genesis: SignedGenesis = outside::document(&args.genesis)?;
    let told = Told { genesis: &genesis, cluster: ClusterId(args.cluster.0), nodes: &args.peers };
    let file = install_latecomer(&seat, &told, &args.place)?;
    let dir = seat.folder().display();
    let text = format!(
        "`{}` is set up for the cluster `{}` ({})\nnext: keystead node --dir {dir}\nIt waits at the door, and follows as \
         soon as the roster names it.",
        seat.name, genesis.genesis.name, told.cluster
    );
    Ok(Report::new(json!({"member": seat.name, "cluster": told.cluster, "config": file}), text))
}

/// What the machines that come in are set up with; none where nobody said where it listens. Where all nodes were lost
/// once, nobody of the genesis is left to learn the log from.
pub(super) fn install_line(session: &Session, roster: &Roster, newcomers: &[Newcomer]) -> Option<String> {
    if session.config.client.genesis.with_file_name(REBUILD).exists() {
        let cluster = session.config.cluster;
        let anchor = session.config.anchor.map(|it| format!(" --anchored WORD --anchor {it}"));
        let anchor = anchor.unwrap_or_default();
        let line =
            format!("keystead rebuild install REBUILD --dir FOLDER --log BACKUP --cluster {cluster}{anchor}");
        return (!newcomers.is_empty()).then_some(line);
    }
    let address = |it: &Newcomer| Some((it.node.name.clone(), it.address.clone()?));
    let new: Vec<_> = newcomers.iter().map(address).collect::<Option<Vec<_>>>()?;
    let known = session.config.client.nodes.iter().map(|it| (it.name.clone(), it.address.clone()));
    let known = known.filter(|(name, _)| new.iter().all(|it| it.0 != *name) && roster.node(name).is_some());
    let peers = known.chain(new.iter().cloned()).map(|(name, address)| format!(" --peer {name}@{address}"));
    let cluster = session.config.cluster;
    (!new.is_empty()).then(|| {
        let peers = peers.collect::<String>();
        format!("keystead roster install --dir FOLDER --genesis GENESIS --cluster {cluster}{peers}")
    })
}

const JOINING: &str = "on the node's machine: `keystead ceremony join FOLDER NAME --cluster CLUSTER --part node …` makes its \
                       contribution";
pub(super) const SETTING_UP: &str = "On each machine that comes in, with the file `genesis` of any member's folder (after a rebuild the file `rebuild`, and \
     the backup that it was drafted from), and the cluster's id read out:";
