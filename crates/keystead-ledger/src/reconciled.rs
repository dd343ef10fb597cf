//! How far this node has compared each chain with the log: its own memory, which no log determines.

use crate::engine::{bytes, int};
use crate::{Ledger, LedgerError};

impl Ledger {
    /// Keeps how far a chain was compared, in the place of what was kept before.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] from the database.
    pub async fn save_reconciled(&self, chain: u64, document: &[u8]) -> Result<(), LedgerError> {
        let mut session = self.engine.write().await?;
        let sql = "INSERT INTO reconciled (chain, document) VALUES ($1, $2) \
                   ON CONFLICT (chain) DO UPDATE SET document = excluded.document";
        session.execute(sql, vec![int(chain), bytes(document)]).await?;
        session.commit().await
    }

    /// What was kept of a chain.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] from the database.
    pub async fn reconciled(&self, chain: u64) -> Result<Option<Vec<u8>>, LedgerError> {
        let sql = "SELECT document FROM reconciled WHERE chain = $1";
        let row = self.engine.read().await?.row(sql, vec![int(chain)]).await?;
        row.map(|row| row.bytes(0)).transpose()
    }
}
