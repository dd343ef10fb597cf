//! Which coins of Bitcoin's are ours: the scripts of every wallet, up to the gap after the last one that was paid to.
//!
//! To derive them costs more than everything else that a look does: what was derived is kept from one look to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alloy_primitives::Address;
use bitcoin::{Block, Script, ScriptBuf};
use keystead_bitcoin::{GAP_LIMIT, Owned, Search, Wallet, read_wallet};
use keystead_decision::State;
use keystead_intent::{AccountRef, BitcoinWallet, ChainId};

/// A wallet, and the key of ours that signs for it.
#[derive(Debug)]
pub(crate) struct OurWallet {
    pub(crate) account: AccountRef,
    pub(crate) recorded: BitcoinWallet,
    pub(crate) id: Address,
    pub(crate) wallet: Arc<Wallet>,
}

/// The wallets on one network. What the log recorded was read before, and what was read before is not read again.
pub(crate) fn wallets_on(state: &State, chain: ChainId, before: &[Arc<OurWallet>]) -> Vec<Arc<OurWallet>> {
    let known: BTreeMap<Address, &Arc<OurWallet>> = before.iter().map(|it| (it.id, it)).collect();
    let read = |(account, recorded): (AccountRef, BitcoinWallet)| {
        let id = recorded.id();
        if let Some(it) = known.get(&id).filter(|it| it.account == account) {
            return Some(Arc::clone(it));
        }
        let wallet = Arc::new(read_wallet(&recorded).ok()?);
        Some(Arc::new(OurWallet { account, recorded, id, wallet }))
    };
    state.wallets_on(chain).into_iter().filter_map(read).collect()
}

/// How far the search of each wallet came: the first place of each branch after the last one that was paid to.
pub(crate) type Reached = BTreeMap<Address, Vec<u32>>;

/// The scripts that are looked for. Payments make more of them.
#[derive(Debug, Default)]
pub(crate) struct Places {
    searches: Vec<(Arc<OurWallet>, Search<Arc<Wallet>>)>,
    owners: BTreeMap<ScriptBuf, Vec<(usize, Owned)>>,
}

impl Places {
    /// Those of one wallet.
    pub(crate) fn of(wallet: &Arc<OurWallet>, reached: &Reached) -> Self {
        let mut places = Self::default();
        places.keep_to(std::slice::from_ref(wallet), reached);
        places
    }

    /// Those of the wallets that are watched: each that was searched is one of `reached`. What is known of them stays.
    pub(crate) fn keep_to(&mut self, wallets: &[Arc<OurWallet>], reached: &Reached) {
        let watched = || wallets.iter().filter_map(|it| Some((it, reached.get(&it.id)?)));
        let ids: BTreeSet<Address> = watched().map(|(it, _)| it.id).collect();
        if !self.searches.iter().all(|(it, _)| ids.contains(&it.id)) {
            *self = Self::default();
        }
        let known: BTreeSet<Address> = self.searches.iter().map(|(it, _)| it.id).collect();
        let new = watched().filter(|(it, _)| !known.contains(&it.id)).map(|(it, reached)| {
            (Arc::clone(it), Search::resumed(Arc::clone(&it.wallet), GAP_LIMIT, reached))
        });
        self.searches.extend(new);
        self.extend();
    }

    /// Takes down what a block pays to. What it pays far behind counts once it pays what is in between.
    pub(crate) fn see(&mut self, block: &Block) {
        let pays = || block.txdata.iter().flat_map(|it| &it.output).map(|it| &it.script_pubkey);
        loop {
            let paid: Vec<&ScriptBuf> = pays().filter(|it| self.owners.contains_key(*it)).collect();
            for (_, search) in &mut self.searches {
                search.found(paid.iter().copied());
            }
            if !self.extend() {
                return;
            }
        }
    }

    /// Whose a script is.
    pub(crate) fn owners(&self, script: &Script) -> impl Iterator<Item = (&OurWallet, Owned)> {
        let owners = self.owners.get(script).map(Vec::as_slice).unwrap_or_default();
        owners.iter().filter_map(|(at, owned)| Some((self.searches.get(*at)?.0.as_ref(), *owned)))
    }

    pub(crate) fn reached(&self) -> Reached {
        self.searches.iter().map(|(it, search)| (it.id, search.reached())).collect()
    }

    fn extend(&mut self) -> bool {
        let before = self.owners.len();
        for (at, (_, search)) in self.searches.iter_mut().enumerate() {
            for script in search.ask() {
                if let Some(owned) = search.place(&script) {
                    self.owners.entry(script).or_default().push((at, owned));
                }
            }
        }
        self.owners.len() > before
    }
}
