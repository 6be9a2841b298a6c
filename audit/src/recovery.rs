// SPDX-License-Identifier: Apache-2.0
//! What a start finds: the tree as it was left, a torn tail that is cut, or a reason not to start (rows TL-4, F10).

use crate::checkpoint::Checkpoint;
use crate::disk::Disk;
use crate::error::AuditError;
use crate::frame::{self, Frame, SEGMENT_HEAD_BYTES, Tail};
use crate::keeper::Complete;
use crate::layout::{
    Layout, SEGMENT_LEN, SEGMENT_RECORDS, TILE_LEN, TILE_WIDTH, make_directory, segment_of, sync_directory, write_whole,
};
use crate::merkle::{Frontier, Hash, perfect_root};
use crate::note::NOTE_BYTES_MAX;
use crate::signer::Signer;
use crate::tiles::{HashReader, Tower};
use crate::writer::{OpenSegment, reopen};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was cut from the end of the journal.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) file: PathBuf,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    pub(crate) leaf: Hash,
}

/// The log as it was left.
pub(crate) struct Recovered {
    pub(crate) frontier: Frontier,
    pub(crate) tower: Tower,
    /// Size of the checkpoint on disk.
    pub(crate) signed: u64,
    /// Full bundles that are not files yet.
    pub(crate) complete: Vec<Complete>,
    pub(crate) segment: OpenSegment,
    pub(crate) cut: Option<Cut>,
    pub(crate) fresh: bool,
}

/// The journal as it stands in files.
#[derive(Default)]
struct JournalFiles {
    complete: Vec<Complete>,
    /// The last file, if it is not full.
    open: Option<OpenSegment>,
    /// Where the good records end.
    end: u64,
    cut: Option<Cut>,
}

/// Takes the lock that keeps other processes out (fault F43); it is held while the file is open.
pub(crate) fn lock(layout: &Layout) -> Result<File, AuditError> {
    make_directory(&layout.journal())?;
    let path = layout.lock();
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(AuditError::io("open the lock", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(AuditError::Locked { directory: layout.root().to_path_buf() }),
        Err(std::fs::TryLockError::Error(source)) => Err(AuditError::Io { action: "lock", path, source }),
    }
}

/// Reads the log, checks it against its checkpoint and cuts a torn tail.
pub(crate) fn recover(layout: &Layout, disk: &dyn Disk, signer: &Signer) -> Result<Recovered, AuditError> {
    let bundles = layout.bundles();
    remove_sealed_segments(layout, bundles)?;
    let firsts = layout.segments().map_err(AuditError::io("list", &layout.journal()))?;
    let fresh = begin_if_fresh(layout, disk, signer, bundles, &firsts)?;
    let checkpoint = read_checkpoint(layout, signer)?;
    let files = read_journal(layout, bundles, &firsts, checkpoint.size)?;

    let sealed = bundles.saturating_mul(TILE_WIDTH);
    let open_leaves = files.open.iter().flat_map(|open| &open.leaves);
    let tail: Vec<Hash> = files.complete.iter().flat_map(|c| &c.leaves).chain(open_leaves).copied().collect();
    let size = sealed.saturating_add(u64::try_from(tail.len()).unwrap_or(u64::MAX));
    if checkpoint.size > size {
        return Err(AuditError::BehindCheckpoint { have: size, signed: checkpoint.size });
    }
    let reader = HashReader::new(layout, bundles, &tail);
    let lacking = || AuditError::Layout { file: layout.root().join("tile"), problem: "lacks hash tiles" };
    let mut frontier = reader.frontier(checkpoint.size).ok_or_else(lacking)?;
    if frontier.root() != checkpoint.root {
        return Err(AuditError::Forked { size: checkpoint.size });
    }
    for at in checkpoint.size..size {
        frontier.append(reader.hash(0, at).ok_or_else(lacking)?);
    }
    let tower = Tower::load(&reader, bundles).ok_or_else(lacking)?;
    let segment = match files.open {
        Some(open) => open,
        None => OpenSegment::create(disk, layout, size)?,
    };
    sync_directory(disk, &layout.journal())?;
    let (complete, cut) = (files.complete, files.cut);
    Ok(Recovered { frontier, tower, signed: checkpoint.size, complete, segment, cut, fresh })
}

/// A crash between making a bundle and removing its journal file leaves both; the bundle is the one that counts.
fn remove_sealed_segments(layout: &Layout, bundles: u64) -> Result<(), AuditError> {
    let sealed = bundles.saturating_mul(TILE_WIDTH);
    for first in layout.segments().map_err(AuditError::io("list", &layout.journal()))? {
        if first.saturating_add(SEGMENT_RECORDS) <= sealed {
            let path = layout.segment(first);
            std::fs::remove_file(&path).map_err(AuditError::io("remove", &path))?;
        }
    }
    Ok(())
}

/// A log begins with a checkpoint of the empty tree, before any record: records without a checkpoint are suspicious.
fn begin_if_fresh(
    layout: &Layout,
    disk: &dyn Disk,
    signer: &Signer,
    bundles: u64,
    firsts: &[u64],
) -> Result<bool, AuditError> {
    let path = layout.checkpoint();
    if path.exists() {
        return Ok(false);
    }
    if bundles > 0 || !firsts.is_empty() {
        return Err(AuditError::CheckpointMissing { path });
    }
    let empty = Frontier::new();
    let checkpoint = Checkpoint { origin: signer.origin().to_owned(), size: 0, root: empty.root() };
    write_whole(disk, &path, checkpoint.sign(signer).as_bytes())?;
    sync_directory(disk, layout.root())?;
    Ok(true)
}

fn read_checkpoint(layout: &Layout, signer: &Signer) -> Result<Checkpoint, AuditError> {
    let path = layout.checkpoint();
    let bytes = read_bounded(&path, NOTE_BYTES_MAX).map_err(AuditError::io("read", &path))?;
    Checkpoint::open(&bytes, &signer.verifying_key()).map_err(|problem| AuditError::Checkpoint { path, problem })
}

/// Reads a file of at most `bytes_max` bytes.
pub(crate) fn read_bounded(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is too large"));
    }
    Ok(bytes)
}

