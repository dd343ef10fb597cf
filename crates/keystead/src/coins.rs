//! The coins of a wallet, as the sources of this machine's configuration show them: found, waited for, and priced.

use std::path::Path;

use bitcoin::{Amount, Sequence};
use clap::Args;
use keystead_bitcoin::{
    Branch, Draft, DraftInput, GAP_LIMIT, MAX_GAP, MAX_SPEND_INPUTS, Owned, Search, Wallet,
};
use keystead_transmit::coins::{CoinView, Held, Mined};

use crate::config::Config;
use crate::failure::{Advise as _, Failure};

/// How coins are looked for.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ScanArgs {
    /// A branch is searched until so many places in a row were never paid to.
    #[arg(long, value_name = "PLACES", default_value_t = GAP_LIMIT, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_GAP)))]
    pub(crate) gap: u16,
    /// The height at which the wallet was made, or an earlier one: a Bitcoin Core node searches from there on.
    #[arg(long, value_name = "HEIGHT", default_value_t = 0)]
    pub(crate) birthday: u32,
    /// How many blocks a coin needs, its own included, before it is spent.
    #[arg(long, value_name = "BLOCKS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) confirmations: u32,
}

/// What to pay for space in a block.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct RateArgs {
    /// The fee rate, in satoshi for each virtual byte; what the sources estimate when it is not named.
    #[arg(long, value_name = "SAT")]
    pub(crate) rate: Option<u64>,
    /// In how many blocks it should be there, for the estimate.
    #[arg(long, value_name = "BLOCKS", default_value_t = 6, conflicts_with = "rate", value_parser = clap::value_parser!(u16).range(1..=1008))]
    pub(crate) blocks: u16,
    /// The most that an estimate may ask for, in satoshi for each virtual byte.
    #[arg(long, value_name = "SAT", default_value_t = 200)]
    pub(crate) max_rate: u64,
}

/// A coin, and where it is ours.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) held: Held,
    pub(crate) owned: Owned,
    /// How many blocks it has.
    pub(crate) confirmations: u32,
}

/// A wallet up to a block.
pub(crate) struct Holdings<'a> {
    view: &'a CoinView,
    wallet: &'a Wallet,
    search: Search<&'a Wallet>,
    pub(crate) tip: Mined,
    pub(crate) coins: Vec<Found>,
}

/// The sources of a network; each is held to its chain before it is asked anything.
pub(crate) fn open(folder: &Path, wallet: &Wallet) -> Result<CoinView, Failure> {
    Config::read(folder)?.coins(wallet.network())
}

/// Searches all branches of the wallet up to the newest block that enough sources agree on.
pub(crate) async fn scan<'a>(
    view: &'a CoinView,
    wallet: &'a Wallet,
    args: ScanArgs,
) -> Result<Holdings<'a>, Failure> {
    let tip = view.tip().await.advise(ASK_AGAIN)?;
    let mut holdings =
        Holdings { view, wallet, search: Search::new(wallet, args.gap), tip, coins: Vec::new() };
    loop {
        let asked = holdings.search.ask();
        if asked.is_empty() {
            break;
        }
        let history = view.history(asked, tip, args.birthday).await.advise(ASK_AGAIN)?;
        holdings.search.found(&history.used);
        for held in history.coins {
            holdings.take(held);
        }
    }
    holdings.coins.sort_by_key(|it| (std::cmp::Reverse(it.held.sat), it.held.outpoint));
    Ok(holdings)
}

