//! Which accounts are ours: the first ones of every key, and whatever ever had a slot.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use alloy_primitives::Address;
use keystead_base::Name;
use keystead_decision::State;
use keystead_intent::{AccountRef, Asset, AssetEntry, AssetKind, ChainId};
use keystead_ledger::LedgerError;

use crate::shared::Shared;

/// The accounts on one chain.
#[derive(Debug, Default)]
pub(crate) struct Ours {
    accounts: BTreeMap<Address, AccountRef>,
    /// Those whose nonces are compared: the first of each key, and those that were used.
    spending: BTreeSet<Address>,
    /// The tokens of the registry.
    pub(crate) tokens: BTreeSet<Address>,
    /// Those of them that have balances.
    pub(crate) fungible: BTreeSet<Address>,
}

impl Ours {
    pub(crate) fn addresses(&self) -> impl Iterator<Item = Address> {
        self.accounts.keys().copied()
    }

    pub(crate) fn account(&self, address: &Address) -> Option<&AccountRef> {
        self.accounts.get(address)
    }

    pub(crate) fn spending(&self) -> impl Iterator<Item = Address> {
        self.spending.iter().copied()
    }
}

/// What was derived once: a derivation costs more than a look-up.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    derived: HashMap<(Name, u32), Option<Address>>,
    used: HashMap<Address, AccountRef>,
}

impl Accounts {
    /// The accounts of every key, whatever became of it: a stolen secret outlives its key.
    pub(crate) async fn on(
        &mut self,
        shared: &Shared,
        state: &State,
        chain: ChainId,
    ) -> Result<Ours, LedgerError> {
        let (tokens, fungible) = (tokens(state, chain, |_| true), tokens(state, chain, is_fungible));
        let mut ours = Ours { tokens, fungible, ..Ours::default() };
        for (name, key) in state.keys() {
            for index in 0..WATCHED_INDICES {
                let derived = self.derived.entry((name.clone(), index));
                let Some(address) = *derived.or_insert_with(|| key.account.address(index)) else { continue };
                ours.accounts.insert(address, AccountRef { key: name.clone(), index });
                if index == 0 {
                    ours.spending.insert(address);
                }
            }
        }
        for (address, request) in state.accounts_on(chain) {
            if let Some(account) = self.of_request(shared, state, address, &request).await? {
                ours.accounts.insert(address, account);
                ours.spending.insert(address);
            }
        }
        Ok(ours)
    }

    async fn of_request(
        &mut self,
        shared: &Shared,
        state: &State,
        address: Address,
        request: &keystead_base::RequestId,
    ) -> Result<Option<AccountRef>, LedgerError> {
        if let Some(account) = self.used.get(&address) {
            return Ok(Some(account.clone()));
        }
        let intent = shared.intent_of(state, request).await?;
        let account = intent.and_then(|it| it.action.account().cloned());
        if let Some(account) = &account {
            self.used.insert(address, account.clone());
        }
        Ok(account)
    }
}

fn is_fungible(entry: &AssetEntry) -> bool {
    entry.kind == AssetKind::Fungible
}

fn tokens(state: &State, chain: ChainId, wanted: impl Fn(&AssetEntry) -> bool) -> BTreeSet<Address> {
    let version = state.policy().engine.version();
    let of_chain = version.assets.iter().filter(|entry| entry.chain == chain && wanted(entry));
    of_chain
        .filter_map(|entry| if let Asset::Token(token) = entry.asset { Some(token) } else { None })
        .collect()
}

/// So many accounts of each key are ours before any of them was used: the gap limit of BIP-44.
const WATCHED_INDICES: u32 = 20;
