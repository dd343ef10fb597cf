//! `keystead psbt`: what a PSBT does, in words; its signatures, on the way of every request; the transaction of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use keystead_base::{Canonical as _, Name, RequestId};
use keystead_bitcoin::{
    Network, Psbt, PsbtError, PsbtVersion, Spend, SpendError, SpendSignatures, Terms, View, destination_id,
    read_wallet, shared_wallet,
};
use keystead_intent::{AccountRef, Action, BitcoinWallet, PsbtSpend};
use keystead_wire::{RequestStage, RequestView};
use serde_json::json;

use super::psbt_build::{self, BuildArgs, ConsolidateArgs};
use super::psbt_bump::{self, BumpArgs};
use super::psbt_watch::{self, AddressArgs, CoinsArgs, WatchArgs};
use super::request::{Patience, outcome};
use super::{Global, REQUEST_LIFETIME, Session};
use crate::failure::Failure;
use crate::output::Report;
use crate::psbt_words;
use crate::{outside, vaulting};

/// PSBTs of version 0 and 2 (BIP-174, 370), as bytes or Base64. Exit code 2 says that the answer was no.
///
/// Example: keystead psbt inspect payment.psbt --wallet hot.json
#[derive(Debug, Subcommand)]
pub(crate) enum PsbtCommand {
    /// Show what a key has on a network, for watching: descriptors with their origins, as the log recorded them.
    ///
    /// Example: keystead psbt wallet --key hot --network signet --output hot.json
    Wallet(WalletArgs),
    /// Show how the address book names an address.
    ///
    /// Example: keystead psbt destination bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu --network mainnet
    Destination {
        /// The address.
        address: String,
        /// Its network: mainnet, testnet4, signet or regtest.
        #[arg(long)]
        network: Network,
    },
    /// Show the coins of a wallet, as the sources of coins in keystead.toml agree on them.
    ///
    /// Example: keystead psbt coins --wallet hot.json
    Coins(CoinsArgs),
    /// Hand out an address that nobody was ever told and nobody ever paid to.
    ///
    /// The chain and a file beside the wallet say which were. Past the gap limit none is handed out: whoever restores the
    /// wallet would not find what is paid there.
    ///
    /// Example: keystead psbt address --wallet hot.json --label 'invoice 17'
    Address(AddressArgs),
    /// Write descriptors that watch a wallet elsewhere: no secret is in them.
    ///
    /// Example: keystead psbt watch --wallet hot.json --birthdate 1764150000 > imports.json
    ///
    /// then: bitcoin-cli importdescriptors "$(cat imports.json)", in a wallet without private keys
    Watch(WatchArgs),
    /// Build a PSBT that pays, from coins that the sources in keystead.toml agree on or that a file holds.
    ///
    /// Coins are those in blocks that nothing spends, also in no pool. What is left comes back to a place of our own.
    ///
    /// Example: keystead psbt build --wallet hot.json --pay bc1q…=150000
    ///
    /// Example: keystead psbt build --wallet hot.json --coins coins.json --pay bc1q…=150000 --rate 4 --change bip84/7
    Build(BuildArgs),
    /// Build the same payment once more with a higher fee, to take the place of one that waits (BIP-125).
    ///
    /// Example: keystead psbt bump payment.psbt --wallet hot.json --rate 20 --output higher.psbt
    Bump(BumpArgs),
    /// Build a PSBT that makes one coin of many, at most a hundred at once.
    ///
    /// Example: keystead psbt consolidate --wallet hot.json --below 100000 --rate 1
    Consolidate(ConsolidateArgs),
    /// Show what a PSBT would do: outputs, proven change, fee and rate. Offline.
    ///
    /// Example: keystead psbt inspect payment.psbt --wallet hot.json
    Inspect(ReadArgs),
    /// Ask for the signatures of a PSBT, and write it with them.
    ///
    /// Every node reads the PSBT itself, policy decides about what it does, and approvers see its outputs and fee.
    ///
    /// Example: keystead psbt sign payment.psbt --key hot --network signet --output signed.psbt
    ///
    /// Example: keystead psbt sign payment.psbt --key hot --network signet --request 5f0c… --output signed.psbt
    Sign(SignArgs),
    /// Make the transaction that the network takes of a PSBT with all its signatures. Offline.
    ///
    /// Example: keystead psbt finalize signed.psbt --wallet hot.json
    Finalize(ReadArgs),
}

