// SPDX-License-Identifier: Apache-2.0
//! The one thread that appends: takes everything queued, writes it with one `write(2)`, resolves the tickets.
//!
//! A failed write is never papered over. When the disk is full, what was half written is cut off again, the tickets of
//! the batch resolve with an error, and the writer tries once a second whether a note of what happened can be written;
//! then it goes on. Any other failure ends the log until the next start.

use crate::disk::Disk;
use crate::error::AuditError;
use crate::frame;
use crate::keeper::Complete;
use crate::layout::{Layout, SEGMENT_RECORDS, TILE_LEN, TILE_WIDTH, create_for_append};
use crate::merkle::{Frontier, Hash};
use crate::queue::{Entry, Job, Shared, Work};
use crate::record::{NoteKind, push_note, push_record};
use crate::text::push_decimal;
use crate::ticket::{Pending, Wakes};
use portcullis_decision::{Clock, Facts};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often a full disk is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// A batch is written once it has this many bytes, although more records wait.
const BATCH_BYTES: usize = 1 << 20;
/// The writer waits for the keeper when this many bundles wait to be written.
pub(crate) const UNSEALED_MAX: usize = 256;

/// The journal file that is being written.
pub(crate) struct OpenSegment {
    pub(crate) first: u64,
    pub(crate) file: Arc<File>,
    /// Bytes that belong to whole frames.
    pub(crate) length: u64,
    /// Where the frames of the unfinished bundle begin.
    pub(crate) bundle_from: u64,
    /// The leaves of the unfinished bundle.
    pub(crate) leaves: Vec<Hash>,
}

impl OpenSegment {
    /// Creates the journal file that begins with record `first`.
    pub(crate) fn create(disk: &dyn Disk, layout: &Layout, first: u64) -> Result<Self, AuditError> {
        let path = layout.segment(first);
        let file = create_for_append(&path)?;
        let head = frame::segment_head(first);
        if let Err(source) = disk.append(&file, &head) {
            // Leave nothing behind that the next try would stumble over.
            drop(std::fs::remove_file(&path));
            return Err(AuditError::io("write", &path)(source));
        }
        let length = u64::try_from(head.len()).unwrap_or(0);
        Ok(Self { first, file: Arc::new(file), length, bundle_from: length, leaves: Vec::with_capacity(TILE_LEN) })
    }
}

/// Appends records to the journal and keeps the tree.
pub(crate) struct Appender {
    pub(crate) layout: Layout,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) origin: String,
    pub(crate) frontier: Frontier,
    pub(crate) segment: OpenSegment,
    /// Full bundles that nobody was told of yet: there is no keeper while the log is being opened.
    pub(crate) full: Vec<Complete>,
    staged: Staged,
    /// The entry that is being staged, before it has its number.
    entry: Vec<u8>,
}

/// A batch that is encoded but not written.
#[derive(Default)]
struct Staged {
    bytes: Vec<u8>,
    leaves: Vec<Hash>,
    tickets: Vec<(Pending, u64)>,
}

impl Staged {
    /// Appends the frame of an entry, whose number `index` goes to `seq_at`.
    fn push(&mut self, entry: &[u8], seq_at: usize, index: u64) -> Result<Hash, frame::TooLong> {
        let start = frame::begin(&mut self.bytes);
        let (before, after) = entry.split_at_checked(seq_at).unwrap_or((entry, &[]));
        self.bytes.extend_from_slice(before);
        push_decimal(&mut self.bytes, index);
        self.bytes.extend_from_slice(after);
        frame::finish(&mut self.bytes, start, index).inspect_err(|_| self.bytes.truncate(start))
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.leaves.clear();
        // Unresolved tickets resolve with an error here.
        self.tickets.clear();
    }
}

impl Appender {
    pub(crate) fn new(
        layout: Layout,
        disk: Arc<dyn Disk>,
        (clock, origin): (Arc<dyn Clock>, String),
        frontier: Frontier,
        segment: OpenSegment,
    ) -> Self {
        Self {
            layout,
            disk,
            clock,
            origin,
            frontier,
            segment,
            full: Vec::new(),
            staged: Staged::default(),
            entry: Vec::new(),
        }
    }

