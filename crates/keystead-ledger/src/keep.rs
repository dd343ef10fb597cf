//! What is kept beside the log: sealed keys, backup files, checkpoints with their witnesses' lines.

use keystead_base::{Digest, Name};
use sha2::{Digest as _, Sha256};

use crate::engine::{Row, bytes, int, text};
use crate::{CosignRequest, Ledger, LedgerError, LogError, SignedCheckpoint};

impl Ledger {
    /// Keeps a sealed key. A seal is never replaced: another secret is another epoch.
    ///
    /// # Errors
    ///
    /// [`LedgerError::SealTaken`] when this epoch is sealed with other bytes.
    pub async fn save_sealed_key(&self, name: &Name, epoch: u32, document: &[u8]) -> Result<(), LedgerError> {
        self.save_born_key(name, epoch, document, None).await
    }

    /// The same of a key that was just born, with the receipt of its entropy: both or neither. Of a name that is free again
    /// the latest receipt is kept.
    ///
    /// # Errors
    ///
    /// [`LedgerError::SealTaken`] when this epoch is sealed with other bytes.
    pub async fn save_born_key(
        &self,
        name: &Name,
        epoch: u32,
        document: &[u8],
        receipt: Option<&[u8]>,
    ) -> Result<(), LedgerError> {
        let mut session = self.engine.write().await?;
        let key = || vec![text(name.as_str()), int(epoch.into())];
        let mut values = key();
        values.push(bytes(document));
        let sql = "INSERT INTO sealed_keys (name, epoch, document) VALUES ($1, $2, $3) \
                   ON CONFLICT (name, epoch) DO NOTHING";
        if session.execute(sql, values).await? == 0 {
            let sql = "SELECT document FROM sealed_keys WHERE name = $1 AND epoch = $2";
            let row = session.row(sql, key()).await?;
            if row.map(|row| row.bytes(0)).transpose()?.as_deref() != Some(document) {
                return Err(LedgerError::SealTaken { name: name.clone(), epoch });
            }
        }
        if let Some(receipt) = receipt {
            let sql = "INSERT INTO receipts (name, document) VALUES ($1, $2) \
                       ON CONFLICT (name) DO UPDATE SET document = excluded.document";
            session.execute(sql, vec![text(name.as_str()), bytes(receipt)]).await?;
        }
        session.commit().await
    }

    /// The receipt of a key's entropy, if it was born here.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] from the database.
    pub async fn receipt(&self, name: &Name) -> Result<Option<Vec<u8>>, LedgerError> {
        let mut session = self.engine.read().await?;
        let sql = "SELECT document FROM receipts WHERE name = $1";
        let row = session.row(sql, vec![text(name.as_str())]).await?;
        row.map(|row| row.bytes(0)).transpose()
    }

    /// INVARIANT K1: erases every seal of a key, and says how many there were: written over first, so that the old bytes do
    /// not stay in its row, and then deleted; what SQLite wrote ahead is folded, and PostgreSQL writes the table anew
    /// ([`Ledger::write_seals_anew`]). A copy of the database, and the files that a PostgreSQL writes ahead, may still hold them.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] from the database.
    pub async fn erase_sealed_key(&self, name: &Name) -> Result<u32, LedgerError> {
        let mut session = self.engine.write().await?;
        let sql =
            "SELECT CAST(COALESCE(MAX(LENGTH(document)), 0) AS BIGINT) FROM sealed_keys WHERE name = $1";
        let zeros = erased(session.row(sql, vec![text(name.as_str())]).await?)?;
        let sql = "UPDATE sealed_keys SET document = $2 WHERE name = $1";
        session.execute(sql, vec![text(name.as_str()), bytes(zeros)]).await?;
        let gone =
            session.execute("DELETE FROM sealed_keys WHERE name = $1", vec![text(name.as_str())]).await?;
        session.commit().await?;
        self.engine.fold(gone).await?;
        Ok(u32::try_from(gone).unwrap_or(u32::MAX))
    }

    /// Overwrites the seal of one epoch of a key, then deletes it. Copies elsewhere are not reached.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] from the database.
    pub async fn erase_sealed_epoch(&self, name: &Name, epoch: u32) -> Result<(), LedgerError> {
        self.erase_sealed_epochs(&[(name.clone(), epoch)]).await
    }

