// SPDX-License-Identifier: Apache-2.0
//! Hash tiles of all levels (C2SP `tlog-tiles`): making them as bundles are completed, and reading any hash of the tree
//! back from them, so that a start costs the same however long the log is.

use crate::layout::{Layout, TILE_LEN, TILE_WIDTH};
use crate::merkle::{Frontier, Hash, perfect_root};
use std::cell::RefCell;
use std::collections::HashMap;

/// A completed tile.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    pub(crate) level: u32,
    pub(crate) number: u64,
    pub(crate) bytes: Vec<u8>,
}

/// Bits of a leaf's index that one level of tiles covers.
const TILE_HEIGHT: u32 = 8;
/// Levels above which nothing can be: 2^64 leaves.
const LEVELS_MAX: u32 = 8;
/// At most this many tiles are kept while reading.
const CACHED_TILES_MAX: usize = 1024;

/// The tiles that are not complete yet, level by level above the leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tower {
    bundles: u64,
    /// `levels[0]` holds the hashes of the unfinished tile of level 1, and so on.
    levels: Vec<Vec<Hash>>,
}

impl Tower {
    /// The tower above `bundles` complete bundles; `None` when a tile is missing.
    pub(crate) fn load(reader: &HashReader<'_>, bundles: u64) -> Option<Self> {
        let mut levels = Vec::new();
        let mut below = bundles;
        for level in 1..LEVELS_MAX {
            if below == 0 {
                break;
            }
            let from = (below / TILE_WIDTH).saturating_mul(TILE_WIDTH);
            let unfinished: Option<Vec<Hash>> = (from..below).map(|at| reader.hash(level, at)).collect();
            levels.push(unfinished?);
            below /= TILE_WIDTH;
        }
        Some(Self { bundles, levels })
    }

    /// Bundles below the tower.
    pub(crate) fn bundles(&self) -> u64 {
        self.bundles
    }

    /// Adds the leaves of one more bundle with the root over them, and answers with the tiles that are complete now, lowest first.
    pub(crate) fn add_bundle(&mut self, leaves: &[Hash], mut root: Hash) -> Vec<Tile> {
        let mut number = self.bundles;
        self.bundles = self.bundles.saturating_add(1);
        let mut complete = vec![Tile { level: 0, number, bytes: leaves.concat() }];
        for level in 1..LEVELS_MAX {
            let at = usize::try_from(level.saturating_sub(1)).unwrap_or(usize::MAX);
            if self.levels.len() <= at {
                self.levels.push(Vec::with_capacity(TILE_LEN));
            }
            let Some(hashes) = self.levels.get_mut(at) else { break };
            hashes.push(root);
            if hashes.len() < TILE_LEN {
                break;
            }
            number /= TILE_WIDTH;
            complete.push(Tile { level, number, bytes: hashes.concat() });
            root = perfect_root(hashes);
            hashes.clear();
        }
        complete
    }
}

/// Reads hashes of the tree from the tiles of the complete bundles and, after them, from the leaves of the journal.
pub(crate) struct HashReader<'l> {
    layout: &'l Layout,
    /// Leaves that are in bundles.
    sealed: u64,
    /// Leaves after them.
    tail: &'l [Hash],
    cache: RefCell<HashMap<(u32, u64), Vec<Hash>>>,
}

impl<'l> HashReader<'l> {
    pub(crate) fn new(layout: &'l Layout, bundles: u64, tail: &'l [Hash]) -> Self {
        Self { layout, sealed: bundles.saturating_mul(TILE_WIDTH), tail, cache: RefCell::default() }
    }

    /// Hash `at` of tile level `level`: the root over 256^level leaves.
    pub(crate) fn hash(&self, level: u32, at: u64) -> Option<Hash> {
        if level == 0 && at >= self.sealed {
            return self.tail.get(usize::try_from(at.checked_sub(self.sealed)?).ok()?).copied();
        }
        let within = usize::try_from(at % TILE_WIDTH).ok()?;
        if let Some(tile) = self.tile(level, at / TILE_WIDTH) {
            return tile.get(within).copied();
        }
        let below = level.checked_sub(1)?;
        let from = at.checked_mul(TILE_WIDTH)?;
        let hashes: Option<Vec<Hash>> =
            (from..from.checked_add(TILE_WIDTH)?).map(|child| self.hash(below, child)).collect();
        Some(perfect_root(&hashes?))
    }

