//! `keystead init`: the founders' ceremony on one machine.

use std::path::PathBuf;

use alloy_primitives::Address;
use clap::Args;
use keystead_base::Name;
use keystead_policy::PolicyVersion;
use serde_json::json;

use crate::failure::Failure;
use crate::founding::{Plan, found};
use crate::output::{Report, Voice};
use crate::outside;
use crate::sample::{self, World};
use crate::table::Table;

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
    /// A first policy of your own, as JSON; its roster is replaced by the new keys.
    #[arg(long, conflicts_with = "allow")]
    policy: Option<PathBuf>,
    /// Where the node listens.
    #[arg(long, default_value = "127.0.0.1:7400")]
    node_listen: String,
    /// Where the coordinator listens.
    #[arg(long, default_value = "127.0.0.1:8550")]
    coordinator_listen: String,
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
        node_listen: args.node_listen.clone(),
        coordinator_listen: args.coordinator_listen.clone(),
    };
    let own = args.policy.as_ref().map(|path| policy_file(path)).transpose()?;
    let world = World {
        chain: args.chain,
        addresses: args.allow.clone(),
        cool_off_seconds: args.cool_off,
        ..World::default()
    };
    let roster_only = sample::policy(&world, empty_roster(), outside::now())?;
    let founded = found(&args.folder, &plan, voice, |roster, created| match own {
        Some(own) => PolicyVersion { roster, ..own },
        None => sample::policy(&world, roster, created).unwrap_or(roster_only),
    })?;
    let folder = args.folder.display();
    let mut table = Table::pairs();
    table
        .pair("cluster", founded.cluster)
        .pair("folder", &folder)
        .pair("founders", names(&args.founders))
        .pair("withstands", "no lying node and no node that is down: a cluster of one");
    let next = format!(
        "\nnext: move each founder's key and passphrase to their own machine, then\n  \
         keystead up {folder}\n  keystead --dir {folder} key create hot\n"
    );
    let json = json!({"cluster": founded.cluster, "folder": args.folder, "founders": args.founders});
    Ok(Report::new(json, table.render() + &next))
}

fn empty_roster() -> keystead_policy::Roster {
    keystead_policy::Roster { quorum: 1, nodes: Vec::new(), services: Vec::new(), people: Vec::new() }
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

fn named_address(text: &str) -> Result<(Name, Address), String> {
    let (name, address) = text.split_once('=').ok_or("expected NAME=ADDRESS")?;
    Ok((
        name.parse().map_err(|error: keystead_base::NameError| error.to_string())?,
        address.parse().map_err(|_| format!("{address:?} is no address"))?,
    ))
}
