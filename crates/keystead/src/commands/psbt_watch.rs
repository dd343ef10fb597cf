//! `keystead psbt coins`, `address` and `watch`: what a wallet has, where others pay to, and what watches it elsewhere.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use keystead_base::Name;
use keystead_bitcoin::{Branch, MAX_SEARCHED_INDEX, Owned, Place, Wallet, address_of, read_wallet};
use keystead_intent::BitcoinWallet;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Global;
use super::psbt::wallet_file;
use super::psbt_build::{named, place, usual};
use crate::coins::{self, Found, MATURITY, ScanArgs};
use crate::failure::Failure;
use crate::output::Report;
use crate::outside;
use crate::table::Table;

#[derive(Debug, Args)]
pub(crate) struct CoinsArgs {
    /// What is ours, as `keystead psbt wallet` writes it.
    #[arg(long, value_name = "FILE")]
    wallet: PathBuf,
    #[command(flatten)]
    scan: ScanArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AddressArgs {
    /// What is ours, as `keystead psbt wallet` writes it. Beside it a file with the same name and `.addresses` remembers what
    /// was handed out: keep both on the one machine that hands out.
    #[arg(long, value_name = "FILE")]
    wallet: PathBuf,
    /// Which kind: bip44, bip49, bip84 or bip86. Without it bip84; a wallet that others share has one kind.
    #[arg(long, value_name = "NAME")]
    form: Option<Name>,
    /// Who will pay there, for yourself.
    #[arg(long, value_name = "TEXT", default_value = "")]
    label: String,
    #[command(flatten)]
    scan: ScanArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// What is ours, as `keystead psbt wallet` writes it.
    #[arg(long, value_name = "FILE")]
    wallet: PathBuf,
    /// For what: `core` is what Bitcoin Core's importdescriptors reads, `plain` has one descriptor a line.
    #[arg(long, value_enum, default_value = "core")]
    format: Format,
    /// When the wallet was made, in Unix seconds: nobody searches older blocks. All of them when it is not named.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    birthdate: u64,
    /// How many places of each branch are watched at first.
    #[arg(long, value_name = "PLACES", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SEARCHED_INDEX)))]
    places: u32,
    /// What the lines are labeled with.
    #[arg(long, value_name = "TEXT", default_value = "keystead")]
    label: String,
    /// Write it to a new file; to standard output without it.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Core,
    Plain,
}

pub(super) async fn coins(global: &Global, args: &CoinsArgs) -> Result<Report, Failure> {
    let wallet = read_wallet(&wallet_file(&args.wallet)?)?;
    let view = coins::open(&global.dir, &wallet)?;
    let holdings = coins::scan(&view, &wallet, args.scan).await?;
    let total: u64 = holdings.coins.iter().map(|it| it.held.sat).fold(0, u64::saturating_add);
    let mut table = Table::new(&["amount", "blocks", "where", "coin"]);
    for it in &holdings.coins {
        let owned = place(&wallet, it.owned).unwrap_or_default();
        let deep = if it.is_immature() {
            format!("{} of {MATURITY}", it.confirmations)
        } else {
            it.confirmations.to_string()
        };
        table.row([amount(it.held.sat, &wallet), deep, owned, it.held.outpoint.to_string()]);
    }
    table.row([
        amount(total, &wallet),
        String::new(),
        "all".to_owned(),
        format!("up to block {}", holdings.tip.height),
    ]);
    let coins: Vec<Value> = holdings.coins.iter().map(|it| coin(it, &wallet)).collect();
    let (height, block) = (holdings.tip.height, holdings.tip.block.to_string());
    let json = json!({"coins": coins, "sat": total, "height": height, "block": block});
    Ok(Report::new(json, table.render()))
}

fn coin(it: &Found, wallet: &Wallet) -> Value {
    let (transaction, output) = (it.held.outpoint.txid.to_string(), it.held.outpoint.vout);
    json!({
        "transaction": transaction,
        "output": output,
        "sat": it.held.sat,
        "confirmations": it.confirmations,
        "immature": it.is_immature(),
        "place": place(wallet, it.owned),
    })
}

fn amount(sat: u64, wallet: &Wallet) -> String {
    wallet.network().amount(sat)
}

/// What was handed out of a wallet, in the file beside it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ledger {
    /// The wallet's id: the file of another one says nothing here.
    wallet: String,
    given: BTreeMap<Name, Vec<Given>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    index: u32,
    address: String,
    label: String,
}

/// A fresh address: neither the chain nor the file beside the wallet knows it. It is in the file before anybody sees it.
pub(super) async fn address(global: &Global, args: &AddressArgs) -> Result<Report, Failure> {
    let recorded = wallet_file(&args.wallet)?;
    let wallet = read_wallet(&recorded)?;
    let descriptor = args.form.as_ref().map_or(Ok(usual(&wallet)), |form| named(form.as_str(), &wallet))?;
    let view = coins::open(&global.dir, &wallet)?;
    let unused =
        coins::scan(&view, &wallet, args.scan).await?.unused(descriptor, Branch::Receive).place.index;
    let path = beside(&args.wallet, "addresses");
    let lock = locked(&beside(&args.wallet, "addresses.lock"))?;
    let mut ledger = Ledger::read(&path, &recorded)?;
    let (form, _) = wallet.descriptors().get(descriptor).ok_or_else(no_address)?;
    let given = ledger.give((&wallet, form, descriptor), args, unused)?;
    let text = serde_json::to_string_pretty(&ledger).unwrap_or_default() + "\n";
    outside::replace(&path, text.as_bytes())?;
    drop(lock);
    let place = format!("{form}/0/{}", given.index);
    let json = json!({"address": given.address, "place": place, "label": given.label});
    Ok(Report::new(json, given.address))
}

