//! The log as a folder: tiles, entry bundles, blocks, genesis and checkpoint, verified without a database.

use std::fs;
use std::path::{Path, PathBuf};

use keystead_base::merkle::{self, Inclusion};
use keystead_base::{Canonical, ClusterId, Digest, RequestId};
use keystead_decision::{Certificate, Commit, Controls, Decision, SignedGenesis, State, Transition, leaves};
use tlog_tiles::Tile;

use crate::read::blocks;
use crate::tiles::{
    Family, TILE_HEIGHT, TILE_WIDTH, block_bundle, entry_bundle, new_tiles, parse_bundles, path, tiles_of,
};
use crate::tree::hashes;
use crate::{
    AuditError, Auditor, Checkpoint, Consistency, CosignRequest, Ledger, LedgerError, LogError, Proof,
    Report, SignatureRecord, SignedCheckpoint, StoredBlock,
};

impl Ledger {
    /// Writes the log up to a checkpoint into a folder; what an earlier export left there is only continued.
    ///
    /// Gives how many blocks are new. The checkpoint is written last: a reader never sees one whose tiles are missing.
    ///
    /// # Errors
    ///
    /// [`LogError::RolledBack`] when the folder holds a longer log, [`LogError::File`] from the disk.
    pub async fn export(&self, folder: &Path, checkpoint: &SignedCheckpoint) -> Result<u64, LedgerError> {
        let new = checkpoint.body().size;
        let old = exported_size(folder)?;
        if old > new {
            return Err(LogError::RolledBack { remembered: old, found: new }.into());
        }
        let root = self.root(new).await?;
        if root != checkpoint.body().root {
            let (expected, found) = (checkpoint.body().root, root);
            return Err(LogError::Forked { size: new, expected, found }.into());
        }
        write(folder, GENESIS, &self.genesis().await?.to_document())?;
        let mut session = self.engine.read().await?;
        for tile in new_tiles(old, new) {
            let first = tile.level_index() * TILE_WIDTH;
            let joined = hashes(&mut session, tile.level().into(), first, tile.width().into()).await?;
            write(folder, &path(Family::Hashes, &tile), &joined)?;
            if tile.level() == 0 {
                let blocks = blocks(&mut session, first + 1, tile.width().into()).await?;
                write(folder, &path(Family::Entries, &tile), &entry_bundle(&blocks)?)?;
                write(folder, &path(Family::Blocks, &tile), &block_bundle(&blocks))?;
            }
        }
        for record in self.unsettled_signatures(new).await? {
            let path = format!("{SIGNATURES}/{}-{}", record.height, record.position);
            write(folder, &path, &record.to_document())?;
        }
        write(folder, CHECKPOINT, checkpoint.to_note().as_bytes())?;
        Ok(new - old)
    }
}

/// A log in a folder.
#[derive(Debug)]
pub struct ExportedLog {
    folder: PathBuf,
    genesis: SignedGenesis,
    checkpoint: SignedCheckpoint,
}

impl ExportedLog {
    /// Opens a folder. Nothing is verified yet.
    ///
    /// # Errors
    ///
    /// [`LogError::File`] when a file is missing, [`LogError::Canon`] or [`LogError::Malformed`] when
    /// one does not parse.
    pub fn open(folder: &Path) -> Result<Self, LogError> {
        let genesis = SignedGenesis::from_document(&read(folder, GENESIS)?)?;
        let checkpoint = read_checkpoint(folder)?;
        Ok(Self { folder: folder.to_owned(), genesis, checkpoint })
    }

    /// The genesis, as the folder has it.
    #[must_use]
    pub fn genesis(&self) -> &SignedGenesis {
        &self.genesis
    }

    /// The checkpoint, as the folder has it.
    #[must_use]
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// The signatures of transactions whose end the log did not know when it was exported, as the folder has them:
    /// nothing in them is verified.
    ///
    /// # Errors
    ///
    /// [`LogError::File`] from the disk, [`LogError::Canon`] when one does not parse.
    pub fn signatures(&self) -> Result<Vec<SignatureRecord>, LogError> {
        let folder = self.folder.join(SIGNATURES);
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let failed = |error: std::io::Error| file(SIGNATURES, &error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
        }
        // What a write that was interrupted left is no signature.
        names.retain(|name| !name.contains('.'));
        names.sort_unstable();
        let record = |name: &String| {
            Ok(SignatureRecord::from_document(&read(&self.folder, &format!("{SIGNATURES}/{name}"))?)?)
        };
        names.iter().map(record).collect()
    }

