//! `keystead request`: asks for signatures as a person.

use std::path::PathBuf;
use std::time::Duration;

use alloy_primitives::{Address, Bytes};
use clap::{Args, Subcommand};
use keystead_base::{Amount, Name, RequestId};
use keystead_decision::{Grant, Outcome};
use keystead_intent::{
    AccountRef, Action, Asset, ChainId, ContractCall, GasTerms, Message, RawEthereum, Transfer, TypedData,
};
use keystead_policy::PolicyVersion;
use keystead_transmit::{ChainView, Fees};
use keystead_wire::{RequestStage, RequestView};
use serde_json::json;

use super::replace::{self, ReplaceArgs};
use super::{Global, REQUEST_LIFETIME, Session};
use super::{near, solana};
use crate::address::address;
use crate::asking::{standing, standing_under};
use crate::failure::Failure;
use crate::output::{Report, Voice};
use crate::table::Table;
use crate::{outside, reading, vaulting};

/// Each kind of request is read from its raw bytes by every node, and policy decides about what those bytes do.
/// Exit code 2 says that the answer was no; the reasons stand in the answer.
///
/// Example: keystead request transfer --key hot --to 0x7099… --wei 500000000000000000
#[derive(Debug, Subcommand)]
pub(crate) enum RequestCommand {
    /// Move coins or tokens.
    ///
    /// Example: keystead request transfer --key hot --to 0x7099… --wei 500000000000000000
    Transfer(TransferArgs),
    /// Call a contract.
    ///
    /// Example: keystead request call --key hot --to 0x5FbD… --data 0xa9059cbb…
    Call(CallArgs),
    /// Sign a raw transaction or EIP-7702 authorization, given as its signing preimage in hex.
    ///
    /// Example: keystead request raw --key hot --preimage 0x02f8…
    Raw {
        #[command(flatten)]
        who: Who,
        /// The bytes whose Keccak-256 is signed.
        #[arg(long)]
        preimage: Bytes,
    },
    /// Sign EIP-712 typed data from a JSON file.
    ///
    /// Example: keystead request typed-data --key hot --file order.json
    TypedData {
        #[command(flatten)]
        who: Who,
        /// The JSON.
        #[arg(long)]
        file: PathBuf,
    },
    /// Sign a text (EIP-191).
    ///
    /// Example: keystead request message --key hot "we own this address"
    Message {
        #[command(flatten)]
        who: Who,
        /// The text.
        text: String,
    },
    /// Sign a message of Solana's: the bytes of a file, or their Base64, as wallets and `solana --dump-transaction-message`
    /// give them.
    ///
    /// Prints the transaction in Base64 as clusters take it; where others sign, too, their places are zeros.
    ///
    /// Example: keystead request solana payment.msg --key vault --cluster devnet
    Solana(solana::MessageArgs),
    /// Move SOL: builds the message, and asks for its signature.
    ///
    /// The blockhash is a recent one of the cluster, good for about a minute; with --nonce it is the value of a nonce account,
    /// and the transaction good until that has another.
    ///
    /// Example: keystead request solana-transfer --key vault --cluster devnet --to 7S3P… --lamports 1000000 --blockhash EkSn…
    SolanaTransfer(solana::TransferArgs),
    /// Sign a transaction of NEAR's by ML-DSA-65: the unsigned transaction in Borsh, as a file of bytes or of their Base64.
    ///
    /// Prints the signed transaction in Base64, as `broadcast_tx_commit` of NEAR's nodes takes it.
    ///
    /// Example: keystead request near payment.tx --key vera --network testnet
    Near(near::TransactionArgs),
    /// Move NEAR: builds the transaction, and asks for its signature.
    ///
    /// The nonce and the block are those that `view_access_key` answers; the transaction is good for about a day after that block.
    ///
    /// Example: keystead request near-transfer --key vera --network testnet --from us.testnet --to bob.testnet --yocto 5 --nonce 1 --block 4Eo…
    NearTransfer(near::TransferArgs),
    /// Put another transaction into the place of one that was signed: the same with higher fees, or one that
    /// moves nothing. It names what it replaces, and is decided about like any other.
    ///
    /// Example: keystead request replace 5f0c… --max-fee 60000000000 --tip 2000000000
    ///
    /// Example: keystead request replace 5f0c… --cancel
    Replace(ReplaceArgs),
    /// Show one request: the words that this machine reads, and every decision.
    ///
    /// Example: keystead request show 5f0c…
    Show {
        /// Its id.
        request: RequestId,
    },
    /// Send the signed transaction of a request to the chain, when people approved it after it was asked for.
    ///
    /// Example: keystead request send 5f0c…
    Send {
        /// Its id.
        request: RequestId,
    },
    /// Show the requests that wait for people.
    ///
    /// Example: keystead request list
    List,
}

