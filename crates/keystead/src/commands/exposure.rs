//! `keystead exposure`: which public keys a quantum computer would break, and what to do about each.

use std::path::Path;

use clap::Args;
use keystead_decision::Strict;
use keystead_intent::ChainId;
use keystead_ledger::{Auditor, StoredBlock};
use keystead_policy::PolicyVersion;
use keystead_quantum::exposure::{Audience, Exposure, Holding, WayOut};
use serde_json::{Value, json};

use super::request::chain_view;
use super::{Global, Session};
use crate::balances::Balances;
use crate::coins::{self, ScanArgs};
use crate::exposed::{self, Balance, Held, Row, Signed};
use crate::failure::Failure;
use crate::member;
use crate::output::{Report, Voice};
use crate::table::Table;

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct ExposureArgs {
    /// Look for coins at the sources in keystead.toml, and weigh what lies open by how much it is and for how long.
    #[arg(long)]
    coins: bool,
    /// Ask the chain in keystead.toml what each account holds: its coin, and the tokens that policy registers. Accounts that hold
    /// nothing come last.
    #[arg(long)]
    balances: bool,
    #[command(flatten)]
    scan: ScanArgs,
}

/// Nothing here believes the node: what was signed is read from the log, checked from the pinned genesis on.
pub(crate) async fn run(global: &Global, args: &ExposureArgs, voice: Voice) -> Result<Report, Failure> {
    let session = Session::open(global).await?;
    let genesis = member::genesis(&session.config)?;
    let controls = Strict::default();
    let mut auditor = Auditor::begin(&genesis, session.config.cluster, &controls)?;
    let mut signed = Signed::default();
    let mut from = 1;
    loop {
        let blocks = session.link.blocks(from).await?;
        let Some(last) = blocks.last() else { break };
        from = last.commit.header.height + 1;
        for block in blocks {
            let entries = block.entries.clone();
            let decisions = auditor.block(StoredBlock { commit: block.commit, entries: block.entries })?;
            signed.read(auditor.state(), &entries, &decisions);
        }
        voice.progress(&format!("{} blocks", from - 1));
    }
    let (mut rows, wallets) = signed.rows(auditor.state())?;
    let mut unknown = vec![ELSEWHERE.to_owned(), FILES.to_owned()];
    unknown.extend(match args.balances {
        true => look(&session, &auditor.state().policy().engine.version().clone(), &mut rows, voice).await?,
        false => vec![BALANCES.to_owned()],
    });
    for held in &wallets {
        match args.coins {
            true => unknown.extend(weigh(&global.dir, held, args.scan, &mut rows).await?),
            false => {
                unknown.push(format!("what lies in the wallet on {}: --coins looks", exposed::network(held)))
            }
        }
    }
    if signed.unread > 0 {
        unknown.push(format!("from where {} PSBTs spent, whose wallet the log has no more", signed.unread));
    }
    unknown.dedup();
    let log = auditor.finish()?;
    let judge = |row: Row| {
        let exposure = row.facts.exposure();
        (row, exposure)
    };
    let mut judged: Vec<(Row, Exposure)> = rows.into_iter().map(judge).collect();
    judged.sort_by_key(|(_, exposure)| exposure.rank());
    let json = json!({
        "addresses": judged.iter().map(|(row, exposure)| shown(row, exposure)).collect::<Vec<_>>(),
        "not_known": unknown,
        "log": {"blocks": log.blocks, "root": log.root},
    });
    Ok(Report::new(json, text(&judged, &unknown)))
}

/// Puts into the rows of accounts what each holds on the chain that keystead.toml names. What is still not known then.
async fn look(
    session: &Session,
    policy: &PolicyVersion,
    rows: &mut [Row],
    voice: Voice,
) -> Result<Vec<String>, Failure> {
    let view = chain_view(session).await?;
    for row in rows {
        let (Some(view), Some(owner)) = (&view, row.account) else { continue };
        voice.progress(&format!("asking for what {owner} holds"));
        let held = Balances::of(owner, view, policy).await?;
        let chain = ChainId(view.chain_id());
        let balance = |(asset, amount, shown)| Balance { chain, asset, amount, shown };
        row.balances = held.lines(view, policy).into_iter().map(balance).collect();
        if held.is_empty() {
            row.facts.holding = Some(Holding { amount: 0, amount_blocks: 0 });
        }
    }
    let looked = view.map(|it| ChainId(it.chain_id()));
    let others = policy.chains.iter().filter(|it| it.bitcoin().is_none() && Some(**it) != looked);
    let not_asked =
        others.map(|chain| format!("what accounts on {chain} hold: keystead.toml names no endpoints of it"));
    Ok(not_asked.chain([UNREGISTERED.to_owned()]).collect())
}

