//! Messages of Solana's: who signs them, what they do, and until when a signature of one is good.

use keystead_base::{Coded as _, KeyScheme, Timestamp};
use keystead_intent::{AccountRef, Effects, SolanaMessage};
use keystead_policy::Reason;
use keystead_solana::{Cluster, Pubkey, Unsigned};

use crate::judge::Understood;
use crate::to_sign::ToSign;
use crate::turn::Turn;
use crate::{Controls, State};

impl State {
    /// The address of a key of Ed25519, whatever became of it. It is the key itself, as such keys have no children here: there is
    /// one account.
    #[must_use]
    pub fn solana_address(&self, account: &AccountRef) -> Option<Pubkey> {
        let key = self.keys.get(&account.key).filter(|_| account.index == ONLY_ACCOUNT)?;
        key.account.ed25519_key().map(Pubkey)
    }

    /// Who signs a message, and for which cluster.
    ///
    /// # Errors
    ///
    /// [`Reason`]: no such key, one that is not active or of another kind, or no such account or cluster.
    pub fn solana_signer(&self, it: &SolanaMessage) -> Result<(Cluster, Pubkey), Reason> {
        let name = || it.account.key.clone();
        let key = self.keys.get(&it.account.key).ok_or_else(|| Reason::KeyUnknown { key: name() })?;
        if key.kind.scheme() != KeyScheme::Ed25519 {
            return Err(Reason::KindRefused { key: name(), kind: key.kind });
        }
        key.signs_at(&it.account.key, self.time())?;
        let cluster = Cluster::of(it.chain).ok_or_else(|| {
            let text = format!("{} is no cluster of Solana's", it.chain);
            Reason::Undecodable { code: "solana.no_cluster".to_owned(), text }
        })?;
        let address = self.solana_address(&it.account).ok_or_else(|| {
            let text = format!("key `{}` has the account 0 alone, not {}", it.account.key, it.account.index);
            Reason::Undecodable { code: "solana.no_account".to_owned(), text }
        })?;
        Ok((cluster, address))
    }
}

impl<C: Controls> Turn<'_, C> {
    /// INVARIANT S2: the message is read by this node itself, for the key that the log recorded.
    pub(crate) fn understand_message(&self, it: &SolanaMessage) -> Result<Understood, Reason> {
        let (cluster, account) = self.state.solana_signer(it)?;
        let unsigned = self.controls.read_message(cluster, account, &it.message).map_err(|error| {
            Reason::Undecodable { code: error.code().to_owned(), text: error.to_string() }
        })?;
        let effects = self.controls.explain_message(&unsigned);
        let (address, digest) = (account.id(cluster), unsigned.signing_digest());
        Ok(Understood { address, unsigned: ToSign::Solana(digest), effects })
    }

    /// What a message did that was allowed; none where nobody can read it any more.
    pub(crate) fn effects_of_message(&self, it: &SolanaMessage) -> Option<Effects> {
        let (cluster, account) = (Cluster::of(it.chain)?, self.state.solana_address(&it.account)?);
        let unsigned = Unsigned::read(cluster, account, &it.message).ok()?;
        Some(self.controls.explain_message(&unsigned))
    }
}

/// INVARIANT S10: when a message with a recent blockhash is over, executed or not: nobody watches a cluster, so its amounts
/// count as spent from then on. A durable one, which has a slot, is never over by itself. So it is with NEAR, whose transactions all
/// name a recent block.
pub(crate) fn blockhash_over_at(effects: &Effects, now: Timestamp) -> Option<Timestamp> {
    let good = match (effects.chain.solana(), effects.chain.near()) {
        (Some(_), _) => BLOCKHASH_SECONDS,
        (None, Some(_)) => crate::near::BLOCK_SECONDS,
        (None, None) => return None,
    };
    effects.slot.is_none().then(|| now.plus_seconds(good))
}

/// How long a recent blockhash is taken to be good. Clusters take it for 150 blocks, about a minute; one that stands still
/// stretches that.
const BLOCKHASH_SECONDS: u64 = 3600;

/// The one account of a key of Ed25519.
const ONLY_ACCOUNT: u32 = 0;
