//! `keystead init`: the founders' ceremony on one machine.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use alloy_primitives::Address;
use clap::Args;
use keystead_base::Name;
use keystead_node::{LogTokenConfig, PeerConfig};
use keystead_policy::PolicyVersion;
use keystead_wire::Withstands;
use serde_json::json;

use crate::failure::Failure;
use crate::founding::{Plan, found};
use crate::output::{Report, Voice};
use crate::sample::{self, World};
use crate::table::Table;
use crate::{machine, outside};

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder to make.
    folder: PathBuf,
    /// The cluster's name.
    #[arg(long, default_value = "keystead")]
    name: Name,
    /// The founders: they sign the genesis and approve, veto and freeze afterwards. At least three, so that
    /// two can approve what the third asks for.
    #[arg(long, value_delimiter = ',', default_value = "ana,ben,cleo")]
    founders: Vec<Name>,
    /// The chain's id (EIP-155).
    #[arg(long, default_value_t = 31337)]
    chain: u64,
    /// The chain's endpoint, http://host:port or https://host. `keystead up --devnet` brings its own.
    #[arg(long)]
    endpoint: Option<String>,
    /// So many blocks make a transaction final; the chain's own word when not named.
    #[arg(long)]
    confirmations: Option<u64>,
    /// A destination of the address book, NAME=ADDRESS. Nothing is paid to anybody else.
    #[arg(long, value_parser = named_address, value_name = "NAME=ADDRESS")]
    allow: Vec<(Name, Address)>,
    /// How many seconds a destination that is added later waits before anybody is paid there.
    #[arg(long, default_value_t = sample::COOL_OFF_SECONDS, value_name = "SECONDS", conflicts_with = "policy")]
    cool_off: u64,
    /// Stop a key from signing when its latest backup was not restored for so many days (`key drill`, `backup drill`); a new
    /// backup counts as never restored. 0 stops none: `status` names what is overdue either way.
    #[arg(long, default_value_t = 0, value_name = "DAYS", conflicts_with = "policy")]
    drill_days: u32,
    /// A first policy of your own, as JSON; its roster is replaced by the new keys.
    #[arg(long, conflicts_with = "allow")]
    policy: Option<PathBuf>,
    /// How many nodes: 1, 3, 4 or 7. Four withstand one that lies or is down; three withstand one that is down and
    /// none that lies. All of them in folders of this machine: move each to a machine of its own.
    #[arg(long, default_value_t = 1)]
    nodes: u16,
    /// Where the first node listens; the others listen on the ports after it.
    #[arg(long, default_value = "127.0.0.1:7400")]
    node_listen: String,
    /// Where the coordinator listens.
    #[arg(long, default_value = "127.0.0.1:8550")]
    coordinator_listen: String,
    /// Have half of this node's signing key made in the token that the file names, where it stays: without the token the node
    /// does not vote. The file has the lines of [node.member.token].
    #[arg(long, value_parser = node_token, value_name = "NODE=FILE")]
    node_token: Vec<(Name, PathBuf)>,
}

pub(crate) fn run(args: &InitArgs, voice: Voice) -> Result<Report, Failure> {
    if args.founders.len() < 3 {
        let what = format!("expected at least 3 founders, found {}", args.founders.len());
        return Err(Failure::usage(what, "name them: `--founders ana,ben,cleo`"));
    }
    let plan = Plan {
        name: args.name.clone(),
        founders: args.founders.clone(),
        chain: args.chain,
        endpoint: args.endpoint.clone(),
        confirmations: args.confirmations,
        nodes: nodes(args)?,
        coordinator_listen: args.coordinator_listen.clone(),
        tokens: tokens(args)?,
    };
    let own = args.policy.as_ref().map(|path| policy_file(path)).transpose()?;
    let world = World {
        chain: args.chain,
        addresses: args.allow.clone(),
        cool_off_seconds: args.cool_off,
        drill_days: args.drill_days,
        can_run: args.endpoint.is_some(),
        ..World::default()
    };
    let founded = found(&args.folder, &plan, voice, |roster, created| match own {
        Some(own) => Ok(PolicyVersion { roster, ..own }),
        None => Ok(sample::policy(&world, roster, created)?),
    })?;
    let folder = args.folder.display();
    let withstands = Withstands::of(u32::from(args.nodes), plan.quorum()?);
    let mut table = Table::pairs();
    table
        .pair("cluster", founded.cluster)
        .pair("folder", &folder)
        .pair("founders", names(&args.founders))
        .pair("nodes", format!("{}, {} votes commit", plan.nodes.len(), plan.quorum()?))
        .pair("withstands", withstands);
    let json = json!({
        "cluster": founded.cluster, "folder": args.folder, "founders": args.founders,
        "nodes": plan.nodes, "quorum": plan.quorum()?, "withstands": withstands,
    });
    Ok(Report::new(json, table.render() + &next_steps(&plan, &folder.to_string())))
}