/// Puts the coins of a wallet into its rows; a network without sources stays unknown, and that is said.
async fn weigh(
    folder: &Path,
    held: &Held,
    scan: ScanArgs,
    rows: &mut [Row],
) -> Result<Option<String>, Failure> {
    let view = match coins::open(folder, &held.wallet) {
        Ok(view) => view,
        Err(failure) if failure.code == "psbt.no_sources" => {
            return Ok(Some(format!(
                "what lies in the wallet on {}: no sources of coins",
                exposed::network(held)
            )));
        }
        Err(failure) => return Err(failure),
    };
    let holdings = coins::scan(&view, &held.wallet, scan).await?;
    for at in held.places.values().chain(held.others.values()) {
        if let Some(row) = rows.get_mut(*at) {
            row.facts.holding = Some(Holding { amount: 0, amount_blocks: 0 });
        }
    }
    for coin in &holdings.coins {
        let at = held.places.get(&coin.owned).or_else(|| held.others.get(&coin.owned.descriptor));
        if let Some(holding) = at.and_then(|at| rows.get_mut(*at)).and_then(|row| row.facts.holding.as_mut())
        {
            let (sat, blocks) = (coin.held.sat, u64::from(coin.confirmations));
            holding.amount = holding.amount.saturating_add(sat);
            holding.amount_blocks = holding.amount_blocks.saturating_add(sat.saturating_mul(blocks));
        }
    }
    Ok(None)
}

fn shown(row: &Row, exposure: &Exposure) -> Value {
    json!({
        "key": row.key,
        "chain": row.chain,
        "place": row.place,
        "address": row.address,
        "lock": row.facts.lock,
        "signatures": row.facts.signatures,
        "since": row.facts.since,
        "extended_key": row.facts.family,
        "seen_by": exposure.audience,
        "way_out": exposure.way_out,
        "holding": row.facts.holding,
        "balances": row.balances,
        "weight": exposure.weight,
    })
}

fn text(judged: &[(Row, Exposure)], unknown: &[String]) -> String {
    let mut table =
        Table::new(&["seen by", "key", "chain", "place", "address", "signed", "amount", "way out"]);
    for (row, exposure) in judged {
        table.row([
            audience(exposure.audience).to_owned(),
            row.key.to_string(),
            row.chain.clone(),
            row.place.clone(),
            row.address.clone().unwrap_or_default(),
            row.facts.signatures.to_string(),
            amount(row),
            way_out(exposure.way_out).to_owned(),
        ]);
    }
    let lines: String = unknown.iter().map(|it| format!("  {it}\n")).collect();
    format!("{}\nnot known here:\n{lines}", table.render())
}

/// What lies there, where somebody looked.
fn amount(row: &Row) -> String {
    match row.facts.holding {
        Some(holding) => holding.amount.to_string(),
        None if row.balances.is_empty() => "?".to_owned(),
        None => row.balances.iter().map(|it| &*it.shown).collect::<Vec<_>>().join(", "),
    }
}

fn audience(it: Audience) -> &'static str {
    match it {
        Audience::Everybody => "EVERYBODY",
        Audience::CoSigners => "co-signers",
        Audience::LogHolders => "log holders",
        Audience::Nobody => "nobody",
    }
}

fn way_out(it: WayOut) -> &'static str {
    match it {
        WayOut::KeepTheLog => "keep the log and files for watching among few",
        WayOut::FreshPlace => {
            "move all that is left there to a fresh place (psbt address), never use this one again"
        }
        WayOut::HashedForm => "keep what lies long in bip84, or in a wallet that others share",
        WayOut::FreshAccount => {
            "keep what lies long in an account that never signed, or in a contract whose owner can change"
        }
        WayOut::OtherChain => "no account of this chain hides its key: let little lie there",
    }
}

const ELSEWHERE: &str = "what was signed with these keys elsewhere, before they came or after they left";
const FILES: &str = "who has what `psbt wallet` and `psbt watch` wrote";
const BALANCES: &str = "what accounts on Ethereum and Solana hold: --balances looks";
const UNREGISTERED: &str =
    "tokens that policy does not register, and since when an account has what it holds";
