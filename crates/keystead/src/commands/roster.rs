//! `keystead roster`: which nodes vote, and how that changes.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use keystead_base::{Canonical as _, Name, Signed};
use keystead_decision::KeyState;
use keystead_intent::{Action, AuthorityChange};
use keystead_policy::{Engine, Enrolment, Node, PolicyVersion, Roster, check_next};
use keystead_wire::{KeyView, RequestStage};
use serde_json::json;

use super::newcomer::{InstallArgs, LabelArgs, Newcomer, SETTING_UP, install_line, installed};
use super::{Global, REQUEST_LIFETIME, Session, device};
use crate::asking::standing;
use crate::ceremony::grouped;
use crate::failure::Failure;
use crate::output::Report;
use crate::reading;
use crate::seating::{self, Change};
use crate::sharing;
use crate::table::Table;

/// The nodes that vote, by keys that the roster pins. A change is asked for here, approved by others, and in force
/// from the next block on: the roster before it commits it, and never commits again. A node that joins makes its
/// keys on its own machine (`keystead ceremony join FOLDER NAME --part node …`), hands over its contribution, is
/// configured (`keystead roster install`), and is started before others approve: it follows as soon as the roster
/// names it.
#[derive(Debug, Subcommand)]
pub(crate) enum RosterCommand {
    /// Show the nodes, their boot numbers, and what the cluster withstands.
    ///
    /// Example: keystead roster show
    Show,
    /// Ask for nodes to come in. Others approve. All that come together are named together: a cluster has 1, 3,
    /// 4 or 7 nodes.
    ///
    /// Example: keystead roster add node-5.contribution node-6.contribution node-7.contribution --as ana
    Add {
        /// Their contributions, or the public sides of their keys as `keystead approver show NAME --json` prints them.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        labels: LabelArgs,
        /// What witnesses signed of their devices (`keystead device witness`).
        #[arg(long = "device", value_name = "RECORD")]
        devices: Vec<PathBuf>,
        #[command(flatten)]
        care: Care,
    },
    /// Ask for another machine to take a node's place, under the same name or its own. Others approve. The old
    /// machine is heard no more, whatever it still holds.
    ///
    /// Example: keystead roster replace node-4 node-5.contribution --as ana
    Replace {
        /// The node that goes, or is lost.
        name: Name,
        /// The other machine's contribution, or the public side of its keys.
        file: PathBuf,
        #[command(flatten)]
        labels: LabelArgs,
        /// What a witness signed of its device (`keystead device witness`).
        #[arg(long = "device", value_name = "RECORD")]
        devices: Vec<PathBuf>,
        #[command(flatten)]
        care: Care,
    },
    /// Ask for nodes to go. Others approve.
    ///
    /// Example: keystead roster remove node-5 node-6 node-7 --as ana
    Remove {
        /// The nodes.
        #[arg(required = true)]
        nodes: Vec<Name>,
        #[command(flatten)]
        care: Care,
    },
    /// Ask for a node that runs on an older disk, or lost it, to vote again under the next boot number. Others
    /// approve. Whatever it signed under the earlier number counts no more.
    ///
    /// Example: keystead roster readmit node-4 --as ana
    Readmit {
        /// The node.
        name: Name,
    },
    /// Configure this machine for a node that comes in: verify the genesis, write keystead.toml.
    ///
    /// Run it in the folder that `keystead ceremony join` made here. The genesis is a public file, of any member's
    /// folder; the cluster's id is read out by somebody who knows it, for everything that the node will believe follows
    /// from it. `keystead roster add` and `replace` print the whole line.
    ///
    /// Example: keystead roster install --dir desk-node --genesis genesis --cluster '5f0c 91a2 …'
    /// --peer node-1@10.0.0.1:7400 --peer node-2@10.0.0.2:7400 --endpoint http://127.0.0.1:8545
    Install(InstallArgs),
}

/// What has to be said aloud.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Care {
    /// Take five or six nodes on the way to another size; they withstand no more than four.
    #[arg(long)]
    in_transit: bool,
    /// Go on although keys live at a node that goes: nothing is signed with them any more.
    #[arg(long)]
    abandon_keys: bool,
}

