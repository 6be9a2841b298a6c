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
use crate::lane::{Answer, Batch, Entries, Unnumbered};
use crate::layout::{Layout, SEGMENT_RECORDS, TILE_LEN, TILE_WIDTH, create_for_append};
use crate::merkle::{Frontier, Hash};
use crate::queue::{Shared, Work};
use crate::record::{NoteKind, push_note};
use crate::text::push_decimal;
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
/// At most this many emptied buffers are kept for the lanes.
const SPARES_MAX: usize = 64;

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

    /// Adds a record that was written, whose frame ends `length` bytes into the file; answers with the bundle it completes.
    fn add(&mut self, leaf: Hash, length: u64, frontier: &mut Frontier) -> Option<Complete> {
        self.length = length;
        self.leaves.push(leaf);
        let root = frontier.append(leaf)?;
        let first = frontier.size().saturating_sub(TILE_WIDTH);
        let leaves = std::mem::replace(&mut self.leaves, Vec::with_capacity(TILE_LEN));
        let bytes = self.bundle_from..length;
        self.bundle_from = length;
        Some(Complete { first, leaves, root, file: Arc::clone(&self.file), bytes })
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
    /// Full bundles that nobody was told of yet.
    pub(crate) full: Vec<Complete>,
    staged: Staged,
}

/// A batch that is encoded but not written.
#[derive(Default)]
struct Staged {
    bytes: Vec<u8>,
    /// The leaf of each entry, and where its frame ends in `bytes`.
    leaves: Vec<(Hash, u64)>,
    /// Whose records these are, with the index of the first of each.
    answers: Vec<(Answer, u64)>,
}