    /// The same of many: what the database keeps of them ends once, after the last.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] from the database.
    pub async fn erase_sealed_epochs(&self, epochs: &[(Name, u32)]) -> Result<(), LedgerError> {
        if epochs.is_empty() {
            return Ok(());
        }
        let mut gone = 0;
        for (name, epoch) in epochs {
            gone += self.erase_row(name, *epoch).await?;
        }
        self.engine.fold(gone).await
    }

    /// After a start: what an erasure left in PostgreSQL, because others used the table just then or saw a moment before it.
    /// SQLite has nothing to do.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] from the database.
    pub async fn write_seals_anew(&self) -> Result<(), LedgerError> {
        self.engine.write_seals_anew().await
    }

    async fn erase_row(&self, name: &Name, epoch: u32) -> Result<u64, LedgerError> {
        let mut session = self.engine.write().await?;
        let key = || vec![text(name.as_str()), int(epoch.into())];
        let sql = "SELECT CAST(COALESCE(MAX(LENGTH(document)), 0) AS BIGINT) FROM sealed_keys \
                   WHERE name = $1 AND epoch = $2";
        let zeros = erased(session.row(sql, key()).await?)?;
        let mut values = key();
        values.push(bytes(zeros));
        let sql = "UPDATE sealed_keys SET document = $3 WHERE name = $1 AND epoch = $2";
        session.execute(sql, values).await?;
        let gone = session.execute("DELETE FROM sealed_keys WHERE name = $1 AND epoch = $2", key()).await?;
        session.commit().await?;
        Ok(gone)
    }

    /// The sealed keys, by name and epoch: at most [`MAX_SEALS_AT_ONCE`] from the first, or from the one after `after` on.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] from the database.
    pub async fn sealed_keys(
        &self,
        after: Option<&(Name, u32)>,
    ) -> Result<Vec<(Name, u32, Vec<u8>)>, LedgerError> {
        let sql = "SELECT name, epoch, document FROM sealed_keys WHERE (name, epoch) > ($1, $2) \
                   ORDER BY name, epoch LIMIT $3";
        // No name is empty: before the first is nothing.
        let (name, epoch) = after.map_or(("", 0), |(name, epoch)| (name.as_str(), *epoch));
        let bounds = vec![text(name), int(epoch.into()), int(MAX_SEALS_AT_ONCE)];
        let rows = self.engine.read().await?.rows(sql, bounds).await?;
        let wrong = |found: String| LedgerError::Word { table: "sealed_keys", found };
        rows.iter()
            .map(|row| {
                let (name, epoch) = (row.text(0)?, row.int(1)?);
                let name = name.parse().map_err(|_| wrong(name))?;
                let epoch = u32::try_from(epoch).map_err(|_| wrong(epoch.to_string()))?;
                Ok((name, epoch, row.bytes(2)?))
            })
            .collect()
    }

    /// How many sealed keys there are.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] from the database.
    pub async fn count_sealed_keys(&self) -> Result<u64, LedgerError> {
        let row = self.engine.read().await?.row("SELECT COUNT(*) FROM sealed_keys", vec![]).await?;
        row.map_or(Ok(0), |row| row.int(0))
    }

    /// Keeps a backup file under its digest, SHA-256 of its bytes, which it gives back.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] from the database.
    pub async fn save_backup(&self, document: &[u8]) -> Result<Digest, LedgerError> {
        let digest = Digest(Sha256::digest(document).into());
        let mut session = self.engine.write().await?;
        let sql = "INSERT INTO backups (digest, document) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING";
        session.execute(sql, vec![bytes(digest.0), bytes(document)]).await?;
        session.commit().await?;
        Ok(digest)
    }

    /// Keeps a backup file that somebody else gave, if it is the one of this digest; says whether it is.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] from the database.
    pub async fn save_backup_of(&self, digest: &Digest, document: &[u8]) -> Result<bool, LedgerError> {
        let fits = digest.0 == <[u8; 32]>::from(Sha256::digest(document));
        if fits {
            self.save_backup(document).await?;
        }
        Ok(fits)
    }

