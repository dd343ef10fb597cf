//! The log as files (C2SP tlog-tiles): where tiles stand, and what entry and block bundles look like.

use keystead_base::{Canonical, Digest};
use keystead_decision::Header;
use tlog_tiles::Tile;

use crate::document::parse_entries;
use crate::record::{Documents, MAX_ENTRIES_BYTES, Votes};
use crate::{LogError, StoredBlock};

/// The height of a tile: 2^8 hashes.
pub(crate) const TILE_HEIGHT: u8 = 8;

/// How many hashes a full tile has.
pub(crate) const TILE_WIDTH: u64 = 1 << TILE_HEIGHT;

/// What a bundle holds: three families of files with the same numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// `tile/<level>/…`: hashes.
    Hashes,
    /// `tile/entries/…`: header documents.
    Entries,
    /// `block/…`: votes and entries of the blocks.
    Blocks,
}

/// The path of a file, for instance `tile/0/x001/234.p/12`.
pub(crate) fn path(family: Family, tile: &Tile) -> String {
    // The library writes `tile/<height>/<level>/<number>`; the height is fixed here and left out.
    let path = tile.path();
    let number = path.splitn(4, '/').nth(3).unwrap_or_default();
    match family {
        Family::Hashes => format!("tile/{}/{number}", tile.level()),
        Family::Entries => format!("tile/entries/{number}"),
        Family::Blocks => format!("block/{number}"),
    }
}

/// The tiles to write when a log grows.
pub(crate) fn new_tiles(old: u64, new: u64) -> Vec<Tile> {
    Tile::new_tiles(TILE_HEIGHT, old, new)
}

/// All tiles of a log with these leaves, with their bytes.
pub(crate) fn tiles_of(leaves: &[Digest]) -> Vec<(Tile, Vec<u8>)> {
    let mut levels = vec![leaves.to_vec()];
    while let Some(below) = levels.last().filter(|level| level.len() as u64 >= TILE_WIDTH) {
        let roots =
            below.chunks_exact(1 << TILE_HEIGHT).map(|chunk| Digest(Tile::subtree_hash(&join(chunk)).0));
        levels.push(roots.collect());
    }
    let bytes = |tile: &Tile| {
        let level = levels.get(usize::from(tile.level()))?;
        let first = usize::try_from(tile.level_index() * TILE_WIDTH).ok()?;
        Some(join(level.get(first..first + tile.width() as usize)?))
    };
    let tiles = new_tiles(0, leaves.len() as u64);
    tiles.into_iter().filter_map(|tile| bytes(&tile).map(|bytes| (tile, bytes))).collect()
}

fn join(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Entry bundle: each header document after its length in two bytes, big-endian.
///
/// # Errors
///
/// [`LogError::EntryLength`] when a header is longer than two bytes can say.
pub fn entry_bundle(blocks: &[StoredBlock]) -> Result<Vec<u8>, LogError> {
    let mut bundle = Vec::new();
    for block in blocks {
        let document = block.commit.header.to_document();
        let length = u16::try_from(document.len()).map_err(|_| LogError::EntryLength {
            height: block.commit.header.height,
            limit: usize::from(u16::MAX),
            found: document.len(),
        })?;
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(&document);
    }
    Ok(bundle)
}

/// Block bundle: for each block its votes and its entries, each after its length in four bytes.
#[must_use]
pub fn block_bundle(blocks: &[StoredBlock]) -> Vec<u8> {
    let mut bundle = Vec::new();
    for block in blocks {
        let votes = Votes { round: block.commit.round, votes: block.commit.votes.clone() };
        let entries = Documents(block.entries.iter().map(Canonical::to_document).collect());
        for document in [votes.to_document(), entries.to_document()] {
            bundle.extend_from_slice(&u32::try_from(document.len()).unwrap_or(u32::MAX).to_be_bytes());
            bundle.extend_from_slice(&document);
        }
    }
    bundle
}

/// Puts the two bundles of the same blocks together again; they must end together.
///
/// # Errors
///
/// [`LogError`] when a length or a document is wrong, or one bundle ends before the other.
pub fn parse_bundles(mut entries: &[u8], mut blocks: &[u8]) -> Result<Vec<StoredBlock>, LogError> {
    let mut parsed = Vec::new();
    while !entries.is_empty() {
        let header = Header::from_document(take(&mut entries, 2, usize::from(u16::MAX))?)?;
        let votes = Votes::from_document(take(&mut blocks, 4, MAX_ENTRIES_BYTES)?)?;
        let entries = parse_entries(take(&mut blocks, 4, MAX_ENTRIES_BYTES)?)?;
        parsed.push(StoredBlock { commit: votes.commit(header), entries });
    }
    if blocks.is_empty() {
        Ok(parsed)
    } else {
        Err(LogError::Malformed { reason: "more blocks than headers" })
    }
}

fn take<'b>(bytes: &mut &'b [u8], prefix: usize, limit: usize) -> Result<&'b [u8], LogError> {
    let short = LogError::Malformed { reason: "a bundle ends within an entry" };
    let Some((length, rest)) = bytes.split_at_checked(prefix) else { return Err(short) };
    let length = length.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    if length > limit {
        return Err(LogError::Malformed { reason: "an entry of a bundle is longer than any" });
    }
    let Some((document, rest)) = rest.split_at_checked(length) else { return Err(short) };
    *bytes = rest;
    Ok(document)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use keystead_base::merkle;
    use tlog_tiles::{Hash, HashReader as _, TileHashReader, TileReader, stored_hash_index};

    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        for (tile, hashes, entries) in [
            (Tile::new(8, 0, 0, 256, false), "tile/0/000", "tile/entries/000"),
            (
                Tile::new(8, 0, 1_234_067, 112, false),
                "tile/0/x001/x234/067.p/112",
                "tile/entries/x001/x234/067.p/112",
            ),
            (Tile::new(8, 2, 1, 1, false), "tile/2/001.p/1", "tile/entries/001.p/1"),
        ] {
            assert_eq!(path(Family::Hashes, &tile), hashes);
            assert_eq!(path(Family::Entries, &tile), entries);
        }
    }

    #[test]
    fn a_log_of_70_000_has_the_tiles_that_the_specification_counts() {
        let tiles = new_tiles(0, 70_000);
        let count = |level, full: bool| {
            tiles.iter().filter(|it| it.level() == level && (it.width() == 256) == full).count()
        };
        assert_eq!((count(0, true), count(0, false)), (273, 1));
        assert_eq!((count(1, true), count(1, false)), (1, 1));
        assert_eq!((count(2, true), count(2, false)), (0, 1));
    }

    struct Files(HashMap<Tile, Vec<u8>>);

    impl TileReader for Files {
        fn height(&self) -> u8 {
            TILE_HEIGHT
        }

        fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
            Ok(tiles.iter().map(|tile| self.0[tile].clone()).collect())
        }

        fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
    }

    #[test]
    fn l1_the_tiles_authenticate_every_leaf_under_the_root() {
        for count in [1_u64, 255, 256, 257, 700, 66_000] {
            let leaves: Vec<_> = (0..count).map(|n| merkle::leaf_hash(&n.to_be_bytes())).collect();
            let files = Files(tiles_of(&leaves).into_iter().collect());
            let reader = TileHashReader::new(count, Hash(merkle::root(&leaves).0), &files);
            for index in [0, count / 2, count - 1] {
                let found = reader.read_hashes(&[stored_hash_index(0, index)]).unwrap();
                assert_eq!(found[0].0, leaves[usize::try_from(index).unwrap()].0);
            }
        }
    }
}
