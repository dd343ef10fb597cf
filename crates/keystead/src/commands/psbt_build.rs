//! `keystead psbt build` and `consolidate`: PSBTs of coins that sources show, or that a file holds.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::{Amount, Sequence, Transaction, TxOut};
use clap::Args;
use keystead_bitcoin::{
    Branch, Draft, DraftInput, Network, Owned, Place, PsbtVersion, Target, Wallet, compose, consolidate,
    parse_address, plan, read_wallet,
};
use serde::Deserialize;
use serde_json::json;

use super::Global;
use super::psbt::wallet_file;
use crate::coins::{self, Found, RateArgs, ScanArgs};
use crate::failure::Failure;
use crate::output::Report;
use crate::outside;

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// What is ours, as `keystead psbt wallet` writes it.
    #[arg(long, value_name = "FILE")]
    wallet: PathBuf,
    /// Offline: the coins that may be spent, as JSON: a list of `{"transaction": HEX, "output": NUMBER}`, each with the
    /// whole transaction that it is an output of. Without it the sources of keystead.toml are asked.
    #[arg(long, value_name = "FILE", requires = "rate", conflicts_with_all = ["gap", "birthday", "confirmations"])]
    coins: Option<PathBuf>,
    /// Whom to pay how many satoshi, ADDRESS=SAT; without it all coins become one.
    #[arg(long, value_name = "ADDRESS=SAT")]
    pay: Vec<String>,
    #[command(flatten)]
    rate: RateArgs,
    /// Where what is left goes, NAME/INDEX: bip44, bip49, bip84 or bip86 (of a wallet that others share, shared), and a place
    /// that was not used before. The first such place of bip84 or shared when it is not named; of a file of coins nobody knows
    /// which that is: place 0.
    #[arg(long, value_name = "NAME/INDEX")]
    change: Option<String>,
    #[command(flatten)]
    scan: ScanArgs,
    /// Write it to a new file; to standard output without it.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ConsolidateArgs {
    /// What is ours, as `keystead psbt wallet` writes it.
    #[arg(long, value_name = "FILE")]
    wallet: PathBuf,
    /// Only coins below this many satoshi.
    #[arg(long, value_name = "SAT", default_value_t = u64::MAX, hide_default_value = true)]
    below: u64,
    #[command(flatten)]
    rate: RateArgs,
    /// Where they go, NAME/INDEX; the first place of bip84's change that was never used when it is not named.
    #[arg(long, value_name = "NAME/INDEX")]
    change: Option<String>,
    #[command(flatten)]
    scan: ScanArgs,
    /// Write it to a new file; to standard output without it.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A coin in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CoinEntry {
    transaction: String,
    output: u32,
}

pub(super) async fn run(global: &Global, args: &BuildArgs) -> Result<Report, Failure> {
    let wallet = read_wallet(&wallet_file(&args.wallet)?)?;
    let payments = args.pay.iter().map(|it| payment(it, wallet.network())).collect::<Result<Vec<_>, _>>()?;
    let make = |coins: &[DraftInput], target: Target| match payments.as_slice() {
        [] => Ok(consolidate(&wallet, coins, target)?),
        payments => Ok(plan(&wallet, coins, payments, target)?),
    };
    let Some(file) = &args.coins else {
        let spending = Spending { scan: args.scan, rate: args.rate, change: args.change.as_deref() };
        let (draft, target) = spending.draft(global, &wallet, |coins, _| coins, make).await?;
        return written(&wallet, &draft, target, args.output.as_deref());
    };
    let change = match &args.change {
        Some(text) => change(text, &wallet)?,
        None => Owned { descriptor: usual(&wallet), place: FIRST_CHANGE },
    };
    let target = Target { sat_per_kvb: coins::rate(None, args.rate).await?, change };
    let draft = make(&read_coins(file, &wallet)?, target)?;
    written(&wallet, &draft, target, args.output.as_deref())
}

pub(super) async fn run_consolidate(global: &Global, args: &ConsolidateArgs) -> Result<Report, Failure> {
    let wallet = read_wallet(&wallet_file(&args.wallet)?)?;
    let spending = Spending { scan: args.scan, rate: args.rate, change: args.change.as_deref() };
    let make = |coins: &[DraftInput], target: Target| Ok(consolidate(&wallet, coins, target)?);
    let (draft, target) =
        spending.draft(global, &wallet, |coins, target| smallest(coins, args.below, target), make).await?;
    written(&wallet, &draft, target, args.output.as_deref())
}

/// What is spent of what the sources show.
struct Spending<'a> {
    scan: ScanArgs,
    rate: RateArgs,
    change: Option<&'a str>,
}