impl Ledger {
    fn read(path: &Path, recorded: &BitcoinWallet) -> Result<Self, Failure> {
        let wallet = recorded.id().to_string();
        if !path.exists() {
            return Ok(Self { wallet, given: BTreeMap::new() });
        }
        let broken = |what: String| {
            let next = "it says which addresses were handed out: restore it, do not remove it";
            Failure::new("psbt.addresses", format!("{}: {what}", path.display()), next)
        };
        let found: Self =
            serde_json::from_str(&outside::read_text(path)?).map_err(|error| broken(error.to_string()))?;
        match found.wallet == wallet {
            true => Ok(found),
            false => Err(broken("it belongs to another wallet".to_owned())),
        }
    }

    /// The first place after the last one that was paid to and the last one that was handed out. Past the gap a wallet that
    /// is restored elsewhere would not look.
    fn give(
        &mut self,
        (wallet, form, descriptor): (&Wallet, &Name, usize),
        args: &AddressArgs,
        unused: u32,
    ) -> Result<Given, Failure> {
        let before = self.given.entry(form.clone()).or_default();
        let next = before.iter().map(|it| it.index.saturating_add(1)).max().unwrap_or_default().max(unused);
        if next >= unused.saturating_add(args.scan.gap.into()) || next >= MAX_SEARCHED_INDEX {
            let what = format!(
                "the last {} addresses of {form} were never paid to: a wallet that is restored from its seed looks no further",
                args.scan.gap
            );
            let next = "wait for a payment, or name a longer --gap here and wherever the wallet is watched or restored";
            return Err(Failure::new("psbt.gap_limit", what, next));
        }
        let owned = Owned { descriptor, place: Place { branch: Branch::Receive, index: next } };
        let address = wallet.derive(owned).and_then(|it| address_of(&it.script_pubkey, wallet.network()));
        let address = address.ok_or_else(no_address)?;
        let given = Given { index: next, address, label: args.label.clone() };
        before.push(given.clone());
        Ok(given)
    }
}

fn no_address() -> Failure {
    Failure::usage("this place has no address", "try again")
}

/// Held until it is dropped: two commands at once hand out two addresses.
fn locked(path: &Path) -> Result<File, Failure> {
    let open = || {
        let file = File::options().create(true).append(true).open(path)?;
        file.lock()?;
        Ok(file)
    };
    open().map_err(|error| Failure::file(path, &error))
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(end);
    path.with_file_name(name)
}

/// Descriptors for watching: public keys alone.
pub(super) fn watch(args: &WatchArgs) -> Result<Report, Failure> {
    let wallet = read_wallet(&wallet_file(&args.wallet)?)?;
    let json = match args.format {
        Format::Core => Value::Array(imports(&wallet, args)),
        Format::Plain => plain(&wallet, args),
    };
    let text = match args.format {
        Format::Core => serde_json::to_string_pretty(&json).unwrap_or_default() + "\n",
        Format::Plain => lines(&wallet, args),
    };
    if let Some(path) = &args.output {
        outside::create(path, text.as_bytes())?;
    }
    Ok(Report::new(json, text))
}

/// What `importdescriptors` reads. It takes no label for a range; each form's branch is the active one.
fn imports(wallet: &Wallet, args: &WatchArgs) -> Vec<Value> {
    let each = |branch: Branch, text: String| {
        json!({
            "desc": text,
            "timestamp": args.birthdate,
            "active": true,
            "internal": branch == Branch::Change,
            "range": [0, args.places.saturating_sub(1)],
        })
    };
    let both = [Branch::Receive, Branch::Change];
    let all = wallet
        .descriptors()
        .iter()
        .flat_map(|(_, it)| both.map(|branch| each(branch, it.branch_text(branch))));
    all.collect()
}

fn plain(wallet: &Wallet, args: &WatchArgs) -> Value {
    let all = wallet.descriptors().iter().map(|(name, it)| {
        let label = format!("{} {name}", args.label);
        json!({"descriptor": it.to_string(), "label": label, "birthdate": args.birthdate})
    });
    Value::Array(all.collect())
}

/// A remark before each: whose it is, and since when.
fn lines(wallet: &Wallet, args: &WatchArgs) -> String {
    let (label, network, since) = (crate::table::plain(&args.label), wallet.network(), args.birthdate);
    let all = wallet
        .descriptors()
        .iter()
        .map(|(name, it)| format!("# {label} {name} on {network}, made at {since}\n{it}\n"));
    all.collect()
}
