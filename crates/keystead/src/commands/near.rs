//! `keystead near` and the requests for NEAR: transactions, what they do, and what their signatures make of them.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use keystead_base::{Name, PublicAccount, RequestId};
use keystead_decision::Outcome;
use keystead_intent::{AccountRef, AssetIndex, NearTransaction};
use keystead_near::{AccountId, Draft, Network, PublicKey, Subject, Transaction, Unsigned};
use keystead_quantum::{QuantumPublicKey, Scheme};
use keystead_wire::{KeyView, RequestStage, RequestView};
use keystead_words::Language;
use serde_json::json;

use super::request::{Patience, outcome};
use super::{REQUEST_LIFETIME, Session};
use crate::failure::Failure;
use crate::output::Report;
use crate::table::{self, Table};
use crate::{outside, vaulting};

/// What can be said of NEAR offline; signatures are asked for by `keystead request near`.
#[derive(Debug, Subcommand)]
pub(crate) enum NearCommand {
    /// Show how the address book, limits and windows name an account, a key or code, and how rules name a method.
    ///
    /// Example: keystead near destination bob.near --network mainnet
    Destination {
        /// The account; or a key as nodes list it, or `code:` and the SHA-256 of a contract's code.
        account: Subject,
        /// Its network: mainnet or testnet.
        #[arg(long)]
        network: Network,
        /// A method of its contract.
        #[arg(long)]
        method: Option<String>,
    },
    /// Show what an unsigned transaction does, action by action.
    ///
    /// No policy is read, so no contract is known as a token's.
    ///
    /// Example: keystead near inspect payment.tx --network mainnet
    Inspect {
        /// The transaction: Borsh, as bytes or Base64.
        file: PathBuf,
        /// The network that it is meant for; the bytes name none.
        #[arg(long)]
        network: Network,
    },
}

/// Which key signs, and for which network.
#[derive(Clone, Debug, Args)]
pub(crate) struct Signer {
    /// The key; one of ML-DSA-65.
    #[arg(long)]
    key: Name,
    /// The network: mainnet or testnet.
    #[arg(long)]
    network: Network,
    /// Write the signed transaction's bytes to a new file, too.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    patience: Patience,
}

#[derive(Debug, Args)]
pub(crate) struct TransactionArgs {
    /// The unsigned transaction.
    file: PathBuf,
    #[command(flatten)]
    signer: Signer,
    /// Ask for nothing: take the signature of this request, which was asked for with the same transaction.
    #[arg(long)]
    request: Option<RequestId>,
}

#[derive(Debug, Args)]
pub(crate) struct TransferArgs {
    #[command(flatten)]
    signer: Signer,
    /// The account that pays, which has the key among its own.
    #[arg(long)]
    from: AccountId,
    /// The account that is paid; its id has to stand in the address book (`keystead near destination`).
    #[arg(long)]
    to: AccountId,
    /// How much, in yoctoNEAR (10^24 are one NEAR).
    #[arg(long)]
    yocto: u128,
    /// More than the nonce of the key at the account (`view_access_key`).
    #[arg(long)]
    nonce: u64,
    /// The hash of a recent block, in Base58.
    #[arg(long)]
    block: String,
}

pub(crate) fn run(command: NearCommand, language: Language) -> Result<Report, Failure> {
    match command {
        NearCommand::Destination { account, network, method } => {
            let (id, chain) = (account.id(network), network.chain());
            let selector =
                method.as_deref().map(|it| const_hex::encode_prefixed(keystead_near::selector(it)));
            let json = json!({
                "account": account.as_str(), "network": network.as_str(), "chain": chain, "id": id,
                "method": method, "selector": selector,
            });
            let method = selector.map_or_else(String::new, |it| format!(", method {it}"));
            Ok(Report::new(json, format!("{id} on chain {}{method}\n", chain.0)))
        }
        NearCommand::Inspect { file, network } => {
            let unsigned = Unsigned::of_any_key(network, &read(&file)?)?;
            let (names, registry) = (|_: &AccountId| None::<String>, &AssetIndex::default());
            let speaker = keystead_near::Speaker { registry, names: &names, language };
            let lines = keystead_near::describe_as(&unsigned, &speaker);
            let lines: Vec<String> = lines.iter().map(|it| table::plain(&it.text)).collect();
            let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
            let (digest, effects) = (unsigned.signing_digest(), unsigned.effects(registry));
            Ok(Report::new(json!({"digest": digest, "effects": effects, "words": lines}), text))
        }
    }
}

/// Signs the transaction of a file.
pub(super) async fn sign(session: &Session, args: TransactionArgs) -> Result<Report, Failure> {
    let transaction = read(&args.file)?;
    ask(session, &args.signer, transaction, args.request).await
}