    /// A backup file by its digest.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] from the database.
    pub async fn backup(&self, digest: &Digest) -> Result<Option<Vec<u8>>, LedgerError> {
        let sql = "SELECT document FROM backups WHERE digest = $1";
        let row = self.engine.read().await?.row(sql, vec![bytes(digest.0)]).await?;
        row.map(|row| row.bytes(0)).transpose()
    }

    /// Keeps a checkpoint. One of the same size with the same root may get more signatures.
    ///
    /// # Errors
    ///
    /// [`LogError::Forked`] when another root was signed for that size.
    pub async fn save_checkpoint(&self, checkpoint: &SignedCheckpoint) -> Result<(), LedgerError> {
        let body = checkpoint.body();
        let mut session = self.engine.write().await?;
        let row = session.row("SELECT note FROM checkpoints WHERE size = $1", vec![int(body.size)]).await?;
        if let Some(row) = row {
            let earlier = SignedCheckpoint::parse(&row.text(0)?)?;
            if earlier.body() != body {
                let (expected, found) = (earlier.body().root, body.root);
                return Err(LogError::Forked { size: body.size, expected, found }.into());
            }
        }
        let sql = "INSERT INTO checkpoints (size, note) VALUES ($1, $2) \
                   ON CONFLICT (size) DO UPDATE SET note = excluded.note";
        session.execute(sql, vec![int(body.size), text(checkpoint.to_note())]).await?;
        session.commit().await
    }

    /// Keeps a witness's lines for a checkpoint that is kept. The caller has verified them.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Database`] when there is no checkpoint of that size.
    pub async fn save_cosignature(&self, size: u64, witness: &str, lines: &str) -> Result<(), LedgerError> {
        let mut session = self.engine.write().await?;
        let sql = "INSERT INTO cosignatures (size, witness, lines) VALUES ($1, $2, $3) \
                   ON CONFLICT (size, witness) DO UPDATE SET lines = excluded.lines";
        session.execute(sql, vec![int(size), text(witness), text(lines)]).await?;
        session.commit().await
    }

    /// The checkpoint of this size, with the witnesses' lines.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Log`] when it does not parse.
    pub async fn checkpoint(&self, size: u64) -> Result<Option<SignedCheckpoint>, LedgerError> {
        let mut session = self.engine.read().await?;
        let row = session.row("SELECT note FROM checkpoints WHERE size = $1", vec![int(size)]).await?;
        let Some(row) = row else { return Ok(None) };
        let mut note = row.text(0)?;
        let sql = "SELECT lines FROM cosignatures WHERE size = $1 ORDER BY witness";
        for row in session.rows(sql, vec![int(size)]).await? {
            note.push_str(&row.text(0)?);
        }
        Ok(Some(SignedCheckpoint::parse(&note)?))
    }

    /// Asks a witness that remembers `older` headers to cosign the latest checkpoint; `None` before the first.
    ///
    /// # Errors
    ///
    /// [`LogError::Size`] when the log is shorter than the witness remembers.
    pub async fn cosign_request(&self, older: u64) -> Result<Option<CosignRequest>, LedgerError> {
        let Some(checkpoint) = self.latest_checkpoint().await? else { return Ok(None) };
        let consistency = self.consistency(older, checkpoint.body().size).await?;
        Ok(Some(CosignRequest { consistency, checkpoint }))
    }

    /// The checkpoint of the largest size, with the witnesses' lines.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Log`] when it does not parse.
    pub async fn latest_checkpoint(&self) -> Result<Option<SignedCheckpoint>, LedgerError> {
        let sql = "SELECT size FROM checkpoints ORDER BY size DESC LIMIT 1";
        let row = self.engine.read().await?.row(sql, vec![]).await?;
        match row {
            Some(row) => self.checkpoint(row.int(0)?).await,
            None => Ok(None),
        }
    }
}

/// Zeros that take the whole place of the longest document: a share is longer than a seed by far.
fn erased(longest: Option<Row>) -> Result<Vec<u8>, LedgerError> {
    let length = longest.map_or(Ok(0), |row| row.int(0))?;
    Ok(vec![0; usize::try_from(length).unwrap_or_default().max(ERASED_BYTES)])
}

/// The most sealed keys of one answer: a node may hold thousands.
pub const MAX_SEALS_AT_ONCE: u64 = 1024;
/// Longer than the seal of a seed.
const ERASED_BYTES: usize = 512;
