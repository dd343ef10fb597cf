//! What is read back: blocks, decisions, requests, policy versions, signatures.

use keystead_base::{Canonical, Digest, RequestId};
use keystead_decision::{Commit, Decision, Entry, Header, Transition};
use keystead_intent::Intent;
use keystead_policy::PolicyVersion;

use crate::document::parse_entries;
use crate::engine::{Row, Session, bytes, int};
use crate::record::Votes;
use crate::write::tip;
use crate::{Ledger, LedgerError, RecordRow, SignatureRecord, StoredBlock};

/// A request as the log has it: where it stands, and what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRequest {
    /// The block.
    pub height: u64,
    /// The entry of the block.
    pub entry: usize,
    /// The place in the entry's batch.
    pub index: usize,
    /// What was asked.
    pub intent: Intent,
}

impl Ledger {
    /// The height and header digest of the last block; 0 and the cluster's id before the first.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] from the database.
    pub async fn tip(&self) -> Result<(u64, Digest), LedgerError> {
        let tip = tip(&mut self.engine.read().await?).await?;
        Ok((tip.height, tip.digest))
    }

    /// One block.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Row`] when the row does not parse.
    pub async fn block(&self, height: u64) -> Result<Option<StoredBlock>, LedgerError> {
        if height == 0 {
            return Ok(None);
        }
        let blocks = blocks(&mut self.engine.read().await?, height, 1).await?;
        Ok(blocks.into_iter().next())
    }

    /// What was said and heard about heights that are not committed, in its order.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Row`] when a row does not parse.
    pub async fn records(&self) -> Result<Vec<RecordRow>, LedgerError> {
        let sql = "SELECT position, height, document FROM records ORDER BY position";
        let rows = self.engine.read().await?.rows(sql, vec![]).await?;
        let record =
            |row: &Row| Ok(RecordRow { position: row.int(0)?, height: row.int(1)?, document: row.bytes(2)? });
        rows.iter().map(record).collect()
    }

    /// At most `limit` blocks from `first` on.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Row`] when a row does not parse.
    pub async fn blocks(&self, first: u64, limit: u64) -> Result<Vec<StoredBlock>, LedgerError> {
        blocks(&mut self.engine.read().await?, first.max(1), limit).await
    }

    /// The decisions of one block, in the order of its decision tree.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Row`] when a row does not parse.
    pub async fn decisions(&self, height: u64) -> Result<Vec<Decision>, LedgerError> {
        let sql = "SELECT document, height FROM decisions WHERE height = $1 ORDER BY position";
        let rows = self.engine.read().await?.rows(sql, vec![int(height)]).await?;
        rows.iter().map(decision).collect()
    }

    /// All decisions about one request, oldest first.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Row`] when a row does not parse.
    pub async fn decisions_about(&self, request: &RequestId) -> Result<Vec<Decision>, LedgerError> {
        let sql = "SELECT document, height FROM decisions WHERE subject = $1 ORDER BY height, position";
        let rows = self.engine.read().await?.rows(sql, vec![bytes(request.0.0)]).await?;
        rows.iter().map(decision).collect()
    }

    /// A request with the intent that was asked: its first decision stands in the block that brought it.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Row`] when a row does not parse.
    pub async fn request(&self, id: &RequestId) -> Result<Option<StoredRequest>, LedgerError> {
        let mut session = self.engine.read().await?;
        let sql = "SELECT MIN(height), COUNT(*) FROM decisions WHERE subject = $1";
        let row = session.row(sql, vec![bytes(id.0.0)]).await?;
        let Some(row) = row.filter(|row| row.int(1).is_ok_and(|count| count > 0)) else { return Ok(None) };
        let blocks = blocks(&mut session, row.int(0)?, 1).await?;
        Ok(blocks.iter().flat_map(requests_of).find(|request| request.intent.id() == *id))
    }

    /// The latest requests of the log, newest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Row`] when a row does not parse.
    pub async fn latest_requests(&self, limit: usize) -> Result<Vec<StoredRequest>, LedgerError> {
        let mut session = self.engine.read().await?;
        let mut found = Vec::new();
        let mut above = tip(&mut session).await?.height + 1;
        while found.len() < limit && above > 1 {
            let first = above.saturating_sub(PAGE).max(1);
            let blocks = blocks(&mut session, first, above - first).await?;
            let newest_first = blocks.iter().rev().flat_map(|block| {
                let mut requests: Vec<_> = requests_of(block).collect();
                requests.reverse();
                requests
            });
            found.extend(newest_first);
            above = first;
        }
        found.truncate(limit);
        Ok(found)
    }

    /// A policy version with the block that activated it; version 0 stands in the genesis.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Row`] when the row does not parse.
    pub async fn policy(&self, number: u64) -> Result<Option<(u64, PolicyVersion)>, LedgerError> {
        let sql = "SELECT height, document FROM policies WHERE number = $1";
        let row = self.engine.read().await?.row(sql, vec![int(number)]).await?;
        row.map(|row| {
            let document = row.bytes(1)?;
            let version = parsed("policies", number, PolicyVersion::from_document(&document))?;
            Ok((row.int(0)?, version))
        })
        .transpose()
    }

