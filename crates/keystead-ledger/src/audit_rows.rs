//! The audit of a database: each row compared with what the log itself says.

use keystead_base::{Canonical, ClusterId, Digest, merkle};
use keystead_decision::{Controls, Decision, Header, Outcome, Snapshot};
use sha2::{Digest as _, Sha256};
use tlog_tiles::Tile;

use crate::document::parse_entries;
use crate::engine::{Row, Session, int};
use crate::ledger::SignedMark;
use crate::read::{PAGE, parsed};
use crate::record::{DecisionRow, Votes};
use crate::tiles::TILE_WIDTH;
use crate::{
    AuditError, Auditor, Checkpoint, Ledger, LedgerError, Report, SignatureRecord, SignedCheckpoint,
    StoredBlock,
};

impl Ledger {
    /// Verifies the database against the log in it, and the log against an older checkpoint.
    ///
    /// # Errors
    ///
    /// [`AuditError`] names the first difference.
    pub async fn audit<C: Controls>(
        &self,
        pinned: ClusterId,
        older: Option<&Checkpoint>,
        controls: &C,
    ) -> Result<Report, AuditError> {
        let mut auditor = Auditor::begin(&self.genesis().await?, pinned, controls)?;
        if let Some(older) = older {
            auditor.expect(older)?;
        }
        let mut session = self.engine.read().await?;
        for row in session.rows("SELECT note, size FROM checkpoints ORDER BY size", vec![]).await? {
            let signed = SignedCheckpoint::parse(&row.text(0)?)?;
            same("checkpoints", row.int(1)?, "size", signed.body().size == row.int(1)?)?;
            auditor.expect_signed(&signed)?;
        }
        let mut rows = Rows { session, edge: Vec::new(), policies: 0, signatures: 0, subtrees: 0 };
        rows.genesis(pinned, &auditor).await?;
        rows.walk(&mut auditor).await?;
        rows.end(&auditor).await?;
        auditor.finish()
    }
}

/// What has to be remembered while the rows are walked.
struct Rows {
    session: Session,
    /// The hashes of the tile that is not full yet, for each level.
    edge: Vec<Vec<Digest>>,
    policies: u64,
    signatures: u64,
    subtrees: u64,
}

impl Rows {
    async fn genesis<C: Controls>(
        &mut self,
        cluster: ClusterId,
        auditor: &Auditor<'_, C>,
    ) -> Result<(), AuditError> {
        let sql = "SELECT b.digest, b.leaf, b.header, m.document, b.time FROM blocks b, meta m \
                   WHERE b.height = 0 AND m.name = 'genesis'";
        let row = self.session.row(sql, vec![]).await?.ok_or(LedgerError::Empty)?;
        same("blocks", 0, "digest", row.digest(0)? == cluster.0)?;
        same("blocks", 0, "leaf", row.digest(1)? == cluster.0)?;
        same("blocks", 0, "header", row.bytes(2)? == row.bytes(3)?)?;
        same("blocks", 0, "time", row.int(4)? == auditor.state().time().0)?;
        self.policy(auditor).await
    }

    async fn walk<C: Controls>(&mut self, auditor: &mut Auditor<'_, C>) -> Result<(), AuditError> {
        loop {
            let first = auditor.state().height() + 1;
            let page = self.session.rows(BLOCKS, vec![int(first), int(first + PAGE)]).await?;
            if page.is_empty() {
                return Ok(());
            }
            for row in &page {
                self.block(row, auditor).await?;
            }
        }
    }

    async fn block<C: Controls>(
        &mut self,
        row: &Row,
        auditor: &mut Auditor<'_, C>,
    ) -> Result<(), AuditError> {
        let (height, block) = checked_block(row)?;
        let round = block.commit.round;
        let policy = auditor.state().policy().engine.reference().number;
        let decisions = auditor.block(block)?;
        self.decisions(height, &decisions).await?;
        if auditor.state().policy().engine.reference().number != policy {
            self.policy(auditor).await?;
        }
        self.vote(height, round, row.digest(3)?).await?;
        self.snapshot(auditor).await?;
        self.tree(height, row.digest(4)?).await
    }

