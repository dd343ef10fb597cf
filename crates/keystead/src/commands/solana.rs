//! `keystead solana` and the requests for Solana: messages, what they do, and the transactions of them.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use keystead_base::{Name, RequestId};
use keystead_decision::Outcome;
use keystead_intent::{AccountRef, Action, SolanaMessage};
use keystead_solana::{Cluster, Draft, Message, Pubkey, Unsigned, UnsignedError, Version, compile, order};
use keystead_wire::{RequestStage, RequestView};
use keystead_words::Language;
use serde_json::json;

use super::request::{Patience, outcome};
use super::{REQUEST_LIFETIME, Session};
use crate::failure::Failure;
use crate::output::Report;
use crate::table::{self, Table};
use crate::{outside, vaulting};

/// What can be said of Solana offline; signatures are asked for by `keystead request solana`.
#[derive(Debug, Subcommand)]
pub(crate) enum SolanaCommand {
    /// Show how the address book, limits and windows name an address: a wallet, a token account, a mint or a program.
    ///
    /// Example: keystead solana destination 7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv --cluster devnet
    Destination {
        /// The address, in Base58.
        address: Pubkey,
        /// Its cluster: mainnet, devnet, testnet or localnet.
        #[arg(long)]
        cluster: Cluster,
    },
    /// Show what a message does, order by order.
    ///
    /// Example: keystead solana inspect payment.msg --account 7S3P… --cluster devnet
    Inspect {
        /// The message: bytes or Base64.
        file: PathBuf,
        /// Whose signature it would be: one of its signers.
        #[arg(long)]
        account: Pubkey,
        /// The cluster that it is meant for; the bytes name none.
        #[arg(long)]
        cluster: Cluster,
    },
}

/// Which key signs, and for which cluster.
#[derive(Clone, Debug, Args)]
pub(crate) struct Signer {
    /// The key; one of Ed25519.
    #[arg(long)]
    key: Name,
    /// The cluster: mainnet, devnet, testnet or localnet.
    #[arg(long)]
    cluster: Cluster,
    /// Write the transaction's bytes to a new file, too.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    patience: Patience,
}

#[derive(Debug, Args)]
pub(crate) struct MessageArgs {
    /// The message.
    file: PathBuf,
    #[command(flatten)]
    signer: Signer,
    /// Ask for nothing: take the signature of this request, which was asked for with the same message.
    #[arg(long)]
    request: Option<RequestId>,
}

#[derive(Debug, Args)]
pub(crate) struct TransferArgs {
    #[command(flatten)]
    signer: Signer,
    /// The destination; its id has to stand in the address book (`keystead solana destination`).
    #[arg(long)]
    to: Pubkey,
    /// How much, in lamports.
    #[arg(long)]
    lamports: u64,
    /// A recent blockhash of the cluster, in Base58; with --nonce the value of the nonce account.
    #[arg(long)]
    blockhash: Pubkey,
    /// A nonce account whose authority the key is: the transaction is good until its value changes, and takes its slot. What it
    /// pays counts in every window for good, as nobody here sees what became of it.
    #[arg(long, value_name = "ACCOUNT")]
    nonce: Option<Pubkey>,
}

pub(crate) fn run(command: SolanaCommand, language: Language) -> Result<Report, Failure> {
    match command {
        SolanaCommand::Destination { address, cluster } => {
            let (id, chain) = (address.id(cluster), cluster.chain());
            let json = json!({"address": address.to_string(), "cluster": cluster.as_str(), "chain": chain, "id": id});
            Ok(Report::new(json, format!("{id} on chain {}\n", chain.0)))
        }
        SolanaCommand::Inspect { file, account, cluster } => {
            let message = Unsigned::read(cluster, account, &read(&file)?)?;
            let names = |_: Pubkey| None::<String>;
            let speaker =
                keystead_solana::Speaker { names: &names, beside: message.message().keys(), language };
            let lines = keystead_solana::describe_as(&message.explain(), &speaker);
            let lines: Vec<String> = lines.iter().map(|it| table::plain(&it.text)).collect();
            let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
            let (digest, effects) = (message.signing_digest(), message.effects());
            Ok(Report::new(json!({"digest": digest, "effects": effects, "words": lines}), text))
        }
    }
}

/// Signs the message of a file.
pub(super) async fn sign(session: &Session, args: MessageArgs) -> Result<Report, Failure> {
    let message = read(&args.file)?;
    ask(session, &args.signer, message, args.request).await
}

/// Signs a transfer that is built here.
pub(super) async fn transfer(session: &Session, args: TransferArgs) -> Result<Report, Failure> {
    let payer = address(session, &args.signer.key).await?;
    let advance = args.nonce.map(|it| order::advance_nonce(it, payer));
    let pay = order::transfer(payer, args.to, args.lamports);
    let instructions = advance.into_iter().chain([pay]).collect();
    let draft = Draft { version: Version::Legacy, payer, blockhash: args.blockhash.0, instructions };
    let message = compile(&draft).map_err(UnsignedError::from)?;
    ask(session, &args.signer, message.to_bytes(), None).await
}

