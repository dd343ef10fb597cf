//! Which addresses there are, as the node's public keys say.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use alloy_primitives::Address;
use keystead_intent::AccountRef;
use keystead_wire::{NodeCallError, NodeClient};

/// Addresses by what signs for them. Asked anew when an address is unknown.
pub(crate) struct Accounts {
    node: NodeClient,
    per_key: u32,
    known: Mutex<Known>,
}

#[derive(Clone, Default)]
struct Known {
    accounts: Arc<BTreeMap<Address, AccountRef>>,
    asked: Option<Instant>,
}

impl Accounts {
    pub(crate) fn new(node: NodeClient, per_key: u32) -> Self {
        Self { node, per_key, known: Mutex::default() }
    }

    /// Every address, by key and index.
    pub(crate) async fn all(&self) -> Result<Vec<Address>, NodeCallError> {
        let accounts = self.refresh().await?;
        let mut listed: Vec<_> = accounts.iter().collect();
        listed.sort_by(|a, b| a.1.cmp(b.1));
        Ok(listed.into_iter().map(|(address, _)| *address).collect())
    }

    /// What signs for an address; none for an address that is not ours.
    pub(crate) async fn find(&self, address: Address) -> Result<Option<AccountRef>, NodeCallError> {
        let known = self.known();
        if let Some(account) = known.accounts.get(&address) {
            return Ok(Some(account.clone()));
        }
        if known.asked.is_some_and(|asked| asked.elapsed() < ASK_AGAIN_AFTER) {
            return Ok(None);
        }
        Ok(self.refresh().await?.get(&address).cloned())
    }

    /// The address of an account, listed or not; none of a key that signs for nobody now.
    pub(crate) async fn address(&self, account: &AccountRef) -> Result<Option<Address>, NodeCallError> {
        let keys = self.node.keys().await?;
        let key = keys.into_iter().find(|key| key.name == account.key);
        Ok(key.and_then(|key| key.account?.address(account.index)))
    }

    async fn refresh(&self) -> Result<Arc<BTreeMap<Address, AccountRef>>, NodeCallError> {
        let keys = self.node.keys().await?;
        let mut accounts = BTreeMap::new();
        for key in keys {
            let Some(account) = key.account else { continue };
            let derived = (0..self.per_key).filter_map(|index| Some((account.address(index)?, index)));
            accounts.extend(
                derived.map(|(address, index)| (address, AccountRef { key: key.name.clone(), index })),
            );
        }
        let accounts = Arc::new(accounts);
        let fresh = Known { accounts: Arc::clone(&accounts), asked: Some(Instant::now()) };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(accounts)
    }

    fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Somebody who asks for unknown addresses in a loop asks the node so often and no oftener.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(500);