    /// Replays the whole log and gives the state at its end, with every change of policy on the way, for those who
    /// rebuild a cluster from it. Roots of what is `remembered` from elsewhere are compared as far as the log reaches.
    ///
    /// # Errors
    ///
    /// [`AuditError`] names the first difference.
    pub fn replayed<C: Controls>(
        &self,
        pinned: ClusterId,
        remembered: &[Checkpoint],
        controls: &C,
    ) -> Result<(State, Vec<Transition>, Option<Commit>), AuditError> {
        let mut auditor = Auditor::begin(&self.genesis, pinned, controls)?;
        auditor.expect_signed(&self.checkpoint)?;
        let reached = |it: &&Checkpoint| it.size <= self.checkpoint.body().size;
        remembered.iter().filter(reached).try_for_each(|it| auditor.expect(it))?;
        let (mut transitions, mut head) = (Vec::new(), None);
        let mut policy = auditor.state().policy().engine.reference();
        for block in self.each_block() {
            let block = block?;
            let (commit, entries) = (block.commit.clone(), block.entries.clone());
            auditor.block(block)?;
            if commit.header.policy != policy {
                policy = commit.header.policy;
                let version = auditor.state().policy().engine.version().clone();
                transitions.push(Transition::of(commit.clone(), version, &entries));
            }
            head = Some(commit);
        }
        let state = auditor.state().clone();
        auditor.finish()?;
        Ok((state, transitions, head))
    }

    /// Verifies everything: votes, validity, tree, tiles, the checkpoint's signatures, and that the
    /// log still begins with the one that an older checkpoint was about.
    ///
    /// # Errors
    ///
    /// [`AuditError`] names the first difference.
    pub fn audit<C: Controls>(
        &self,
        pinned: ClusterId,
        older: Option<&Checkpoint>,
        controls: &C,
    ) -> Result<Report, AuditError> {
        let mut auditor = Auditor::begin(&self.genesis, pinned, controls)?;
        auditor.expect_signed(&self.checkpoint)?;
        if let Some(older) = older {
            auditor.expect(older)?;
        }
        let mut leaves = Vec::new();
        for block in self.each_block() {
            let block = block?;
            leaves.push(leaf(&block));
            auditor.block(block)?;
        }
        for (tile, expected) in tiles_of(&leaves) {
            let path = path(Family::Hashes, &tile);
            if read(&self.folder, &path)? != expected {
                return Err(AuditError::Tile { path });
            }
        }
        auditor.finish()
    }

    /// Asks a witness that remembers `older` headers to cosign this folder's checkpoint.
    ///
    /// # Errors
    ///
    /// [`LogError::RolledBack`] when the log is shorter than the witness remembers.
    pub fn cosign_request(&self, older: u64) -> Result<CosignRequest, LogError> {
        let consistency = self.consistency(&self.leaves()?, older)?;
        Ok(CosignRequest { consistency, checkpoint: self.checkpoint.clone() })
    }

    /// Proves the latest decision about a request, without a database: the log is replayed to find it.
    ///
    /// # Errors
    ///
    /// [`AuditError`] when the log does not hold together.
    pub fn prove<C: Controls>(
        &self,
        subject: &RequestId,
        pinned: ClusterId,
        older: Option<u64>,
        controls: &C,
    ) -> Result<Option<Proof>, AuditError> {
        let mut auditor = Auditor::begin(&self.genesis, pinned, controls)?;
        let (mut transitions, mut found) = (Vec::new(), None);
        let mut policy = auditor.state().policy().engine.reference();
        for block in self.each_block() {
            let block = block?;
            let (commit, entries) = (block.commit.clone(), block.entries.clone());
            let decisions = auditor.block(block)?;
            let version = auditor.state().policy().engine.version();
            if commit.header.policy != policy {
                policy = commit.header.policy;
                transitions.push(Transition::of(commit.clone(), version.clone(), &entries));
            }
            if let Some(index) = decisions.iter().rposition(|it| it.subject == *subject) {
                found = certificate(commit, &decisions, index);
            }
        }
        let Some(certificate) = found else { return Ok(None) };
        let leaves = self.leaves()?;
        let index = usize::try_from(certificate.commit.header.height - 1).unwrap_or(usize::MAX);
        let Some(header) = Inclusion::prove(&leaves, index) else { return Ok(None) };
        let consistency = older.map(|older| self.consistency(&leaves, older)).transpose()?;
        let checkpoint = self.checkpoint.to_note();
        Ok(Some(Proof { certificate, header, checkpoint, consistency, transitions }))
    }