/// Who signs, where, and how long to wait for it.
#[derive(Clone, Debug, Args)]
pub(crate) struct Who {
    /// The key.
    #[arg(long)]
    key: Name,
    /// The address index.
    #[arg(long, default_value_t = 0)]
    index: u32,
    /// The chain; the coordinator's when it is not named.
    #[arg(long)]
    chain: Option<u64>,
    #[command(flatten)]
    patience: Patience,
}

/// How long to stay.
#[derive(Clone, Debug, Args)]
pub(crate) struct Patience {
    /// Wait so many seconds for people.
    #[arg(long, default_value_t = 0)]
    pub(super) wait: u64,
}

/// Nonce and fee; what is not named comes from the chain's endpoint.
#[derive(Clone, Debug, Args)]
pub(crate) struct Terms {
    /// The account's nonce.
    #[arg(long)]
    nonce: Option<u64>,
    /// Gas limit.
    #[arg(long)]
    gas: Option<u64>,
    /// Ceiling per gas, in wei.
    #[arg(long)]
    max_fee: Option<u128>,
    /// Tip per gas, in wei.
    #[arg(long)]
    tip: Option<u128>,
    /// Only sign; do not send to the chain.
    #[arg(long)]
    no_send: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TransferArgs {
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    terms: Terms,
    /// The destination; it has to stand in the address book.
    #[arg(long, value_parser = address)]
    to: Address,
    /// How much, in the smallest unit.
    #[arg(long, alias = "amount")]
    wei: Amount,
    /// A token contract; the chain's own coin when it is not named.
    #[arg(long, value_parser = address)]
    token: Option<Address>,
}

#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    terms: Terms,
    /// The contract.
    #[arg(long, value_parser = address)]
    to: Address,
    /// Selector and arguments.
    #[arg(long, default_value = "0x")]
    data: Bytes,
    /// Wei that go along.
    #[arg(long, default_value = "0")]
    value: Amount,
}

pub(crate) async fn run(global: &Global, command: RequestCommand, voice: Voice) -> Result<Report, Failure> {
    let session = Session::open(global).await?;
    match command {
        RequestCommand::Transfer(args) => transfer(&session, args, voice).await,
        RequestCommand::Call(args) => call(&session, args, voice).await,
        RequestCommand::Raw { who, preimage } => {
            let (account, chain) = place(&session, &who)?;
            let action = Action::RawEthereum(RawEthereum { account, chain, preimage });
            ask(&session, action, &who.patience, None).await
        }
        RequestCommand::TypedData { who, file } => {
            let (account, chain) = place(&session, &who)?;
            let json = outside::read_text(&file)?;
            let action = Action::TypedData(TypedData { account, chain, json });
            ask(&session, action, &who.patience, None).await
        }
        RequestCommand::Message { who, text } => {
            let (account, chain) = place(&session, &who)?;
            let bytes = text.into_bytes().into();
            let action = Action::Message(Message { account, chain, bytes });
            ask(&session, action, &who.patience, None).await
        }
        RequestCommand::Solana(args) => solana::sign(&session, args).await,
        RequestCommand::SolanaTransfer(args) => solana::transfer(&session, args).await,
        RequestCommand::Near(args) => near::sign(&session, args).await,
        RequestCommand::NearTransfer(args) => near::transfer(&session, args).await,
        RequestCommand::Replace(args) => replace::run(&session, args, voice).await,
        RequestCommand::Show { request } => show(&session, request).await,
        RequestCommand::Send { request } => send(&session, request).await,
        RequestCommand::List => {
            let open = session.link.open().await?;
            Ok(Report::new(json!({"open": open}), super::status::waiting(&open)))
        }
    }
}

async fn transfer(session: &Session, args: TransferArgs, voice: Voice) -> Result<Report, Failure> {
    let (account, chain) = place(session, &args.who)?;
    let gas_limit = if args.token.is_some() { TOKEN_GAS } else { COIN_GAS };
    let gas = terms(session, &args.who, &args.terms, gas_limit, voice).await?;
    let asset = args.token.map_or(Asset::Native, Asset::Token);
    let action = Action::Transfer(Transfer { account, chain, asset, to: args.to, amount: args.wei, gas });
    let view = chain_view(session).await?.filter(|_| !args.terms.no_send);
    ask(session, action, &args.who.patience, view).await
}

