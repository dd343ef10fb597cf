//! Backup files: the home of a key makes one, and every node keeps a copy.

use std::collections::HashSet;

use keystead_base::{Canonical as _, Digest};
use keystead_ledger::LedgerError;
use keystead_wire::{NodeReply, NodeRequest, Peer};

use crate::error::CallError;
use crate::shared::Shared;

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
    pub(crate) async fn keep_backups(&self, kept: &mut HashSet<Digest>) -> Result<(), LedgerError> {
        let state = self.state();
        let named = state.keys().filter_map(|(_, key)| key.backup);
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
