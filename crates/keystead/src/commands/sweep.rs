//! `keystead key sweep`: what an old key still has, moved to a new one by ordinary requests.

use alloy_primitives::U256;
use clap::Args;
use keystead_base::{Amount, Name};
use keystead_bitcoin::{Branch, PsbtVersion, Target, address_of, compose, consolidate, read_wallet};
use keystead_intent::{
    AccountRef, Action, Asset, AssetEntry, BitcoinWallet, ChainId, GasTerms, PsbtSpend, Transfer,
};
use keystead_policy::PolicyVersion;
use keystead_transmit::ChainView;
use keystead_wire::{KeyView, RequestStage, RequestView};
use serde_json::{Value, json};

use super::psbt_build::usual;
use super::request::{COIN_GAS, TOKEN_GAS, chain_view, under_caps};
use super::{Global, REQUEST_LIFETIME, Session};
use crate::balances::Balances;
use crate::coins::{self, RateArgs, ScanArgs};
use crate::failure::Failure;
use crate::output::{Report, Voice};
use crate::table::Table;
use crate::vaulting;

#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// The key that is emptied.
    key: Name,
    /// The key that gets it: one that nobody ever had a copy of.
    #[arg(long, value_name = "KEY")]
    to: Name,
    /// How many accounts of the old key are looked at.
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    accounts: u32,
    /// Ask for what is listed. Without it nothing is asked for.
    #[arg(long)]
    send: bool,
    #[command(flatten)]
    rate: RateArgs,
    #[command(flatten)]
    scan: ScanArgs,
}

/// One request of a sweep.
struct Move {
    chain: ChainId,
    from: String,
    asset: String,
    amount: String,
    to: String,
    action: Action,
}

/// What is to move, and what stays behind and why.
#[derive(Default)]
struct Plan {
    moves: Vec<Move>,
    left: Vec<(ChainId, String)>,
}

pub(super) async fn run(
    global: &Global,
    session: &Session,
    args: &SweepArgs,
    voice: Voice,
) -> Result<Report, Failure> {
    // A key that is over still signs what sweeps it to its successor.
    let old = vaulting::named(&session.link, &args.key).await?;
    let new = receiving(session, &args.to).await?;
    if old.name == new.name {
        return Err(Failure::usage("a key is not swept to itself", "name another one with --to"));
    }
    let policy = session.link.policy(None).await?;
    let view = chain_view(session).await?;
    let mut plan = Plan::default();
    for chain in &policy.chains {
        match (chain.bitcoin(), &view) {
            (Some(_), _) => match old.signing_wallet(*chain) {
                Some(wallet) => plan.coins(global, args, (wallet, &new)).await?,
                None => plan.left.push((*chain, "the log knows no wallet of the key there".to_owned())),
            },
            (None, Some(view)) if view.chain_id() == chain.0 => {
                voice.progress("asking the chain for balances, nonces and fees");
                plan.accounts(&policy, args, (&old, &new), view).await?;
            }
            (None, _) if chain.solana().is_some() => plan.left.push((*chain, ON_SOLANA.to_owned())),
            (None, _) => plan.left.push((*chain, "keystead.toml names no endpoints of it".to_owned())),
        }
    }
    let asked = match args.send {
        true => plan.ask(session, view.as_ref()).await?,
        false => Vec::new(),
    };
    Ok(plan.report(args, &new, &asked))
}

/// A key that may be paid.
async fn receiving(session: &Session, name: &Name) -> Result<KeyView, Failure> {
    let view = vaulting::named(&session.link, name).await?;
    if view.state.receives() {
        return Ok(view);
    }
    let what = format!("key `{name}` is {}", view.state);
    Err(Failure::new("key.inactive", what, "`keystead key list` shows which keys are active"))
}

/// No balance is read there.
const ON_SOLANA: &str =
    "nothing of Solana is asked for balances: move them by `keystead request solana-transfer`";

