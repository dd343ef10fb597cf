//! `keystead policy`: versions of the rules, before and after they are in force.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use keystead_approver::policy_words;
use keystead_base::{Canonical as _, RequestId};
use keystead_bitcoin::{Spend, SpendError, shared_wallet};
use keystead_chain::{AssetIndex, build, explain};
use keystead_decision::Entry;
use keystead_intent::{Action, ActionKind, AuthorityChange, Effects, Intent, Run};
use keystead_policy::{
    AssuranceLevel, Cooling, Direction, Engine, Facts, PolicyVersion, Prices, Question, Ruling, Simulated,
    Subject, check_next, compare,
};
use keystead_solana::{Cluster, Pubkey};
use keystead_wire::RequestStage;
use serde_json::{Value, json};

use super::approve::{ApproveArgs, approve};
use super::init::policy_file;
use super::policy_prove::{ProveArgs, direction, prove};
use super::{Global, REQUEST_LIFETIME, Session};
use crate::asking::{approvers_next, standing};
use crate::failure::Failure;
use crate::link::Link;
use crate::output::{Report, Voice};
use crate::table::Table;
use crate::{outside, reading};

/// A version is whole: rules, limits, quorums, address book, assets, roster. It names its predecessor, and is
/// in force once the people that the version before it demands have approved it.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Compile a version from a JSON file, and show what it would change on the last real requests; or ask
    /// what it says to one request.
    ///
    /// Example: keystead policy check next.json --last 100
    ///
    /// Example: keystead policy check next.json --request intent.json
    Check {
        /// The version, as JSON.
        file: PathBuf,
        /// On how many of the last requests of the log to try it; 0 asks no node.
        #[arg(long, default_value_t = 0)]
        last: usize,
        /// A stored request by id, or a hypothetical one as a JSON file.
        #[arg(long)]
        request: Option<String>,
    },
    /// Have a solver (cvc5) prove stated properties of a version, or refute them with a request; and in which
    /// direction it changes what may be signed.
    ///
    /// Example: keystead policy prove next.json --properties desk.cedar
    ///
    /// Example: keystead policy prove next.json --against current.json
    Prove(ProveArgs),
    /// Ask for a version to take the place of the one in force. Number and predecessor are filled in.
    ///
    /// Example: keystead policy propose next.json --as ana
    Propose {
        /// The version, as JSON.
        file: PathBuf,
        /// Also where no solver can say whether it tightens or loosens what may be signed.
        #[arg(long)]
        unproven: bool,
    },
    /// Approve a proposed version; the same as `keystead approve`.
    ///
    /// Example: keystead policy approve 5f0c… --as ben
    Approve(ApproveArgs),
    /// Wait until a proposed version is in force. It activates by itself once enough people approved.
    ///
    /// Example: keystead policy activate 5f0c… --wait 60
    Activate {
        /// The request.
        request: RequestId,
        /// For so many seconds.
        #[arg(long, default_value_t = 30)]
        wait: u64,
    },
    /// Show the version in force, or another one.
    ///
    /// Example: keystead policy show --json > next.json
    Show {
        /// Which one.
        #[arg(long)]
        number: Option<u64>,
    },
}

pub(crate) async fn run(global: &Global, command: PolicyCommand, voice: Voice) -> Result<Report, Failure> {
    match command {
        PolicyCommand::Check { file, last, request } => check(global, &file, last, request.as_deref()).await,
        PolicyCommand::Prove(args) => prove(global, &args, voice).await,
        PolicyCommand::Propose { file, unproven } => propose(global, &file, unproven).await,
        PolicyCommand::Approve(args) => approve(global, &args, voice).await,
        PolicyCommand::Activate { request, wait } => {
            let session = Session::open(global).await?;
            let view = session.link.wait(request, Duration::from_secs(wait)).await?;
            let mut report = Report::new(json!({"request": view}), standing(&view));
            report.holds = view.stage == RequestStage::Applied;
            Ok(report)
        }
        PolicyCommand::Show { number } => {
            let session = Session::open(global).await?;
            let policy = match number {
                Some(number) => session.link.policy(Some(number)).await?,
                None => reading::policy_in_force(&session.config, &session.link).await?,
            };
            Ok(Report::new(json!(policy), overview(&policy)))
        }
    }
}