impl Holdings<'_> {
    fn take(&mut self, held: Held) {
        let confirmations = (self.tip.height + 1).saturating_sub(held.mined.height);
        if let Some(owned) = self.search.place(&held.script) {
            self.coins.push(Found { held, owned, confirmations });
        }
    }

    /// The first place of a branch after the last one that was ever paid to.
    pub(crate) fn unused(&self, descriptor: usize, branch: Branch) -> Owned {
        self.search.unused(descriptor, branch)
    }

    /// A draft of coins that nothing waits to spend already: `make` chooses among those given.
    pub(crate) async fn draft(
        &self,
        given: &[&Found],
        make: impl Fn(&[DraftInput]) -> Result<Draft, Failure>,
    ) -> Result<Draft, Failure> {
        let mut inputs = self.inputs(given).await?;
        loop {
            let draft = make(&inputs)?;
            let mut waiting = Vec::new();
            for it in &draft.inputs {
                if !self.is_free(it).await {
                    waiting.push((it.previous.compute_txid(), it.output));
                }
            }
            if waiting.is_empty() {
                return Ok(draft);
            }
            inputs.retain(|it| !waiting.contains(&(it.previous.compute_txid(), it.output)));
        }
    }

    /// A coin of which the sources do not agree that it is free is left alone.
    async fn is_free(&self, it: &DraftInput) -> bool {
        let coin = bitcoin::OutPoint { txid: it.previous.compute_txid(), vout: it.output };
        matches!(self.view.is_spent(coin).await, Ok(false))
    }

    /// Coins that are deep enough, the largest first.
    pub(crate) fn deep(&self, confirmations: u32) -> Vec<&Found> {
        self.coins.iter().filter(|it| it.confirmations >= confirmations && !it.is_immature()).collect()
    }

    /// As many as a request may have inputs, each with the transaction that it is an output of.
    async fn inputs(&self, given: &[&Found]) -> Result<Vec<DraftInput>, Failure> {
        let mut inputs = Vec::new();
        for it in given.iter().take(MAX_SPEND_INPUTS) {
            inputs.push(self.input(it).await?);
        }
        Ok(inputs)
    }

    /// INVARIANT S2: amount and script are those of the transaction that has this hash.
    async fn input(&self, it: &Found) -> Result<DraftInput, Failure> {
        let outpoint = it.held.outpoint;
        let previous =
            self.view.transaction(outpoint.txid, Some(it.held.mined.block)).await.advise(ASK_AGAIN)?;
        let output = usize::try_from(outpoint.vout).ok().and_then(|at| previous.output.get(at));
        let is_so = output.is_some_and(|output| {
            output.value == Amount::from_sat(it.held.sat)
                && self.wallet.is_at(&output.script_pubkey, it.owned)
        });
        match is_so {
            true => {
                let sequence = Sequence::ENABLE_RBF_NO_LOCKTIME;
                Ok(DraftInput { previous, output: outpoint.vout, owned: it.owned, sequence })
            }
            false => {
                let what = format!("the sources say of {outpoint} what its transaction does not say");
                Err(Failure::new("psbt.coins", what, "they agree on a lie: use other sources"))
            }
        }
    }
}

impl Found {
    /// A miner's coin cannot be spent for a hundred blocks.
    pub(crate) fn is_immature(&self) -> bool {
        self.held.coinbase && self.confirmations < MATURITY
    }
}

/// The fee rate for a thousand virtual bytes: as given, or as enough sources estimate it, within its bounds.
pub(crate) async fn rate(view: Option<&CoinView>, args: RateArgs) -> Result<u64, Failure> {
    match (args.rate, view) {
        (Some(rate), _) => Ok(rate.saturating_mul(1_000)),
        (None, Some(view)) => {
            let estimate = view.fee_rate(args.blocks).await.advise("name the fee rate with --rate")?;
            Ok(estimate.clamp(RELAY_SAT_PER_KVB, args.max_rate.saturating_mul(1_000).max(RELAY_SAT_PER_KVB)))
        }
        (None, None) => Err(Failure::usage("nobody estimates the fee rate", "name it with --rate")),
    }
}

const ASK_AGAIN: &str =
    "sources that are at different blocks agree again soon: try once more; else `--json` shows who fails";
/// What nodes ask for relaying a transaction (Bitcoin Core's default was this for long).
pub(crate) const RELAY_SAT_PER_KVB: u64 = 1_000;
pub(crate) const MATURITY: u32 = 100;
