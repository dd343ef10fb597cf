//! Who may connect, how often, and how much of a peer's requests is held at once.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keystead_base::Name;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::limits::REQUEST_BYTES;
use crate::{Limits, TransportKey, WireError};

/// Handshakes under way, oldest first. Dropping an entry ends its handshake.
#[derive(Default)]
pub(crate) struct Unfinished(VecDeque<oneshot::Sender<()>>);

impl Unfinished {
    /// Enters a new handshake; at the limit the oldest one goes.
    pub(crate) fn enter(&mut self, limit: usize) -> oneshot::Receiver<()> {
        self.0.retain(|entry| !entry.is_closed());
        while self.0.len() >= limit.max(1) {
            self.0.pop_front();
        }
        let (entry, pushed_out) = oneshot::channel();
        self.0.push_back(entry);
        pushed_out
    }
}

/// How many connections each peer has, and how much of its budget is left.
#[derive(Clone, Default)]
pub(crate) struct Places(Arc<Mutex<HashMap<TransportKey, Account>>>);

struct Account {
    connections: usize,
    budget: Arc<Semaphore>,
    full: usize,
}

impl Account {
    fn new(bytes: usize) -> Self {
        Self { connections: 0, budget: Arc::new(Semaphore::new(bytes)), full: bytes }
    }

    /// A budget that requests still hold stays, so that reconnecting does not refill it.
    fn is_needed(&self) -> bool {
        self.connections > 0 || self.budget.available_permits() < self.full
    }
}

impl Places {
    pub(crate) fn take(&self, key: TransportKey, name: &Name, limits: &Limits) -> Result<Place, WireError> {
        let mut places = self.lock();
        let total: usize = places.values().map(|account| account.connections).sum();
        if total >= limits.connections {
            return Err(WireError::Full { peer: name.clone(), limit: limits.connections });
        }
        let bytes = usize::try_from(limits.bytes_per_peer).unwrap_or(usize::MAX);
        let account = places.entry(key).or_insert_with(|| Account::new(bytes));
        if account.connections >= limits.connections_per_peer {
            return Err(WireError::Full { peer: name.clone(), limit: limits.connections_per_peer });
        }
        account.connections += 1;
        let budget = Arc::clone(&account.budget);
        drop(places);
        Ok(Place { places: self.clone(), key, budget, most: limits.bytes_per_peer })
    }

    fn leave(&self, key: &TransportKey) {
        let mut places = self.lock();
        if let Some(account) = places.get_mut(key) {
            account.connections = account.connections.saturating_sub(1);
        }
        places.retain(|_, account| account.is_needed());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TransportKey, Account>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place; dropping it frees it.
pub(crate) struct Place {
    places: Places,
    key: TransportKey,
    budget: Arc<Semaphore>,
    most: u32,
}

impl Place {
    pub(crate) async fn reserve(&self, bytes: usize) -> Result<OwnedSemaphorePermit, WireError> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).max(REQUEST_BYTES).min(self.most);
        Arc::clone(&self.budget).acquire_many_owned(bytes).await.map_err(|_| WireError::Closed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.leave(&self.key);
    }
}