/// Nothing of it left out: what people approved is what they see here.
fn overview(policy: &PolicyVersion) -> String {
    let mut table = Table::pairs();
    table.pair("version", policy.number).pair("digest", policy.digest());
    let mut parts = vec![table.render().trim_end().to_owned()];
    for (title, lines) in [
        ("Members", policy_words::members(&policy.roster)),
        ("Limits", policy_words::limits(policy)),
        ("Who must approve", policy_words::quorums(policy)),
        ("Rules", policy_words::registry(policy)),
    ] {
        let lines = lines.iter().map(|line| format!("  {}", policy_words::unambiguous(line)));
        parts.push(format!("{title}\n{}", lines.collect::<Vec<_>>().join("\n")));
    }
    parts.join("\n\n") + "\n"
}

fn list(items: impl Iterator<Item = impl ToString>) -> String {
    items.map(|it| it.to_string()).collect::<Vec<_>>().join(", ")
}

async fn propose(global: &Global, file: &Path, unproven: bool) -> Result<Report, Failure> {
    let session = Session::open(global).await?;
    let current = reading::policy_in_force(&session.config, &session.link).await?;
    let next = PolicyVersion {
        number: current.number.saturating_add(1),
        previous: current.digest(),
        ..policy_file(file)?
    }
    .into_canonical();
    Engine::compile(next.clone())?;
    let sections = check_next(&current, &next)?.names().join(", ");
    let told = direction(&current, &next).await;
    told.required(unproven)?;
    let change = AuthorityChange::Policy { document: next.to_document().into() };
    let view = session.speaker().ask(Action::Authority(change), REQUEST_LIFETIME).await?;
    let text = format!(
        "request {}\nversion {} would change: {sections}\n{}\n{}{}",
        view.request,
        next.number,
        told.line,
        standing(&view),
        approvers_next(&view, "keystead policy approve")
    );
    let mut report =
        Report::new(json!({"request": view, "sections": sections, "direction": told.json}), text);
    report.holds = view.stage != RequestStage::Denied;
    Ok(report)
}

/// A request with what it would do, and what came of it when the nodes ran it.
struct Asked {
    intent: Intent,
    effects: Effects,
    run: Option<Run>,
}

impl Asked {
    fn simulated(&self) -> Simulated<'_> {
        match (&self.run, self.intent.action.kind()) {
            (Some(run), _) => Simulated::Ran(run),
            (None, ActionKind::Message | ActionKind::TypedData) => Simulated::NotApplicable,
            (None, ActionKind::Psbt | ActionKind::Solana | ActionKind::Near) => Simulated::NotApplicable,
            (None, _) if self.effects.coins.is_some() => Simulated::NotApplicable,
            (None, _) => Simulated::No,
        }
    }
}

async fn check(global: &Global, file: &Path, last: usize, request: Option<&str>) -> Result<Report, Failure> {
    let next = policy_file(file)?.into_canonical();
    let engine = Engine::compile(next.clone())?;
    let compiled = format!(
        "version {} compiles: {} rules, {} windows, {} quorum rows\n",
        next.number,
        next.rules.len(),
        next.windows.len(),
        next.quorums.len()
    );
    if let Some(request) = request {
        return explained(global, &engine, request).await;
    }
    if last == 0 {
        return Ok(Report::new(json!({"compiles": true}), compiled));
    }
    let session = Session::open(global).await?;
    let current = reading::policy_in_force(&session.config, &session.link).await?;
    let current = Engine::compile(current)?;
    let asked = latest(&session.link, &current, last).await?;
    let (table, json) = differences(&current, &engine, &asked);
    let unknown = unknown_runs(&asked, &[current.version(), engine.version()]);
    let text = format!("{compiled}tried on {} of the last requests{unknown}\n{table}", asked.len());
    Ok(Report::new(json!({"compiles": true, "tried": asked.len(), "differences": json}), text))
}

/// Says so where rules about runs see the worst because no run is known.
fn unknown_runs(asked: &[Asked], versions: &[&PolicyVersion]) -> String {
    let unknown = asked.iter().filter(|it| matches!(it.simulated(), Simulated::No)).count();
    match versions.iter().any(|it| it.simulation.is_some()) && unknown > 0 {
        true => format!("; {unknown} of them with no run known here, so that rules about runs see the worst"),
        false => String::new(),
    }
}