impl Plan {
    /// Tokens first: what is left of the coin afterwards pays for them.
    async fn accounts(
        &mut self,
        policy: &PolicyVersion,
        args: &SweepArgs,
        (old, new): (&KeyView, &KeyView),
        view: &ChainView,
    ) -> Result<(), Failure> {
        let chain = ChainId(view.chain_id());
        let (Some(account), Some(to)) = (old.signing_account(), new.address) else {
            self.left.push((chain, "one of both keys has no account there".to_owned()));
            return Ok(());
        };
        let market = view.fees().await?;
        for index in 0..args.accounts {
            let Some(from) = account.address(index) else { break };
            let place = AccountRef { key: old.name.clone(), index };
            let mut nonce = view.pending_nonce(from).await?;
            let held = Balances::of(from, view, policy).await?;
            let mut coin = held.coin;
            let token = |(entry, token, amount): (&AssetEntry, _, _)| {
                (Asset::Token(token), entry.symbol.clone(), amount, TOKEN_GAS)
            };
            let mut moved: Vec<_> = held.tokens.into_iter().map(token).collect();
            moved.push((Asset::Native, "coin".to_owned(), U256::ZERO, COIN_GAS));
            for (asset, symbol, amount, gas_limit) in moved {
                let fees = under_caps(policy, (&place.key, chain), market, gas_limit)?;
                let small = |it: Amount| u128::try_from(it.0).unwrap_or(u128::MAX);
                let max_fee_per_gas = small(fees.max_fee_per_gas);
                let cost = U256::from(max_fee_per_gas).saturating_mul(U256::from(gas_limit));
                let is_coin = asset == Asset::Native;
                if coin <= cost {
                    if !is_coin || !coin.is_zero() {
                        let what =
                            format!("{symbol} of {from} (index {index}): its coin does not pay the fee");
                        self.left.push((chain, what));
                    }
                    continue;
                }
                coin -= cost;
                let amount = Amount(if is_coin { coin } else { amount });
                let gas = GasTerms {
                    nonce,
                    gas_limit,
                    max_fee_per_gas,
                    max_priority_fee_per_gas: small(fees.max_priority_fee_per_gas),
                };
                nonce += 1;
                let account = place.clone();
                let action = Action::Transfer(Transfer { account, chain, asset, to, amount, gas });
                let (from, to, amount) = (from.to_string(), to.to_string(), amount.to_string());
                self.moves.push(Move { chain, from, asset: symbol, amount, to, action });
            }
        }
        Ok(())
    }

    /// All coins that the sources show, as one output of the new key's.
    async fn coins(
        &mut self,
        global: &Global,
        args: &SweepArgs,
        (recorded, new): (&BitcoinWallet, &KeyView),
    ) -> Result<(), Failure> {
        let chain = recorded.chain;
        let Some(receives) = new.wallets.iter().find(|it| it.chain == chain) else {
            self.left.push((chain, "the log knows no wallet of the new key there".to_owned()));
            return Ok(());
        };
        let (wallet, receives) = (read_wallet(recorded)?, read_wallet(receives)?);
        let (old_view, new_view) = (coins::open(&global.dir, &wallet)?, coins::open(&global.dir, &receives)?);
        let holdings = coins::scan(&old_view, &wallet, args.scan).await?;
        let spendable = holdings.deep(args.scan.confirmations);
        if spendable.is_empty() {
            return Ok(());
        }
        let theirs = coins::scan(&new_view, &receives, args.scan).await?;
        let script = receives
            .derive(theirs.unused(usual(&receives), Branch::Receive))
            .map(|it| it.script_pubkey)
            .ok_or_else(|| Failure::new("key.sweep", "the new key has no address there", "try again"))?;
        let change = holdings.unused(usual(&wallet), Branch::Change);
        let target = Target { sat_per_kvb: coins::rate(Some(&old_view), args.rate).await?, change };
        let mut draft = holdings.draft(&spendable, |coins| Ok(consolidate(&wallet, coins, target)?)).await?;
        for it in &mut draft.outputs {
            // A longer script takes more room in the block.
            let longer = script.len().saturating_sub(it.output.script_pubkey.len()) as u64;
            let more = longer.saturating_mul(target.sat_per_kvb).div_ceil(1_000);
            it.output.value =
                it.output.value.checked_sub(bitcoin::Amount::from_sat(more)).unwrap_or_default();
            (it.output.script_pubkey, it.owned) = (script.clone(), None);
        }
        let amount: u64 = draft.outputs.iter().map(|it| it.output.value.to_sat()).sum();
        let psbt = compose(&wallet, &draft)?.to_bytes(PsbtVersion::Zero).into();
        let account = AccountRef { key: args.key.clone(), index: 0 };
        let action = Action::Psbt(PsbtSpend { account, chain, psbt, replaces: None, shared: None });
        self.moves.push(Move {
            chain,
            from: format!("{} coins", draft.inputs.len()),
            asset: "satoshi".to_owned(),
            amount: amount.to_string(),
            to: address_of(&script, receives.network()).unwrap_or_default(),
            action,
        });
        let more = spendable.len().saturating_sub(draft.inputs.len());
        if more > 0 {
            self.left
                .push((chain, format!("{more} coins: sweep once more for those that are worth their fee")));
        }
        Ok(())
    }

