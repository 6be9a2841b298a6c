// SPDX-License-Identifier: Apache-2.0
//! `audit verify`: with nothing but the directory and the public key (threat T112).
//!
//! Every record is hashed again and the root compared with the signed checkpoint. The stored leaf hashes only serve to
//! *name* the record that was changed; they are never trusted. Truncation below the checkpoint is always seen;
//! truncation together with the checkpoint is seen with an older checkpoint kept elsewhere (row TL-13).

use crate::bundle;
use crate::checkpoint::Checkpoint;
use crate::frame::{self, Tail};
use crate::layout::{Layout, SEGMENT_LEN, TILE_LEN, TILE_WIDTH, segment_of};
use crate::merkle::{Frontier, Hash, leaf_hash, perfect_root};
use crate::note::NOTE_BYTES_MAX;
use crate::record::ENTRY_BYTES_MAX;
use crate::recovery::read_bounded;
use crate::signer::VerifyingKey;
use crate::tiles::{Tower, parse_tile};
use std::io;
use std::path::{Path, PathBuf};

/// The largest bundle or journal file there can be.
pub(crate) const FILE_BYTES_MAX: usize = SEGMENT_LEN * (ENTRY_BYTES_MAX + 32) + 64;

/// What was found in a log that is sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The name of the log.
    pub origin: String,
    /// Records found.
    pub records: u64,
    /// Records the signed checkpoint covers.
    pub signed: u64,
    /// Records newer than the checkpoint: intact, but not yet protected by a signature.
    pub newer: u64,
    /// The signed root.
    pub root: Hash,
    /// Size of the anchor that was given and found to be a prefix.
    pub anchor: Option<u64>,
    /// A last write that was cut off (or is under way), after everything that is signed for.
    pub torn_tail: Option<TornTail>,
}

/// Bytes after the last whole record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The journal file.
    pub file: PathBuf,
    /// Where they begin.
    pub offset: u64,
    /// How many.
    pub bytes: u64,
}

/// What is wrong with a log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A file cannot be read.
    #[error("cannot read `{}`: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The checkpoint (or the anchor) is not one that the key signed for this log.
    #[error("`{}` is not a checkpoint of this log: {problem}", file.display())]
    Checkpoint {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A record is not what was written.
    #[error("record {index} is bad: `{}` at byte {offset}: {problem}", file.display())]
    Record {
        /// Its index: the first bad one.
        index: u64,
        /// The file it stands in.
        file: PathBuf,
        /// Where it begins there.
        offset: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// The records are sound, but a hash tile is not.
    #[error("hash tile `{}` does not match the records ({problem})", file.display())]
    HashTile {
        /// The tile.
        file: PathBuf,
        /// What is wrong.
        problem: &'static str,
    },
    /// Records that were signed for are gone.
    #[error("the log ends after {have} records, but the checkpoint covers {signed}")]
    Truncated {
        /// Records found.
        have: u64,
        /// Records signed for.
        signed: u64,
    },
    /// The records do not lead to the signed root, and nothing says which one was changed.
    #[error("the records do not lead to the root of the checkpoint of size {size}")]
    Root {
        /// The checkpoint's size.
        size: u64,
    },
    /// The log's checkpoint is older than the anchor.
    #[error("the checkpoint covers {signed} records, the anchor {anchor}: the log was rolled back")]
    RolledBack {
        /// Size of the checkpoint in the directory.
        signed: u64,
        /// Size of the anchor.
        anchor: u64,
    },
    /// The log is not a continuation of the anchor.
    #[error("the log is not a continuation of the anchor of size {size}")]
    Forked {
        /// The anchor's size.
        size: u64,
    },
}

/// Verifies the log in `directory`.
pub fn verify(directory: &Path, key: &VerifyingKey) -> Result<Report, VerifyError> {
    verify_against(directory, key, None)
}

/// Verifies the log and that it continues `anchor`, a file with an older checkpoint of it.
pub fn verify_against(directory: &Path, key: &VerifyingKey, anchor: Option<&Path>) -> Result<Report, VerifyError> {
    let layout = Layout::new(directory);
    let checkpoint = open_checkpoint(&layout.checkpoint(), key)?;
    let anchor = anchor.map(|path| open_checkpoint(path, key)).transpose()?;
    if let Some(anchor) = anchor.as_ref().filter(|a| a.size > checkpoint.size) {
        return Err(VerifyError::RolledBack { signed: checkpoint.size, anchor: anchor.size });
    }
    let mut walk = Walk { layout: &layout, checkpoint, anchor, ..Walk::start(&layout) };
    walk.compare_roots()?;
    walk.go()?;
    walk.finish()
}

fn open_checkpoint(file: &Path, key: &VerifyingKey) -> Result<Checkpoint, VerifyError> {
    let bytes = read(file, NOTE_BYTES_MAX)?;
    Checkpoint::open(&bytes, key).map_err(|problem| VerifyError::Checkpoint { file: file.to_path_buf(), problem })
}

fn read(file: &Path, bytes_max: usize) -> Result<Vec<u8>, VerifyError> {
    read_bounded(file, bytes_max).map_err(|source| VerifyError::Io { file: file.to_path_buf(), source })
}

/// One pass over the log, from its first record to its last.
struct Walk<'l> {
    layout: &'l Layout,
    checkpoint: Checkpoint,
    anchor: Option<Checkpoint>,
    frontier: Frontier,
    tower: Tower,
    /// The first record that differs from its stored leaf hash: either may be the changed one.
    suspect: Option<VerifyError>,
    suspect_index: u64,
    /// The first hash tile that cannot be right.
    bad_tile: Option<VerifyError>,
    torn_tail: Option<TornTail>,
}

