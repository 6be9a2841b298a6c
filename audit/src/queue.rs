// SPDX-License-Identifier: Apache-2.0
//! The way of a record from a request to the writer, and of the writer's word back.
//!
//! A [`Slot`] is reserved when a request begins, so that recording it later cannot fail for want of room. Submitting
//! turns the slot into a job of the one queue; the writer takes all jobs at once, writes them with one `write(2)` and
//! resolves their tickets.

use crate::error::{AuditFault, Refusal};
use crate::keeper::Progress;
use crate::record::Happening;
use crate::ticket::{Lane, Pending, Ticket};
use parking_lot::{Condvar, Mutex};
use portcullis_decision::Facts;
use portcullis_decision::record::Record;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

/// Whether records are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalState {
    /// They are.
    Writing,
    /// The log cannot be written. A full disk is tried again each second; anything else needs a restart.
    Unwritable,
    /// The log is closing or closed.
    Closed,
}

const WRITING: u8 = 0;
/// The disk is full; the writer tries again.
const PAUSED: u8 = 1;
/// Broken for good.
const DEAD: u8 = 2;
const CLOSING: u8 = 3;
const CLOSED: u8 = 4;

/// What requests, writer and keeper share.
pub(crate) struct Shared {
    state: AtomicU8,
    /// Slots reserved and records not yet resolved.
    taken: AtomicUsize,
    queue_max: usize,
    queue: Mutex<Queue>,
    /// The writer waits here for jobs.
    filled: Condvar,
    pub(crate) progress: Mutex<Progress>,
    /// The keeper waits here for progress.
    pub(crate) progressed: Condvar,
    /// The writer waits here when the keeper is too far behind.
    pub(crate) sealed: Condvar,
    failure: Mutex<Option<String>>,
}

#[derive(Default)]
struct Queue {
    jobs: Vec<Job>,
    writer_sleeps: bool,
    phase: Phase,
}

/// How far the queue is on its way to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Jobs come and go.
    #[default]
    Open,
    /// It ends when no slot is out any more.
    Closing,
    /// It ends when it is empty; slots that are out are left behind.
    Forced,
    /// Nothing is taken any more.
    Shut,
}

impl Queue {
    fn advance(&mut self, phase: Phase) {
        self.phase = self.phase.max(phase);
    }
}

/// A record on its way to the log.
pub(crate) struct Job {
    pub(crate) entry: Entry,
    pub(crate) pending: Pending,
}

/// What a job has to write.
pub(crate) enum Entry {
    /// A finished request.
    Record(Box<Record>),
    /// Something that happened to the process.
    Note(Happening, Facts),
}

/// What the writer finds when it looks for work.
pub(crate) enum Work {
    /// Jobs, in the vector it handed in.
    Jobs,
    /// None came in time.
    Idle,
    /// None will come.
    Finished,
}

impl Shared {
    pub(crate) fn new(queue_max: usize, progress: Progress) -> Arc<Self> {
        Arc::new(Self {
            state: AtomicU8::new(WRITING),
            taken: AtomicUsize::new(0),
            queue_max,
            queue: Mutex::default(),
            filled: Condvar::new(),
            progress: Mutex::new(progress),
            progressed: Condvar::new(),
            sealed: Condvar::new(),
            failure: Mutex::new(None),
        })
    }

    pub(crate) fn state(&self) -> JournalState {
        match self.state.load(Ordering::Acquire) {
            WRITING => JournalState::Writing,
            PAUSED | DEAD => JournalState::Unwritable,
            _ => JournalState::Closed,
        }
    }