    /// Each is decided about like any other request; what is signed at once goes to its chain.
    async fn ask(
        &self,
        session: &Session,
        view: Option<&ChainView>,
    ) -> Result<Vec<(RequestView, Option<String>)>, Failure> {
        let mut asked = Vec::new();
        for it in &self.moves {
            let request = session.speaker().ask(it.action.clone(), REQUEST_LIFETIME).await?;
            let sends = view.filter(|view| view.chain_id() == it.chain.0);
            let sent = match (&request.signed, sends) {
                (Some(signed), Some(view)) => Some(view.send(&signed.raw).await?.hash.to_string()),
                (None, Some(_)) if request.stage == RequestStage::Waiting => {
                    session.link.track(request.request).await?;
                    None
                }
                _ => None,
            };
            asked.push((request, sent));
        }
        Ok(asked)
    }

    fn report(&self, args: &SweepArgs, new: &KeyView, asked: &[(RequestView, Option<String>)]) -> Report {
        let mut table = Table::new(&["chain", "from", "what", "amount", "to", "stands"]);
        let mut moves = Vec::new();
        for (at, it) in self.moves.iter().enumerate() {
            let request = asked.get(at);
            let stands = request.map_or("not asked for".to_owned(), |(view, _)| view.stage.word().to_owned());
            let [from, asset, amount, to] = [&it.from, &it.asset, &it.amount, &it.to].map(String::clone);
            table.row([it.chain.0.to_string(), from, asset, amount, to, stands]);
            moves.push(json!({
                "chain": it.chain, "from": it.from, "asset": it.asset, "amount": it.amount, "to": it.to,
                "action": it.action, "request": request.map(|(view, _)| view),
                "sent": request.and_then(|(_, sent)| sent.as_ref()),
            }));
        }
        let left: Vec<Value> =
            self.left.iter().map(|(chain, why)| json!({"chain": chain, "why": why})).collect();
        let stays: String =
            self.left.iter().map(|(chain, why)| format!("left behind on {}: {why}\n", chain.0)).collect();
        let next = match (args.send, self.moves.is_empty()) {
            (_, true) => "nothing to move\n".to_owned(),
            (false, false) => format!(
                "nothing was asked for: `keystead key sweep {} --to {} --send` asks\n",
                args.key, args.to
            ),
            (true, false) => String::new(),
        };
        let warning = match new.imported {
            true => format!(
                "DANGER: key `{}` WAS WHOLE ONCE: whoever has a copy of it has what is swept to it\n",
                new.name
            ),
            false => String::new(),
        };
        let text = format!("{warning}{}{stays}{next}{NOT_SEEN}", table.render());
        let json = json!({
            "from": args.key, "to": args.to, "moves": moves, "left": left, "sent": args.send, "not_seen": NOT_SEEN.trim_end(),
        });
        let mut report = Report::new(json, text);
        report.holds = asked.iter().all(|(view, _)| view.stage != RequestStage::Denied);
        report
    }
}

const NOT_SEEN: &str = "not seen here: tokens that policy does not register, numbered tokens, rights that the old key gave, contracts that it \
                        owns, and accounts beyond --accounts. Old copies sign for the old key for ever: leave nothing in it, and name the new \
                        addresses to whoever pays\n";
