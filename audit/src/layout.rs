// SPDX-License-Identifier: Apache-2.0
//! Where things stand in the audit directory: C2SP `tlog-tiles` (row TL-8) plus our journal.
//!
//! ```text
//! checkpoint               the newest signed checkpoint
//! tile/entries/x001/234    bundles of 256 entries, each with a 16-bit length in front
//! tile/0/x001/234          tiles of 256 hashes; level 0 are the leaves of the bundle of the same number
//! journal/<first index>    up to 4096 records; the file goes when all of them are in bundles
//! lock                     held by the one process that writes
//! ```

use crate::disk::Disk;
use crate::error::AuditError;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Entries of a bundle and hashes of a tile.
pub(crate) const TILE_WIDTH: u64 = 256;
/// [`TILE_WIDTH`] for lengths.
pub(crate) const TILE_LEN: usize = 256;
/// Records of a journal file. Making and removing files is dear, so that one file serves several bundles.
pub(crate) const SEGMENT_RECORDS: u64 = 16 * TILE_WIDTH;
/// [`SEGMENT_RECORDS`] for lengths.
pub(crate) const SEGMENT_LEN: usize = 16 * TILE_LEN;
/// Mode of the directories of a log: records are nobody else's business.
const DIRECTORY_MODE: u32 = 0o700;
/// Mode of its files.
const FILE_MODE: u32 = 0o600;
/// At most this many journal files are listed; the writer stops far below.
const SEGMENTS_MAX: usize = 100_000;

/// The paths of one log.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.root.join("checkpoint")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    pub(crate) fn segment(&self, first: u64) -> PathBuf {
        self.journal().join(format!("{first:020}"))
    }

    pub(crate) fn bundle(&self, number: u64) -> PathBuf {
        self.root.join("tile/entries").join(tile_number(number))
    }

    pub(crate) fn hash_tile(&self, level: u32, number: u64) -> PathBuf {
        self.root.join("tile").join(level.to_string()).join(tile_number(number))
    }

    /// The first indices of the journal files, in order. Other files there are not ours and left alone.
    pub(crate) fn segments(&self) -> io::Result<Vec<u64>> {
        let mut firsts: Vec<u64> = Vec::new();
        let listing = match std::fs::read_dir(self.journal()) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(firsts),
            other => other?,
        };
        for item in listing.take(SEGMENTS_MAX) {
            let name = item?.file_name();
            let Some(first) = name.to_str().filter(|n| n.len() == 20).and_then(|n| n.parse().ok()) else { continue };
            firsts.push(first);
        }
        firsts.sort_unstable();
        Ok(firsts)
    }

    /// The number of bundles: they are written in order, so that the first missing one is found by bisection.
    pub(crate) fn bundles(&self) -> u64 {
        let (mut present, mut absent) = (0_u64, 1_u64);
        while self.bundle(absent.saturating_sub(1)).exists() {
            present = absent;
            absent = absent.saturating_mul(2);
        }
        while absent.saturating_sub(present) > 1 {
            let middle = present.midpoint(absent);
            if self.bundle(middle.saturating_sub(1)).exists() {
                present = middle;
            } else {
                absent = middle;
            }
        }
        present
    }
}

/// A tile's number in groups of three digits: 1234067 is `x001/x234/067`.
fn tile_number(number: u64) -> String {
    let mut path = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

/// The first record of the journal file that holds record `index`.
pub(crate) fn segment_of(index: u64) -> u64 {
    (index / SEGMENT_RECORDS).saturating_mul(SEGMENT_RECORDS)
}

/// Makes a directory with its parents, for us alone.
pub(crate) fn make_directory(path: &Path) -> Result<(), AuditError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(DIRECTORY_MODE)
        .create(path)
        .map_err(AuditError::io("create the directory", path))
}

/// Creates a file for appending; it must not exist.
pub(crate) fn create_for_append(path: &Path) -> Result<File, AuditError> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
        .map_err(AuditError::io("create", path))
}

/// Writes a whole file so that it is either there with all its bytes or not at all: beside it, synced, renamed. The
/// directory is not synced here, see [`sync_directory`].
pub(crate) fn write_whole(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), AuditError> {
    let beside = path.with_extension("tmp");
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&beside)?;
        file.write_all(bytes)?;
        disk.sync(&file)?;
        std::fs::rename(&beside, path)
    };
    write().map_err(AuditError::io("write", path))
}

/// Makes renames and creations in a directory durable.
pub(crate) fn sync_directory(disk: &dyn Disk, path: &Path) -> Result<(), AuditError> {
    File::open(path).and_then(|file| disk.sync(&file)).map_err(AuditError::io("sync the directory", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tl_8_tile_numbers_are_in_groups_of_three_digits() {
        assert_eq!(tile_number(0), "000");
        assert_eq!(tile_number(999), "999");
        assert_eq!(tile_number(1000), "x001/000");
        assert_eq!(tile_number(1_234_067), "x001/x234/067");
    }

    #[test]
    fn bundles_are_counted_without_looking_at_each() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path());
        for count in 0..40_u64 {
            assert_eq!(layout.bundles(), count);
            let path = layout.bundle(count);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"").unwrap();
        }
    }
}
