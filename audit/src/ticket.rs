// SPDX-License-Identifier: Apache-2.0
//! Tickets, and how the writer's word reaches them.
//!
//! Waking another thread's runtime costs a system call. A handle of [`crate::Journal::per_core`] therefore comes with a
//! [`Relay`], a future that its core runs beside the requests: submitting wakes the relay (a local wake), the relay wakes
//! the writer once for all records of one turn of the event loop, and the writer wakes the relay once for all tickets of
//! that core in a batch. Without a relay everything works the same, one wake for each ticket.

use crate::error::AuditFault;
use crate::queue::{Place, Shared};
use parking_lot::Mutex;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

/// Not resolved yet.
const PENDING: u64 = 0;
const UNWRITABLE: u64 = 1;
const LOG_CLOSED: u64 = 2;
/// Added to the index of a record that was written.
const WRITTEN: u64 = 8;
/// At most this many lanes are remembered between batches.
const LANES_KEPT_MAX: usize = 64;

/// What a ticket and the writer share.
struct Cell {
    outcome: AtomicU64,
    waker: Mutex<Option<Waker>>,
}

/// The writer's side of a ticket. Dropped without a word (an error, a panic), it resolves with an error.
pub(crate) struct Pending {
    cell: Arc<Cell>,
    lane: Option<Arc<Lane>>,
    place: Place,
}

impl Pending {
    pub(crate) fn new(place: Place, lane: Option<Arc<Lane>>) -> (Self, Ticket) {
        let cell = Arc::new(Cell { outcome: AtomicU64::new(PENDING), waker: Mutex::new(None) });
        let ticket = Ticket { cell: Arc::clone(&cell) };
        (Self { cell, lane, place }, ticket)
    }

    /// The record was written as `index`. Wakers of lanes are collected in `wakes`.
    pub(crate) fn written(self, index: u64, wakes: &mut Wakes) {
        self.cell.outcome.store(index.saturating_add(WRITTEN), Ordering::Release);
        if let Some(waker) = self.cell.waker.lock().take() {
            wakes.add(self.lane.as_ref(), waker);
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let word = match self.place.fault() {
            AuditFault::Unwritable => UNWRITABLE,
            AuditFault::Closed => LOG_CLOSED,
        };
        let unresolved = self.cell.outcome.compare_exchange(PENDING, word, Ordering::AcqRel, Ordering::Acquire);
        if unresolved.is_ok()
            && let Some(waker) = self.cell.waker.lock().take()
        {
            waker.wake();
        }
    }
}

/// Resolves with the record's index when the record has left the process, or with the reason why it did not.
#[must_use = "a record is committed when its ticket says so"]
pub struct Ticket {
    cell: Arc<Cell>,
}

impl Ticket {
    fn outcome(&self) -> Option<Result<u64, AuditFault>> {
        match self.cell.outcome.load(Ordering::Acquire) {
            PENDING => None,
            UNWRITABLE => Some(Err(AuditFault::Unwritable)),
            LOG_CLOSED => Some(Err(AuditFault::Closed)),
            index => Some(Ok(index.saturating_sub(WRITTEN))),
        }
    }
}

impl Future for Ticket {
    type Output = Result<u64, AuditFault>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outcome) = self.outcome() {
            return Poll::Ready(outcome);
        }
        let mut waker = self.cell.waker.lock();
        match waker.as_mut() {
            Some(known) => known.clone_from(context.waker()),
            None => *waker = Some(context.waker().clone()),
        }
        drop(waker);
        // The writer stores the outcome before it looks for a waker, so one of the two sides sees the other.
        self.outcome().map_or(Poll::Pending, Poll::Ready)
    }
}

/// The tickets of one core.
#[derive(Default)]
pub(crate) struct Lane {
    inner: Mutex<LaneInner>,
}

#[derive(Default)]
struct LaneInner {
    /// The relay's waker; none while no relay runs.
    relay: Option<Waker>,
    /// Tickets that resolved, to be woken on their own core.
    ready: Vec<Waker>,
    /// Whether the relay was asked to wake the writer and has not been polled since.
    flush: bool,
}

impl Lane {
    /// Asks the relay to wake the writer; false when none runs.
    pub(crate) fn will_flush(&self) -> bool {
        let mut inner = self.inner.lock();
        if inner.relay.is_some() && !inner.flush {
            inner.flush = true;
            if let Some(relay) = &inner.relay {
                relay.wake_by_ref();
            }
        }
        inner.relay.is_some()
    }
}

/// The wakers of one batch, by lane.
#[derive(Default)]
pub(crate) struct Wakes {
    lanes: Vec<(Arc<Lane>, Vec<Waker>)>,
    direct: Vec<Waker>,
}

impl Wakes {
    fn add(&mut self, lane: Option<&Arc<Lane>>, waker: Waker) {
        let Some(lane) = lane else { return self.direct.push(waker) };
        match self.lanes.iter_mut().find(|(known, _)| Arc::ptr_eq(known, lane)) {
            Some((_, wakers)) => wakers.push(waker),
            None => self.lanes.push((Arc::clone(lane), vec![waker])),
        }
    }

    /// Wakes every ticket of the batch: one wake for each lane with a relay.
    pub(crate) fn send(&mut self) {
        self.direct.drain(..).for_each(Waker::wake);
        for (lane, wakers) in &mut self.lanes {
            let mut inner = lane.inner.lock();
            if inner.relay.is_some() {
                let asleep = inner.ready.is_empty();
                inner.ready.append(wakers);
                let relay = inner.relay.clone().filter(|_| asleep);
                drop(inner);
                relay.into_iter().for_each(Waker::wake);
            } else {
                drop(inner);
                wakers.drain(..).for_each(Waker::wake);
            }
        }
        // Lanes come and go with their cores; keeping the few there are saves allocations.
        if self.lanes.len() > LANES_KEPT_MAX {
            self.lanes.clear();
        }
    }
}

/// Carries wakes between one core and the writer; never completes. Run it as a task of the core whose
/// [`crate::Journal::per_core`] handle it came with; dropping it is safe.
#[must_use = "a relay does its work while it is polled"]
pub struct Relay {
    pub(crate) lane: Arc<Lane>,
    pub(crate) shared: Arc<Shared>,
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
            self.shared.flush();
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
        self.shared.flush();
    }
}
