//! `keystead request replace`: another transaction in the place of one that is stuck.

use alloy_primitives::{Address, Bytes};
use clap::Args;
use keystead_base::{Amount, RequestId};
use keystead_chain::{Payload, build};
use keystead_intent::{AccountRef, Action, Asset, ChainId, GasTerms, RawEthereum, Replacement, Transfer};

use super::Session;
use super::request::{Patience, ask, chain_view};
use crate::failure::Failure;
use crate::output::{Report, Voice};
use crate::vaulting;

#[derive(Debug, Args)]
pub(crate) struct ReplaceArgs {
    /// The request whose transaction is replaced.
    request: RequestId,
    /// Move nothing instead: the nonce is used up by a transfer of zero to the account itself.
    #[arg(long, conflicts_with = "preimage")]
    cancel: bool,
    /// A transaction of your own with the same nonce, as its signing preimage in hex.
    #[arg(long, conflicts_with_all = ["max_fee", "tip", "gas"])]
    preimage: Option<Bytes>,
    /// Gas limit; as before when it is not named.
    #[arg(long)]
    gas: Option<u64>,
    /// Ceiling per gas, in wei; what nodes demand for a replacement when it is not named: an eighth more.
    #[arg(long)]
    max_fee: Option<u128>,
    /// Tip per gas, in wei; an eighth more when it is not named.
    #[arg(long)]
    tip: Option<u128>,
    /// Only sign; do not send to the chain.
    #[arg(long)]
    no_send: bool,
    #[command(flatten)]
    patience: Patience,
}

pub(super) async fn run(session: &Session, args: ReplaceArgs, voice: Voice) -> Result<Report, Failure> {
    voice.progress("reading the request that is replaced");
    let earlier = session.link.request(args.request).await?.intent.action;
    let (account, chain) = earlier.account().cloned().zip(earlier.chain()).ok_or_else(|| {
        let what = "a change of authority has no place in an account's sequence";
        Failure::new("replace.authority", what, "propose another change: `keystead policy propose`")
    })?;
    let preimage = match args.preimage {
        Some(preimage) => preimage,
        None => dearer(session, &earlier, &args, &account, chain).await?,
    };
    let transaction = RawEthereum { account, chain, preimage };
    let action = Action::Replacement(Replacement { replaces: args.request, transaction });
    let view = chain_view(session).await?.filter(|_| !args.no_send);
    ask(session, action, &args.patience, view).await
}

/// The same transaction, or one that moves nothing, with fees that nodes take for a replacement.
async fn dearer(
    session: &Session,
    earlier: &Action,
    args: &ReplaceArgs,
    account: &AccountRef,
    chain: ChainId,
) -> Result<Bytes, Failure> {
    let before = gas(earlier).ok_or_else(|| {
        let what =
            format!("request {} is a {}: its bytes are its own", args.request, earlier.kind().as_str());
        Failure::new("replace.raw", what, "name the whole new transaction with --preimage")
    })?;
    let address = vaulting::address(&session.link, account).await?;
    let gas = GasTerms {
        nonce: before.nonce,
        gas_limit: args.gas.unwrap_or(before.gas_limit),
        max_fee_per_gas: args.max_fee.unwrap_or_else(|| eighth_more(before.max_fee_per_gas)),
        max_priority_fee_per_gas: args.tip.unwrap_or_else(|| eighth_more(before.max_priority_fee_per_gas)),
    };
    let action = match args.cancel {
        true => nothing(account, chain, address, gas),
        false => with_gas(earlier, gas),
    };
    match build(&action, address)?.payload() {
        Payload::Transaction(preimage) => Ok(preimage.clone()),
        _ => Err(Failure::new("replace.raw", "only a transaction can be replaced", "ask for it anew")),
    }
}

fn gas(action: &Action) -> Option<GasTerms> {
    match action {
        Action::Transfer(it) => Some(it.gas),
        Action::ContractCall(it) => Some(it.gas),
        _ => None,
    }
}

fn with_gas(action: &Action, gas: GasTerms) -> Action {
    let mut action = action.clone();
    match &mut action {
        Action::Transfer(it) => it.gas = gas,
        Action::ContractCall(it) => it.gas = gas,
        _ => {}
    }
    action
}

fn nothing(account: &AccountRef, chain: ChainId, to: Address, gas: GasTerms) -> Action {
    let (account, asset, amount) = (account.clone(), Asset::Native, Amount::ZERO);
    Action::Transfer(Transfer { account, chain, asset, to, amount, gas })
}

/// Nodes take a replacement that offers at least a tenth more.
fn eighth_more(fee: u128) -> u128 {
    fee.saturating_add(fee.div_ceil(8)).max(1)
}
