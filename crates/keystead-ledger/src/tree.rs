//! The tree over all headers as the database keeps it: leaves in `blocks`, roots of full tiles in `subtrees`.

use std::cell::RefCell;
use std::collections::HashMap;

use keystead_base::{Digest, merkle::Inclusion};
use tlog_tiles::{Hash, HashReader, Tile, prove_record, prove_tree, split_stored_hash_index, tree_hash};

use crate::engine::{Insert, Session, bytes, int};
use crate::tiles::{TILE_HEIGHT, TILE_WIDTH};
use crate::{Consistency, Ledger, LedgerError, LogError};

impl Ledger {
    /// The root of the tree over the first `size` headers.
    ///
    /// # Errors
    ///
    /// [`LogError::Size`] when the log is shorter.
    pub async fn root(&self, size: u64) -> Result<Digest, LedgerError> {
        let mut session = self.engine.read().await?;
        let root = planned(&mut session, size, |reader| tree_hash(size, reader)).await?;
        Ok(Digest(root.0))
    }

    /// Shows that the header at `height` stands in the tree over the first `size` headers.
    ///
    /// # Errors
    ///
    /// [`LogError::Size`] when it does not.
    pub async fn inclusion(&self, height: u64, size: u64) -> Result<Inclusion, LedgerError> {
        if height == 0 || height > size {
            return Err(LogError::Size { expected: size, found: height }.into());
        }
        let mut session = self.engine.read().await?;
        let index = height - 1;
        let path = planned(&mut session, size, |reader| prove_record(size, index, reader)).await?;
        Ok(Inclusion { index, size, path: path.into_iter().map(|hash| Digest(hash.0)).collect() })
    }

    /// Shows that the tree over the first `older` headers is a beginning of the one over the first `newer`.
    ///
    /// # Errors
    ///
    /// [`LogError::Size`] when the log is shorter, or `older` is not the smaller one.
    pub async fn consistency(&self, older: u64, newer: u64) -> Result<Consistency, LedgerError> {
        if older > newer {
            return Err(LogError::Size { expected: newer, found: older }.into());
        }
        if older == 0 {
            return Ok(Consistency { older, newer, path: Vec::new() });
        }
        let mut session = self.engine.read().await?;
        let path = planned(&mut session, newer, |reader| prove_tree(newer, older, reader)).await?;
        Ok(Consistency { older, newer, path: path.into_iter().map(|hash| Digest(hash.0)).collect() })
    }
}

/// Adds the roots of the tiles that became full between two sizes.
pub(crate) async fn grow(session: &mut Session, old: u64, new: u64) -> Result<(), LedgerError> {
    let (mut level, mut width) = (1, TILE_WIDTH);
    while new / width > 0 {
        let mut full = Vec::new();
        for number in old / width..new / width {
            let hashes = hashes(session, level - 1, number * TILE_WIDTH, TILE_WIDTH).await?;
            full.push(vec![int(level), int(number), bytes(Tile::subtree_hash(&hashes).0)]);
        }
        session.insert(&SUBTREES, full).await?;
        (level, width) = (level + 1, width.saturating_mul(TILE_WIDTH));
    }
    Ok(())
}

/// `count` hashes of a tile level from `first` on, joined.
pub(crate) async fn hashes(
    session: &mut Session,
    level: u64,
    first: u64,
    count: u64,
) -> Result<Vec<u8>, LedgerError> {
    let rows = if level == 0 {
        let sql = "SELECT leaf FROM blocks WHERE height > $1 AND height <= $2 ORDER BY height";
        session.rows(sql, vec![int(first), int(first + count)]).await?
    } else {
        let sql =
            "SELECT hash FROM subtrees WHERE level = $1 AND number >= $2 AND number < $3 ORDER BY number";
        session.rows(sql, vec![int(level), int(first), int(first + count)]).await?
    };
    if rows.len() as u64 != count {
        let found = first + rows.len() as u64;
        return Err(LogError::Missing { level, expected: first + count, found }.into());
    }
    let mut joined = Vec::with_capacity(rows.len() * 32);
    for row in &rows {
        joined.extend_from_slice(row.digest(0)?.as_bytes());
    }
    Ok(joined)
}

/// Runs a computation of the tree library twice: once to learn which hashes it wants, once with them.
async fn planned<T>(
    session: &mut Session,
    size: u64,
    compute: impl Fn(&Fetched) -> Result<T, tlog_tiles::Error>,
) -> Result<T, LedgerError> {
    let tip = crate::write::tip(session).await?.height;
    if size > tip {
        return Err(LogError::Size { expected: size, found: tip }.into());
    }
    let plan = Fetched::default();
    compute(&plan).map_err(LogError::from)?;
    let wanted = plan.wanted.into_inner();
    let mut fetched = Fetched::default();
    for index in wanted {
        fetched.known.insert(index, stored_hash(session, index).await?);
    }
    compute(&fetched).map_err(|error| LogError::from(error).into())
}

async fn stored_hash(session: &mut Session, index: u64) -> Result<Hash, LedgerError> {
    let (level, number) = split_stored_hash_index(index);
    let (tile_level, inside) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
    let joined = hashes(session, tile_level.into(), number << inside, 1 << inside).await?;
    Ok(Tile::subtree_hash(&joined))
}

/// Hashes read so far, and those that were asked for before they were.
#[derive(Default)]
struct Fetched {
    known: HashMap<u64, Hash>,
    wanted: RefCell<Vec<u64>>,
}

impl HashReader for Fetched {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        self.wanted.borrow_mut().extend_from_slice(indexes);
        Ok(indexes.iter().map(|index| self.known.get(index).copied().unwrap_or_default()).collect())
    }
}

const SUBTREES: Insert = Insert { table: "subtrees", columns: &["level", "number", "hash"], conflict: "" };