fn differences(current: &Engine, next: &Engine, asked: &[Asked]) -> (String, Vec<Value>) {
    let prices = Prices::default();
    let cooling = Cooling::default();
    let facts: Vec<_> = asked.iter().map(|it| facts(it, &prices, &cooling)).collect();
    let questions: Vec<_> = asked.iter().zip(&facts).map(|(it, facts)| question(it, facts)).collect();
    let mut table = Table::new(&["request", "change", "before", "after"]);
    let mut found = Vec::new();
    for difference in compare(current, next, &questions) {
        let Some(it) = asked.get(difference.index) else { continue };
        let word = match difference.direction {
            Direction::Denies => "would be DENIED",
            Direction::Permits => "would PASS",
            Direction::Terms => "other terms",
            Direction::Reasons => "other reasons",
        };
        let before = ruling(&difference.before, current.version());
        let after = ruling(&difference.after, next.version());
        table.row([it.intent.id().to_string(), word.to_owned(), before, after]);
        found.push(json!({"request": it.intent.id(), "change": word, "before": difference.before, "after": difference.after}));
    }
    match found.is_empty() {
        true => ("nothing would change\n".to_owned(), found),
        false => (table.render(), found),
    }
}

fn ruling(ruling: &Ruling, version: &PolicyVersion) -> String {
    match ruling {
        Ruling::Deny { reasons, .. } => {
            format!("deny: {}", reasons.first().map(|reason| reason.words(version)).unwrap_or_default())
        }
        Ruling::Pass { requirement, .. } => {
            format!("pass: {} people, {} s", requirement.people(), requirement.delay_seconds)
        }
    }
}

/// Prices, cool-offs and who has which nonce are left out: what a fiat window, a young entry or a gap says is known only
/// in the log.
fn facts<'a>(asked: &'a Asked, prices: &'a Prices, cooling: &'a Cooling) -> Facts<'a> {
    let simulation = asked.simulated();
    Facts {
        now: outside::now(),
        account: None,
        assurance: AssuranceLevel::Process,
        prices,
        cooling,
        simulation,
        nonce_ahead: 0,
        drill_age_seconds: 0,
    }
}

fn question<'a>(asked: &'a Asked, facts: &'a Facts<'a>) -> Question<'a> {
    Question {
        requester: &asked.intent.requester,
        action: asked.intent.action.kind(),
        key: asked.intent.action.account().map(|account| &account.key),
        subject: Subject::Payload(&asked.effects),
        facts,
    }
}

/// The last requests with bytes to sign, newest first. The log is read backwards until there are enough.
async fn latest(link: &Link, engine: &Engine, last: usize) -> Result<Vec<Asked>, Failure> {
    let (mut end, mut asked) = (link.status().await?.height, Vec::new());
    while end > 0 && asked.len() < last {
        let start = end.saturating_sub(keystead_wire::MAX_SENT_BLOCKS - 1).max(1);
        let mut intents = between(link, start, end).await?;
        intents.retain(|intent| intent.action.kind() != ActionKind::Authority);
        for intent in intents.into_iter().rev().take(last - asked.len()) {
            let Ok(effects) = effects(link, engine, &intent).await else { continue };
            // A request that the cluster remembers no more has no run that anybody could show.
            let run = link.request(intent.id()).await.ok().and_then(|it| it.simulation).map(|it| it.run);
            asked.push(Asked { intent, effects, run });
        }
        end = start - 1;
    }
    Ok(asked)
}

/// What was asked for in these blocks, oldest first.
async fn between(link: &Link, start: u64, end: u64) -> Result<Vec<Intent>, Failure> {
    let (mut from, mut intents) = (start, Vec::new());
    while from <= end {
        let blocks = link.blocks(from).await?;
        let Some(newest) = blocks.last().map(|block| block.commit.header.height) else { break };
        let wanted = blocks.into_iter().filter(|block| block.commit.header.height <= end);
        intents.extend(wanted.flat_map(|block| block.entries).flat_map(requests));
        from = newest + 1;
    }
    Ok(intents)
}