impl<'l> Walk<'l> {
    fn start(layout: &'l Layout) -> Self {
        let frontier = Frontier::new();
        let checkpoint = Checkpoint { origin: String::new(), size: 0, root: frontier.root() };
        Self {
            layout,
            checkpoint,
            anchor: None,
            frontier,
            tower: Tower::default(),
            suspect: None,
            suspect_index: 0,
            bad_tile: None,
            torn_tail: None,
        }
    }

    /// Bundles first, then journal files; a log that is being written may turn the one into the other meanwhile.
    fn go(&mut self) -> Result<(), VerifyError> {
        let mut number = 0_u64;
        let mut looked_at_size = None;
        loop {
            self.torn_tail = None;
            let bundle = self.layout.bundle(number);
            let first = segment_of(number.saturating_mul(TILE_WIDTH));
            let segment = self.layout.segment(first);
            let whole = if bundle.exists() {
                self.bundle(number, &bundle)?;
                true
            } else {
                match read_bounded(&segment, FILE_BYTES_MAX) {
                    Ok(bytes) => self.segment(first, &segment, &bytes)?,
                    // It became a bundle between the two looks.
                    Err(_) if bundle.exists() => continue,
                    Err(e) if e.kind() == io::ErrorKind::NotFound => false,
                    Err(source) => return Err(VerifyError::Io { file: segment, source }),
                }
            };
            if whole {
                number = self.tower.bundles();
                continue;
            }
            let Some(later) = self.file_after(first)? else { return Ok(()) };
            // A file that was not full when it was read is full once the next one exists: one more look tells.
            let size = self.frontier.size();
            if looked_at_size.replace(size) == Some(size) {
                let problem = "records before this file are missing";
                return Err(VerifyError::Record { index: size, file: later, offset: 0, problem });
            }
        }
    }

    /// Appends the leaf of record `index`, unless that was done when the file was read before. Answers with the root of
    /// the bundle it completes.
    fn append(&mut self, index: u64, leaf: Hash) -> Result<Option<Hash>, VerifyError> {
        if index < self.frontier.size() {
            return Ok(None);
        }
        let root = self.frontier.append(leaf);
        self.compare_roots()?;
        Ok(root)
    }

    fn compare_roots(&mut self) -> Result<(), VerifyError> {
        let size = self.frontier.size();
        if size == self.checkpoint.size && self.frontier.root() != self.checkpoint.root {
            // A changed record is named where that can be done.
            return Err(self.suspect.take().unwrap_or(VerifyError::Root { size }));
        }
        match &self.anchor {
            Some(anchor) if anchor.size == size && anchor.root != self.frontier.root() => {
                Err(self.suspect.take().unwrap_or(VerifyError::Forked { size }))
            }
            _ => Ok(()),
        }
    }

    fn bundle(&mut self, number: u64, file: &Path) -> Result<(), VerifyError> {
        let bytes = read(file, FILE_BYTES_MAX)?;
        let tile_file = self.layout.hash_tile(0, number);
        let stored = read(&tile_file, TILE_LEN.saturating_mul(32)).ok().and_then(|b| parse_tile(&b));
        if stored.is_none() {
            let problem = "it is missing or has the wrong size";
            self.bad_tile.get_or_insert(VerifyError::HashTile { file: tile_file.clone(), problem });
        }
        let (entries, end) = bundle::entries(&bytes);
        let whole = entries.len() == TILE_LEN && end == bytes.len();
        let first = number.saturating_mul(TILE_WIDTH);
        let bad = |index: u64, offset: usize, problem| VerifyError::Record {
            index,
            file: file.to_path_buf(),
            offset: u64::try_from(offset).unwrap_or(u64::MAX),
            problem,
        };
        let mut leaves = Vec::with_capacity(TILE_LEN);
        for (index, (at, entry)) in (first..).zip(entries.iter().take(TILE_LEN).enumerate()) {
            let leaf = leaf_hash(entry.bytes);
            let differs = stored.as_ref().is_some_and(|tile| tile.get(at) != Some(&leaf));
            if differs && !whole {
                return Err(bad(index, entry.offset, "it differs from its leaf hash, and lengths do not add up"));
            }
            if differs && self.suspect.is_none() {
                self.suspect = Some(bad(index, entry.offset, "it differs from its leaf hash"));
                self.suspect_index = index;
            }
            if !bundle::belongs(entry.bytes, index) {
                return Err(bad(index, entry.offset, "it is not the entry that belongs here"));
            }
            leaves.push(leaf);
        }
        if !whole {
            let count = entries.len().min(TILE_LEN);
            let index = first.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
            let offset = entries.get(count).map_or(end, |extra| extra.offset);
            return Err(bad(index, offset, "the bundle does not hold exactly 256 entries"));
        }
        let mut root = None;
        for (index, leaf) in (first..).zip(&leaves) {
            root = self.append(index, *leaf)?.or(root);
        }
        self.upper_tiles(&leaves, root.unwrap_or_else(|| perfect_root(&leaves)));
        Ok(())
    }