fn read_journal(layout: &Layout, bundles: u64, firsts: &[u64], signed: u64) -> Result<JournalFiles, AuditError> {
    let sealed = bundles.saturating_mul(TILE_WIDTH);
    let mut files = JournalFiles { end: segment_of(sealed), ..JournalFiles::default() };
    for first in firsts {
        let path = layout.segment(*first);
        let bytes = std::fs::read(&path).map_err(AuditError::io("read", &path))?;
        let segment = frame::scan(&bytes, *first, SEGMENT_LEN);
        if files.open.is_some() || *first != files.end {
            // A file after one that is not full: only an empty one can be left by a crash.
            if segment.frames.is_empty() && !matches!(segment.tail, Tail::Damaged { .. }) && *first >= files.end {
                std::fs::remove_file(&path).map_err(AuditError::io("remove", &path))?;
                continue;
            }
            return Err(gap(layout, files.open.as_ref(), files.end, path));
        }
        files.end = first.saturating_add(u64::try_from(segment.frames.len()).unwrap_or(u64::MAX));
        let mut length = bytes.len();
        match segment.tail {
            Tail::Clean => {}
            Tail::Damaged { offset } => return Err(damaged(path, offset, files.end)),
            // Records that were signed for or are in bundles cannot have been a write that was cut off.
            Tail::Torn { offset } if files.end < signed.max(sealed) => return Err(damaged(path, offset, files.end)),
            Tail::Torn { offset } => {
                length = offset;
                files.cut = Some(cut(&path, &bytes, offset));
            }
        }
        if length < SEGMENT_HEAD_BYTES {
            // Not even its head was written: it is made anew.
            std::fs::remove_file(&path).map_err(AuditError::io("remove", &path))?;
            continue;
        }
        take_segment(&mut files, &path, (*first, length), &segment.frames, sealed)?;
    }
    if files.end < sealed {
        let file = layout.segment(segment_of(sealed));
        return Err(AuditError::Layout { file, problem: "is missing or lacks records that are in bundles" });
    }
    Ok(files)
}

/// Adds a journal file whose good frames are known: its full bundles that are not files yet, and what follows them.
fn take_segment(
    files: &mut JournalFiles,
    path: &Path,
    (first, length): (u64, usize),
    frames: &[Frame],
    sealed: u64,
) -> Result<(), AuditError> {
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    let file = Arc::new(reopen(path, length)?);
    let (full, rest) = frames.as_chunks::<TILE_LEN>();
    let mut bundle_first = first;
    for bundle in full {
        if bundle_first >= sealed {
            let start = bundle.first().map_or(0, |frame| frame.offset);
            let end = bundle.last().map_or(0, |frame| frame.entry.end);
            let leaves: Vec<Hash> = bundle.iter().map(|frame| frame.leaf).collect();
            files.complete.push(Complete {
                first: bundle_first,
                root: perfect_root(&leaves),
                leaves,
                file: Arc::clone(&file),
                bytes: u64::try_from(start).unwrap_or(0)..u64::try_from(end).unwrap_or(0),
            });
        }
        bundle_first = bundle_first.saturating_add(TILE_WIDTH);
    }
    if frames.len() < SEGMENT_LEN {
        let leaves = rest.iter().map(|frame| frame.leaf).collect();
        let bundle_from = rest.first().map_or(length, |frame| u64::try_from(frame.offset).unwrap_or(0));
        files.open = Some(OpenSegment { first, file, length, bundle_from, leaves });
    }
    Ok(())
}

fn gap(layout: &Layout, open: Option<&OpenSegment>, expected: u64, path: PathBuf) -> AuditError {
    match open {
        // Intact records follow in the next file.
        Some(open) => AuditError::Damaged { file: layout.segment(open.first), offset: open.length, index: expected },
        None if expected == 0 => AuditError::Layout { file: path, problem: "does not begin where the log begins" },
        None => AuditError::Layout { file: path, problem: "does not begin where the bundles end" },
    }
}

fn damaged(file: PathBuf, offset: usize, index: u64) -> AuditError {
    AuditError::Damaged { file, offset: u64::try_from(offset).unwrap_or(u64::MAX), index }
}

fn cut(path: &Path, bytes: &[u8], offset: usize) -> Cut {
    let lost = bytes.get(offset..).unwrap_or_default();
    Cut {
        file: path.to_path_buf(),
        offset: u64::try_from(offset).unwrap_or(u64::MAX),
        bytes: u64::try_from(lost.len()).unwrap_or(u64::MAX),
        leaf: crate::merkle::leaf_hash(lost),
    }
}