#[derive(Debug, Args)]
pub(crate) struct WalletArgs {
    /// The key.
    #[arg(long)]
    key: Name,
    /// The network: mainnet, testnet4, signet or regtest.
    #[arg(long)]
    network: Network,
    /// Show a wallet that the key shares with others, by the name that policy gives it.
    #[arg(long, value_name = "NAME")]
    shared: Option<Name>,
    /// Also of a key that nobody is to be paid at any more: to move away what is there.
    #[arg(long)]
    spend_only: bool,
    /// Write it to a new file; to standard output without it.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ReadArgs {
    /// The PSBT.
    file: PathBuf,
    /// What is ours, as `keystead psbt wallet` writes it.
    #[arg(long, value_name = "FILE")]
    wallet: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// The PSBT.
    file: PathBuf,
    /// The key.
    #[arg(long)]
    key: Name,
    /// The network: mainnet, testnet4, signet or regtest.
    #[arg(long)]
    network: Network,
    /// Take the place of an earlier request, whose coins it spends (BIP-125).
    #[arg(long, value_name = "REQUEST", conflicts_with = "request")]
    replaces: Option<RequestId>,
    /// Spend from a wallet that the key shares with others, by the name that policy gives it. The PSBT is written with the
    /// key's signatures in it, for others to add theirs.
    #[arg(long, value_name = "NAME")]
    shared: Option<Name>,
    /// Ask for nothing: take the signatures of this request, which was asked for with the same PSBT.
    #[arg(long)]
    request: Option<RequestId>,
    /// Write the signed PSBT to a new file; to standard output without it.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    patience: Patience,
}

pub(crate) async fn run(global: &Global, command: PsbtCommand) -> Result<Report, Failure> {
    match command {
        PsbtCommand::Wallet(args) => wallet(global, &args).await,
        PsbtCommand::Destination { address, network } => {
            let id = destination_id(&address, network)?;
            let json = json!({"address": address, "network": network, "chain": network.chain(), "id": id});
            Ok(Report::new(json, format!("{id} on chain {}\n", network.chain().0)))
        }
        PsbtCommand::Coins(args) => psbt_watch::coins(global, &args).await,
        PsbtCommand::Address(args) => psbt_watch::address(global, &args).await,
        PsbtCommand::Watch(args) => psbt_watch::watch(&args),
        PsbtCommand::Build(args) => psbt_build::run(global, &args).await,
        PsbtCommand::Bump(args) => psbt_bump::run(global, &args).await,
        PsbtCommand::Consolidate(args) => psbt_build::run_consolidate(global, &args).await,
        PsbtCommand::Inspect(args) => inspect(&args),
        PsbtCommand::Sign(args) => sign(global, &args).await,
        PsbtCommand::Finalize(args) => finalize(&args),
    }
}

async fn wallet(global: &Global, args: &WalletArgs) -> Result<Report, Failure> {
    let session = Session::open(global).await?;
    let own = match args.spend_only {
        true => recorded(&session, &args.key, args.network).await?,
        false => paid_at(&session, &args.key, args.network).await?,
    };
    let wallet = match &args.shared {
        Some(name) => shared(&session, &own, &args.key, name).await?,
        None => own,
    };
    let text = serde_json::to_string_pretty(&wallet).unwrap_or_default() + "\n";
    if let Some(file) = &args.output {
        outside::create(file, text.as_bytes())?;
    }
    Ok(Report::new(json!({"key": args.key, "wallet": wallet}), text))
}

async fn recorded(session: &Session, key: &Name, network: Network) -> Result<BitcoinWallet, Failure> {
    let view = vaulting::named(&session.link, key).await?;
    view.signing_wallet(network.chain()).cloned().ok_or_else(|| {
        let what = format!("the log has no wallet of key `{key}` on {network}");
        Failure::new("psbt.no_wallet", what, "list the network in the policy, and drill a backup of the key")
    })
}

/// A wallet whose addresses may be handed out.
async fn paid_at(session: &Session, key: &Name, network: Network) -> Result<BitcoinWallet, Failure> {
    let view = vaulting::named(&session.link, key).await?;
    let shown = view.wallets.iter().find(|it| it.chain == network.chain()).cloned();
    match (shown, view.spend_only.is_some()) {
        (Some(wallet), _) => Ok(wallet),
        (None, false) => recorded(session, key, network).await,
        (None, true) => Err(Failure::new(
            "psbt.not_shown",
            format!(
                "nobody is to be paid at key `{key}`: it is {}, or its home has not proved control of late",
                view.state
            ),
            "`keystead key show KEY` says which; to move away what is there: `--spend-only`",
        )),
    }
}

/// The wallet whose coins are spent: the key's own, or one that policy says it shares.
async fn spent(session: &Session, args: &SignArgs) -> Result<BitcoinWallet, Failure> {
    let own = recorded(session, &args.key, args.network).await?;
    match &args.shared {
        Some(name) => shared(session, &own, &args.key, name).await,
        None => Ok(own),
    }
}