    /// The root of perfect subtree `at` over 2^level leaves.
    pub(crate) fn node(&self, level: u32, at: u64) -> Option<Hash> {
        let (tile_level, height) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
        let from = at.checked_shl(height)?;
        let to = from.checked_add(1 << height)?;
        let hashes: Option<Vec<Hash>> = (from..to).map(|child| self.hash(tile_level, child)).collect();
        Some(perfect_root(&hashes?))
    }

    /// The tree of the first `size` leaves.
    pub(crate) fn frontier(&self, size: u64) -> Option<Frontier> {
        let mut peaks = Vec::new();
        let mut from = 0_u64;
        for level in (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1) {
            peaks.push(self.node(level, from >> level)?);
            from = from.checked_add(1 << level)?;
        }
        Frontier::from_peaks(size, peaks)
    }

    fn tile(&self, level: u32, number: u64) -> Option<Vec<Hash>> {
        if let Some(tile) = self.cache.borrow().get(&(level, number)) {
            return Some(tile.clone());
        }
        // Only complete tiles exist as files; one that should not be there yet is not trusted.
        let covered = number.checked_add(1)?.checked_shl(TILE_HEIGHT.checked_mul(level.checked_add(1)?)?)?;
        if covered > self.sealed {
            return None;
        }
        let tile = parse_tile(&std::fs::read(self.layout.hash_tile(level, number)).ok()?)?;
        let mut cache = self.cache.borrow_mut();
        if cache.len() >= CACHED_TILES_MAX {
            cache.clear();
        }
        cache.insert((level, number), tile.clone());
        Some(tile)
    }
}

/// The hashes of a complete tile.
pub(crate) fn parse_tile(bytes: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    (rest.is_empty() && hashes.len() == TILE_LEN).then(|| hashes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::write_whole;
    use crate::merkle::{inclusion_proof, leaf_hash, root_from_inclusion};

    #[test]
    fn tl_8_the_tree_reads_back_from_its_tiles_across_levels() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path());
        let total = 256 * 258 + 77_u64;
        let leaves: Vec<Hash> = (0..total).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let mut tower = Tower::default();
        let mut expected = Frontier::new();
        let mut checks = Vec::new();
        for (at, leaf) in leaves.iter().enumerate() {
            if [1, 255, 256, 300, 65_536, 65_900].contains(&at) {
                checks.push(expected.clone());
            }
            expected.append(*leaf);
        }
        for bundle in leaves.chunks_exact(256) {
            for tile in tower.add_bundle(bundle, perfect_root(bundle)) {
                assert_eq!(tile.bytes.len(), 8192);
                let path = layout.hash_tile(tile.level, tile.number);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                write_whole(&crate::disk::SystemDisk, &path, &tile.bytes).unwrap();
            }
        }
        assert!(layout.hash_tile(1, 0).exists());
        let reader = HashReader::new(&layout, 258, &leaves[256 * 258..]);
        assert_eq!(reader.frontier(total), Some(expected.clone()));
        for check in checks {
            assert_eq!(reader.frontier(check.size()), Some(check));
        }
        assert_eq!(Tower::load(&reader, 258), Some(tower));
        let mut node = |level, at| reader.node(level, at);
        for index in [0, 255, 256, 65_535, 65_536, total - 1] {
            let proof = inclusion_proof(index, total, &mut node).unwrap();
            let leaf = leaves[usize::try_from(index).unwrap()];
            assert_eq!(root_from_inclusion(index, total, leaf, &proof), Some(expected.root()));
        }
        assert_eq!(reader.frontier(total + 1), None);
    }
}