fn requests(entry: Entry) -> Vec<Intent> {
    match entry {
        Entry::Requests(signed) => signed.body.intents,
        _ => Vec::new(),
    }
}

async fn effects(link: &Link, engine: &Engine, intent: &Intent) -> Result<Effects, Failure> {
    let version = engine.version();
    let account = intent.action.account().ok_or_else(|| {
        Failure::usage(
            "a change of authority has no effects on a chain",
            "`keystead policy propose` checks it",
        )
    })?;
    let named = link.key(&account.key).await?;
    let named = named.as_ref();
    if let Action::Psbt(it) = &intent.action {
        let wallet = named.and_then(|key| key.signing_wallet(it.chain));
        let wallet =
            wallet.ok_or_else(|| Failure::usage("the key has no wallet there", "name another network"))?;
        let wallet = match &it.shared {
            None => wallet.clone(),
            Some(name) => {
                let terms = version.bitcoin.as_ref();
                let found = terms.and_then(|terms| terms.shared_wallet(it.chain, &it.account.key, name));
                let found =
                    found.ok_or_else(|| Failure::usage("policy has no such wallet", "register it"))?;
                shared_wallet(wallet, &found.descriptor).map_err(SpendError::from)?
            }
        };
        return Ok(Spend::read(&wallet, &it.psbt)?.effects());
    }
    if let Action::Solana(it) = &intent.action {
        let key = named.and_then(|key| key.signing_account()?.ed25519_key()).map(Pubkey);
        let (key, cluster) = key.zip(Cluster::of(it.chain)).ok_or_else(|| {
            Failure::usage("the key has no address there", "name a key of Ed25519 and a cluster of Solana's")
        })?;
        return Ok(keystead_solana::Unsigned::read(cluster, key, &it.message)?.effects());
    }
    if let Action::Near(it) = &intent.action {
        let key = named.and_then(keystead_wire::KeyView::signing_account);
        let (key, network) = key.zip(keystead_near::Network::of(it.chain)).ok_or_else(|| {
            Failure::usage("the key signs nothing there", "name a key of ML-DSA-65 and a network of NEAR's")
        })?;
        return Ok(keystead_near::Unsigned::read(network, &key, &it.transaction)?.effects(engine.registry()));
    }
    let key = named.and_then(keystead_wire::KeyView::signing_account);
    let address = key.and_then(|it| it.address(account.index)).unwrap_or_default();
    let unsigned = build(&intent.action, address)?;
    Ok(explain(&unsigned, &AssetIndex::new(&version.assets, &version.contracts)?))
}

async fn explained(global: &Global, engine: &Engine, request: &str) -> Result<Report, Failure> {
    let session = Session::open(global).await?;
    let (intent, simulation) = match request.parse::<RequestId>() {
        Ok(id) => session.link.request(id).await.map(|it| (it.intent, it.simulation))?,
        Err(_) => (Intent::from_json(&outside::read_text(Path::new(request))?)?, None),
    };
    let effects = effects(&session.link, engine, &intent).await?;
    let prices = Prices::default();
    let cooling = Cooling::default();
    let asked = Asked { intent, effects, run: simulation.map(|it| it.run) };
    let facts = facts(&asked, &prices, &cooling);
    let found = engine.decide(&question(&asked, &facts));
    let registry = AssetIndex::new(&engine.version().assets, &engine.version().contracts)?;
    let own = asked.intent.action.account().zip(asked.effects.slot).map(|(it, slot)| (slot.account, it));
    let language = session.library.language();
    let lines = reading::words(&asked.effects, &registry, engine.version(), own, language);
    let reasons: Vec<String> = found.reasons().iter().map(|it| it.words(engine.version())).collect();
    let unknown = unknown_runs(std::slice::from_ref(&asked), &[engine.version()]);
    let mut text = format!("{}\n\n{}{unknown}\n", lines.join("\n"), ruling(&found, engine.version()));
    reasons.iter().for_each(|reason| text.push_str(&format!("  {reason}\n")));
    text.push_str(&format!("rules: {}\n", list(found.rules().iter())));
    let json = json!({"ruling": found, "effects": asked.effects, "words": lines, "reasons": reasons});
    Ok(Report::new(json, text))
}
