// SPDX-License-Identifier: Apache-2.0
//! Where the records of one core gather until the writer takes them, and how its wakes travel.
//!
//! A record becomes its entry here, on the core that made it: what it holds is still at hand, and its memory goes back to
//! the thread it came from. Only the number in the log is missing; the writer puts it in.
//!
//! Waking another thread costs a system call. A handle of [`crate::Journal::per_core`] therefore comes with a [`Relay`], a
//! future that its core runs beside the requests: the first record of a turn of the event loop wakes the relay (a local
//! wake), the relay wakes the writer once for all records of that turn, and the writer wakes the relay once for all
//! tickets of a batch. Without a relay everything works the same, one wake for each ticket.

use crate::queue::Shared;
use crate::record::{Happening, NoteKind, push_note, push_record};
use crate::ticket::{Reply, Ticket};
use parking_lot::Mutex;
use portcullis_decision::Facts;
use portcullis_decision::record::Record;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Memory that a batch once needed is kept for the next one up to this much.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// An entry that lacks its number.
#[derive(Clone, Copy)]
pub(crate) struct Unnumbered<'b> {
    /// What comes before the number.
    pub(crate) before: &'b [u8],
    /// What comes after it.
    pub(crate) after: &'b [u8],
}

/// Entries in the order they were handed over.
#[derive(Default)]
pub(crate) struct Entries {
    bytes: Vec<u8>,
    /// Where each begins, where its number belongs and where it ends.
    places: Vec<(usize, usize, usize)>,
}

impl Entries {
    /// `write` tells where in what it wrote the number belongs.
    fn push(&mut self, node: &str, write: impl FnOnce(&mut Vec<u8>, &str) -> usize) {
        let start = self.bytes.len();
        let seq_at = start.saturating_add(write(&mut self.bytes, node));
        self.places.push((start, seq_at, self.bytes.len()));
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Unnumbered<'_>> {
        self.places.iter().map(|(start, seq_at, end)| Unnumbered {
            before: self.bytes.get(*start..*seq_at).unwrap_or_default(),
            after: self.bytes.get(*seq_at..*end).unwrap_or_default(),
        })
    }

    /// Makes room for the next ones.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        self.places.clear();
    }
}

/// The records of one lane that the writer took together. Dropped before all were written (an error, a panic), those that
/// were not resolve with an error.
pub(crate) struct Batch {
    pub(crate) entries: Entries,
    pub(crate) answer: Answer,
}

/// The writer's side of the tickets of a batch.
pub(crate) struct Answer {
    reply: Arc<Reply>,
    lane: Arc<Lane>,
    records: usize,
    written: usize,
}

impl Answer {
    /// Records that are not known to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.records.saturating_sub(self.written)
    }

    /// The first `count` records were written, from index `first` on. Who waits is told when this is dropped.
    pub(crate) fn written(&mut self, first: u64, count: usize) {
        self.written = count;
        self.reply.written(first, count);
    }

    /// All records were written, from index `first` on.
    pub(crate) fn all_written(mut self, first: u64) {
        let all = self.records;
        self.written(first, all);
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let shared = &self.lane.shared;
        if self.written < self.records {
            self.reply.failed(shared.fault());
        }
        shared.give_back(self.records);
        self.lane.wake(self.reply.take_wakers());
    }
}

/// The records of one core on their way to the writer, and its word on the way back.
pub(crate) struct Lane {
    shared: Arc<Shared>,
    inner: Mutex<Inner>,
}

struct Inner {
    /// What waits for the writer.
    entries: Entries,
    reply: Arc<Reply>,
    /// The relay's waker; none while no relay runs.
    relay: Option<Waker>,
    /// Tickets that resolved, to be woken on their own core.
    ready: Vec<Waker>,
    /// Whether the relay was asked to wake the writer and has not been polled since.
    flush: bool,
}

impl Lane {
    pub(crate) fn new(shared: Arc<Shared>) -> Arc<Self> {
        let inner =
            Inner { entries: Entries::default(), reply: Reply::new(0), relay: None, ready: Vec::new(), flush: false };
        Arc::new(Self { shared, inner: Mutex::new(inner) })
    }

