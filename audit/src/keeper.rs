// SPDX-License-Identifier: Apache-2.0
//! The thread behind the writer: syncs what was written, turns full bundles of the journal into files and tiles, and signs
//! checkpoints. It keeps `fsync` out of the way of the records.
//!
//! INVARIANT: what a checkpoint covers was synced before it is signed, and what a bundle holds was synced in the journal
//! before.
//! A full disk is no failure here: bundles and checkpoints are new files, made again from the start at the next round, and
//! the journal holds every record until then.
//!
//! INVARIANT: after a failed `fsync` nothing is synced again and nothing is signed (fault F12): the pages may be gone.

use crate::checkpoint::Checkpoint;
use crate::disk::Disk;
use crate::error::AuditError;
use crate::frame;
use crate::layout::{Layout, SEGMENT_RECORDS, TILE_WIDTH, make_directory, segment_of, sync_directory, write_whole};
use crate::merkle::{Frontier, Hash};
use crate::queue::Shared;
use crate::signer::Signer;
use crate::tiles::Tower;
use std::collections::BTreeSet;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Records are synced at most this long after they were written (half of what is promised, the rest is for the disk).
const SYNC_EVERY: Duration = Duration::from_millis(50);

/// As many records as a bundle holds, in the journal.
pub(crate) struct Complete {
    /// The first of them.
    pub(crate) first: u64,
    pub(crate) leaves: Vec<Hash>,
    /// The root over them.
    pub(crate) root: Hash,
    /// The journal file.
    pub(crate) file: Arc<File>,
    /// Where their frames are.
    pub(crate) bytes: Range<u64>,
}

/// What the writer tells the keeper.
pub(crate) struct Progress {
    frontier: Frontier,
    current: Arc<File>,
    complete: Vec<Complete>,
    /// Full bundles that are not files yet, taken by the keeper or not.
    unsealed: usize,
    /// Something was written since the last sync.
    dirty: bool,
    /// A journal file was created since the last sync.
    created: bool,
    keeper_idle: bool,
    writer: WriterIs,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WriterIs {
    Writing,
    Done,
}

impl Progress {
    pub(crate) fn new(frontier: Frontier, current: Arc<File>) -> Self {
        Self {
            frontier,
            current,
            complete: Vec::new(),
            unsealed: 0,
            dirty: false,
            created: false,
            keeper_idle: false,
            writer: WriterIs::Writing,
        }
    }

    /// The log is `frontier` now, its newest records are in `current`, and bundles were completed.
    pub(crate) fn wrote(&mut self, frontier: &Frontier, current: &Arc<File>, complete: &mut Vec<Complete>) {
        self.frontier.copy_from(frontier);
        self.unsealed = self.unsealed.saturating_add(complete.len());
        self.complete.append(complete);
        if !Arc::ptr_eq(&self.current, current) {
            self.current = Arc::clone(current);
            self.created = true;
        }
        self.dirty = true;
    }

    pub(crate) fn unsealed(&self) -> usize {
        self.unsealed
    }

    pub(crate) fn take_keeper_idle(&mut self) -> bool {
        std::mem::take(&mut self.keeper_idle)
    }

    fn is_done(&self) -> bool {
        self.writer == WriterIs::Done
    }

    pub(crate) fn writer_done(&mut self) {
        self.writer = WriterIs::Done;
    }
}

/// The keeper's own state.
pub(crate) struct Keeper {
    pub(crate) layout: Layout,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) signer: Signer,
    pub(crate) checkpoint_every: Duration,
    pub(crate) tower: Tower,
    /// Size of the checkpoint on disk.
    pub(crate) signed: u64,
    /// Full bundles that a full disk kept from becoming files.
    pub(crate) backlog: Vec<Complete>,
}

/// What one round of the keeper has to do.
struct Round {
    complete: Vec<Complete>,
    frontier: Frontier,
    current: Arc<File>,
    dirty: bool,
    created: bool,
    waited: Duration,
    last: bool,
}

/// The keeper thread.
pub(crate) fn run(mut keeper: Keeper, shared: &Shared) {
    let mut since_checkpoint = Duration::ZERO;
    loop {
        let mut round = keeper.wait(shared);
        if shared.is_dead() {
            return;
        }
        since_checkpoint = since_checkpoint.saturating_add(round.waited);
        let due = round.last || since_checkpoint >= keeper.checkpoint_every;
        if due {
            since_checkpoint = Duration::ZERO;
        }
        if let Err(error) = keeper.work(&mut round, due, shared) {
            shared.fail(&error.to_string());
            return;
        }
        if round.last {
            return;
        }
    }
}

impl Keeper {
    /// Waits until there is something to do, at least one interval when there is something already.
    fn wait(&self, shared: &Shared) -> Round {
        let tick = self.checkpoint_every.min(SYNC_EVERY);
        let mut progress = shared.progress.lock();
        let behind =
            |p: &Progress| p.is_done() || p.dirty || p.frontier.size() > self.signed || !self.backlog.is_empty();
        while !behind(&progress) && !shared.is_dead() {
            progress.keeper_idle = true;
            shared.progressed.wait(&mut progress);
        }
        progress.keeper_idle = false;
        let mut waited = Duration::ZERO;
        if !progress.is_done() && !shared.is_dead() && shared.progressed.wait_for(&mut progress, tick).timed_out() {
            waited = tick;
        }
        Round {
            complete: std::mem::take(&mut progress.complete),
            frontier: progress.frontier.clone(),
            current: Arc::clone(&progress.current),
            dirty: std::mem::take(&mut progress.dirty),
            created: std::mem::take(&mut progress.created),
            waited,
            last: progress.is_done(),
        }
    }

