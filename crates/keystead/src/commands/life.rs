//! The life of keys beside their states: terms, successors, receipts, and what is compromised.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use keystead_base::{Canonical as _, KeyScheme, Name, Signed, Timestamp};
use keystead_entropy::EntropyWitness;
use keystead_intent::{Action, AuthorityChange, ChainId, KeyCeremony, KeyTerms, Suspect};
use keystead_policy::Roster;
use keystead_quantum::exposure::{Audience, Facts, Family, Lock};
use keystead_wire::{ConveningView, KeyView, NodeStatus, RequestStage};
use serde_json::json;

use super::entropy::witnessing::{self, Watched};
use super::{Global, REQUEST_LIFETIME, Session, solana_address};
use crate::asking::{approvers_next, standing};
use crate::failure::Failure;
use crate::output::Report;
use crate::table::Table;
use crate::{member, outside, reading, sharing, vaulting};

/// Steps and looks that `keystead key` has, too.
#[derive(Debug, Subcommand)]
pub(crate) enum LifeCommand {
    /// Show every key with its owner, home, age, state, usage period, successor, and when its home last proved control. `exposed`:
    /// it has signed, or its addresses are public keys, so that a chain shows what a quantum computer would start from.
    ///
    /// Example: keystead key inventory
    Inventory,
    /// Ask for a key to be retired for good: it signs nothing any more but what sweeps it to its successor. Others approve.
    ///
    /// Example: keystead key deactivate hot --why "replaced by warm" --as ana
    Deactivate {
        /// The key.
        key: Name,
        /// Why, in one line that approvers read.
        #[arg(long)]
        why: String,
    },
    /// Ask for terms of a key, in the place of all that it had: how long and how often it signs, for which chains, and whether
    /// its addresses are shown only while its home proves control. Others approve.
    ///
    /// Example: keystead key limit hot --days 365 --no-export --proof-seconds 86400 --as ana
    Limit(LimitArgs),
    /// Ask for a key to take the place of another one, which may be swept to it from then on. Others approve.
    ///
    /// Example: keystead key succeed hot --successor warm --as ana
    Succeed {
        /// The key.
        key: Name,
        /// An active key of the same scheme.
        #[arg(long, value_name = "KEY")]
        successor: Name,
    },
}

/// The terms.
#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// The key.
    key: Name,
    /// For how many days from now it signs; without an end unless named.
    #[arg(long, value_name = "N")]
    days: Option<u64>,
    /// How often it signs in its life; any number unless named.
    #[arg(long, value_name = "N")]
    signatures: Option<u64>,
    /// The ids of the chains that it signs for; all of the policy unless named.
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    chains: Vec<u64>,
    /// What it signs with; all that its kind has unless named.
    #[arg(long, value_enum, value_delimiter = ',')]
    schemes: Vec<sharing::SchemeArg>,
    /// It signs no digest that nobody can read. For good.
    #[arg(long)]
    no_blind: bool,
    /// It never leaves its home but in backups. For good.
    #[arg(long)]
    no_export: bool,
    /// Its addresses are shown only while the last proof of control is not older.
    #[arg(long, value_name = "SECONDS")]
    proof_seconds: Option<u64>,
}

/// What is compromised.
#[derive(Debug, Args)]
pub(crate) struct CompromiseArgs {
    /// Keys whose secrets somebody else may know.
    #[arg(long, value_name = "KEYS", value_delimiter = ',')]
    keys: Vec<Name>,
    /// Nodes, each with all keys and shares in its enclave.
    #[arg(long, value_name = "NODES", value_delimiter = ',')]
    nodes: Vec<Name>,
    /// Devices that people approve with, as PERSON/DEVICE.
    #[arg(long, value_name = "DEVICES", value_delimiter = ',')]
    devices: Vec<String>,
    /// Services that ask.
    #[arg(long, value_name = "SERVICES", value_delimiter = ',')]
    services: Vec<Name>,
    /// What happened, in one line that approvers read.
    #[arg(long)]
    why: String,
}