async fn call(session: &Session, args: CallArgs, voice: Voice) -> Result<Report, Failure> {
    let (account, chain) = place(session, &args.who)?;
    let gas = terms(session, &args.who, &args.terms, CALL_GAS, voice).await?;
    let call = ContractCall { account, chain, to: args.to, value: args.value, data: args.data, gas };
    let view = chain_view(session).await?.filter(|_| !args.terms.no_send);
    ask(session, Action::ContractCall(call), &args.who.patience, view).await
}

fn place(session: &Session, who: &Who) -> Result<(AccountRef, ChainId), Failure> {
    let configured = session.config.coordinator.as_ref().map(|it| it.chain);
    let chain =
        who.chain.or(configured).ok_or_else(|| Failure::usage("no chain is named", "add --chain ID"))?;
    Ok((AccountRef { key: who.key.clone(), index: who.index }, ChainId(chain)))
}

/// The configured endpoints; without any, the coordinator where it answers: `up --devnet` brings a chain that
/// stands in no file.
pub(super) async fn chain_view(session: &Session) -> Result<Option<ChainView>, Failure> {
    let Some(coordinator) = &session.config.coordinator else { return Ok(None) };
    if let Some(view) = coordinator.view()? {
        return Ok(Some(view));
    }
    let Some(view) = coordinator.forwarding()? else { return Ok(None) };
    let found = view.reported_chain_id().await;
    Ok(Some(view).filter(|_| found.is_ok_and(|it| it == coordinator.chain)))
}

async fn terms(
    session: &Session,
    who: &Who,
    terms: &Terms,
    gas_limit: u64,
    voice: Voice,
) -> Result<GasTerms, Failure> {
    let gas_limit = terms.gas.unwrap_or(gas_limit);
    if let (Some(nonce), Some(max_fee_per_gas), Some(tip)) = (terms.nonce, terms.max_fee, terms.tip) {
        return Ok(GasTerms { nonce, gas_limit, max_fee_per_gas, max_priority_fee_per_gas: tip });
    }
    let view = chain_view(session).await?.ok_or_else(|| {
        Failure::usage(
            "nonce and fee are not named, and no endpoint is configured",
            "add --nonce, --max-fee and --tip",
        )
    })?;
    voice.progress("asking the chain for nonce and fee");
    let account = AccountRef { key: who.key.clone(), index: who.index };
    let address = vaulting::address(&session.link, &account).await?;
    let fees = capped(session, who, view.fees().await?, gas_limit).await?;
    let nonce = match terms.nonce {
        Some(nonce) => nonce,
        None => view.pending_nonce(address).await?,
    };
    let small = |amount: Amount| u128::try_from(amount.0).unwrap_or(u128::MAX);
    Ok(GasTerms {
        nonce,
        gas_limit,
        max_fee_per_gas: terms.max_fee.unwrap_or(small(fees.max_fee_per_gas)),
        max_priority_fee_per_gas: terms.tip.unwrap_or(small(fees.max_priority_fee_per_gas)),
    })
}

/// What the chain suggests, under the ceilings of the policy in force.
async fn capped(session: &Session, who: &Who, market: Fees, gas_limit: u64) -> Result<Fees, Failure> {
    let (account, chain) = place(session, who)?;
    under_caps(&session.link.policy(None).await?, (&account.key, chain), market, gas_limit)
}

/// The same, of a policy version that is here already.
pub(super) fn under_caps(
    policy: &PolicyVersion,
    (key, chain): (&Name, ChainId),
    market: Fees,
    gas_limit: u64,
) -> Result<Fees, Failure> {
    let ceilings = policy.fee_ceilings(key, chain);
    let highest = ceilings.per_gas(gas_limit);
    let tip = ceilings.max_priority_fee_per_gas.map(|(limit, _)| limit);
    market.under(highest.as_ref().map(|(limit, _)| *limit), tip).ok_or_else(|| {
        let (limit, cap) = highest.map_or_else(Default::default, |(limit, cap)| (limit, cap.to_string()));
        let base = market.base_fee;
        let what = format!("the next block takes {base} wei per gas, and fee cap `{cap}` allows {limit}");
        Failure::new("request.fee_cap", what, "wait for a cheaper hour, or propose another cap")
    })
}

pub(super) async fn ask(
    session: &Session,
    action: Action,
    patience: &Patience,
    send: Option<ChainView>,
) -> Result<Report, Failure> {
    let mut view = session.speaker().ask(action, REQUEST_LIFETIME).await?;
    if patience.wait > 0 && !view.stage.is_over() {
        view = session.link.wait(view.request, Duration::from_secs(patience.wait)).await?;
    }
    let sent = match (&view.signed, send) {
        (Some(signed), Some(chain)) => Some(chain.send(&signed.raw).await?.hash),
        // Through a coordinator, it keeps the promise to send; directly, `request send` does it later.
        (None, Some(_)) if view.stage == RequestStage::Waiting => {
            session.link.track(view.request).await?;
            None
        }
        _ => None,
    };
    let text = outcome(session, &view, sent.map(|it| it.to_string())).await;
    let mut report = Report::new(json!({"request": view, "sent": sent}), text);
    report.holds = view.stage != RequestStage::Denied;
    Ok(report)
}