    fn work(&mut self, round: &mut Round, checkpoint_due: bool, shared: &Shared) -> Result<(), AuditError> {
        let may_wait = |error: AuditError| if error.is_full() && !round.last { Ok(()) } else { Err(error) };
        if round.created {
            sync_directory(&*self.disk, &self.layout.journal())?;
        }
        if round.dirty {
            self.sync_journal(round)?;
        }
        self.backlog.append(&mut round.complete);
        if !self.backlog.is_empty() {
            let backlog = std::mem::take(&mut self.backlog);
            match self.seal(&backlog) {
                Ok(()) => {
                    let mut progress = shared.progress.lock();
                    progress.unsealed = progress.unsealed.saturating_sub(backlog.len());
                    shared.sealed.notify_all();
                }
                Err(error) => {
                    self.backlog = backlog;
                    may_wait(error)?;
                }
            }
        }
        if checkpoint_due && round.frontier.size() > self.signed {
            self.sign(&round.frontier).or_else(may_wait)?;
        }
        Ok(())
    }

    /// Syncs the journal files that were written to since the last round, the oldest first.
    fn sync_journal(&self, round: &Round) -> Result<(), AuditError> {
        let mut before: Option<&Arc<File>> = None;
        for file in round.complete.iter().map(|complete| &complete.file).chain([&round.current]) {
            if before.is_none_or(|before| !Arc::ptr_eq(before, file)) {
                self.disk.sync(file).map_err(AuditError::io("sync", &self.layout.journal()))?;
            }
            before = Some(file);
        }
        Ok(())
    }

    /// Signs the tree as it is and puts the checkpoint in place of the last one.
    pub(crate) fn sign(&mut self, frontier: &Frontier) -> Result<(), AuditError> {
        let checkpoint =
            Checkpoint { origin: self.signer.origin().to_owned(), size: frontier.size(), root: frontier.root() };
        let note = checkpoint.sign(&self.signer);
        write_whole(&*self.disk, &self.layout.checkpoint(), note.as_bytes())?;
        sync_directory(&*self.disk, self.layout.root())?;
        self.signed = frontier.size();
        Ok(())
    }

    /// Turns full bundles of the journal into files with their hash tiles. A bundle appears after its tiles, and a journal
    /// file goes after all its bundles are durable, so that a crash at any point leaves every record somewhere.
    pub(crate) fn seal(&mut self, complete: &[Complete]) -> Result<(), AuditError> {
        let before = self.tower.clone();
        let outcome = self.seal_all(complete);
        if outcome.is_err() {
            self.tower = before;
        }
        outcome
    }

    fn seal_all(&mut self, complete: &[Complete]) -> Result<(), AuditError> {
        let mut directories: BTreeSet<PathBuf> = BTreeSet::new();
        for one in complete {
            if one.first != self.tower.bundles().saturating_mul(TILE_WIDTH) {
                let file = self.layout.segment(segment_of(one.first));
                return Err(AuditError::Layout { file, problem: "does not follow the last bundle" });
            }
            for tile in self.tower.add_bundle(&one.leaves, one.root) {
                self.put(&self.layout.hash_tile(tile.level, tile.number), &tile.bytes, &mut directories)?;
            }
        }
        self.sync_directories(&mut directories)?;
        // Two buffers for all bundles: fresh memory for each costs more than the copying.
        let (mut frames, mut bundle) = (Vec::new(), Vec::new());
        for one in complete {
            self.read_bundle(one, &mut frames, &mut bundle)?;
            self.put(&self.layout.bundle(one.first / TILE_WIDTH), &bundle, &mut directories)?;
        }
        self.sync_directories(&mut directories)?;
        for end in complete.iter().map(|one| one.first.saturating_add(TILE_WIDTH)) {
            if end.is_multiple_of(SEGMENT_RECORDS) {
                let path = self.layout.segment(end.saturating_sub(SEGMENT_RECORDS));
                std::fs::remove_file(&path).map_err(AuditError::io("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Writes a file of the log; the directories to be synced for it are added to `directories`.
    fn put(&self, path: &Path, bytes: &[u8], directories: &mut BTreeSet<PathBuf>) -> Result<(), AuditError> {
        let parent = path.parent().unwrap_or(self.layout.root());
        if !parent.exists() {
            // A new directory of a thousand tiles must itself be durable, up to the root of the log.
            make_directory(parent)?;
            let above = parent.ancestors().skip(1).take_while(|above| above.starts_with(self.layout.root()));
            directories.extend(above.map(Path::to_path_buf));
        }
        directories.insert(parent.to_path_buf());
        write_whole(&*self.disk, path, bytes)
    }

    fn sync_directories(&self, directories: &mut BTreeSet<PathBuf>) -> Result<(), AuditError> {
        std::mem::take(directories).iter().try_for_each(|directory| sync_directory(&*self.disk, directory))
    }

    /// Makes the bundle out of frames of the journal: the same entries, each with its length.
    fn read_bundle(&self, one: &Complete, frames: &mut Vec<u8>, bundle: &mut Vec<u8>) -> Result<(), AuditError> {
        let path = self.layout.segment(segment_of(one.first));
        let length = one.bytes.end.saturating_sub(one.bytes.start);
        frames.resize(usize::try_from(length).unwrap_or(0), 0);
        one.file.read_exact_at(frames, one.bytes.start).map_err(AuditError::io("read", &path))?;
        frame::to_bundle(frames, one.first, bundle)
            .ok_or(AuditError::Layout { file: path, problem: "is not what was written to it" })
    }
}