    /// Makes everything written so far durable.
    pub(crate) fn sync(&self) -> Result<(), AuditError> {
        let path = self.layout.segment(self.segment.first);
        self.disk.sync(&self.segment.file).map_err(AuditError::io("sync", &path))
    }

    /// The index of the next record.
    fn next_index(&self) -> u64 {
        let staged = u64::try_from(self.staged.leaves.len()).unwrap_or(u64::MAX);
        self.frontier.size().saturating_add(staged)
    }

    fn is_bundle_full(&self) -> bool {
        self.segment.leaves.len().saturating_add(self.staged.leaves.len()) >= TILE_LEN
    }

    /// Encodes one entry behind those that are staged; `write` answers with the place of its number.
    fn stage(&mut self, write: impl FnOnce(&mut Vec<u8>, &str) -> usize) -> u64 {
        let index = self.next_index();
        self.entry.clear();
        let seq_at = write(&mut self.entry, &self.origin);
        let leaf = self.staged.push(&self.entry, seq_at, index).unwrap_or_else(|frame::TooLong| {
            // Row TL-8: cannot happen with the limits of `record`; if it does, the fact itself is kept.
            self.entry.clear();
            let now = self.clock.wall();
            let seq_at = push_note(&mut self.entry, NoteKind::Oversized, &self.origin, now, &Facts::none());
            self.staged.push(&self.entry, seq_at, index).unwrap_or_default()
        });
        self.staged.leaves.push(leaf);
        index
    }

    /// Stages a note of the log about itself, in a new bundle if the present one is full.
    pub(crate) fn note(&mut self, kind: NoteKind, facts: &Facts, shared: Option<&Shared>) -> Result<(), AuditError> {
        self.finish_bundle_if_full(shared, &mut Wakes::default())?;
        let at = self.clock.wall();
        self.stage(|out, node| push_note(out, kind, node, at, facts));
        self.write(shared, &mut Wakes::default())
    }

    /// Writes what is staged, resolves its tickets and tells the keeper.
    fn write(&mut self, shared: Option<&Shared>, wakes: &mut Wakes) -> Result<(), AuditError> {
        if self.staged.leaves.is_empty() {
            return Ok(());
        }
        let path = || self.layout.segment(self.segment.first);
        self.disk.append(&self.segment.file, &self.staged.bytes).map_err(|source| AuditError::Io {
            action: "write",
            path: path(),
            source,
        })?;
        let written = u64::try_from(self.staged.bytes.len()).unwrap_or(u64::MAX);
        self.segment.length = self.segment.length.saturating_add(written);
        for leaf in self.staged.leaves.drain(..) {
            self.frontier.append(leaf);
            self.segment.leaves.push(leaf);
        }
        self.staged.bytes.clear();
        for (pending, index) in self.staged.tickets.drain(..) {
            pending.written(index, wakes);
        }
        wakes.send();
        if let Some(shared) = shared {
            let mut progress = shared.progress.lock();
            progress.wrote(&self.frontier);
            if progress.take_keeper_idle() {
                shared.progressed.notify_one();
            }
        }
        Ok(())
    }

    /// Hands the records of a full bundle to the keeper; every few bundles a new journal file begins.
    fn finish_bundle_if_full(&mut self, shared: Option<&Shared>, wakes: &mut Wakes) -> Result<(), AuditError> {
        if !self.is_bundle_full() {
            return Ok(());
        }
        self.write(shared, wakes)?;
        let size = self.frontier.size();
        let next = if size.is_multiple_of(SEGMENT_RECORDS) {
            Some(OpenSegment::create(&*self.disk, &self.layout, size)?)
        } else {
            None
        };
        let leaves = std::mem::replace(&mut self.segment.leaves, Vec::with_capacity(TILE_LEN));
        let complete = Complete {
            first: size.saturating_sub(TILE_WIDTH),
            leaves,
            file: Arc::clone(&self.segment.file),
            bytes: self.segment.bundle_from..self.segment.length,
        };
        self.segment.bundle_from = self.segment.length;
        if let Some(next) = next {
            self.segment = next;
        }
        let Some(shared) = shared else {
            self.full.push(complete);
            return Ok(());
        };
        let mut progress = shared.progress.lock();
        progress.completed(complete, &self.segment.file);
        if progress.take_keeper_idle() {
            shared.progressed.notify_one();
        }
        while progress.unsealed() >= UNSEALED_MAX && !shared.is_dead() {
            shared.progressed.notify_one();
            shared.sealed.wait_for(&mut progress, RETRY_EVERY);
        }
        Ok(())
    }

