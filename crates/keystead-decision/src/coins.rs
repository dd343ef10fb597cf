//! Coins of Bitcoin's: whose transaction takes them, and how they become free again.

use std::sync::Arc;

use keystead_base::{Blame, ClusterId, Coded, Digest, KeyScheme, Name, RequestId, tagged_hash};
use keystead_bitcoin::{
    AccountError, SpendError, check_shared, read_account, shared_wallet, wallet_in_shares,
};
use keystead_intent::{AccountRef, Action, BitcoinWallet, ChainId, Coin, CoinSpend, KeyState, PsbtSpend};
use keystead_policy::{PolicyVersion, Reason};

use crate::turn::Turn;
use crate::{Controls, Request, SlotUse, State};

/// A network, and a key whose own coins they are: no signature of another key spends them, whatever a PSBT says of their
/// script, and so nobody takes the coins of a key that is not theirs. Coins of shared wallets are of no key alone. Their scripts
/// are proven by the transactions that pay to them, and what two keys of ours share is one purse.
pub type Purse = (ChainId, Option<Name>);

/// What a key signs with its first account to say that a wallet grows from the same seed. Its domain keeps it apart from
/// every transaction.
#[must_use]
pub fn wallet_challenge(cluster: ClusterId, key: &Name, wallet: &Digest) -> Digest {
    let body = borsh::to_vec(&(cluster, key, wallet)).unwrap_or_default();
    tagged_hash("keystead/wallet-proof/v1", &body)
}

impl<C: Controls> Turn<'_, C> {
    /// A back end says which wallet a key has on a network. The proof is by the account that drills prove, so whoever
    /// reports cannot name another one's; that of a key in shares follows from its public account.
    pub(crate) fn wallet_recorded(
        &mut self,
        name: &Name,
        wallet: &BitcoinWallet,
        proof: &[u8],
    ) -> Result<KeyState, Reason> {
        read_account(wallet).map_err(|error| undecodable(&SpendError::from(error)))?;
        let challenge = wallet_challenge(self.state.cluster, name, &keystead_base::Canonical::digest(wallet));
        let key = self.state.keys.get_mut(name).ok_or_else(|| Reason::KeyUnknown { key: name.clone() })?;
        let proven = match &key.sharing {
            // INVARIANT S7: what is proven by a key that signs no coins is no wallet.
            None => key.kind.scheme() == KeyScheme::Ecdsa && key.account.proves_control(&challenge, proof),
            // Nothing of its path is hardened: it is what anybody derives.
            Some(_) => {
                proof.is_empty()
                    && wallet_in_shares(wallet.chain, key.kind, &key.account).as_ref() == Ok(wallet)
            }
        };
        if wallet.account != RECORDED_ACCOUNT || !proven {
            let text = format!("no proof that the wallet is the first one of key `{name}`");
            return Err(Reason::NotCounted { code: "wallet.unproven".to_owned(), text });
        }
        key.wallets.entry(wallet.chain).or_insert_with(|| wallet.clone());
        Ok(key.state)
    }
}

impl State {
    /// The wallet of an account, only once a backup of its key was drilled, and not where people stopped the key.
    ///
    /// # Errors
    ///
    /// [`Reason`]: no such key, one that is not active, or no such wallet.
    pub fn wallet(&self, account: &AccountRef, chain: ChainId) -> Result<&BitcoinWallet, Reason> {
        let name = || account.key.clone();
        let key = self.keys.get(&account.key).ok_or_else(|| Reason::KeyUnknown { key: name() })?;
        key.signs_at(&account.key, self.time)?;
        let wallet = key.wallets.get(&chain).filter(|it| it.account == account.index);
        wallet.ok_or_else(|| {
            let text = format!("key `{}` has no account {} on {chain}", account.key, account.index);
            Reason::Undecodable { code: "bitcoin.no_wallet".to_owned(), text }
        })
    }

    /// The wallet whose coins a request spends: the key's own, or one that policy says it shares.
    ///
    /// # Errors
    ///
    /// [`Reason`]: as [`State::wallet`], or the key shares no wallet of that name.
    pub fn wallet_for(&self, it: &PsbtSpend) -> Result<BitcoinWallet, Reason> {
        let own = self.wallet(&it.account, it.chain)?;
        let Some(name) = &it.shared else { return Ok(own.clone()) };
        let terms = self.policy.engine.version().bitcoin.as_ref();
        let shared = terms.and_then(|terms| terms.shared_wallet(it.chain, &it.account.key, name));
        let shared = shared.ok_or_else(|| {
            let text = format!("policy has no wallet `{name}` that key `{}` shares", it.account.key);
            Reason::Undecodable { code: "bitcoin.no_shared_wallet".to_owned(), text }
        })?;
        shared_wallet(own, &shared.descriptor).map_err(|error| undecodable(&error.into()))
    }

    /// The wallets of all keys on a network, whatever became of the keys: each key's own one, and those that policy says it
    /// shares.
    #[must_use]
    pub fn wallets_on(&self, chain: ChainId) -> Vec<(AccountRef, BitcoinWallet)> {
        let mut wallets = Vec::new();
        let terms = self.policy.engine.version().bitcoin.as_ref();
        for (name, key) in &self.keys {
            let Some(own) = key.wallets.get(&chain) else { continue };
            let account = || AccountRef { key: name.clone(), index: own.account };
            wallets.push((account(), own.clone()));
            let all = terms.iter().flat_map(|it| &it.shared_wallets);
            let its = all.filter(|it| it.chain == chain && it.key == *name);
            let its = its.filter_map(|it| shared_wallet(own, &it.descriptor).ok());
            wallets.extend(its.map(|it| (account(), it)));
        }
        wallets
    }

