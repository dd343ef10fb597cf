//! Which coins of Bitcoin's are ours: the scripts of every wallet, up to the gap after the last one that was paid to.

use std::collections::BTreeMap;

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
    pub(crate) wallet: Wallet,
}

/// The wallets on one network. What the log recorded was read before.
pub(crate) fn wallets_on(state: &State, chain: ChainId) -> Vec<OurWallet> {
    let read = |(account, recorded): (AccountRef, BitcoinWallet)| {
        let (id, wallet) = (recorded.id(), read_wallet(&recorded).ok()?);
        Some(OurWallet { account, recorded, id, wallet })
    };
    state.wallets_on(chain).into_iter().filter_map(read).collect()
}

/// How far the search of each wallet came: the first place of each branch after the last one that was paid to.
pub(crate) type Reached = BTreeMap<Address, Vec<u32>>;

/// The scripts that are looked for. Payments make more of them.
pub(crate) struct Places<'a> {
    searches: Vec<(&'a OurWallet, Search<'a>)>,
    owners: BTreeMap<ScriptBuf, Vec<(usize, Owned)>>,
}

impl<'a> Places<'a> {
    pub(crate) fn new(wallets: &'a [OurWallet], reached: &Reached) -> Self {
        let search = |it: &'a OurWallet| {
            let reached = reached.get(&it.id).map(Vec::as_slice).unwrap_or_default();
            (it, Search::resumed(&it.wallet, GAP_LIMIT, reached))
        };
        let mut places = Self { searches: wallets.iter().map(search).collect(), owners: BTreeMap::new() };
        places.extend();
        places
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
    pub(crate) fn owners(&self, script: &Script) -> impl Iterator<Item = (&'a OurWallet, Owned)> {
        let owners = self.owners.get(script).map(Vec::as_slice).unwrap_or_default();
        owners.iter().filter_map(|(at, owned)| Some((self.searches.get(*at)?.0, *owned)))
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
