//! Backup files: the home of a key makes one, and every node keeps a copy.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use keystead_base::{Canonical as _, Digest};
use keystead_ledger::LedgerError;
use keystead_wire::{NodeReply, NodeRequest, Peer};
use tokio::sync::watch;

use crate::NodeError;
use crate::error::CallError;
use crate::shared::Shared;

/// Looks from time to time for copies that this node lacks. A stage of its own: whoever is asked for one and takes
/// its time holds up nothing else.
pub(crate) async fn keep(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) -> Result<(), NodeError> {
    let mut kept = HashSet::new();
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            looked = shared.keep_backups(&mut kept) => if let Err(error) = looked {
                shared.postponed("a copy of a backup", &error);
            }
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

impl Shared {
    /// A backup file. What this node lacks it asks the others for, but not on behalf of another node: two that both
    /// lack it would ask each other without end.
    pub(crate) async fn backup_for(
        &self,
        peer: &Peer,
        digest: &Digest,
    ) -> Result<Option<Vec<u8>>, CallError> {
        match self.ledger.backup(digest).await? {
            None if self.state().roster().node(&peer.name).is_none() => Ok(self.fetch_backup(digest).await?),
            kept => Ok(kept),
        }
    }

    /// INVARIANT D1: a copy of each backup that the log names, so that the loss of a key's home loses none.
    async fn keep_backups(&self, kept: &mut HashSet<Digest>) -> Result<(), LedgerError> {
        let state = self.state();
        let named = state.keys().flat_map(|(_, key)| key.exits.values().copied().chain(key.backup));
        for digest in named.filter(|digest| !kept.contains(digest)).collect::<Vec<_>>() {
            let held = self.ledger.backup(&digest).await?.is_some();
            if held || self.fetch_backup(&digest).await?.is_some() {
                kept.insert(digest);
            }
        }
        Ok(())
    }

    /// From the first node that has it. Its digest says that it is the right one.
    async fn fetch_backup(&self, digest: &Digest) -> Result<Option<Vec<u8>>, LedgerError> {
        let question = NodeRequest::Backup(*digest).to_document();
        for client in self.peers.reachable() {
            let Ok(reply) = client.call(question.clone()).await else { continue };
            if let Ok(NodeReply::Backup(Some(file))) = NodeReply::from_document(&reply)
                && self.ledger.save_backup_of(digest, &file).await?
            {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }
}

const INTERVAL: Duration = Duration::from_secs(5);