    /// The requests that were ever allowed for a coin and are not dead, whichever key they are of.
    #[must_use]
    pub fn allowed_for(&self, chain: ChainId, coin: &Coin) -> Vec<RequestId> {
        let purses = self.keys.keys().map(|key| Some(key.clone())).chain([None]);
        let held = purses.filter_map(|it| self.coins.get(&((chain, it), *coin)));
        held.flat_map(|it| it.requests.iter().copied()).collect()
    }

    /// INVARIANT S4: at most one transaction for any coin, unless a replacement names the one before; and it takes that
    /// one's place only where it spends all coins of that one: of two transactions at most one can be mined.
    pub(crate) fn coins_admit(
        &self,
        purse: &Purse,
        spend: &CoinSpend,
        asks: &RequestId,
        replaces: Option<&RequestId>,
    ) -> Result<(), Reason> {
        for coin in &spend.coins {
            let Some(held) = self.coins.get(&(purse.clone(), *coin)) else { continue };
            let last = held.requests.last();
            let same = replaces.is_some() && last == replaces;
            if held.settled || !(same || last == Some(asks)) {
                return Err(Reason::CoinTaken { coin: *coin, by: last.copied().unwrap_or(*asks) });
            }
        }
        match replaces {
            Some(named) if !self.spends_all_of(purse, named, spend) => {
                let text = "it does not spend every coin of that request".to_owned();
                Err(Reason::NotReplacing { replaces: *named, text })
            }
            _ => Ok(()),
        }
    }

    fn spends_all_of(&self, purse: &Purse, named: &RequestId, spend: &CoinSpend) -> bool {
        let Some(request) = self.requests.get(named) else { return false };
        let theirs = places(request);
        !theirs.is_empty() && theirs.iter().all(|(whose, coin)| whose == purse && spend.coins.contains(coin))
    }

    pub(crate) fn take_coins(&mut self, purse: &Purse, coins: &[Coin], id: RequestId) {
        for coin in coins {
            let unused = || Arc::new(SlotUse { requests: Vec::new(), settled: false });
            let held = Arc::make_mut(self.coins.entry((purse.clone(), *coin)).or_insert_with(unused));
            if held.requests.last() != Some(&id) {
                held.requests.push(id);
            }
        }
    }

    /// The transaction of a request is final: its coins are gone, and so are the others that would spend one of them.
    pub(crate) fn spend_coins(&mut self, id: &RequestId, request: &Request) -> Vec<RequestId> {
        let mut others = Vec::new();
        for place in places(request) {
            let Some(held) = self.coins.get_mut(&place).map(Arc::make_mut) else { continue };
            held.settled = true;
            others.extend(held.requests.iter().filter(|it| *it != id));
        }
        others.sort_unstable();
        others.dedup();
        others
    }

    /// A request can never execute: what it alone took can be spent by others.
    pub(crate) fn free_coins(&mut self, id: &RequestId, request: &Request) {
        for place in places(request) {
            let Some(held) = self.coins.get_mut(&place).map(Arc::make_mut) else { continue };
            held.requests.retain(|it| it != id || held.settled);
            if held.requests.is_empty() {
                self.coins.remove(&place);
            }
        }
    }

    /// The coins that were given away.
    pub fn coins(&self) -> impl Iterator<Item = (&(Purse, Coin), &SlotUse)> {
        self.coins.iter().map(|(place, held)| (place, held.as_ref()))
    }
}

/// Whether all shared wallets of a version are ones that somebody could spend from: others are not registered, at the founding
/// no more than later.
///
/// # Errors
///
/// [`UnfitWallet`] names the first one that is not.
pub fn check_registered(version: &PolicyVersion) -> Result<(), UnfitWallet> {
    let mut wallets = version.bitcoin.iter().flat_map(|it| &it.shared_wallets);
    wallets.try_for_each(|it| {
        let unfit = |error| UnfitWallet { name: it.name.clone(), error };
        check_shared(it.chain, &it.descriptor).map(drop).map_err(unfit)
    })
}

/// A shared wallet that cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("wallet `{name}`: {error}")]
pub struct UnfitWallet {
    /// What policy calls it.
    pub name: Name,
    /// What is wrong with its descriptor.
    pub error: AccountError,
}

impl Coded for UnfitWallet {
    fn code(&self) -> &'static str {
        self.error.code()
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

fn places(request: &Request) -> Vec<(Purse, Coin)> {
    let purse = purse_of(request);
    purse.into_iter().flat_map(|purse| request.coins.iter().map(move |coin| (purse.clone(), *coin))).collect()
}

/// Whose coins a request may spend.
pub(crate) fn purse_of(request: &Request) -> Option<Purse> {
    let action = &request.intent.action;
    let shared = matches!(action, Action::Psbt(it) if it.shared.is_some());
    Some((action.chain()?, (!shared).then_some(&action.account()?.key).cloned()))
}

pub(crate) fn undecodable(error: &SpendError) -> Reason {
    Reason::Undecodable { code: Coded::code(error).to_owned(), text: error.to_string() }
}

/// The account of BIP-44 that back ends report.
const RECORDED_ACCOUNT: u32 = 0;
