//! `keystead psbt bump`: the same payment from the same coins, with a higher fee (BIP-125).

use std::path::{Path, PathBuf};

use clap::Args;
use keystead_bitcoin::{
    Draft, Psbt, Target, Terms, View, Wallet, check_replacement, compose, read_wallet, replan,
};

use super::Global;
use super::psbt::{PsbtFile, wallet_file};
use super::psbt_build::written;
use crate::coins::{self, RELAY_SAT_PER_KVB, RateArgs};
use crate::failure::{Advise as _, Failure};
use crate::output::Report;

#[derive(Debug, Args)]
pub(crate) struct BumpArgs {
    /// The PSBT of the transaction that waits.
    file: PathBuf,
    /// What is ours, as `keystead psbt wallet` writes it.
    #[arg(long, value_name = "FILE")]
    wallet: PathBuf,
    #[command(flatten)]
    rate: RateArgs,
    /// Write it to a new file; to standard output without it.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn run(global: &Global, args: &BumpArgs) -> Result<Report, Failure> {
    let wallet = read_wallet(&wallet_file(&args.wallet)?)?;
    let (before, draft) = original(&args.file, &wallet)?;
    let back = draft.change().ok_or_else(|| {
        let what = "nothing of the payment comes back, so that nothing could pay a higher fee";
        Failure::new("psbt.no_change", what, "spend the same coins to the same payee with another amount")
    })?;
    let sat_per_kvb = match args.rate.rate {
        Some(rate) => rate.saturating_mul(1_000),
        None => {
            let view = coins::open(&global.dir, &wallet)?;
            coins::rate(Some(&view), args.rate).await?.max(least(&before))
        }
    };
    let target = Target { sat_per_kvb, change: back };
    let higher = replan(&wallet, &draft, target)?;
    let after = View::read(&compose(&wallet, &higher)?, &wallet, &Terms::default())?;
    check_replacement(&before, &after, RELAY_SAT_PER_KVB).advise("name a higher --rate")?;
    written(&wallet, &higher, target, args.output.as_deref())
}

fn original(path: &Path, wallet: &Wallet) -> Result<(View, Draft), Failure> {
    let psbt = Psbt::parse(PsbtFile::read(path)?.bytes())?;
    let view = View::read(&psbt, wallet, &Terms::default())?;
    let draft = Draft::of(&psbt, &view).ok_or_else(|| {
        let what = "an input of the PSBT does not bring the transaction that it spends from";
        Failure::new("psbt.no_previous", what, "take the PSBT that `keystead psbt build` wrote")
    })?;
    Ok((view, draft))
}

/// The lowest rate at which nodes take it in the first one's place.
fn least(before: &View) -> u64 {
    let rate = before.fee_sat().saturating_mul(1_000).div_ceil(before.virtual_bytes().max(1));
    rate.saturating_add(RELAY_SAT_PER_KVB).saturating_add(1)
}
