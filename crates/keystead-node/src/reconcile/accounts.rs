//! Which accounts are ours: the first ones of every key, and whatever ever had a slot.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use alloy_primitives::Address;
use keystead_base::Name;
use keystead_decision::{Key, State};
use keystead_intent::{AccountRef, Asset, AssetEntry, AssetKind, ChainId};
use keystead_ledger::LedgerError;

use crate::shared::Shared;

/// The accounts on one chain.
#[derive(Debug, Default)]
pub(crate) struct Ours {
    derived: Arc<Derived>,
    /// Of which the log gave a slot away.
    used: BTreeMap<Address, AccountRef>,
    /// Those whose nonces are compared: the first of each key, and those that were used.
    spending: BTreeSet<Address>,
    /// The tokens of the registry.
    pub(crate) tokens: BTreeSet<Address>,
    /// Those of them that have balances.
    pub(crate) fungible: BTreeSet<Address>,
}

impl Ours {
    pub(crate) fn addresses(&self) -> impl Iterator<Item = Address> {
        let used = self.used.keys().filter(|it| !self.derived.accounts.contains_key(*it));
        self.derived.accounts.keys().chain(used).copied()
    }

    pub(crate) fn account(&self, address: &Address) -> Option<&AccountRef> {
        self.derived.accounts.get(address).or_else(|| self.used.get(address))
    }

    pub(crate) fn spending(&self) -> impl Iterator<Item = Address> {
        self.spending.iter().copied()
    }
}

/// What was derived or looked up once.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    derived: Arc<Derived>,
    used: HashMap<Address, AccountRef>,
}

/// The first accounts of every key: with thousands of keys their derivation takes seconds.
#[derive(Clone, Debug, Default)]
struct Derived {
    keys: HashSet<Name>,
    accounts: HashMap<Address, AccountRef>,
    /// Those with index 0.
    first: BTreeSet<Address>,
}

impl Derived {
    fn add(&mut self, name: &Name, key: &Key) {
        let accounts = (0..WATCHED_INDICES).filter_map(|index| Some((key.account.address(index)?, index)));
        for (address, index) in accounts {
            self.accounts.insert(address, AccountRef { key: name.clone(), index });
            if index == 0 {
                self.first.insert(address);
            }
        }
        self.keys.insert(name.clone());
    }
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
        self.derive(state).await;
        let (derived, spending) = (Arc::clone(&self.derived), self.derived.first.clone());
        let mut ours = Ours { derived, used: BTreeMap::new(), spending, tokens, fungible };
        for (address, request) in state.accounts_on(chain) {
            if let Some(account) = self.of_request(shared, state, address, &request).await? {
                ours.used.insert(address, account);
                ours.spending.insert(address);
            }
        }
        Ok(ours)
    }

    /// Keys come and never go, and what their accounts derive from stays.
    async fn derive(&mut self, state: &State) {
        if self.derived.keys.len() == state.key_count() {
            return;
        }
        for (name, key) in state.keys() {
            if !self.derived.keys.contains(name) {
                Arc::make_mut(&mut self.derived).add(name, key);
                // Others have their turn between thousands of keys.
                tokio::task::yield_now().await;
            }
        }
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