    async fn decisions(&mut self, height: u64, decisions: &[Decision]) -> Result<(), AuditError> {
        let sql =
            "SELECT position, subject, word, document FROM decisions WHERE height = $1 ORDER BY position";
        let rows = self.session.rows(sql, vec![int(height)]).await?;
        count("decisions", height, decisions.len() as u64, rows.len() as u64)?;
        for ((position, decision), row) in (0..).zip(decisions).zip(&rows) {
            let key = format!("{height}/{position}");
            let expected = DecisionRow::new(decision);
            same("decisions", &key, "position", row.int(0)? == position)?;
            same("decisions", &key, "subject", row.digest(1)? == expected.subject.0)?;
            same("decisions", &key, "word", row.text(2)? == expected.word)?;
            same("decisions", &key, "document", row.bytes(3)? == expected.document)?;
            if let Outcome::Allow(grant) = &decision.outcome {
                self.signature(decision, position, &grant.signing_digest).await?;
            }
        }
        Ok(())
    }

    /// INVARIANT S3: a signature stands there only for what this very decision allowed.
    async fn signature(
        &mut self,
        decision: &Decision,
        position: u64,
        allowed: &Digest,
    ) -> Result<(), AuditError> {
        let sql = "SELECT document, digest FROM signatures WHERE height = $1 AND position = $2";
        let row = self.session.row(sql, vec![int(decision.height), int(position)]).await?;
        let Some(row) = row else { return Ok(()) };
        let (key, document) = (format!("{}/{position}", decision.height), row.bytes(0)?);
        let digest = Digest(Sha256::digest(&document).into());
        same("signatures", &key, "digest", row.digest(1)? == digest)?;
        let record = parsed("signatures", &key, SignatureRecord::from_document(&document))?;
        let fits = record.request == decision.subject
            && record.height == decision.height
            && record.position == position
            && record.signing_digest == *allowed;
        self.signatures += 1;
        same("signatures", &key, "document", fits)
    }

    async fn policy<C: Controls>(&mut self, auditor: &Auditor<'_, C>) -> Result<(), AuditError> {
        let version = auditor.state().policy().engine.version();
        let sql = "SELECT height, document FROM policies WHERE number = $1";
        let row = self.session.row(sql, vec![int(version.number)]).await?;
        let Some(row) = row else { return count("policies", version.number, 1, 0) };
        same("policies", version.number, "height", row.int(0)? == auditor.state().height())?;
        same("policies", version.number, "document", row.bytes(1)? == version.to_document())?;
        self.policies += 1;
        Ok(())
    }

    async fn vote(&mut self, height: u64, round: u32, digest: Digest) -> Result<(), AuditError> {
        let sql = "SELECT header FROM votes WHERE height = $1 AND round = $2";
        match self.session.row(sql, vec![int(height), int(round.into())]).await? {
            Some(row) => same("votes", format!("{height}/{round}"), "header", row.digest(0)? == digest),
            None => Ok(()),
        }
    }

    async fn snapshot<C: Controls>(&mut self, auditor: &Auditor<'_, C>) -> Result<(), AuditError> {
        let height = auditor.state().height();
        let sql = "SELECT document, mark FROM snapshots WHERE height = $1";
        let Some(row) = self.session.row(sql, vec![int(height)]).await? else { return Ok(()) };
        let expected = Snapshot(auditor.state().clone());
        same("snapshots", height, "document", row.bytes(0)? == expected.to_document())?;
        let SignedMark(mark) = parsed("snapshots", height, SignedMark::from_document(&row.bytes(1)?))?;
        let signer = auditor.state().roster().node(&mark.signer);
        let signed = signer.is_some_and(|node| mark.verify(&node.key).is_ok());
        same("snapshots", height, "mark", signed && mark.body.state == expected.digest())
    }