    /// Every change of policy up to this height, for light clients.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Row`] when a row does not parse.
    pub async fn transitions(&self, height: u64) -> Result<Vec<Transition>, LedgerError> {
        let mut session = self.engine.read().await?;
        let sql = "SELECT p.document, p.number, b.header, b.votes, b.height, b.entries FROM policies p \
                   JOIN blocks b ON b.height = p.height \
                   WHERE p.number > 0 AND p.height <= $1 ORDER BY p.number";
        let rows = session.rows(sql, vec![int(height)]).await?;
        rows.iter().map(transition).collect()
    }

    /// The signatures of transactions of the first `size` blocks whose end the log does not know, oldest first.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Row`] when a row does not parse.
    pub async fn unsettled_signatures(&self, size: u64) -> Result<Vec<SignatureRecord>, LedgerError> {
        let sql = "SELECT s.document, s.height, s.position FROM signatures s \
                   JOIN decisions d ON d.height = s.height AND d.position = s.position \
                   WHERE s.height <= $1 AND NOT EXISTS \
                   (SELECT 1 FROM decisions e WHERE e.subject = d.subject AND e.word = 'ended' AND e.height <= $1) \
                   ORDER BY s.height, s.position";
        let rows = self.engine.read().await?.rows(sql, vec![int(size)]).await?;
        let records: Vec<_> = rows.iter().map(signature).collect::<Result<_, _>>()?;
        Ok(records.into_iter().filter(|it| it.transaction.is_some()).collect())
    }

    /// The latest signature made for a request.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Row`] when the row does not parse.
    pub async fn signature(&self, request: &RequestId) -> Result<Option<SignatureRecord>, LedgerError> {
        let sql = "SELECT s.document, s.height, s.position FROM decisions d \
                   JOIN signatures s ON s.height = d.height AND s.position = d.position \
                   WHERE d.subject = $1 ORDER BY s.height DESC, s.position DESC LIMIT 1";
        let row = self.engine.read().await?.row(sql, vec![bytes(request.0.0)]).await?;
        row.map(|row| signature(&row)).transpose()
    }
}

/// At most `limit` blocks from `first` on, in order.
pub(crate) async fn blocks(
    session: &mut Session,
    first: u64,
    limit: u64,
) -> Result<Vec<StoredBlock>, LedgerError> {
    let sql = "SELECT header, votes, height, entries FROM blocks \
               WHERE height >= $1 AND height < $2 ORDER BY height";
    let rows = session.rows(sql, vec![int(first), int(first.saturating_add(limit))]).await?;
    rows.iter().map(stored_block).collect()
}

fn stored_block(row: &Row) -> Result<StoredBlock, LedgerError> {
    let height = row.int(2)?;
    let commit = commit(&row.bytes(0)?, &row.bytes(1)?, height)?;
    Ok(StoredBlock { commit, entries: parsed("blocks", height, parse_entries(&row.bytes(3)?))? })
}

fn commit(header: &[u8], votes: &[u8], height: u64) -> Result<Commit, LedgerError> {
    let header = parsed("blocks", height, Header::from_document(header))?;
    Ok(parsed("blocks", height, Votes::from_document(votes))?.commit(header))
}

fn transition(row: &Row) -> Result<Transition, LedgerError> {
    let policy = parsed("policies", row.int(1)?, PolicyVersion::from_document(&row.bytes(0)?))?;
    let entries = parsed("blocks", row.int(4)?, parse_entries(&row.bytes(5)?))?;
    Ok(Transition::of(commit(&row.bytes(2)?, &row.bytes(3)?, row.int(4)?)?, policy, &entries))
}

fn decision(row: &Row) -> Result<Decision, LedgerError> {
    parsed("decisions", row.int(1)?, Decision::from_document(&row.bytes(0)?))
}

fn requests_of(block: &StoredBlock) -> impl Iterator<Item = StoredRequest> {
    let height = block.commit.header.height;
    block.entries.iter().enumerate().flat_map(move |(entry, it)| {
        let intents = match it {
            Entry::Requests(signed) => signed.body.intents.as_slice(),
            _ => &[],
        };
        let stored = move |(index, intent): (usize, &Intent)| StoredRequest {
            height,
            entry,
            index,
            intent: intent.clone(),
        };
        intents.iter().enumerate().map(stored)
    })
}

/// The signature under one decision.
pub(crate) async fn signature_at(
    session: &mut Session,
    height: u64,
    position: u64,
) -> Result<Option<SignatureRecord>, LedgerError> {
    let sql = "SELECT document, height, position FROM signatures WHERE height = $1 AND position = $2";
    let row = session.row(sql, vec![int(height), int(position)]).await?;
    row.map(|row| signature(&row)).transpose()
}

fn signature(row: &Row) -> Result<SignatureRecord, LedgerError> {
    let key = format!("{}/{}", row.int(1)?, row.int(2)?);
    parsed("signatures", key, SignatureRecord::from_document(&row.bytes(0)?))
}

/// Names the row in an error.
pub(crate) fn parsed<T>(
    table: &'static str,
    key: impl ToString,
    result: Result<T, keystead_base::CanonError>,
) -> Result<T, LedgerError> {
    result.map_err(|error| LedgerError::Row { table, key: key.to_string(), error })
}

/// How many blocks are in memory at once while the log is walked.
pub(crate) const PAGE: u64 = 64;
