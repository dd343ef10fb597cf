//! `keystead roster`: which nodes vote, and how that changes.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use keystead_base::{Canonical as _, Name};
use keystead_decision::KeyState;
use keystead_intent::{Action, AuthorityChange};
use keystead_keys::MemberPublic;
use keystead_policy::{Engine, Node, PolicyVersion, Roster, check_next};
use keystead_wire::RequestStage;
use serde_json::json;

use super::{Global, REQUEST_LIFETIME, Session};
use crate::asking::standing;
use crate::failure::Failure;
use crate::output::Report;
use crate::seating::{self, Change, Labels};
use crate::table::Table;
use crate::{outside, reading};

/// The nodes that vote, by keys that the roster pins. A change is asked for here, approved by others, and in force
/// from the next block on: the roster before it commits it, and never commits again. A node that joins makes its
/// keys on its own machine (`keystead approver new NAME`), hands over their public side (`keystead approver show
/// NAME --json > NAME.json`), and is started first: it follows as soon as the roster names it.
#[derive(Debug, Subcommand)]
pub(crate) enum RosterCommand {
    /// Show the nodes, their boot numbers, and what the cluster withstands.
    ///
    /// Example: keystead roster show
    Show,
    /// Ask for nodes to come in. Others approve. All that come together are named together: a cluster has 1, 3,
    /// 4 or 7 nodes.
    ///
    /// Example: keystead roster add node-5.json node-6.json node-7.json --as ana
    Add {
        /// The public sides of their keys, as `keystead approver show NAME --json` prints them.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        labels: LabelArgs,
        #[command(flatten)]
        care: Care,
    },
    /// Ask for another machine to take a node's place, under the same name or its own. Others approve. The old
    /// machine is heard no more, whatever it still holds.
    ///
    /// Example: keystead roster replace node-4 node-5.json --as ana
    Replace {
        /// The node that goes, or is lost.
        name: Name,
        /// The public side of the other machine's keys.
        file: PathBuf,
        #[command(flatten)]
        labels: LabelArgs,
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
    let session = Session::open(global).await?;
    let current = reading::policy_in_force(&session.config, &session.link).await?;
    let roster = &current.roster;
    let (change, care) = match command {
        RosterCommand::Show => return Ok(shown(roster)),
        RosterCommand::Add { files, labels, care } => {
            let nodes = files.iter().map(|file| newcomer(file, &labels, None)).collect::<Result<_, _>>()?;
            (Change::Add(nodes), care)
        }
        RosterCommand::Replace { name, file, labels, care } => {
            let newcomer = newcomer(&file, &labels, roster.node(&name))?;
            (Change::Replace(name, Box::new(newcomer)), care)
        }
        RosterCommand::Remove { nodes, care } => (Change::Remove(nodes), care),
        RosterCommand::Readmit { name } => {
            (Change::Readmit(name), Care { in_transit: false, abandon_keys: false })
        }
    };
    let next = change.apply(roster, care.in_transit)?;
    if !care.abandon_keys {
        no_key_is_left(&session, &change).await?;
    }
    ask(&session, &current, next).await
}

/// The node of a public side that its own machine wrote. Labels that nobody names are those of the node before it.
fn newcomer(file: &Path, labels: &LabelArgs, before: Option<&Node>) -> Result<Node, Failure> {
    let public: MemberPublic = serde_json::from_str(&outside::read_text(file)?).map_err(|error| {
        let what = format!("{}: {error}", file.display());
        let next = "on the node's machine: `keystead approver show NAME --json > NAME.json`";
        Failure::new("roster.file", what, next)
    })?;
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

/// INVARIANT D1: a key is not lost by removing its home unawares.
async fn no_key_is_left(session: &Session, change: &Change) -> Result<(), Failure> {
    let keys = session.link.keys().await?;
    let lives = |state| !matches!(state, KeyState::Deactivated | KeyState::Destroyed);
    match keys.iter().find(|key| change.leaving().contains(&key.home) && lives(key.state)) {
        Some(key) => {
            let what =
                format!("key `{}` lives at `{}`; without it nothing signs with that key", key.name, key.home);
            Err(Failure::new(
                "roster.keys",
                what,
                "`keystead key restore` gives it another home first; or add --abandon-keys where the machine is lost anyway",
            ))
        }
        None => Ok(()),
    }
}

async fn ask(session: &Session, current: &PolicyVersion, roster: Roster) -> Result<Report, Failure> {
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
    let hint = format!(
        "\nThe new roster decides only while a quorum of it runs: start the nodes that come in before others approve.\n\
         next: others run `keystead approve {}`\n",
        view.request
    );
    let json = json!({"request": view, "nodes": next.roster.nodes, "before": before, "after": after});
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