/// The tokens that were named, each of them once and for a node that there is.
fn tokens(args: &InitArgs) -> Result<BTreeMap<Name, LogTokenConfig>, Failure> {
    let nodes = nodes(args)?;
    let mut tokens = BTreeMap::new();
    for (name, file) in &args.node_token {
        let is_new = nodes.iter().any(|node| node.name == *name) && !tokens.contains_key(name);
        if !is_new {
            let what = format!("--node-token names `{name}`, which is no node here or is named before");
            return Err(Failure::usage(
                what,
                "name one of node-1, node-2, … once: `--node-token node-1=FILE`",
            ));
        }
        tokens.insert(name.clone(), crate::node_token::read(file)?);
    }
    Ok(tokens)
}

fn node_token(text: &str) -> Result<(Name, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or("expected NODE=FILE")?;
    Ok((name.parse().map_err(|error: keystead_base::NameError| error.to_string())?, file.into()))
}

/// The nodes by name, each on a port of its own.
fn nodes(args: &InitArgs) -> Result<Vec<PeerConfig>, Failure> {
    if args.nodes == 1 {
        return Ok(vec![PeerConfig { name: "node-1".parse()?, address: args.node_listen.clone() }]);
    }
    let first = machine::address(&args.node_listen)?;
    let node = |place: u16| {
        let port = first.port().checked_add(place).filter(|_| first.port() > 0).ok_or_else(|| {
            let what = format!("expected a port with room for {} nodes, found {}", args.nodes, first.port());
            Failure::usage(what, "name the first node's port: `--node-listen 127.0.0.1:7400`")
        })?;
        let address = SocketAddr::new(first.ip(), port).to_string();
        Ok(PeerConfig { name: format!("node-{}", place + 1).parse()?, address })
    };
    (0..args.nodes).map(node).collect()
}

fn next_steps(plan: &Plan, folder: &str) -> String {
    let here = format!(
        "\nnext: move each founder's key and passphrase to their own machine, then\n  keystead up {folder}\n  \
         keystead --dir {folder} key create hot\n"
    );
    match plan.nodes.len() {
        1 => here,
        _ => format!(
            "{here}\nin earnest: what is on one machine is lost with it. Move each {folder}/node-N to a machine of its own;\n\
             `listen` under [node], [[node.peers]] and, in every folder, [[client.nodes]] say where the nodes are. Then\n  \
             keystead node --dir node-N    (on each machine)\n  keystead serve --dir {folder}\n"
        ),
    }
}

/// A policy version from a JSON file.
pub(crate) fn policy_file(path: &std::path::Path) -> Result<PolicyVersion, Failure> {
    serde_json::from_str(&outside::read_text(path)?).map_err(|error| {
        let what = format!("{}: {error}", path.display());
        Failure::new(
            "policy.json",
            what,
            "specs/examples/policy.json shows the shape; `keystead policy show --json` prints yours",
        )
    })
}

fn names(names: &[Name]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

pub(crate) fn named_address(text: &str) -> Result<(Name, Address), String> {
    let (name, address) = text.split_once('=').ok_or("expected NAME=ADDRESS")?;
    Ok((
        name.parse().map_err(|error: keystead_base::NameError| error.to_string())?,
        crate::address::address(address)?,
    ))
}