    fn append(&mut self, jobs: &mut Vec<Job>, shared: &Shared, wakes: &mut Wakes) -> Result<(), AuditError> {
        for job in jobs.drain(..) {
            if self.is_bundle_full() {
                self.finish_bundle_if_full(Some(shared), wakes)?;
            }
            let Job { entry, pending } = job;
            let index = match entry {
                Entry::Record(record) => self.stage(|out, node| push_record(out, &record, node)),
                Entry::Note(happening, facts) => {
                    let at = self.clock.wall();
                    self.stage(|out, node| push_note(out, NoteKind::Of(happening), node, at, &facts))
                }
            };
            self.staged.tickets.push((pending, index));
            if self.staged.bytes.len() >= BATCH_BYTES {
                self.write(Some(shared), wakes)?;
            }
        }
        self.write(Some(shared), wakes)
    }

    /// After a full disk: cuts off what was half written and says in the log what happened.
    fn recover_room(&mut self, lost: u64, shared: &Shared) -> Result<(), AuditError> {
        self.staged.clear();
        let path = self.layout.segment(self.segment.first);
        self.segment.file.set_len(self.segment.length).map_err(AuditError::io("cut", &path))?;
        self.note(NoteKind::Resumed, &Facts::none().with("refused", lost), Some(shared))
    }
}

/// The writer thread.
pub(crate) fn run(mut appender: Appender, shared: &Shared) {
    let mut jobs = Vec::new();
    let mut wakes = Wakes::default();
    // While the disk is full: how many records were refused since.
    let mut refused: Option<u64> = None;
    loop {
        let work = shared.take(&mut jobs, refused.map(|_| RETRY_EVERY));
        if shared.is_dead() {
            jobs.clear();
            shared.shut();
            return;
        }
        let outcome = match (work, refused) {
            (Work::Finished, _) => break,
            (Work::Jobs, Some(count)) => {
                refused = Some(count.saturating_add(u64::try_from(jobs.len()).unwrap_or(0)));
                jobs.clear();
                Ok(())
            }
            (Work::Jobs, None) => {
                let expected = appender.frontier.size().saturating_add(u64::try_from(jobs.len()).unwrap_or(0));
                let outcome = appender.append(&mut jobs, shared, &mut wakes);
                outcome.map_err(|e| (e, expected.saturating_sub(appender.frontier.size())))
            }
            (Work::Idle, Some(count)) => appender.recover_room(count, shared).map_err(|e| (e, count)).map(|()| {
                refused = None;
                shared.resume();
            }),
            (Work::Idle, None) => Ok(()),
        };
        if let Err((error, count)) = outcome {
            if !error.is_full() {
                shared.fail(&error.to_string());
                return;
            }
            shared.pause(&error.to_string());
            refused = Some(count);
            jobs.clear();
            appender.staged.clear();
        }
    }
    if refused.is_some() {
        // Closing over a full disk: the next start cuts and notes what is half written.
        drop(appender.segment.file.set_len(appender.segment.length));
    }
    shared.progress.lock().writer_done();
    shared.progressed.notify_all();
}

/// Opens an existing journal file for appending after cutting it to `length` bytes.
pub(crate) fn reopen(path: &Path, length: u64) -> Result<File, AuditError> {
    let file = File::options().read(true).append(true).open(path).map_err(AuditError::io("open", path))?;
    file.set_len(length).and_then(|()| file.sync_data()).map_err(AuditError::io("cut", path))?;
    Ok(file)
}
