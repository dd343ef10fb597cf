//! The journal of threshold runs: which were begun, and whom one of them caught.

use crate::engine::{bytes, int};
use crate::{Ledger, LedgerError};

/// A line of the journal: the document says what, the ledger only keeps it in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThresholdRow {
    /// Whether it stays: a run that was begun is forgotten once [`KEPT_RUNS`] later ones were, an abort never is.
    pub stays: bool,
    /// The line.
    pub document: Vec<u8>,
}

/// Runs whose beginning is remembered: what was granted for an older one has long expired.
pub const KEPT_RUNS: u64 = 65_536;

impl Ledger {
    /// Appends lines, all of them or none, and forgets the beginnings that are too old.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] from the database.
    pub async fn save_threshold_records(&self, rows: &[ThresholdRow]) -> Result<(), LedgerError> {
        let mut session = self.engine.write().await?;
        let last = session.row("SELECT MAX(position) FROM threshold_records HAVING COUNT(*) > 0", vec![]);
        let mut position = last.await?.map(|row| row.int(0)).transpose()?.map_or(0, |last| last + 1);
        let sql = "INSERT INTO threshold_records (position, stays, document) VALUES ($1, $2, $3)";
        for row in rows {
            let values = vec![int(position), int(row.stays.into()), bytes(row.document.as_slice())];
            session.execute(sql, values).await?;
            position += 1;
        }
        let oldest = vec![int(position.saturating_sub(KEPT_RUNS))];
        session.execute("DELETE FROM threshold_records WHERE stays = 0 AND position < $1", oldest).await?;
        session.commit().await
    }

    /// The lines, oldest first.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] from the database.
    pub async fn threshold_records(&self) -> Result<Vec<ThresholdRow>, LedgerError> {
        let sql = "SELECT stays, document FROM threshold_records ORDER BY position";
        let rows = self.engine.read().await?.rows(sql, vec![]).await?;
        rows.iter().map(|row| Ok(ThresholdRow { stays: row.int(0)? == 1, document: row.bytes(1)? })).collect()
    }
}