pub(crate) async fn run(global: &Global, command: RosterCommand) -> Result<Report, Failure> {
    if let RosterCommand::Install(args) = &command {
        return installed(global, args);
    }
    let session = Session::open(global).await?;
    let current = reading::policy_in_force(&session.config, &session.link).await?;
    let roster = &current.roster;
    let asked = match command {
        RosterCommand::Show | RosterCommand::Install(_) => return Ok(shown(roster)),
        RosterCommand::Add { files, labels, devices, care } => {
            let read = |file: &PathBuf| Newcomer::read(&session, file, &labels, None);
            let newcomers: Vec<Newcomer> = files.iter().map(read).collect::<Result<_, _>>()?;
            let nodes = newcomers.iter().map(|it| it.node.clone()).collect();
            Asked { change: Change::Add(nodes), care, newcomers, devices: device::records(&devices)? }
        }
        RosterCommand::Replace { name, file, labels, devices, care } => {
            let newcomer = Newcomer::read(&session, &file, &labels, roster.node(&name))?;
            let change = Change::Replace(name, Box::new(newcomer.node.clone()));
            Asked { change, care, newcomers: vec![newcomer], devices: device::records(&devices)? }
        }
        RosterCommand::Remove { nodes, care } => Asked::plain(Change::Remove(nodes), care),
        RosterCommand::Readmit { name } => {
            Asked::plain(Change::Readmit(name), Care { in_transit: false, abandon_keys: false })
        }
    };
    let mut next = asked.change.apply(roster, asked.care.in_transit)?;
    if !asked.devices.is_empty() {
        device::add(&mut next, asked.devices, None);
    }
    if !asked.care.abandon_keys {
        no_key_is_left(&session, &asked.change).await?;
    }
    ask(&session, &current, next, &asked.newcomers).await
}

/// A change, what was said aloud about it, and who comes in by it.
struct Asked {
    change: Change,
    care: Care,
    newcomers: Vec<Newcomer>,
    devices: Vec<Signed<Enrolment>>,
}

impl Asked {
    fn plain(change: Change, care: Care) -> Self {
        Self { change, care, newcomers: Vec::new(), devices: Vec::new() }
    }
}

/// INVARIANT D1: a key is not lost by removing its home unawares.
async fn no_key_is_left(session: &Session, change: &Change) -> Result<(), Failure> {
    let keys = session.link.keys().await?;
    let lives = |state: KeyState| !state.is_wiped();
    let leaving = change.leaving();
    match keys.iter().find(|key| lives(key.state) && leaving.iter().any(|it| sharing::is_at(key, it))) {
        Some(key) => Err(left(key)),
        None => Ok(()),
    }
}

fn left(key: &KeyView) -> Failure {
    let (what, next) = match &key.sharing {
        None => (
            format!("key `{}` lives at `{}`; without it nothing signs with that key", key.name, key.home),
            "`keystead key restore` gives it another home first; or add --abandon-keys where the machine is lost anyway",
        ),
        Some(_) => (
            format!("key `{}` is held by {}", key.name, sharing::home(key)),
            "`keystead key reshare` gives its shares to others first; or add --abandon-keys where the machine is lost anyway",
        ),
    };
    Failure::new("roster.keys", what, next)
}

async fn ask(
    session: &Session,
    current: &PolicyVersion,
    roster: Roster,
    newcomers: &[Newcomer],
) -> Result<Report, Failure> {
    let (number, previous) = (current.number.saturating_add(1), current.digest());
    let next = PolicyVersion { number, previous, roster, ..current.clone() }.into_canonical();
    Engine::compile(next.clone())?;
    check_next(current, &next)?;
    let (before, after) = (seating::words(&current.roster), seating::words(&next.roster));
    let document = next.to_document().into();
    let action = Action::Authority(AuthorityChange::Roster { document });
    let view = session.speaker().ask(action, REQUEST_LIFETIME).await?;
    let mut table = Table::pairs();
    table
        .pair("request", view.request)
        .pair("stands", standing(&view))
        .pair("nodes now", names(&current.roster))
        .pair("nodes then", names(&next.roster))
        .pair("now", &before)
        .pair("then", &after);
    for Newcomer { node, .. } in newcomers {
        table.pair(&format!("key of {}", node.name), grouped(&node.key.fingerprint()));
    }
    let install = install_line(session, &next.roster, newcomers);
    let hint = format!(
        "\n{}The new roster decides only while a quorum of it runs: start the nodes that come in before others approve.\n\
         next: others run `keystead approve {}`\n",
        install.as_ref().map_or_else(String::new, |line| format!("{SETTING_UP}\n  {line}\n")),
        view.request
    );
    let json = json!({
        "request": view, "nodes": next.roster.nodes, "before": before, "after": after, "install": install,
    });
    let mut report = Report::new(json, table.render() + &hint);
    report.holds = view.stage != RequestStage::Denied;
    Ok(report)
}

fn shown(roster: &Roster) -> Report {
    let mut table = Table::new(&["node", "boot", "operator", "host", "provider", "build", "key"]);
    for node in &roster.nodes {
        table.row([
            node.name.to_string(),
            node.boot.to_string(),
            node.operator.clone(),
            node.host.clone(),
            node.provider.clone(),
            node.build.clone(),
            node.key.fingerprint().short(),
        ]);
    }
    let words = seating::words(roster);
    let text = format!("{words}\n{}", table.render());
    Report::new(json!({"nodes": roster.nodes, "quorum": roster.quorum, "withstands": words}), text)
}

/// The nodes, each with its boot number where it was readmitted.
fn names(roster: &Roster) -> String {
    let name = |node: &Node| match node.boot {
        0 => node.name.to_string(),
        boot => format!("{} (boot {boot})", node.name),
    };
    roster.nodes.iter().map(name).collect::<Vec<_>>().join(", ")
}
