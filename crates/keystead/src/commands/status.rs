//! `keystead status`: everything on one screen, once or as it goes on.

use std::time::Duration;

use clap::Args;
use keystead_base::Name;
use keystead_wire::{ChainWatch, NodeStatus, PeerView, RequestView, TokenView};
use serde_json::json;

use super::{Global, Session};
use crate::asking::standing;
use crate::config::Config;
use crate::failure::Failure;
use crate::member::{Files, Member};
use crate::output::{Report, Voice, strong};
use crate::table::Table;
use crate::vaulting::{Overdue, overdue};
use crate::watch::{self, Door, words};
use crate::{outside, sharing};

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Go on looking, in a live view of the terminal; in a pipe one snapshot for each interval.
    #[arg(long)]
    watch: bool,
    /// How often to look, in seconds.
    #[arg(long, value_name = "SECONDS", requires = "watch", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
}

pub(crate) async fn run(global: &Global, args: &StatusArgs, voice: Voice) -> Result<Report, Failure> {
    match args.watch {
        true => watch::run(doors(global)?, Duration::from_secs(args.every), voice.json).await,
        false => once(global).await,
    }
}

async fn once(global: &Global) -> Result<Report, Failure> {
    let session = Session::open(global).await?;
    let status = session.link.status().await?;
    let open = session.link.open().await?;
    let all = match status.key_count > status.keys.len() as u64 {
        true => session.link.keys().await?,
        false => status.keys.clone(),
    };
    let now = outside::now();
    let due =
        all.iter().filter_map(|key| Some((&key.name, overdue(key, now, session.config.client.drill_days)?)));
    let due: Vec<(&Name, Overdue)> = due.collect();
    let text = [
        strong(&headline(&status)),
        overview(&status),
        windows(&status),
        rotations(&status),
        keys(&status),
        drills(&due),
        waiting(&open),
        watch::waiting_lines(&status.waiting, now).join("\n"),
    ]
    .join("\n");
    let names: Vec<&Name> = due.iter().map(|it| it.0).collect();
    Ok(Report::new(json!({"status": status, "open": open, "drills_overdue": names}), text))
}

/// What a declared compromise waits for; nothing where none is declared.
fn rotations(status: &NodeStatus) -> String {
    if status.incident.is_empty() {
        return String::new();
    }
    let why = status.incident.iter().map(|it| format!("COMPROMISE DECLARED: {it}\n"));
    let open = status.rotate.iter().map(|it| format!("replace {it}\n"));
    let next = match status.rotate.is_empty() {
        true => "everything is replaced; next: keystead thaw\n",
        false => "nothing signs but what sweeps until all of it is replaced\n",
    };
    why.chain(open).chain([next.to_owned()]).collect()
}

/// The first keys, and how many there are besides.
fn keys(status: &NodeStatus) -> String {
    let table = super::key::table(&status.keys);
    match status.key_count.saturating_sub(status.keys.len() as u64) {
        0 => table,
        more => format!("{table}and {more} more keys: `keystead key list`\n"),
    }
}

/// Keys whose latest backup was not restored for so long that nobody knows whether it still can be, or never.
fn drills(due: &[(&Name, Overdue)]) -> String {
    let line = |(name, overdue): &(&Name, Overdue)| {
        let next = format!("`keystead backup drill {name}`, or `keystead key drill {name}`");
        match overdue {
            Overdue::Never => {
                format!("NEVER DRILLED: the latest backup of key `{name}` was never restored: {next}\n")
            }
            Overdue::Days(days) => {
                format!("DRILL OVERDUE: the backup of key `{name}` was restored {days} days ago: {next}\n")
            }
        }
    };
    due.iter().map(line).collect()
}

/// A node that is down is no error here: it is what one watches for.
fn doors(global: &Global) -> Result<Vec<Door>, Failure> {
    let config = Config::read(&global.dir)?;
    let files = Files::chosen(&config, global.person.as_ref(), global.passphrase_file.as_ref())?;
    let member = Member::open(&files.key, &files.passphrase)?;
    match &global.through {
        Some(url) => Ok(vec![Door::relay(&config, url)?]),
        None => Door::direct(&config, &member, global.node.as_deref()),
    }
}

fn headline(status: &NodeStatus) -> String {
    format!("{} · node {} · {}", status.name, status.node, words::signing(&status.frozen))
}