    /// Why the log cannot be written.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.state.load(Ordering::Acquire) == DEAD
    }

    pub(crate) fn reserve(self: &Arc<Self>, lane: Option<Arc<Lane>>) -> Result<Slot, Refusal> {
        match self.state() {
            JournalState::Writing => {}
            JournalState::Unwritable => return Err(Refusal::Unwritable),
            JournalState::Closed => return Err(Refusal::Closed),
        }
        let room = |taken: usize| (taken < self.queue_max).then(|| taken.saturating_add(1));
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Relaxed, room).map_err(|_| Refusal::Full)?;
        Ok(Slot { place: Place { shared: Arc::clone(self) }, lane })
    }

    fn submit(self: &Arc<Self>, job: Job, lane: Option<&Arc<Lane>>) {
        {
            let mut queue = self.queue.lock();
            if queue.phase < Phase::Shut {
                queue.jobs.push(job);
                if queue.writer_sleeps && !lane.is_some_and(|lane| lane.will_flush()) {
                    queue.writer_sleeps = false;
                    self.filled.notify_one();
                }
                return;
            }
        }
        // Outside the lock: dropping the job resolves its ticket.
        drop(job);
    }

    /// Wakes the writer if it sleeps over a queue that is not empty.
    pub(crate) fn flush(&self) {
        let mut queue = self.queue.lock();
        if queue.writer_sleeps && !queue.jobs.is_empty() {
            queue.writer_sleeps = false;
            self.filled.notify_one();
        }
    }

    /// Swaps all waiting jobs into `jobs` (which must be empty), waiting for some if there are none.
    pub(crate) fn take(&self, jobs: &mut Vec<Job>, patience: Option<Duration>) -> Work {
        let mut queue = self.queue.lock();
        loop {
            if !queue.jobs.is_empty() {
                std::mem::swap(&mut queue.jobs, jobs);
                return Work::Jobs;
            }
            let outstanding = self.taken.load(Ordering::Acquire) > 0;
            if queue.phase >= Phase::Forced || (queue.phase == Phase::Closing && !outstanding) {
                queue.advance(Phase::Shut);
                return Work::Finished;
            }
            queue.writer_sleeps = true;
            let timed_out = if let Some(patience) = patience {
                self.filled.wait_for(&mut queue, patience).timed_out()
            } else {
                self.filled.wait(&mut queue);
                false
            };
            queue.writer_sleeps = false;
            if timed_out && queue.jobs.is_empty() {
                return Work::Idle;
            }
        }
    }

    /// The log cannot be written any more: every waiting and later ticket resolves with an error.
    pub(crate) fn fail(&self, why: &str) {
        self.failure.lock().get_or_insert_with(|| why.to_owned());
        // A closed log stays closed.
        let to_dead = |state| (state != CLOSED).then_some(DEAD);
        let _before = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, to_dead);
        self.shut();
        // Under the lock, so that neither thread can miss it between looking and waiting.
        let _progress = self.progress.lock();
        self.progressed.notify_all();
        self.sealed.notify_all();
    }

    /// The disk is full: nothing is taken until [`Shared::resume`].
    pub(crate) fn pause(&self, why: &str) {
        *self.failure.lock() = Some(why.to_owned());
        self.change(WRITING, PAUSED);
    }

    /// There is room again.
    pub(crate) fn resume(&self) {
        *self.failure.lock() = None;
        self.change(PAUSED, WRITING);
    }

    /// Takes no more reservations; the writer ends once all slots that are out were used or dropped.
    pub(crate) fn begin_close(&self) {
        self.change(WRITING, CLOSING);
        self.change(PAUSED, CLOSING);
        let mut queue = self.queue.lock();
        queue.advance(Phase::Closing);
        self.filled.notify_all();
    }

    /// Leaves slots behind that are still out.
    pub(crate) fn force_close(&self) {
        self.queue.lock().advance(Phase::Forced);
        self.filled.notify_all();
    }

    /// The last word after a clean end.
    pub(crate) fn finish_close(&self) {
        self.change(CLOSING, CLOSED);
    }

    /// Takes nothing more and resolves what waits with an error.
    pub(crate) fn shut(&self) {
        let waiting = {
            let mut queue = self.queue.lock();
            queue.advance(Phase::Shut);
            self.filled.notify_all();
            std::mem::take(&mut queue.jobs)
        };
        drop(waiting);
    }

    fn change(&self, from: u8, to: u8) {
        // Another state (dead, closed) is stronger and stays.
        let _before = self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
    }

    fn fault(&self) -> AuditFault {
        match self.state.load(Ordering::Acquire) {
            CLOSING | CLOSED => AuditFault::Closed,
            _ => AuditFault::Unwritable,
        }
    }
}

/// One place in the queue, given back when dropped.
pub(crate) struct Place {
    shared: Arc<Shared>,
}

impl Place {
    /// Why a record that held this place was not written.
    pub(crate) fn fault(&self) -> AuditFault {
        self.shared.fault()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let before = self.shared.taken.fetch_sub(1, Ordering::AcqRel);
        if before == 1 && self.shared.state.load(Ordering::Acquire) == CLOSING {
            // The writer may be waiting for exactly this place.
            let _queue = self.shared.queue.lock();
            self.shared.filled.notify_all();
        }
    }
}

/// A reserved place for one record. Dropping it unused gives it back.
#[must_use = "a slot that is dropped records nothing"]
pub struct Slot {
    place: Place,
    lane: Option<Arc<Lane>>,
}

impl Slot {
    /// Hands the record to the writer. Never fails and never blocks: what goes wrong is told by the ticket.
    pub fn submit(self, record: Record) -> Ticket {
        let shared = Arc::clone(&self.place.shared);
        let (pending, ticket) = Pending::new(self.place, self.lane.clone());
        shared.submit(Job { entry: Entry::Record(Box::new(record)), pending }, self.lane.as_ref());
        ticket
    }

    /// Hands over a note instead of a record.
    pub fn note(self, happening: Happening, facts: Facts) -> Ticket {
        let shared = Arc::clone(&self.place.shared);
        let (pending, ticket) = Pending::new(self.place, self.lane.clone());
        shared.submit(Job { entry: Entry::Note(happening, facts), pending }, self.lane.as_ref());
        ticket
    }
}