    /// Asks the relay to wake the writer; false when none runs.
    pub(crate) fn will_flush(&self) -> bool {
        let mut inner = self.inner.lock();
        let Inner { relay: Some(relay), flush, .. } = &mut *inner else { return false };
        if !std::mem::replace(flush, true) {
            relay.wake_by_ref();
        }
        true
    }

    /// Adds an entry to what waits.
    fn push(self: &Arc<Self>, write: impl FnOnce(&mut Vec<u8>, &str) -> usize) -> Ticket {
        let (reply, at) = {
            let mut inner = self.inner.lock();
            let at = inner.entries.len();
            inner.entries.push(self.shared.node(), write);
            (Arc::clone(&inner.reply), at)
        };
        if at == 0 && !self.shared.announce(self) {
            // Nothing is taken any more: dropping them resolves their tickets.
            drop(self.take(&mut Entries::default()));
        }
        Ticket::new(reply, at)
    }

    /// Takes what waits, leaving the memory of `spare` (which must be empty) in its place.
    pub(crate) fn take(self: &Arc<Self>, spare: &mut Entries) -> Option<Batch> {
        let mut inner = self.inner.lock();
        let records = inner.entries.len();
        if records == 0 {
            return None;
        }
        let entries = std::mem::replace(&mut inner.entries, std::mem::take(spare));
        let reply = std::mem::replace(&mut inner.reply, Reply::new(records));
        drop(inner);
        Some(Batch { entries, answer: Answer { reply, lane: Arc::clone(self), records, written: 0 } })
    }

    /// Wakes those who waited: through the relay, where one runs.
    fn wake(&self, mut wakers: Vec<Waker>) {
        if wakers.is_empty() {
            return;
        }
        let mut inner = self.inner.lock();
        let Some(relay) = inner.relay.clone() else {
            drop(inner);
            return wakers.into_iter().for_each(Waker::wake);
        };
        let asleep = inner.ready.is_empty();
        inner.ready.append(&mut wakers);
        drop(inner);
        if asleep {
            relay.wake();
        }
    }
}

/// One place in the queue and the lane that leads there. Dropping it unused gives the place back.
#[must_use = "a slot that is dropped records nothing"]
pub struct Slot {
    lane: Arc<Lane>,
    /// Whether the place is still ours; after that the batch gives it back.
    unused: bool,
}

impl Slot {
    pub(crate) fn new(lane: Arc<Lane>) -> Self {
        Self { lane, unused: true }
    }

    /// Hands the record to the writer. Never fails and never blocks: what goes wrong is told by the ticket.
    #[expect(clippy::needless_pass_by_value, reason = "a record is handed over once")]
    pub fn submit(mut self, record: Record) -> Ticket {
        let ticket = self.lane.push(|out, node| push_record(out, &record, node));
        self.unused = false;
        ticket
    }

    /// Hands over a note instead of a record.
    pub(crate) fn note(mut self, happening: Happening, at: Duration, facts: &Facts) -> Ticket {
        let ticket = self.lane.push(|out, node| push_note(out, NoteKind::Of(happening), node, at, facts));
        self.unused = false;
        ticket
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.unused {
            self.lane.shared.give_back(1);
        }
    }
}

/// Carries wakes between one core and the writer; never completes. Run it as a task of the core whose
/// [`crate::Journal::per_core`] handle it came with; dropping it is safe.
#[must_use = "a relay does its work while it is polled"]
pub struct Relay {
    lane: Arc<Lane>,
}

impl Relay {
    pub(crate) fn new(lane: Arc<Lane>) -> Self {
        Self { lane }
    }
}

impl Future for Relay {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let (ready, flush) = {
            let mut inner = self.lane.inner.lock();
            match inner.relay.as_mut() {
                Some(known) => known.clone_from(context.waker()),
                None => inner.relay = Some(context.waker().clone()),
            }
            (std::mem::take(&mut inner.ready), std::mem::take(&mut inner.flush))
        };
        ready.into_iter().for_each(Waker::wake);
        if flush {
            self.lane.shared.flush();
        }
        Poll::Pending
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let ready = {
            let mut inner = self.lane.inner.lock();
            inner.relay = None;
            inner.flush = false;
            std::mem::take(&mut inner.ready)
        };
        ready.into_iter().for_each(Waker::wake);
        self.lane.shared.flush();
    }
}
