//! What of Bitcoin's blocks no request made, and which coins are not there that must be.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, U256};
use bitcoin::{Script, ScriptBuf, Transaction};
use keystead_base::{Amount, Digest};
use keystead_bitcoin::{coin_at, is_of_psbt, is_signed_by_others};
use keystead_decision::{Discrepancy, FinalBlock, Finding, State};
use keystead_intent::{Action, Asset, ChainId, Coin};
use keystead_ledger::LedgerError;

use super::coin_book::{HeldCoin, Taking};
use super::suspects::{Evidence, Suspect};
use super::tolerance::Shortfall;
use super::wallets::{OurWallet, Places};
use crate::Event;
use crate::shared::Shared;

/// One network's judge.
pub(crate) struct CoinStrays<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) state: &'a State,
    pub(crate) chain: ChainId,
    pub(crate) places: &'a Places,
}

impl CoinStrays<'_> {
    /// INVARIANT L4: what takes coins of ours, and no request made.
    pub(crate) async fn of(&self, taking: &Taking) -> Result<Vec<Suspect>, LedgerError> {
        let Taking { transaction, coins, block } = taking;
        if spent_by_a_request(self.shared, self.state, self.chain, transaction, coins.keys()).await? {
            return Ok(Vec::new());
        }
        let mut suspects = Vec::new();
        for (wallet, its) in self.by_wallet(coins) {
            let Some(coin) = its.first_key_value().map(|(coin, _)| *coin) else { continue };
            if self.is_by_others(wallet, transaction, &its) {
                let (chain, wallet, number) = (self.chain.0, wallet.id, block.number);
                self.shared.event(Event::SpentByOthers { chain, wallet, block: number, coin });
                continue;
            }
            let hash = Digest(*transaction.compute_txid().as_ref());
            let what = Discrepancy::Spend { block: *block, transaction: hash, coin };
            let evidence = Evidence::Spent { transaction: transaction.clone(), coin };
            suspects.push(self.suspect(wallet, what, evidence));
        }
        Ok(suspects)
    }

    /// INVARIANT L3: what must be there after a block, as no final block spends it, and is not; only downwards.
    pub(crate) fn of_balances(
        &self,
        coins: &BTreeMap<Coin, HeldCoin>,
        there: &BTreeSet<Coin>,
        block: FinalBlock,
    ) -> Vec<Suspect> {
        let mut suspects = Vec::new();
        for (wallet, its) in self.by_wallet(coins) {
            let sum = |counts: &dyn Fn(&Coin) -> bool| -> u64 {
                its.iter().filter(|(coin, _)| counts(coin)).map(|(_, it)| it.sat).sum()
            };
            let (expected, found) = (sum(&|_| true), sum(&|coin| there.contains(coin)));
            let (missing, held) = (U256::from(expected.saturating_sub(found)), U256::from(expected));
            let shortfall = Shortfall { missing, moved: U256::ZERO, held };
            if !shortfall.is_tolerated(self.state, self.chain, Asset::Native) {
                let asset = Asset::Native;
                let (expected, found) = (Amount::from(expected), Amount::from(found));
                let what = Discrepancy::Balance { block, asset, expected, found };
                suspects.push(self.suspect(wallet, what, Evidence::Missing { asset, shortfall }));
            }
        }
        suspects
    }

    /// Coins with the wallets that they are of; two keys of ours may share one.
    fn by_wallet<'c>(
        &self,
        coins: &'c BTreeMap<Coin, HeldCoin>,
    ) -> Vec<(&OurWallet, BTreeMap<Coin, &'c HeldCoin>)> {
        let mut all: BTreeMap<Address, (&OurWallet, BTreeMap<Coin, &HeldCoin>)> = BTreeMap::new();
        for (coin, held) in coins {
            for (wallet, _) in self.places.owners(Script::from_bytes(&held.script)) {
                all.entry(wallet.id).or_insert((wallet, BTreeMap::new())).1.insert(*coin, held);
            }
        }
        all.into_values().collect()
    }

    /// Whether others of a shared wallet did it without our key.
    fn is_by_others(
        &self,
        wallet: &OurWallet,
        transaction: &Transaction,
        coins: &BTreeMap<Coin, &HeldCoin>,
    ) -> bool {
        let inputs = transaction.input.iter().enumerate();
        let mut its = inputs.filter_map(|(at, it)| Some((at, coins.get(&coin_at(it.previous_output))?)));
        its.all(|(input, held)| {
            let script = ScriptBuf::from_bytes(held.script.clone());
            let mut owners = self.places.owners(&script).filter(|(it, _)| it.id == wallet.id);
            owners.any(|(it, owned)| is_signed_by_others(&it.recorded, owned, held.sat, transaction, input))
        })
    }

    fn suspect(&self, wallet: &OurWallet, what: Discrepancy, evidence: Evidence) -> Suspect {
        let (cluster, chain, account) = (self.shared.cluster, self.chain, wallet.account.clone());
        Suspect::new(Finding { cluster, chain, account, address: wallet.id, what }, evidence)
    }
}

/// INVARIANT L4: whether a request that the log allowed for one of these coins makes this very transaction, whoever signed it
/// beside us and however the signatures are written.
pub(crate) async fn spent_by_a_request<'c>(
    shared: &Shared,
    state: &State,
    chain: ChainId,
    transaction: &Transaction,
    coins: impl Iterator<Item = &'c Coin>,
) -> Result<bool, LedgerError> {
    let requests: BTreeSet<_> = coins.flat_map(|coin| state.allowed_for(chain, coin)).collect();
    for request in requests {
        let Some(intent) = shared.intent_of(state, &request).await? else { continue };
        if matches!(&intent.action, Action::Psbt(it) if is_of_psbt(transaction, &it.psbt)) {
            return Ok(true);
        }
    }
    Ok(false)
}