/// Signs a transfer that is built here.
pub(super) async fn transfer(session: &Session, args: TransferArgs) -> Result<Report, Failure> {
    let view = vaulting::named(&session.link, &args.signer.key).await?;
    let key = public_key(&view).ok_or_else(|| no_key(&view.name))?;
    let mut block = [0; 32];
    let decoded = bs58::decode(&args.block).onto(&mut block);
    if decoded.ok() != Some(block.len()) {
        let what = format!("expected the 32 bytes of a block's hash in Base58, found `{}`", args.block);
        return Err(Failure::usage(what, "take `block_hash` of the answer to `view_access_key`"));
    }
    let actions = vec![keystead_near::Action::Transfer { deposit: args.yocto }];
    let draft = Draft { signer: args.from, key, nonce: args.nonce, receiver: args.to, block, actions };
    ask(session, &args.signer, draft.to_bytes()?, None).await
}

/// The public key of a key of ML-DSA-65, once a drill showed it: the log has its fingerprint, against which it is held here.
fn public_key(view: &KeyView) -> Option<QuantumPublicKey> {
    let account = view.signing_account()?;
    account.ml_dsa_65_key(&view.life.public_key)?;
    QuantumPublicKey::from_bytes(Scheme::MlDsa65, &view.life.public_key).ok()
}

/// The key as NEAR's tools write it, and as nodes list it.
pub(crate) fn near_key(view: &KeyView) -> Option<(String, String)> {
    view.account?;
    let key = PublicKey::MlDsa65(public_key(view)?);
    Some((key.to_string(), key.listed()))
}

fn no_key(key: &Name) -> Failure {
    let what = format!("key `{key}` signs nothing on NEAR");
    let next =
        "`keystead key create NAME --scheme ml-dsa-65` makes one that does, once its backup was drilled";
    Failure::new("near.no_key", what, next)
}

async fn account(session: &Session, key: &Name) -> Result<PublicAccount, Failure> {
    let view = vaulting::named(&session.link, key).await?;
    let account = view.signing_account();
    account.filter(|it| it.scheme() == Some(keystead_base::KeyScheme::MlDsa65)).ok_or_else(|| no_key(key))
}

async fn ask(
    session: &Session,
    signer: &Signer,
    transaction: Vec<u8>,
    request: Option<RequestId>,
) -> Result<Report, Failure> {
    let account = account(session, &signer.key).await?;
    // What no node would read is refused here, before anybody is asked.
    let unsigned = Unsigned::read(signer.network, &account, &transaction)?;
    let view = asked(session, signer, transaction, request).await?;
    let text = outcome(session, &view, None).await;
    let done = Signed::of(&view);
    if done.as_ref().is_some_and(|it| !it.is_of(&unsigned)) {
        let what = format!(
            "what request {} gives is no signature of this transaction by `{}`",
            view.request, signer.key
        );
        return Err(Failure::new(
            "near.other_transaction",
            what,
            "name the request of this transaction and this key",
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
    transaction: Vec<u8>,
    request: Option<RequestId>,
) -> Result<RequestView, Failure> {
    let wait = Duration::from_secs(signer.patience.wait);
    if let Some(request) = request {
        return session.link.wait(request, wait).await;
    }
    let account = AccountRef { key: signer.key.clone(), index: 0 };
    let chain = signer.network.chain();
    let action =
        keystead_intent::Action::Near(NearTransaction { account, chain, transaction: transaction.into() });
    let view = session.speaker().ask(action, REQUEST_LIFETIME).await?;
    match view.stage.is_over() || wait.is_zero() {
        true => Ok(view),
        false => session.link.wait(view.request, wait).await,
    }
}

/// Bytes, or their Base64. A transaction of bytes begins with a length below 65, whose other three bytes are zeros.
fn read(file: &std::path::Path) -> Result<Vec<u8>, Failure> {
    let found = outside::read(file)?;
    if Transaction::read(&found).is_ok() {
        return Ok(found);
    }
    let text = std::str::from_utf8(&found).ok();
    match text.and_then(|it| STANDARD.decode(it.trim()).ok()) {
        Some(bytes) => Ok(bytes),
        None => Ok(found),
    }
}

/// A signed transaction, as a request's view has it.
pub(super) struct Signed {
    raw: Vec<u8>,
    signature: Vec<u8>,
    hash: String,
}

impl Signed {
    /// None where nothing is signed, or for another kind of chain.
    pub(super) fn of(view: &RequestView) -> Option<Self> {
        let Outcome::Allow(grant) = &view.decision.outcome else { return None };
        let signed = view.signed.as_ref().filter(|_| grant.chain.near().is_some())?;
        let hash = bs58::encode(signed.signing_digest.as_bytes()).into_string();
        Some(Self { raw: signed.raw.to_vec(), signature: signed.signature.to_vec(), hash })
    }

    pub(super) fn say(&self, table: &mut Table) {
        table.pair("transaction", STANDARD.encode(&self.raw)).pair("hash", &self.hash);
    }

    /// Put together anew: no node's word stands for it.
    fn is_of(&self, unsigned: &Unsigned) -> bool {
        unsigned.sign_into(&self.signature).is_ok_and(|raw| raw == self.raw)
    }

    fn to_json(&self) -> serde_json::Value {
        json!({"base64": STANDARD.encode(&self.raw), "hash": self.hash})
    }
}