    /// Carries a leaf upward: each tile that gets full has a row with its root.
    async fn tree(&mut self, height: u64, leaf: Digest) -> Result<(), AuditError> {
        let (mut carried, mut width) = (leaf, TILE_WIDTH);
        for level in 1.. {
            if self.edge.len() < level {
                self.edge.push(Vec::new());
            }
            let Some(tile) = self.edge.get_mut(level - 1) else { break };
            tile.push(carried);
            if (tile.len() as u64) < TILE_WIDTH {
                break;
            }
            let joined: Vec<u8> = tile.drain(..).flat_map(|hash| hash.0).collect();
            carried = Digest(Tile::subtree_hash(&joined).0);
            self.subtree(level as u64, height / width - 1, carried).await?;
            width = width.saturating_mul(TILE_WIDTH);
        }
        Ok(())
    }

    async fn subtree(&mut self, level: u64, number: u64, root: Digest) -> Result<(), AuditError> {
        let sql = "SELECT hash FROM subtrees WHERE level = $1 AND number = $2";
        let row = self.session.row(sql, vec![int(level), int(number)]).await?;
        let key = format!("{level}/{number}");
        self.subtrees += 1;
        match row {
            Some(row) => same("subtrees", key, "hash", row.digest(0)? == root),
            None => count("subtrees", key, 1, 0),
        }
    }

    /// Nothing stands in the database that the log does not speak of.
    async fn end<C: Controls>(&mut self, auditor: &Auditor<'_, C>) -> Result<(), AuditError> {
        let height = auditor.state().height();
        for (table, expected) in
            [("policies", self.policies), ("signatures", self.signatures), ("subtrees", self.subtrees)]
        {
            let sql = format!("SELECT COUNT(*) FROM {table}");
            let found = self.session.row(&sql, vec![]).await?.map_or(Ok(0), |row| row.int(0))?;
            count(table, "", expected, found)?;
        }
        let sql = "SELECT COUNT(*) FROM snapshots WHERE height > $1";
        let found = self.session.row(sql, vec![int(height)]).await?.map_or(Ok(0), |row| row.int(0))?;
        count("snapshots", format!("above {height}"), 0, found)?;
        for row in self.session.rows("SELECT digest, document FROM backups", vec![]).await? {
            let digest = row.digest(0)?;
            let fits = digest.0 == <[u8; 32]>::from(Sha256::digest(row.bytes(1)?));
            same("backups", digest, "document", fits)?;
        }
        Ok(())
    }
}

/// A row of `blocks` whose columns say the same as its documents.
fn checked_block(row: &Row) -> Result<(u64, StoredBlock), AuditError> {
    let height = row.int(0)?;
    let document = row.bytes(6)?;
    let header = parsed("blocks", height, Header::from_document(&document))?;
    same("blocks", height, "height", header.height == height)?;
    same("blocks", height, "previous", row.int(1)? == height - 1)?;
    same("blocks", height, "parent", row.digest(2)? == header.parent)?;
    same("blocks", height, "digest", row.digest(3)? == header.digest())?;
    same("blocks", height, "leaf", row.digest(4)? == merkle::leaf_hash(&document))?;
    same("blocks", height, "time", row.int(5)? == header.time.0)?;
    let entries = parsed("blocks", height, parse_entries(&row.bytes(7)?))?;
    let votes = parsed("blocks", height, Votes::from_document(&row.bytes(8)?))?;
    Ok((height, StoredBlock { commit: votes.commit(header), entries }))
}

fn same(table: &'static str, key: impl ToString, column: &'static str, same: bool) -> Result<(), AuditError> {
    if same { Ok(()) } else { Err(AuditError::Row { table, key: key.to_string(), column }) }
}

fn count(table: &'static str, key: impl ToString, expected: u64, found: u64) -> Result<(), AuditError> {
    if expected == found {
        Ok(())
    } else {
        Err(AuditError::Rows { table, key: key.to_string(), expected, found })
    }
}

const BLOCKS: &str = "SELECT height, previous, parent, digest, leaf, time, header, entries, votes FROM blocks \
                      WHERE height >= $1 AND height < $2 ORDER BY height";
