//! Transactions of NEAR's: which key signs them, what they do, and until when a signature of one is good.

use keystead_base::{Coded as _, KeyScheme, PublicAccount};
use keystead_intent::{AccountRef, Effects, NearTransaction};
use keystead_near::{Network, Unsigned};
use keystead_policy::Reason;

use crate::judge::Understood;
use crate::to_sign::ToSign;
use crate::turn::Turn;
use crate::{Controls, State};

impl State {
    /// The account of a key of ML-DSA-65, whatever became of it: it has one, with index 0.
    fn near_key(&self, account: &AccountRef) -> Option<PublicAccount> {
        let key = self.keys.get(&account.key).filter(|_| account.index == ONLY_ACCOUNT)?;
        (key.kind.scheme() == KeyScheme::MlDsa65).then_some(key.account)
    }

    /// Reads a transaction for its key, whatever became of that.
    ///
    /// INVARIANT S2: by this node itself, for the key that the log recorded.
    ///
    /// # Errors
    ///
    /// [`Reason`]: no such key or account, one of another kind, no such network, or bytes that are refused.
    pub fn near_transaction(&self, it: &NearTransaction) -> Result<Unsigned, Reason> {
        let name = || it.account.key.clone();
        let key = self.keys.get(&it.account.key).ok_or_else(|| Reason::KeyUnknown { key: name() })?;
        if key.kind.scheme() != KeyScheme::MlDsa65 {
            return Err(Reason::KindRefused { key: name(), kind: key.kind });
        }
        let network = Network::of(it.chain).ok_or_else(|| {
            let text = format!("{} is no network of NEAR's", it.chain);
            Reason::Undecodable { code: "near.no_network".to_owned(), text }
        })?;
        let account = self.near_key(&it.account).ok_or_else(|| {
            let text = format!("key `{}` has the account 0 alone, not {}", it.account.key, it.account.index);
            Reason::Undecodable { code: "near.no_account".to_owned(), text }
        })?;
        Unsigned::read(network, &account, &it.transaction)
            .map_err(|error| Reason::Undecodable { code: error.code().to_owned(), text: error.to_string() })
    }
}

impl<C: Controls> Turn<'_, C> {
    pub(crate) fn understand_near(&self, it: &NearTransaction) -> Result<Understood, Reason> {
        let unsigned = self.state.near_transaction(it)?;
        if let Some(key) = self.state.keys.get(&it.account.key) {
            self.controls.signs(key, &it.account.key, self.now())?;
        }
        let effects = self.controls.explain_near(&unsigned, self.state.policy.engine.registry());
        let (address, digest) = (unsigned.signer(), unsigned.signing_digest());
        Ok(Understood { address, unsigned: ToSign::Near(digest), effects })
    }

    /// What a transaction did that was allowed; none where nobody can read it any more.
    pub(crate) fn effects_of_near(&self, it: &NearTransaction) -> Option<Effects> {
        let registry = self.state.policy.engine.registry();
        self.state.near_transaction(it).ok().map(|it| self.controls.explain_near(&it, registry))
    }
}

/// INVARIANT S10: how long a transaction is taken to be good. NEAR takes it for 86,400 blocks after the one that it names, about a day;
/// slow blocks stretch that.
pub(crate) const BLOCK_SECONDS: u64 = 3 * 86_400;

/// The one account of a key of ML-DSA-65.
const ONLY_ACCOUNT: u32 = 0;