async fn address(session: &Session, key: &Name) -> Result<Pubkey, Failure> {
    let view = vaulting::named(&session.link, key).await?;
    view.signing_account().and_then(|it| it.ed25519_key()).map(Pubkey).ok_or_else(|| {
        let what = format!("key `{key}` has no address on Solana");
        Failure::new(
            "solana.no_address",
            what,
            "`keystead key generate NAME --scheme ed25519` makes one that has",
        )
    })
}

async fn ask(
    session: &Session,
    signer: &Signer,
    message: Vec<u8>,
    request: Option<RequestId>,
) -> Result<Report, Failure> {
    let account = address(session, &signer.key).await?;
    // What no node would read is refused here, before anybody is asked.
    let unsigned = Unsigned::read(signer.cluster, account, &message)?;
    let view = asked(session, signer, message, request).await?;
    let text = outcome(session, &view, None).await;
    let done = Transaction::of(&view);
    if done.as_ref().is_some_and(|it| !it.is_of(&unsigned)) {
        let what = format!(
            "what request {} gives is no signature of this message by `{}`",
            view.request, signer.key
        );
        return Err(Failure::new(
            "solana.other_message",
            what,
            "name the request of this message and this key",
        ));
    }
    if let (Some(done), Some(file)) = (&done, &signer.output) {
        outside::create(file, &done.raw)?;
    }
    let mut report = Report::new(json!({"request": view, "transaction": done.map(|it| it.to_json())}), text);
    report.holds = view.stage != RequestStage::Denied;
    Ok(report)
}

async fn asked(
    session: &Session,
    signer: &Signer,
    message: Vec<u8>,
    request: Option<RequestId>,
) -> Result<RequestView, Failure> {
    let wait = Duration::from_secs(signer.patience.wait);
    if let Some(request) = request {
        return session.link.wait(request, wait).await;
    }
    let account = AccountRef { key: signer.key.clone(), index: 0 };
    let chain = signer.cluster.chain();
    let action = Action::Solana(SolanaMessage { account, chain, message: message.into() });
    let view = session.speaker().ask(action, REQUEST_LIFETIME).await?;
    match view.stage.is_over() || wait.is_zero() {
        true => Ok(view),
        false => session.link.wait(view.request, wait).await,
    }
}

/// Bytes, or their Base64. A message of bytes begins with how many sign it, and Base64 with a letter.
fn read(file: &std::path::Path) -> Result<Vec<u8>, Failure> {
    let found = outside::read(file)?;
    if Message::parse(&found).is_ok() {
        return Ok(found);
    }
    let text = std::str::from_utf8(&found).ok();
    match text.and_then(|it| STANDARD.decode(it.trim()).ok()) {
        Some(bytes) => Ok(bytes),
        None => Ok(found),
    }
}

/// A signed transaction, as a request's view has it.
pub(super) struct Transaction {
    raw: Vec<u8>,
    /// Our own signature.
    signature: Vec<u8>,
}

impl Transaction {
    /// None where nothing is signed, or for another kind of chain.
    pub(super) fn of(view: &RequestView) -> Option<Self> {
        let Outcome::Allow(grant) = &view.decision.outcome else { return None };
        let signed = view.signed.as_ref().filter(|_| grant.chain.solana().is_some())?;
        Some(Self { raw: signed.raw.to_vec(), signature: signed.signature.to_vec() })
    }

    pub(super) fn say(&self, table: &mut Table) {
        table.pair("transaction", STANDARD.encode(&self.raw)).pair("signature", base58(&self.signature));
        if !self.is_whole() {
            table.pair("missing", "others sign it, too: their places in it are zeros");
        }
    }

    /// Signed and put together anew: no node's word stands for it.
    fn is_of(&self, unsigned: &Unsigned) -> bool {
        let signature = <[u8; SIGNATURE_BYTES]>::try_from(self.signature.as_slice());
        signature.is_ok_and(|it| unsigned.sign_into(&it).is_ok_and(|raw| raw == self.raw))
    }

    fn is_whole(&self) -> bool {
        // A length, and as many signatures: one byte, as a packet has no room for 128.
        let (count, rest) =
            self.raw.split_first().map_or((0, &[][..]), |(it, rest)| (usize::from(*it), rest));
        rest.chunks(SIGNATURE_BYTES).take(count).all(|it| it.iter().any(|byte| *byte != 0))
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "base64": STANDARD.encode(&self.raw),
            "base58": base58(&self.raw),
            "signature": base58(&self.signature),
            "whole": self.is_whole(),
        })
    }
}

fn base58(bytes: &[u8]) -> String {
    bs58::encode(bytes).into_string()
}

const SIGNATURE_BYTES: usize = 64;
