// SPDX-License-Identifier: Apache-2.0
//! Tickets, and how the writer's word reaches them.
//!
//! All records that a lane hands over together share one [`Reply`]: the writer speaks once, and a ticket is a place in it.
//! Waking another thread's runtime costs a system call; the wakers of a reply therefore go to the lane's relay, see
//! [`crate::lane`].

use crate::error::AuditFault;
use parking_lot::Mutex;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

/// No fault so far.
const SOUND: u8 = 0;
const UNWRITABLE: u8 = 1;
const LOG_CLOSED: u8 = 2;

/// What the tickets of a batch and the writer share.
pub(crate) struct Reply {
    /// The index of the first record.
    first: AtomicU64,
    /// How many records of the batch were written.
    written: AtomicUsize,
    /// Why the others will not be.
    fault: AtomicU8,
    wakers: Mutex<Vec<Waker>>,
}

impl Reply {
    /// For about `tickets` records.
    pub(crate) fn new(tickets: usize) -> Arc<Self> {
        Arc::new(Self {
            first: AtomicU64::new(0),
            written: AtomicUsize::new(0),
            fault: AtomicU8::new(SOUND),
            wakers: Mutex::new(Vec::with_capacity(tickets)),
        })
    }

    /// The first `count` records were written, from index `first` on.
    pub(crate) fn written(&self, first: u64, count: usize) {
        self.first.store(first, Ordering::Relaxed);
        self.written.store(count, Ordering::Release);
    }

    /// The records that were not written will not be.
    pub(crate) fn failed(&self, fault: AuditFault) {
        let word = match fault {
            AuditFault::Unwritable => UNWRITABLE,
            AuditFault::Closed => LOG_CLOSED,
        };
        self.fault.store(word, Ordering::Release);
    }

    /// Those who wait, to be woken after the last word.
    pub(crate) fn take_wakers(&self) -> Vec<Waker> {
        std::mem::take(&mut *self.wakers.lock())
    }
}

/// Resolves with the record's index when the record has left the process, or with the reason why it did not.
#[must_use = "a record is committed when its ticket says so"]
pub struct Ticket {
    reply: Arc<Reply>,
    /// Its place in the batch.
    at: usize,
    /// Where its waker is among those of the reply.
    waits: Option<usize>,
}

impl Ticket {
    pub(crate) fn new(reply: Arc<Reply>, at: usize) -> Self {
        Self { reply, at, waits: None }
    }

    fn outcome(&self) -> Option<Result<u64, AuditFault>> {
        // A fault is the writer's last word, so that what was written is final once it is seen.
        let fault = self.reply.fault.load(Ordering::Acquire);
        if self.at < self.reply.written.load(Ordering::Acquire) {
            let at = u64::try_from(self.at).unwrap_or(u64::MAX);
            return Some(Ok(self.reply.first.load(Ordering::Relaxed).saturating_add(at)));
        }
        match fault {
            SOUND => None,
            LOG_CLOSED => Some(Err(AuditFault::Closed)),
            _ => Some(Err(AuditFault::Unwritable)),
        }
    }
}

impl Future for Ticket {
    type Output = Result<u64, AuditFault>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outcome) = self.outcome() {
            return Poll::Ready(outcome);
        }
        let waits = {
            let mut wakers = self.reply.wakers.lock();
            if let Some(known) = self.waits.and_then(|at| wakers.get_mut(at)) {
                known.clone_from(context.waker());
                self.waits
            } else {
                wakers.push(context.waker().clone());
                wakers.len().checked_sub(1)
            }
        };
        self.waits = waits;
        // The writer stores its word before it takes the wakers, so one of the two sides sees the other.
        self.outcome().map_or(Poll::Pending, Poll::Ready)
    }
}
