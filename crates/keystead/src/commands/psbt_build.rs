//! `keystead psbt build`: a PSBT of coins from a file, at a fee rate. Offline.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::{Amount, Sequence, Transaction, TxOut};
use clap::Args;
use keystead_bitcoin::{
    Branch, DraftInput, Network, Owned, Place, PsbtVersion, Target, Wallet, compose, consolidate,
    parse_address, plan, read_wallet,
};
use serde::Deserialize;
use serde_json::json;

use super::psbt::wallet_file;
use crate::failure::Failure;
use crate::output::Report;
use crate::outside;

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// What is ours, as `keystead psbt wallet` writes it.
    #[arg(long, value_name = "FILE")]
    wallet: PathBuf,
    /// The coins that may be spent, as JSON: a list of `{"transaction": HEX, "output": NUMBER}`, each with the whole
    /// transaction that it is an output of.
    #[arg(long, value_name = "FILE")]
    coins: PathBuf,
    /// Whom to pay how many satoshi, ADDRESS=SAT; without it all coins become one.
    #[arg(long, value_name = "ADDRESS=SAT")]
    pay: Vec<String>,
    /// The fee rate, in satoshi for each virtual byte.
    #[arg(long, value_name = "SAT")]
    rate: u64,
    /// Where what is left goes, NAME/INDEX: bip44, bip49, bip84 or bip86, and a place that was not used before.
    #[arg(long, value_name = "NAME/INDEX", default_value = "bip84/0")]
    change: String,
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

pub(super) fn run(args: &BuildArgs) -> Result<Report, Failure> {
    let recorded = wallet_file(&args.wallet)?;
    let wallet = read_wallet(&recorded)?;
    let coins = coins(&args.coins, &wallet)?;
    let payments = args.pay.iter().map(|it| payment(it, wallet.network())).collect::<Result<Vec<_>, _>>()?;
    let target =
        Target { sat_per_kvb: args.rate.saturating_mul(1_000), change: change(&args.change, &wallet)? };
    let draft = match payments.as_slice() {
        [] => consolidate(&wallet, &coins, target)?,
        payments => plan(&wallet, &coins, payments, target)?,
    };
    let text = compose(&wallet, &draft)?.to_text(PsbtVersion::Zero);
    if let Some(path) = &args.output {
        outside::create(path, text.as_bytes())?;
    }
    Ok(Report::new(json!({"psbt": text, "inputs": draft.inputs.len()}), text))
}

fn coins(path: &Path, wallet: &Wallet) -> Result<Vec<DraftInput>, Failure> {
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
    let descriptor = wallet.descriptors().iter().position(|(it, _)| it.as_str() == name);
    let index = u32::from_str(index).map_err(|_| wrong())?;
    let place = Place { branch: Branch::Change, index };
    Ok(Owned { descriptor: descriptor.ok_or_else(wrong)?, place })
}

const COINS: &str = "`bitcoin-cli listunspent` and `getrawtransaction` of a watch-only wallet give them";
/// How many places of each branch are searched for a coin.
const SEARCHED: u16 = 1_000;