impl Spending<'_> {
    async fn draft(
        &self,
        global: &Global,
        wallet: &Wallet,
        chosen: impl Fn(Vec<&Found>, Target) -> Vec<&Found>,
        make: impl Fn(&[DraftInput], Target) -> Result<Draft, Failure>,
    ) -> Result<(Draft, Target), Failure> {
        let view = coins::open(&global.dir, wallet)?;
        let holdings = coins::scan(&view, wallet, self.scan).await?;
        let change = match self.change {
            Some(text) => change(text, wallet)?,
            None => holdings.unused(usual(wallet), Branch::Change),
        };
        let target = Target { sat_per_kvb: coins::rate(Some(&view), self.rate).await?, change };
        let given = chosen(holdings.deep(self.scan.confirmations), target);
        let draft = holdings.draft(&given, |coins| make(coins, target)).await?;
        Ok((draft, target))
    }
}

/// The smallest first, without those that surely cost more than they are worth.
fn smallest(mut coins: Vec<&Found>, below: u64, target: Target) -> Vec<&Found> {
    let cost = target.sat_per_kvb.saturating_mul(LARGEST_INPUT_VBYTES) / 1_000;
    coins.retain(|it| it.held.sat < below && it.held.sat > cost);
    coins.reverse();
    coins
}

/// The PSBT of a draft, in a file or on standard output.
pub(super) fn written(
    wallet: &Wallet,
    draft: &Draft,
    target: Target,
    output: Option<&Path>,
) -> Result<Report, Failure> {
    let text = compose(wallet, draft)?.to_text(PsbtVersion::Zero);
    if let Some(path) = output {
        outside::create(path, text.as_bytes())?;
    }
    let back = draft.outputs.iter().find_map(|it| it.owned);
    let json = json!({
        "psbt": text,
        "inputs": draft.inputs.len(),
        "rate_sat_per_kvb": target.sat_per_kvb,
        "change": back.and_then(|it| place(wallet, it)),
    });
    Ok(Report::new(json, text))
}

/// `bip84/1/7`.
pub(crate) fn place(wallet: &Wallet, owned: Owned) -> Option<String> {
    wallet.descriptor(owned).map(|(name, _)| format!("{name}/{}", owned.place))
}

/// The descriptor of this name.
pub(super) fn named(name: &str, wallet: &Wallet) -> Result<usize, Failure> {
    let found = wallet.descriptors().iter().position(|(it, _)| it.as_str() == name);
    let next = "bip44, bip49, bip84 or bip86; of a wallet that others share, shared";
    found.ok_or_else(|| Failure::usage(format!("`{name}` is no descriptor"), next))
}

/// The descriptor whose addresses are handed out and whose change is used when none is named: a wallet that others share
/// has one, as that of a key in shares has.
pub(super) fn usual(wallet: &Wallet) -> usize {
    wallet.descriptors().iter().position(|(it, _)| it.as_str() == BIP84).unwrap_or(0)
}

fn read_coins(path: &Path, wallet: &Wallet) -> Result<Vec<DraftInput>, Failure> {
    let failed = |what: String| Failure::new("psbt.coins", format!("{}: {what}", path.display()), COINS);
    let text = outside::read_text(path)?;
    let entries: Vec<CoinEntry> = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    let read = entries.iter().map(|it| {
        let previous: Transaction =
            deserialize_hex(&it.transaction).map_err(|error| failed(error.to_string()))?;
        let output = usize::try_from(it.output).ok().and_then(|at| previous.output.get(at));
        let script = output.map(|it| it.script_pubkey.clone());
        let owned = script.and_then(|script| wallet.find(&script, 0, SEARCHED));
        let id = previous.compute_txid();
        let owned = owned.ok_or_else(|| {
            failed(format!("output {} of {id} is not ours at the first {SEARCHED} places", it.output))
        })?;
        let sequence = Sequence::ENABLE_RBF_NO_LOCKTIME;
        Ok(DraftInput { previous, output: it.output, owned, sequence })
    });
    read.collect()
}

fn payment(text: &str, network: Network) -> Result<TxOut, Failure> {
    let wrong = || Failure::usage(format!("`{text}` is no payment"), "write ADDRESS=SAT");
    let (address, sat) = text.split_once('=').ok_or_else(wrong)?;
    let sat = u64::from_str(sat).map_err(|_| wrong())?;
    Ok(TxOut { value: Amount::from_sat(sat), script_pubkey: parse_address(address, network)? })
}

fn change(text: &str, wallet: &Wallet) -> Result<Owned, Failure> {
    let wrong = || Failure::usage(format!("`{text}` is no place"), "write bip84/7, for instance");
    let (name, index) = text.split_once('/').ok_or_else(wrong)?;
    let index = u32::from_str(index).map_err(|_| wrong())?;
    let place = Place { branch: Branch::Change, index };
    Ok(Owned { descriptor: named(name, wallet).map_err(|_| wrong())?, place })
}

const COINS: &str = "`bitcoin-cli listunspent` and `getrawtransaction` of a watch-only wallet give them";
/// How many places of each branch are searched for a coin.
const SEARCHED: u16 = 1_000;
const BIP84: &str = "bip84";
/// An input of `pkh`, the largest of the four forms.
const LARGEST_INPUT_VBYTES: u64 = 148;
const FIRST_CHANGE: Place = Place { branch: Branch::Change, index: 0 };
