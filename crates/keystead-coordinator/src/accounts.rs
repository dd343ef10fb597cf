//! Which keys and addresses there are, as the node's public keys say.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use alloy_primitives::Address;
use keystead_base::{Name, PublicAccount};
use keystead_intent::AccountRef;
use keystead_wire::{KeyView, NodeCallError, NodeClient};

/// Addresses by what signs for them. All keys are read anew only when the log has grown, and once for all who wait for it.
pub(crate) struct Accounts {
    node: NodeClient,
    per_key: u32,
    known: Mutex<Known>,
    reading: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct Known {
    listed: Arc<Listed>,
    asked: Option<Instant>,
    /// Where the log was before the keys were read: they are of this height or a later one.
    height: Option<u64>,
}

/// The accounts of all keys.
#[derive(Default)]
pub(crate) struct Listed {
    /// Of every key, in their order.
    names: Vec<Name>,
    /// By the name of their key; a key that signs for nobody now has none.
    keys: BTreeMap<Name, Arc<Derived>>,
    accounts: HashMap<Address, AccountRef>,
}

/// The accounts of one key: a derivation costs more than everything else here.
struct Derived {
    of: PublicAccount,
    /// By index: the address, and the point as 64 bytes `x || y`.
    accounts: Vec<(u32, Address, [u8; 64])>,
}

impl Accounts {
    pub(crate) fn new(node: NodeClient, per_key: u32) -> Self {
        Self { node, per_key, known: Mutex::default(), reading: tokio::sync::Mutex::default() }
    }

    /// Every address, by key and index.
    pub(crate) async fn all(&self) -> Result<Vec<Address>, NodeCallError> {
        Ok(self.refresh().await?.accounts().map(|(_, address, _)| *address).collect())
    }

    /// The points of the accounts of those keys that `wanted` says, by key and index.
    pub(crate) async fn points(
        &self,
        wanted: impl Fn(&Name) -> bool,
    ) -> Result<Vec<[u8; 64]>, NodeCallError> {
        let listed = self.refresh().await?;
        let keys = listed.keys.iter().filter(|(name, _)| wanted(name));
        Ok(keys.flat_map(|(_, key)| &key.accounts).map(|(_, _, point)| *point).collect())
    }

    /// The names of all keys, in their order.
    pub(crate) async fn names(&self) -> Result<Vec<Name>, NodeCallError> {
        Ok(self.refresh().await?.names.clone())
    }

    /// What signs for an address; none for an address that is not ours.
    pub(crate) async fn find(&self, address: Address) -> Result<Option<AccountRef>, NodeCallError> {
        let known = self.known();
        if let Some(account) = known.listed.accounts.get(&address) {
            return Ok(Some(account.clone()));
        }
        if known.asked.is_some_and(|asked| asked.elapsed() < ASK_AGAIN_AFTER) {
            return Ok(None);
        }
        Ok(self.refresh().await?.accounts.get(&address).cloned())
    }

    /// The address of an account, listed or not; none of a key that signs for nobody now.
    pub(crate) async fn address(&self, account: &AccountRef) -> Result<Option<Address>, NodeCallError> {
        let key = self.node.key(&account.key).await?;
        Ok(key.and_then(|key| key.signing_account()?.address(account.index)))
    }

    async fn refresh(&self) -> Result<Arc<Listed>, NodeCallError> {
        let _reading = self.reading.lock().await;
        // Keys change with the log alone. A node that does not say how far its log is gives all of them.
        let height = self.node.status().await.ok().map(|status| status.height);
        let before = self.known();
        if height.is_some() && before.height == height {
            return Ok(self.knows(Known { asked: Some(Instant::now()), ..before }));
        }
        let (keys, per_key) = (self.node.keys().await?, self.per_key);
        // Thousands of new keys take a while: other calls are answered meanwhile.
        let listing =
            tokio::task::spawn_blocking(move || Arc::new(Listed::of(keys, &before.listed, per_key)));
        let listed = listing.await.unwrap_or_default();
        Ok(self.knows(Known { listed, asked: Some(Instant::now()), height }))
    }

    fn knows(&self, fresh: Known) -> Arc<Listed> {
        let listed = Arc::clone(&fresh.listed);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        listed
    }

    fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Listed {
    /// What was derived before is not derived again.
    fn of(keys: Vec<KeyView>, before: &Self, per_key: u32) -> Self {
        let mut listed = Self::default();
        for key in keys {
            listed.names.push(key.name.clone());
            let Some(of) = key.account else { continue };
            let known = before.keys.get(&key.name).filter(|known| known.of == of);
            let derived = known.map_or_else(|| Arc::new(Derived::of(of, per_key)), Arc::clone);
            let account = |index| AccountRef { key: key.name.clone(), index };
            let accounts = derived.accounts.iter().map(|(index, address, _)| (*address, account(*index)));
            listed.accounts.extend(accounts);
            listed.keys.insert(key.name, derived);
        }
        listed
    }

    /// By key and index.
    fn accounts(&self) -> impl Iterator<Item = &(u32, Address, [u8; 64])> {
        self.keys.values().flat_map(|key| &key.accounts)
    }
}

impl Derived {
    fn of(of: PublicAccount, per_key: u32) -> Self {
        let account = |index| Some((index, of.address(index)?, of.point(index)?));
        Self { of, accounts: (0..per_key).filter_map(account).collect() }
    }
}

/// Somebody who asks for unknown addresses in a loop asks the node so often and no oftener.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(500);