    /// Compares the tiles above the leaves with what the records make of them.
    fn upper_tiles(&mut self, leaves: &[Hash], root: Hash) {
        for tile in self.tower.add_bundle(leaves, root).into_iter().filter(|tile| tile.level > 0) {
            let file = self.layout.hash_tile(tile.level, tile.number);
            if read_bounded(&file, tile.bytes.len()).ok().is_none_or(|stored| stored != tile.bytes) {
                let problem = "its hashes are not those of the tiles below";
                self.bad_tile.get_or_insert(VerifyError::HashTile { file, problem });
            }
        }
    }

    /// Reads a journal file, also the part that is in bundles already; answers whether it is full.
    fn segment(&mut self, first: u64, file: &Path, bytes: &[u8]) -> Result<bool, VerifyError> {
        let segment = frame::scan(bytes, first, SEGMENT_LEN);
        let bad = |index: u64, offset: usize, problem| VerifyError::Record {
            index,
            file: file.to_path_buf(),
            offset: u64::try_from(offset).unwrap_or(u64::MAX),
            problem,
        };
        for (index, found) in (first..).zip(&segment.frames) {
            if !bundle::belongs(bytes.get(found.entry.clone()).unwrap_or_default(), index) {
                return Err(bad(index, found.offset, "it is not the entry that belongs here"));
            }
            self.append(index, found.leaf)?;
        }
        let index = first.saturating_add(u64::try_from(segment.frames.len()).unwrap_or(u64::MAX));
        match segment.tail {
            Tail::Clean if segment.frames.len() == SEGMENT_LEN => {
                // Their tiles may not have been written yet; those of later bundles are counted from here.
                let done = usize::try_from(self.tower.bundles().saturating_sub(first / TILE_WIDTH)).unwrap_or(0);
                for bundle in segment.frames.chunks(TILE_LEN).skip(done) {
                    let leaves: Vec<Hash> = bundle.iter().map(|f| f.leaf).collect();
                    drop(self.tower.add_bundle(&leaves, perfect_root(&leaves)));
                }
                Ok(true)
            }
            Tail::Clean => Ok(false),
            Tail::Damaged { offset } => Err(bad(index, offset, "its bytes are damaged, and intact records follow")),
            Tail::Torn { offset } if index < self.checkpoint.size => {
                Err(bad(index, offset, "its bytes are damaged or missing, although it was signed for"))
            }
            Tail::Torn { offset } => {
                self.torn_tail = Some(TornTail {
                    file: file.to_path_buf(),
                    offset: u64::try_from(offset).unwrap_or(u64::MAX),
                    bytes: u64::try_from(bytes.len().saturating_sub(offset)).unwrap_or(u64::MAX),
                });
                Ok(false)
            }
        }
    }

    /// A journal file after the one that begins with record `first`.
    fn file_after(&self, first: u64) -> Result<Option<PathBuf>, VerifyError> {
        let journal = self.layout.journal();
        let firsts = self.layout.segments().map_err(|source| VerifyError::Io { file: journal, source })?;
        Ok(firsts.into_iter().find(|later| *later > first).map(|later| self.layout.segment(later)))
    }

    fn finish(self) -> Result<Report, VerifyError> {
        let records = self.frontier.size();
        let signed = self.checkpoint.size;
        if signed > records {
            return Err(self.suspect.unwrap_or(VerifyError::Truncated { have: records, signed }));
        }
        if let Some(suspect) = self.suspect {
            // Below the checkpoint the root has just shown that the records are right, so the stored hash is not.
            if self.suspect_index >= signed {
                return Err(suspect);
            }
            let file = self.layout.hash_tile(0, self.suspect_index / TILE_WIDTH);
            return Err(VerifyError::HashTile { file, problem: "a leaf hash differs from its record, which is sound" });
        }
        if let Some(bad_tile) = self.bad_tile {
            return Err(bad_tile);
        }
        Ok(Report {
            origin: self.checkpoint.origin,
            records,
            signed,
            newer: records.saturating_sub(signed),
            root: self.checkpoint.root,
            anchor: self.anchor.map(|a| a.size),
            torn_tail: self.torn_tail,
        })
    }
}

#[cfg(test)]
mod tests;
