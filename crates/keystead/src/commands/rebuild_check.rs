//! `keystead rebuild check`: what the chain shows of our accounts, and the log does not know.

use clap::Args;
use keystead_decision::Strict;
use keystead_intent::ChainId;
use keystead_ledger::Auditor;
use serde_json::json;

use super::{Global, Session, audit};
use crate::failure::Failure;
use crate::member;
use crate::output::{Report, Voice};
use crate::rebuild::{Account, compare};
use crate::setup::Sight;
use crate::table::Table;

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    sight: Sight,
    /// How many addresses of each key are looked at, beside those that the log used.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=MAX_ADDRESSES))]
    addresses: u32,
}

pub(super) async fn check(global: &Global, args: &CheckArgs, voice: Voice) -> Result<Report, Failure> {
    let session = Session::open(global).await?;
    let genesis = member::genesis(&session.config)?;
    let controls = Strict::default();
    let mut auditor = Auditor::begin(&genesis, session.config.cluster, &controls)?;
    audit::follow(&session, &mut auditor, u64::MAX, voice).await?;
    let state = auditor.state();
    let chains = &state.policy().engine.version().chains;
    let outlook = args.sight.outlook(chains)?;
    let accounts = compare(state, &outlook.view()?, args.addresses).await?;
    let elsewhere = chains.iter().copied().filter(|it| it.0 != outlook.chain()).collect();
    let (height, rebuilt, chain) = (state.height(), state.is_rebuilt(), outlook.chain());
    let looked = Looked { height, rebuilt, chain, addresses: args.addresses, elsewhere };
    Ok(looked.report(&accounts))
}

/// Where somebody looked, and where not.
struct Looked {
    height: u64,
    rebuilt: bool,
    chain: u64,
    addresses: u32,
    elsewhere: Vec<ChainId>,
}

impl Looked {
    fn report(&self, accounts: &[Account]) -> Report {
        let unknown: u64 = accounts.iter().map(|it| it.strangers).sum();
        let json = json!({
            "height": self.height, "rebuilt": self.rebuilt, "chain": self.chain,
            "addresses": self.addresses, "elsewhere": self.elsewhere, "unknown": unknown, "accounts": accounts,
        });
        let text =
            format!("{}{}{}{}", self.verdict(unknown), table(accounts), self.extent(accounts), self.next());
        let mut report = Report::new(json, text);
        report.holds = unknown == 0;
        report
    }

    fn verdict(&self, unknown: u64) -> String {
        match unknown {
            0 => format!(
                "chain {} shows no final transaction of these accounts that the log does not know\n",
                self.chain
            ),
            count => format!(
                "{count} TRANSACTIONS ARE NOT IN THE LOG: no limit counts them. Find out what they are before anybody thaws;\n\
                 the nonces are taken on the chain, and requests for them would die\n"
            ),
        }
    }

    /// No more is claimed than was looked at.
    fn extent(&self, accounts: &[Account]) -> String {
        let other = match self.elsewhere.as_slice() {
            [] => String::new(),
            all => {
                let names = all.iter().map(|it| it.0.to_string()).collect::<Vec<_>>().join(", ");
                format!("; NOT the chains {names}: run it for each (--chain ID)")
            }
        };
        format!(
            "looked at: {} accounts on chain {}, which are the first {} addresses of each key (--addresses N) and those that \
             the log gave a nonce{other}\nnot seen: what is not final yet, and what others may move (allowances, owners of \
             contracts)\n",
            accounts.len(),
            self.chain,
            self.addresses
        )
    }

    fn next(&self) -> &'static str {
        match self.rebuilt {
            true => {
                "next: keystead thaw --as NAME, once all agree; it takes one more of each role than usual"
            }
            false => "the cluster is not waiting for a thaw after a rebuild",
        }
    }
}

fn table(accounts: &[Account]) -> String {
    let columns = ["account", "key", "final", "unknown to the log", "not settled yet", "may still execute"];
    let mut table = Table::new(&columns);
    for it in accounts.iter().filter(|it| it.executed > 0 || !it.outstanding.is_empty()) {
        table.row([
            it.account.to_string(),
            it.key.as_ref().map(ToString::to_string).unwrap_or_default(),
            it.executed.to_string(),
            some_of(&it.unknown, it.strangers),
            numbers(&it.unsettled),
            numbers(&it.outstanding),
        ]);
    }
    table.render()
}

fn numbers(all: &[u64]) -> String {
    all.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}

/// The nonces that are listed, and how many there are where those are not all.
fn some_of(listed: &[u64], all: u64) -> String {
    let more = all.saturating_sub(listed.len() as u64);
    if more == 0 { numbers(listed) } else { format!("{} and {more} more", numbers(listed)) }
}

/// As many addresses of one key are asked for at most: each is a question to every endpoint.
const MAX_ADDRESSES: i64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_claimed_than_was_looked_at() {
        let mut looked = Looked { height: 9, rebuilt: true, chain: 1, addresses: 3, elsewhere: Vec::new() };
        let said = looked.report(&[]).text;
        assert!(said.contains("0 accounts on chain 1, which are the first 3 addresses"), "{said}");
        assert!(!said.contains("NOT the chains"), "{said}");
        looked.elsewhere = vec![ChainId(10), ChainId(137)];
        let said = looked.report(&[]).text;
        assert!(said.contains("NOT the chains 10, 137"), "{said}");
        assert!(said.contains("chain 1 shows no final transaction of these accounts"), "{said}");
        assert_eq!((some_of(&[4, 5], 2), some_of(&[4, 5], 9)), ("4 5".into(), "4 5 and 7 more".into()));
    }
}