pub(crate) async fn run(session: &Session, command: LifeCommand) -> Result<Report, Failure> {
    let key_step = |ceremony| ask(session, AuthorityChange::Key(ceremony));
    match command {
        LifeCommand::Inventory => inventory(session).await,
        LifeCommand::Deactivate { key, why } => key_step(KeyCeremony::Deactivate { key, why }).await,
        LifeCommand::Limit(args) => {
            let (key, terms) = (args.key.clone(), terms(args));
            key_step(KeyCeremony::Limit { key, terms }).await
        }
        LifeCommand::Succeed { key, successor } => key_step(KeyCeremony::Succeed { key, successor }).await,
    }
}

/// Declares a compromise.
pub(crate) async fn compromise(global: &Global, args: CompromiseArgs) -> Result<Report, Failure> {
    let session = Session::open(global).await?;
    let devices = args.devices.iter().map(|it| device(it)).collect::<Result<Vec<_>, _>>()?;
    let keys = args.keys.into_iter().map(|key| Suspect::Key { key });
    let nodes = args.nodes.into_iter().map(|node| Suspect::Node { node });
    let services = args.services.into_iter().map(|service| Suspect::Service { service });
    let mut suspects: Vec<Suspect> = keys.chain(nodes).chain(devices).chain(services).collect();
    suspects.sort();
    if suspects.is_empty() {
        let next =
            "name --keys, --nodes, --devices or --services; to stop everything at once: `keystead freeze`";
        return Err(Failure::usage("nothing is named".to_owned(), next));
    }
    ask(&session, AuthorityChange::Compromise { suspects, why: args.why }).await
}

fn device(text: &str) -> Result<Suspect, Failure> {
    let named =
        text.split_once('/').and_then(|(person, device)| Some((person.parse().ok()?, device.parse().ok()?)));
    match named {
        Some((person, device)) => Ok(Suspect::Device { person, device }),
        None => Err(Failure::usage(format!("expected PERSON/DEVICE, found `{text}`"), "as in `ana/laptop`")),
    }
}

fn terms(args: LimitArgs) -> KeyTerms {
    let mut chains: Vec<ChainId> = args.chains.into_iter().map(ChainId).collect();
    let mut schemes: Vec<KeyScheme> = args.schemes.into_iter().map(sharing::SchemeArg::scheme).collect();
    chains.sort();
    schemes.sort();
    KeyTerms {
        until: args.days.map(|it| outside::now().plus_seconds(it.saturating_mul(DAY_SECONDS))),
        most_signatures: args.signatures,
        chains,
        schemes,
        no_blind: args.no_blind,
        no_export: args.no_export,
        proof_seconds: args.proof_seconds,
    }
}

async fn ask(session: &Session, change: AuthorityChange) -> Result<Report, Failure> {
    let view = session.speaker().ask(Action::Authority(change), REQUEST_LIFETIME).await?;
    let next = approvers_next(&view, "keystead approve");
    let text = format!("request {}\n{}{next}", view.request, standing(&view));
    let mut report = Report::new(json!({"request": view}), text);
    report.holds = view.stage != RequestStage::Denied;
    Ok(report)
}

async fn inventory(session: &Session) -> Result<Report, Failure> {
    let (keys, now) = (session.link.keys().await?, outside::now());
    let head =
        ["key", "owner", "home", "state", "age", "until", "used", "exposed", "successor", "last proof"];
    let mut table = Table::new(&head);
    for key in &keys {
        let life = &key.life;
        let name = |it: &Option<Name>| it.as_ref().map(ToString::to_string).unwrap_or_default();
        let (state, _) = crate::watch::key_state(key);
        table.row([
            key.name.to_string(),
            name(&life.owner),
            sharing::home(key),
            state.to_owned(),
            days(life.born, now),
            life.terms.until.map(|it| it.to_string()).unwrap_or_default(),
            life.signatures.to_string(),
            if is_exposed(key) { "yes" } else { "no" }.to_owned(),
            name(&life.successor),
            life.proven.map_or_else(|| "none".to_owned(), |it| format!("{} ago", days(it, now))),
        ]);
    }
    let rows = keys.iter().map(|key| json!({"key": key, "exposed": is_exposed(key)})).collect::<Vec<_>>();
    Ok(Report::new(json!({"keys": rows}), table.render()))
}