fn overview(status: &NodeStatus) -> String {
    let mut table = Table::pairs();
    table
        .pair("cluster", status.cluster)
        .pair("log", format!("height {}, {}", status.height, status.time))
        .pair("policy", format!("version {}, {}", status.policy, status.policy_digest.short()))
        .pair("nodes", words::withstands(status.nodes, status.quorum, status.withstands))
        .pair("this node", &status.standing)
        .pair("requests", format!("{} wait, {} allowed and not final", status.open, status.unsettled))
        .pair(
            "signatures",
            format!(
                "{} since start {}, {} refused by the enclave",
                status.signatures, status.boot, status.refusals
            ),
        );
    for peer in &status.peers {
        table.pair(peer.name.as_str(), peer_words(peer, status.height));
    }
    for chain in &status.chains {
        table.pair(&format!("chain {}", chain.chain), words::watch(&chain.watch));
        if chain.watch != ChainWatch::NotConfigured {
            table.pair("", words::reconciled(&chain.reconciled));
        }
    }
    for it in &status.found {
        table.pair("frozen", format!("{}; found in block {} of the log", it.finding, it.height));
    }
    for it in &status.ceremonies {
        table.pair("ceremony", sharing::progress(it, &status.runs));
    }
    runs(&mut table, status);
    let missing: Vec<_> =
        status.protections.iter().filter(|it| it.status != "on").map(|it| it.name.as_str()).collect();
    let enclave = match missing.is_empty() {
        true => "every protection is on".to_owned(),
        false => format!("not or partly on: {} (`keystead vault` says what is lost)", missing.join(", ")),
    };
    table.pair("enclave", enclave);
    for it in &status.tokens {
        table.pair("token", token_words(it));
    }
    table.render()
}

/// The threshold runs under way, and who was named in those that came to nothing.
fn runs(table: &mut Table, status: &NodeStatus) {
    if let Some(micros) = status.sync_micros {
        table.pair("disk", words::disk(micros));
    }
    for it in status.runs.iter().take(RUNS_SHOWN) {
        table.pair("run", words::run(it, outside::now()));
    }
    if let Some(more) = status.runs.len().checked_sub(RUNS_SHOWN + 1) {
        table.pair("", format!("and {} more", more + 1));
    }
    for it in status.aborts.iter().take(RUNS_SHOWN) {
        table.pair("aborted", words::abort(it));
    }
    for it in &status.kept_out {
        table.pair("keeps out", words::kept_out(it));
    }
}

/// Another node in one line: whether it is there, how far it is, what it last disagreed about.
fn peer_words(peer: &PeerView, height: u64) -> String {
    let place = match (peer.reachable, peer.height) {
        (false, _) => "cannot be reached from here".to_owned(),
        (true, theirs) if theirs >= height => format!("height {theirs}"),
        (true, theirs) => format!("height {theirs}, {} behind", height - theirs),
    };
    let relay = peer.relay.iter().map(|relay| format!("through {relay}"));
    let since = peer.since.filter(|_| !peer.reachable).map(|since| format!("since {since}"));
    let place = [place].into_iter().chain(since).chain(relay).collect::<Vec<_>>().join(", ");
    let link = peer.link.iter().flat_map(words::link);
    let objection = peer.objection.iter().map(words::objection);
    [place].into_iter().chain(link).chain(objection).collect::<Vec<_>>().join("; ")
}

/// A token in one line: whether it signs.
fn token_words(token: &TokenView) -> String {
    let place = format!("{} of `{}`", token.token, token.group);
    match &token.lost {
        None => format!("{place} is there"),
        Some(reason) => format!("{place} is LOST: {reason}; once it is back, start the node anew"),
    }
}

/// How full the limit windows are.
fn windows(status: &NodeStatus) -> String {
    if status.windows.is_empty() {
        return "the policy has no limit windows\n".to_owned();
    }
    let mut table = Table::new(&["window", "used"]);
    for view in &status.windows {
        table.row([words::count(view), watch::window_line(view)]);
    }
    table.render()
}

/// The requests that wait for people.
pub(crate) fn waiting(open: &[RequestView]) -> String {
    if open.is_empty() {
        return "nothing waits for people\n".to_owned();
    }
    let mut table = Table::new(&["request", "stands"]);
    for view in open {
        table.row([view.request.to_string(), standing(view)]);
    }
    table.render()
}

/// Runs, and aborts, on one screen.
const RUNS_SHOWN: usize = 4;