async fn shared(
    session: &Session,
    own: &BitcoinWallet,
    key: &Name,
    name: &Name,
) -> Result<BitcoinWallet, Failure> {
    let policy = session.link.policy(None).await?;
    let terms = policy.bitcoin.as_ref();
    let found = terms.and_then(|terms| terms.shared_wallet(own.chain, key, name)).ok_or_else(|| {
        let what = format!("policy has no wallet `{name}` that key `{key}` shares on this network");
        Failure::new("psbt.no_wallet", what, "register its descriptor in the policy, in `bitcoin`")
    })?;
    Ok(shared_wallet(own, &found.descriptor).map_err(SpendError::from)?)
}

fn inspect(args: &ReadArgs) -> Result<Report, Failure> {
    let (file, wallet) = (PsbtFile::read(&args.file)?, wallet_file(&args.wallet)?);
    let view = file.view(&wallet)?;
    Ok(Report::new(view.to_json(), psbt_words::table(&view)))
}

fn finalize(args: &ReadArgs) -> Result<Report, Failure> {
    let (file, wallet) = (PsbtFile::read(&args.file)?, wallet_file(&args.wallet)?);
    let done = file.view(&wallet)?.finalize(&[])?;
    Ok(Report::new(done.to_json(), const_hex::encode(done.to_bytes())))
}

async fn sign(global: &Global, args: &SignArgs) -> Result<Report, Failure> {
    let file = PsbtFile::read(&args.file)?;
    let session = Session::open(global).await?;
    let wallet = spent(&session, args).await?;
    let spend = Spend::read(&wallet, &file.bytes)?;
    let view = asked(&session, args, &file).await?;
    let mut report = match &view.signed {
        Some(signed) => {
            let signatures = SpendSignatures::from_document(&signed.signature)?;
            signed_report(args, &file, &spend.sign_into(&signatures)?, &view)?
        }
        None => Report::new(json!({"request": view, "psbt": null}), outcome(&session, &view, None).await),
    };
    report.holds = view.stage != RequestStage::Denied;
    Ok(report)
}

/// The request: a new one, or the one that was named.
async fn asked(session: &Session, args: &SignArgs, file: &PsbtFile) -> Result<RequestView, Failure> {
    let wait = Duration::from_secs(args.patience.wait);
    if let Some(request) = args.request {
        return session.link.wait(request, wait).await;
    }
    let action = Action::Psbt(PsbtSpend {
        account: AccountRef { key: args.key.clone(), index: 0 },
        chain: args.network.chain(),
        psbt: file.bytes.clone().into(),
        replaces: args.replaces,
        shared: args.shared.clone(),
    });
    let view = session.speaker().ask(action, REQUEST_LIFETIME).await?;
    match view.stage.is_over() || wait.is_zero() {
        true => Ok(view),
        false => session.link.wait(view.request, wait).await,
    }
}

fn signed_report(
    args: &SignArgs,
    file: &PsbtFile,
    signed: &Psbt,
    view: &RequestView,
) -> Result<Report, Failure> {
    let text = signed.to_text(file.version);
    if let Some(path) = &args.output {
        let bytes = if file.text { text.clone().into_bytes() } else { signed.to_bytes(file.version) };
        outside::create(path, &bytes)?;
    }
    Ok(Report::new(json!({"request": view, "psbt": text}), text))
}

pub(super) fn wallet_file(path: &Path) -> Result<BitcoinWallet, Failure> {
    let failed = |error: serde_json::Error| {
        let what = format!("{}: {error}", path.display());
        Failure::new("psbt.wallet_file", what, "take what `keystead psbt wallet` writes")
    };
    serde_json::from_str(&outside::read_text(path)?).map_err(failed)
}

/// A PSBT as it lies in a file.
pub(super) struct PsbtFile {
    bytes: Vec<u8>,
    version: PsbtVersion,
    /// Whether it was Base64.
    text: bool,
}

impl PsbtFile {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let found = outside::read(path)?;
        let text = !found.starts_with(b"psbt\xff");
        let bytes = match text {
            true => {
                let text = std::str::from_utf8(&found).map_err(|_| PsbtError::Base64)?;
                Psbt::decode_text(text.trim())?
            }
            false => found,
        };
        let version = Psbt::version(&bytes)?;
        Ok(Self { bytes, version, text })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn view(&self, wallet: &BitcoinWallet) -> Result<View, Failure> {
        let read = || -> Result<View, SpendError> {
            let psbt = Psbt::parse(&self.bytes)?;
            // What policy lets wait is signed: people read what for, and finish it.
            Ok(View::read(&psbt, &read_wallet(wallet)?, &Terms::LOCKS_TO_OTHERS)?)
        };
        Ok(read()?)
    }
}