impl Staged {
    /// Appends the frame of an entry that becomes record `index`.
    fn push(&mut self, entry: Unnumbered<'_>, index: u64) -> Result<(), frame::TooLong> {
        let start = frame::begin(&mut self.bytes);
        self.bytes.extend_from_slice(entry.before);
        push_decimal(&mut self.bytes, index);
        self.bytes.extend_from_slice(entry.after);
        let leaf = frame::finish(&mut self.bytes, start, index).inspect_err(|_| self.bytes.truncate(start))?;
        self.leaves.push((leaf, u64::try_from(self.bytes.len()).unwrap_or(u64::MAX)));
        Ok(())
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.leaves.clear();
        // Unresolved tickets resolve with an error here.
        self.answers.clear();
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
        Self { layout, disk, clock, origin, frontier, segment, full: Vec::new(), staged: Staged::default() }
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

    /// Whether what is staged must be written before anything is added: it is large, or its journal file is full.
    fn is_due(&self) -> bool {
        let full = self.next_index().is_multiple_of(SEGMENT_RECORDS) && !self.staged.leaves.is_empty();
        full || self.staged.bytes.len() >= BATCH_BYTES
    }

    /// Encodes one entry behind those that are staged.
    fn stage(&mut self, entry: Unnumbered<'_>) {
        let index = self.next_index();
        if self.staged.push(entry, index).is_err() {
            // Row TL-8: cannot happen with the limits of `record`; if it does, the fact itself is kept.
            self.stage_note(NoteKind::Oversized, &Facts::none());
        }
    }

    fn stage_note(&mut self, kind: NoteKind, facts: &Facts) {
        let mut note = Vec::new();
        let seq_at = push_note(&mut note, kind, &self.origin, self.clock.wall(), facts);
        let (before, after) = note.split_at_checked(seq_at).unwrap_or_default();
        let index = self.next_index();
        // A note is short: its text is ours and its facts are cut.
        let _fits = self.staged.push(Unnumbered { before, after }, index);
    }

    /// Writes a note of the log about itself.
    pub(crate) fn note(&mut self, kind: NoteKind, facts: &Facts) -> Result<(), AuditError> {
        self.stage_note(kind, facts);
        self.write()
    }

    /// Writes what is staged and resolves its tickets. The journal file goes on in a new one when it is full.
    fn write(&mut self) -> Result<(), AuditError> {
        if self.staged.leaves.is_empty() {
            return Ok(());
        }
        let size = self.frontier.size();
        if size.is_multiple_of(SEGMENT_RECORDS) && size != self.segment.first {
            self.segment = OpenSegment::create(&*self.disk, &self.layout, size)?;
        }
        if let Err(source) = self.disk.append(&self.segment.file, &self.staged.bytes) {
            return Err(AuditError::io("write", &self.layout.segment(self.segment.first))(source));
        }
        for (answer, first) in self.staged.answers.drain(..) {
            answer.all_written(first);
        }
        let start = self.segment.length;
        for (leaf, end) in self.staged.leaves.drain(..) {
            self.full.extend(self.segment.add(leaf, start.saturating_add(end), &mut self.frontier));
        }
        self.staged.bytes.clear();
        Ok(())
    }

    /// Tells the keeper what was written, and waits for it when it is too far behind.
    fn report(&mut self, shared: &Shared) {
        let mut progress = shared.progress.lock();
        progress.wrote(&self.frontier, &self.segment.file, &mut self.full);
        if progress.take_keeper_idle() {
            shared.progressed.notify_one();
        }
        while progress.unsealed() >= UNSEALED_MAX && !shared.is_dead() {
            shared.progressed.notify_one();
            shared.sealed.wait_for(&mut progress, RETRY_EVERY);
        }
    }

    /// Writes the records of all batches, leaving their memory in `spares`.
    fn append(
        &mut self,
        batches: &mut Vec<Batch>,
        spares: &mut Vec<Entries>,
        shared: &Shared,
    ) -> Result<(), AuditError> {
        for Batch { mut entries, mut answer } in batches.drain(..) {
            let first = self.next_index();
            for (count, entry) in entries.iter().enumerate() {
                if self.is_due() {
                    self.write()?;
                    answer.written(first, count);
                    self.report(shared);
                }
                self.stage(entry);
            }
            self.staged.answers.push((answer, first));
            entries.clear();
            spares.push(entries);
        }
        spares.truncate(SPARES_MAX);
        self.write()?;
        self.report(shared);
        Ok(())
    }

    /// After a full disk: cuts off what was half written and says in the log what happened.
    fn recover_room(&mut self, lost: u64, shared: &Shared) -> Result<(), AuditError> {
        self.staged.clear();
        let path = self.layout.segment(self.segment.first);
        self.segment.file.set_len(self.segment.length).map_err(AuditError::io("cut", &path))?;
        self.note(NoteKind::Resumed, &Facts::none().with("refused", lost))?;
        self.report(shared);
        Ok(())
    }
}

/// The writer thread.
pub(crate) fn run(mut appender: Appender, shared: &Shared) {
    let (mut lanes, mut batches, mut spares) = (Vec::new(), Vec::new(), Vec::new());
    // While the disk is full: how many records were refused since.
    let mut refused: Option<u64> = None;
    loop {
        let work = shared.take(&mut lanes, refused.map(|_| RETRY_EVERY));
        // All at once: from here on what goes wrong resolves their tickets.
        batches.extend(lanes.drain(..).filter_map(|lane| lane.take(&mut spares.pop().unwrap_or_default())));
        if shared.is_dead() {
            batches.clear();
            shared.shut();
            return;
        }
        let outcome = match (work, refused) {
            (Work::Finished, _) => break,
            (Work::Records, Some(count)) => {
                refused = Some(count.saturating_add(waiting(&batches)));
                batches.clear();
                Ok(())
            }
            (Work::Records, None) => {
                let expected = appender.frontier.size().saturating_add(waiting(&batches));
                let outcome = appender.append(&mut batches, &mut spares, shared);
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
            batches.clear();
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

/// Records in these batches that wait to be written.
fn waiting(batches: &[Batch]) -> u64 {
    let records: usize = batches.iter().map(|batch| batch.answer.waiting()).fold(0, usize::saturating_add);
    u64::try_from(records).unwrap_or(u64::MAX)
}

/// Opens an existing journal file for appending after cutting it to `length` bytes.
pub(crate) fn reopen(path: &Path, length: u64) -> Result<File, AuditError> {
    let file = File::options().read(true).append(true).open(path).map_err(AuditError::io("open", path))?;
    file.set_len(length).and_then(|()| file.sync_data()).map_err(AuditError::io("cut", path))?;
    Ok(file)
}