/// Whether everybody can compute a public key of it: `exposure` asks the same of each address.
fn is_exposed(key: &KeyView) -> bool {
    let lock = match key.kind.scheme() {
        // Whoever knows it forges nothing with a quantum computer.
        KeyScheme::MlDsa65 => return false,
        KeyScheme::Ecdsa => Lock::Account,
        KeyScheme::Bip340 => Lock::OutputKey,
        KeyScheme::Ed25519 => Lock::KeyAccount,
    };
    let signatures = key.life.signatures;
    let facts = Facts { lock, signatures, since: None, family: Family::Log, holding: None };
    facts.exposure().audience == Audience::Everybody
}

fn days(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.0.saturating_sub(since.0) / 1000;
    match (seconds / DAY_SECONDS, seconds / 3600) {
        (0, 0) => format!("{} min", seconds / 60),
        (0, hours) => format!("{hours} h"),
        (days, _) => format!("{days} d"),
    }
}

/// One key with everything that the log knows of it. Receipts are checked here.
pub(super) async fn show(session: &Session, key: &Name, files: &[PathBuf]) -> Result<Report, Failure> {
    let key = &vaulting::named(&session.link, key).await?;
    let words = witnessing::words(files)?;
    let roster = match words.is_empty() {
        true => member::roster(&session.config)?,
        false => reading::policy_in_force(&session.config, &session.link).await?.roster,
    };
    shown(key, &session.link.status().await?, &words, &roster)
}

fn shown(
    key: &KeyView,
    status: &NodeStatus,
    words: &[Signed<EntropyWitness>],
    roster: &Roster,
) -> Result<Report, Failure> {
    let life = &key.life;
    let mut table = Table::pairs();
    table.pair("key", &key.name);
    table.pair("state", key.state);
    table.pair("home", sharing::home(key));
    table.pair("epoch", key.epoch);
    let near = super::near::near_key(key);
    if let Some((key, listed)) = &near {
        table.pair("NEAR key", key).pair("NEAR lists it as", listed);
    }
    table.pair("terms", serde_json::to_string(&life.terms).unwrap_or_default());
    table.pair("signatures", life.signatures);
    let (mut holds, mut witnesses) = (true, serde_json::Map::new());
    for (node, receipt) in &life.receipts {
        let word = match receipt.hold() {
            Ok(()) => "holds".to_owned(),
            Err(error) => {
                holds = false;
                format!("DOES NOT HOLD: {error}")
            }
        };
        let digest = receipt.digest();
        table.pair("receipt", format!("{digest} of {node}, {}: {word}", receipt.maker));
        for it in &receipt.sources {
            table
                .pair("source", format!("{}: {} samples, {} bits claimed", it.source, it.samples, it.bits()));
        }
        let of_it = words.iter().filter(|it| it.body.receipt == digest);
        let watched = Watched::by(receipt, of_it, roster, life.witnessed.get(node));
        watched.tell(&mut table);
        holds &= watched.refused.is_empty();
        witnesses.insert(node.to_string(), watched.json());
    }
    let none_of_it = |it: &&Signed<EntropyWitness>| {
        life.receipts.values().all(|receipt| receipt.digest() != it.body.receipt)
    };
    for word in words.iter().filter(none_of_it) {
        holds = false;
        table.pair("witness", format!("{}: DOES NOT COUNT: of receipt {}", word.signer, word.body.receipt));
    }
    if life.receipts.is_empty() {
        table.pair("receipt", "none in the log");
    }
    for (node, certificate) in &life.wipes {
        table.pair("destroyed", format!("{certificate} of {node}"));
    }
    if let Some(address) = key.address.map(|it| it.to_string()).or_else(|| solana_address(key)) {
        table.pair("address", address);
    }
    if key.imported {
        table.pair("imported", "IT WAS WHOLE ONCE: every copy of it from then signs with it for ever");
    }
    let of_it = |it: &ConveningView| it.key == key.name;
    let ceremony = status.ceremonies.iter().find(|it| of_it(it));
    if let Some(it) = ceremony {
        table.pair("ceremony", sharing::progress(it, &status.runs));
    }
    let (near, runs) = (near.map(|it| it.0), sharing::runs(status, of_it));
    let json = json!({"key": key, "near": near, "witnesses": witnesses, "ceremony": ceremony, "runs": runs});
    Ok(Report { holds, ..Report::new(json, table.render()) })
}

const DAY_SECONDS: u64 = 86_400;