async fn send(session: &Session, request: RequestId) -> Result<Report, Failure> {
    let view = session.link.wait(request, Duration::ZERO).await?;
    let signed = view.signed.as_ref().ok_or_else(|| {
        let what = format!("request {request} is not signed: {}", standing(&view));
        Failure::new("request.unsigned", what, "wait for its approvers")
    })?;
    if matches!(&view.decision.outcome, Outcome::Allow(grant) if grant.chain.bitcoin().is_some()) {
        let next =
            "`keystead psbt sign` and `psbt finalize` give the transaction; send it from your own node";
        return Err(Failure::usage("nothing here sends a transaction of Bitcoin's", next));
    }
    if matches!(&view.decision.outcome, Outcome::Allow(grant) if grant.chain.solana().is_some()) {
        let next =
            "send it as `request show` prints it, to a server of the cluster, before its blockhash is over";
        return Err(Failure::usage("nothing here sends a transaction of Solana's", next));
    }
    if matches!(&view.decision.outcome, Outcome::Allow(grant) if grant.chain.near().is_some()) {
        let next = "send it as `request show` prints it, to a node of NEAR's (`broadcast_tx_commit`)";
        return Err(Failure::usage("nothing here sends a transaction of NEAR's", next));
    }
    let chain = chain_view(session).await?.ok_or_else(|| {
        Failure::usage("no endpoint is configured", "add [[coordinator.endpoints]] to keystead.toml")
    })?;
    let hash = chain.send(&signed.raw).await?.hash;
    let text = outcome(session, &view, Some(hash.to_string())).await;
    Ok(Report::new(json!({"request": view, "sent": hash}), text))
}

pub(super) async fn outcome(session: &Session, view: &RequestView, sent: Option<String>) -> String {
    // Only words: without the policy the reasons keep their base units.
    let policy = match view.stage {
        RequestStage::Denied => session.link.policy(Some(view.decision.policy.number)).await.ok(),
        _ => None,
    };
    let mut table = Table::pairs();
    table.pair("request", view.request).pair("stands", standing_under(view, policy.as_ref()));
    if let Some(signed) = &view.signed {
        match (solana::Transaction::of(view), near::Signed::of(view)) {
            (Some(it), _) => it.say(&mut table),
            (None, Some(it)) => it.say(&mut table),
            (None, None) => {
                table.pair("signed", &signed.raw);
            }
        }
    }
    if let Some(hash) = sent {
        table.pair("transaction", hash);
    }
    table.render() + &next(view)
}

/// What somebody can do about a request that is not over, as a line of its own after an empty one.
fn next(view: &RequestView) -> String {
    let id = view.request;
    match (view.stage, &view.decision.outcome) {
        (RequestStage::Waiting, _) => {
            format!(
                "\nnext: approvers run `keystead approve {id}`, and afterwards `keystead request send {id}`\n"
            )
        }
        (RequestStage::Allowed, Outcome::Allow(Grant { slot: Some(_), .. })) => format!(
            "\nnext: the node with its key signs it as soon as it can; when it cannot any more, `keystead request \
             replace {id} --cancel` frees its nonce and amounts\n"
        ),
        _ => String::new(),
    }
}

async fn show(session: &Session, request: RequestId) -> Result<Report, Failure> {
    let detail = session.link.request(request).await?;
    let policy = reading::policy_in_force(&session.config, &session.link).await?;
    let lines = reading::understand(request, &detail, policy, &session.library).map(|it| it.lines);
    let mut text = outcome(session, &detail.view, None).await;
    match &lines {
        Ok(lines) => lines.iter().for_each(|line| text.push_str(&format!("  {line}\n"))),
        Err(failure) => text.push_str(&format!("  {failure}\n")),
    }
    let mut table = Table::new(&["height", "decision", "rules"]);
    for decision in &detail.decisions {
        let rules = decision.rules.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        table.row([decision.height.to_string(), decision.outcome.word().to_owned(), rules]);
    }
    let words = lines.ok();
    Ok(Report::new(json!({"detail": detail, "words": words}), format!("{text}\n{}", table.render())))
}

pub(super) const COIN_GAS: u64 = 21_000;
pub(super) const TOKEN_GAS: u64 = 100_000;
const CALL_GAS: u64 = 300_000;