    fn consistency(&self, leaves: &[Digest], older: u64) -> Result<Consistency, LogError> {
        let found = leaves.len() as u64;
        let proof = Consistency::prove(leaves, usize::try_from(older).unwrap_or(usize::MAX), leaves.len());
        proof.ok_or(LogError::RolledBack { remembered: older, found })
    }

    /// The leaf hashes, from the header documents.
    fn leaves(&self) -> Result<Vec<Digest>, LogError> {
        self.each_block().map(|block| Ok(leaf(&block?))).collect()
    }

    pub(crate) fn each_block(&self) -> impl Iterator<Item = Result<StoredBlock, LogError>> {
        let tiles = new_tiles(0, self.checkpoint.body().size).into_iter().filter(|tile| tile.level() == 0);
        tiles.flat_map(|tile| match self.blocks(&tile) {
            Ok(blocks) => blocks.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    }

    /// The blocks from this height on that share a bundle with it.
    ///
    /// # Errors
    ///
    /// [`LogError::Size`] beyond the end, [`LogError::File`] when the bundle is missing.
    pub fn blocks_from(&self, height: u64) -> Result<Vec<StoredBlock>, LogError> {
        let size = self.checkpoint.body().size;
        if height == 0 || height > size {
            return Err(LogError::Size { expected: height, found: size });
        }
        let number = (height - 1) / TILE_WIDTH;
        let width = (size - number * TILE_WIDTH).min(TILE_WIDTH);
        let tile = Tile::new(TILE_HEIGHT, 0, number, u32::try_from(width).unwrap_or(1), false);
        let mut blocks = self.blocks(&tile)?;
        blocks.retain(|block| block.commit.header.height >= height);
        Ok(blocks)
    }

    fn blocks(&self, tile: &Tile) -> Result<Vec<StoredBlock>, LogError> {
        let entries = read(&self.folder, &path(Family::Entries, tile))?;
        let path = path(Family::Blocks, tile);
        let blocks = parse_bundles(&entries, &read(&self.folder, &path)?)?;
        if blocks.len() as u64 != u64::from(tile.width()) {
            let reason = format!("expected {} blocks, found {}", tile.width(), blocks.len());
            return Err(LogError::File { path, reason });
        }
        Ok(blocks)
    }
}

fn leaf(block: &StoredBlock) -> Digest {
    merkle::leaf_hash(&block.commit.header.to_document())
}

fn certificate(commit: Commit, decisions: &[Decision], index: usize) -> Option<Certificate> {
    let proof = Inclusion::prove(&leaves(decisions), index)?;
    let decision = decisions.get(index)?.clone();
    Some(Certificate { commit, decision, proof })
}

fn exported_size(folder: &Path) -> Result<u64, LogError> {
    if folder.join(CHECKPOINT).exists() {
        read_checkpoint(folder).map(|checkpoint| checkpoint.body().size)
    } else {
        Ok(0)
    }
}

fn read_checkpoint(folder: &Path) -> Result<SignedCheckpoint, LogError> {
    let bytes = read(folder, CHECKPOINT)?;
    let note = String::from_utf8(bytes).map_err(|_| LogError::Malformed { reason: "not text" })?;
    SignedCheckpoint::parse(&note)
}

fn read(folder: &Path, path: &str) -> Result<Vec<u8>, LogError> {
    fs::read(folder.join(path)).map_err(|error| file(path, &error))
}

/// Writes beside and renames, so that a file is there as a whole or not at all.
fn write(folder: &Path, path: &str, bytes: &[u8]) -> Result<(), LogError> {
    let target = folder.join(path);
    let write = || {
        fs::create_dir_all(target.parent().unwrap_or(folder))?;
        let beside = target.with_extension("part");
        fs::write(&beside, bytes)?;
        fs::rename(&beside, &target)
    };
    write().map_err(|error| file(path, &error))
}

fn file(path: &str, error: &std::io::Error) -> LogError {
    LogError::File { path: path.to_owned(), reason: error.to_string() }
}

const GENESIS: &str = "genesis";

/// The folder of signatures whose transactions' end is not known.
const SIGNATURES: &str = "signature";

const CHECKPOINT: &str = "checkpoint";
