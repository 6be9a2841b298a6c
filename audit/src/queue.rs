// SPDX-License-Identifier: Apache-2.0
//! What requests, writer and keeper share: whether records are taken, how many are out, and who has some for the writer.
//!
//! A [`Slot`](crate::lane::Slot) is reserved when a request begins, so that recording it later cannot fail for want of
//! room. Its record gathers with others in a [`Lane`]; the first of them announces the lane here. The writer takes all
//! lanes at once, writes what they have with one `write(2)` and resolves the tickets.

use crate::error::{AuditFault, Refusal};
use crate::keeper::Progress;
use crate::lane::{Batch, Entries, Lane, Slot};
use parking_lot::{Condvar, Mutex};
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
    /// The log's name.
    node: Box<str>,
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
    /// Lanes that have records, each once.
    lanes: Vec<Arc<Lane>>,
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

/// What the writer finds when it looks for work.
pub(crate) enum Work {
    /// Records.
    Records,
    /// None came in time.
    Idle,
    /// None will come.
    Finished,
}

impl Shared {
    pub(crate) fn new(node: &str, queue_max: usize, progress: Progress) -> Arc<Self> {
        Arc::new(Self {
            node: Box::from(node),
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

    /// The log's name.
    pub(crate) fn node(&self) -> &str {
        &self.node
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

    pub(crate) fn reserve(&self, lane: &Arc<Lane>) -> Result<Slot, Refusal> {
        match self.state() {
            JournalState::Writing => {}
            JournalState::Unwritable => return Err(Refusal::Unwritable),
            JournalState::Closed => return Err(Refusal::Closed),
        }
        let room = |taken: usize| (taken < self.queue_max).then(|| taken.saturating_add(1));
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Relaxed, room).map_err(|_| Refusal::Full)?;
        Ok(Slot::new(Arc::clone(lane)))
    }

    /// A lane has records now. False when nothing is taken any more.
    pub(crate) fn announce(&self, lane: &Arc<Lane>) -> bool {
        let mut queue = self.queue.lock();
        if queue.phase == Phase::Shut {
            return false;
        }
        queue.lanes.push(Arc::clone(lane));
        if queue.writer_sleeps && !lane.will_flush() {
            queue.writer_sleeps = false;
            self.filled.notify_one();
        }
        true
    }

    /// Places in the queue are free again.
    pub(crate) fn give_back(&self, places: usize) {
        let before = self.taken.fetch_sub(places, Ordering::AcqRel);
        if before == places && self.state.load(Ordering::Acquire) == CLOSING {
            // The writer may be waiting for exactly these.
            let _queue = self.queue.lock();
            self.filled.notify_all();
        }
    }

    /// Wakes the writer if it sleeps over a queue that is not empty.
    pub(crate) fn flush(&self) {
        let mut queue = self.queue.lock();
        if queue.writer_sleeps && !queue.lanes.is_empty() {
            queue.writer_sleeps = false;
            self.filled.notify_one();
        }
    }

    /// Swaps all lanes with records into `lanes` (which must be empty), waiting for some if there are none.
    pub(crate) fn take(&self, lanes: &mut Vec<Arc<Lane>>, patience: Option<Duration>) -> Work {
        let mut queue = self.queue.lock();
        loop {
            if !queue.lanes.is_empty() {
                std::mem::swap(&mut queue.lanes, lanes);
                return Work::Records;
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
            if timed_out && queue.lanes.is_empty() {
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
            std::mem::take(&mut queue.lanes)
        };
        for lane in waiting {
            // Outside the lock: dropping them resolves their tickets.
            drop::<Option<Batch>>(lane.take(&mut Entries::default()));
        }
    }

    fn change(&self, from: u8, to: u8) {
        // Another state (dead, closed) is stronger and stays.
        let _before = self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Why a record was not written.
    pub(crate) fn fault(&self) -> AuditFault {
        match self.state.load(Ordering::Acquire) {
            CLOSING | CLOSED => AuditFault::Closed,
            _ => AuditFault::Unwritable,
        }
    }
}
