// SPDX-License-Identifier: Apache-2.0
//! What the parts of one HTTP/2 connection know of each other, and when its time is up. All of it stays on one core:
//! the atomics are never contended.

use crate::deadline::Deadlines;
use crate::stream::Patience;
use parking_lot::Mutex;
use portcullis_wire::frames::Violation;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// No such time.
const NEVER: u64 = u64::MAX;
/// How long the end of a connection may take: a farewell that nobody reads is not waited for.
const FAREWELL_TIMEOUT_MS: u64 = 1_000;

/// A moment, or none.
#[derive(Debug)]
struct Since(AtomicU64);

impl Since {
    fn never() -> Self {
        Self(AtomicU64::new(NEVER))
    }

    fn set(&self, since_ms: Option<u64>) {
        self.0.store(since_ms.unwrap_or(NEVER), Ordering::Relaxed);
    }

    fn runs(&self) -> bool {
        self.0.load(Ordering::Relaxed) != NEVER
    }

    fn due(&self, after: Duration) -> Option<u64> {
        let since_ms = self.0.load(Ordering::Relaxed);
        let after_ms = u64::try_from(after.as_millis()).unwrap_or(NEVER);
        (since_ms != NEVER).then(|| since_ms.saturating_add(after_ms))
    }
}

/// Why a connection's time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// The farewell took too long.
    Farewell,
    /// The client does not read (T57).
    Stalled,
    /// A head, or another frame, does not end (T49, T55).
    Unfinished,
    /// No stream was open for too long.
    Idle,
    /// The client was told to open no more streams, and has none.
    Left,
}

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Watch {
    deadlines: Arc<Deadlines>,
    patience: Patience,
    /// Fewest bytes a client must take in the time it may stall (T50).
    progress_bytes_min: u64,
    streams: AtomicUsize,
    heads_bytes: AtomicUsize,
    idle: Since,
    unfinished: Since,
    stalled: Since,
    /// Bytes taken since the stall began.
    taken: AtomicU64,
    /// How often the transport took nothing.
    blocked: AtomicU64,
    ending: Since,
    farewell: Since,
    violation: Mutex<Option<Violation>>,
}

impl Watch {
    pub(super) fn new(deadlines: Arc<Deadlines>, patience: Patience, rate_min: u64) -> Arc<Self> {
        let stall_ms = u64::try_from(patience.write_stall.as_millis()).unwrap_or(NEVER);
        Arc::new(Self {
            deadlines,
            patience,
            progress_bytes_min: (rate_min.saturating_mul(stall_ms) / 1_000).max(1),
            streams: AtomicUsize::new(0),
            heads_bytes: AtomicUsize::new(0),
            idle: Since::never(),
            unfinished: Since::never(),
            stalled: Since::never(),
            taken: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
            ending: Since::never(),
            farewell: Since::never(),
            violation: Mutex::new(None),
        })
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.deadlines.now_ms()
    }

    pub(super) fn write_stall(&self) -> Duration {
        self.patience.write_stall
    }

    pub(super) fn progress_bytes_min(&self) -> u64 {
        self.progress_bytes_min
    }

    /// The transport is there and HTTP/2 was agreed on; no stream is open.
    pub(super) fn begin(&self) {
        self.idle.set(Some(self.now_ms()));
    }

    pub(super) fn note_unfinished(&self, since_ms: Option<u64>) {
        self.unfinished.set(since_ms);
    }

    /// The transport took nothing.
    pub(super) fn block(&self) {
        self.blocked.fetch_add(1, Ordering::Relaxed);
        if !self.stalled.runs() {
            self.taken.store(0, Ordering::Relaxed);
            self.stalled.set(Some(self.now_ms()));
        }
    }

    /// The transport took `bytes`. A drip does not end a stall (T50).
    pub(super) fn take(&self, bytes: usize) {
        let taken = self.taken.fetch_add(bytes as u64, Ordering::Relaxed).saturating_add(bytes as u64);
        if taken >= self.progress_bytes_min {
            self.unstall();
        }
    }

    /// Everything was taken.
    pub(super) fn unstall(&self) {
        self.stalled.set(None);
        self.taken.store(0, Ordering::Relaxed);
    }

    /// How often the transport took nothing: where it changed, the link is slow, not the reader.
    pub(super) fn blocked(&self) -> u64 {
        self.blocked.load(Ordering::Relaxed)
    }

    /// The peer broke a rule of frames; the first one counts.
    pub(super) fn violate(&self, violation: Violation) {
        self.violation.lock().get_or_insert(violation);
    }

    pub(super) fn violation(&self) -> Option<Violation> {
        *self.violation.lock()
    }

    /// The client was told to open no more streams. Those that are on their way come in the time of a farewell.
    pub(super) fn end(&self) {
        self.ending.set(Some(self.now_ms()));
    }

    /// The last byte was handed to the transport; what still comes is read and thrown away.
    pub(super) fn farewell(&self) {
        if !self.farewell.runs() {
            self.farewell.set(Some(self.now_ms()));
        }
    }

    /// A stream opened, with so many bytes of head.
    pub(super) fn open(self: &Arc<Self>, head_bytes: usize) -> Live {
        self.streams.fetch_add(1, Ordering::Relaxed);
        self.heads_bytes.fetch_add(head_bytes, Ordering::Relaxed);
        self.idle.set(None);
        Live { watch: Arc::clone(self), head_bytes }
    }

    /// Bytes of all the heads of open streams.
    pub(super) fn heads_bytes(&self) -> usize {
        self.heads_bytes.load(Ordering::Relaxed)
    }

    /// When the connection must be looked at, if nothing happens before; in milliseconds from now.
    pub(super) fn next(&self) -> Option<Duration> {
        let due = self.dues().into_iter().filter_map(|(due, _)| due).min()?;
        Some(Duration::from_millis(due.saturating_sub(self.now_ms())))
    }

    /// What is overdue now.
    pub(super) fn overdue(&self) -> Option<Overdue> {
        let now_ms = self.now_ms();
        self.dues().into_iter().find(|(due, _)| due.is_some_and(|due| due <= now_ms)).map(|(_, what)| what)
    }

    fn dues(&self) -> [(Option<u64>, Overdue); 5] {
        let farewell = Duration::from_millis(FAREWELL_TIMEOUT_MS);
        let left = self.ending.due(farewell).and_then(|due| Some(due.max(self.idle.due(farewell)?)));
        [
            (self.farewell.due(farewell), Overdue::Farewell),
            (self.stalled.due(self.patience.write_stall), Overdue::Stalled),
            (self.unfinished.due(self.patience.head), Overdue::Unfinished),
            (left, Overdue::Left),
            // Once it was told, a connection has no other time.
            (self.idle.due(self.patience.idle).filter(|_| !self.ending.runs()), Overdue::Idle),
        ]
    }
}

/// An open stream.
#[derive(Debug)]
pub(super) struct Live {
    watch: Arc<Watch>,
    head_bytes: usize,
}

impl Live {
    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.watch.heads_bytes.fetch_sub(self.head_bytes, Ordering::Relaxed);
        if self.watch.streams.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.watch.idle.set(Some(self.watch.now_ms()));
        }
    }
}
