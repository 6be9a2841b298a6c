// SPDX-License-Identifier: Apache-2.0
//! The default store: in this process, bounded in keys and in bytes.
//!
//! When it is full the oldest finished answers go first; a key under way is never dropped, so that what is being done
//! is not done twice. A store full of keys under way refuses the next one.

use super::stored::Stored;
use super::{Begin, Fingerprint, IdempotencyStore, Lease, Scope, Settle, Settlement};
use crate::rate::gcra::duration_ns;
use parking_lot::Mutex;
use portcullis_decision::Clock;
use std::collections::hash_map::Entry as MapEntry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Expired answers dropped by one request at most: the work is spread, the lock is held briefly.
const EXPIRED_STEPS_MAX: usize = 16;

/// What the store keeps.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// How long answers are kept.
    pub keep: Duration,
    /// A larger body is not kept.
    pub response_bytes_max: usize,
    /// Keys known at most.
    pub entries_max: usize,
    /// Bytes of all kept answers at most.
    pub bytes_max: usize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            keep: super::KEEP_DEFAULT,
            response_bytes_max: super::RESPONSE_BYTES_MAX_DEFAULT,
            entries_max: super::ENTRIES_MAX_DEFAULT,
            bytes_max: super::BYTES_MAX_DEFAULT,
        }
    }
}

/// Answers kept in this process.
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    config: StoreConfig,
    clock: Arc<dyn Clock>,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    entries: HashMap<Scope, Entry>,
    /// Finished entries by the time they finished, which is the order they expire in. An entry that was replaced since
    /// has another lease number, and its place here is void.
    finished: VecDeque<(Scope, u64)>,
    bytes: usize,
    leases: u64,
}

struct Entry {
    fingerprint: Fingerprint,
    lease: u64,
    state: State,
}

enum State {
    InFlight,
    Finished { answer: Option<Arc<Stored>>, cost_bytes: usize, expires_ns: u64 },
}

impl Store {
    /// An empty store.
    pub fn new(config: StoreConfig, clock: Arc<dyn Clock>) -> Self {
        Self::succeeding(None, config, clock)
    }

    /// The answers and the keys under way of an earlier configuration under a new one: a repeat stays a repeat (F01).
    /// Answers that are kept already expire when they were to.
    pub fn succeeding(previous: Option<&Self>, config: StoreConfig, clock: Arc<dyn Clock>) -> Self {
        let kept = previous.map_or_else(Arc::default, |previous| Arc::clone(&previous.inner.kept));
        Self { inner: Arc::new(Inner { config, clock, kept }) }
    }

    /// Keys known and bytes kept now.
    #[cfg(test)]
    pub(crate) fn size(&self) -> (usize, usize) {
        let kept = self.inner.kept.lock();
        (kept.entries.len(), kept.bytes)
    }

    /// Places in the order of expiry, void ones included.
    #[cfg(test)]
    pub(crate) fn finished_len(&self) -> usize {
        self.inner.kept.lock().finished.len()
    }
}

impl IdempotencyStore for Store {
    fn begin(&self, scope: Scope, fingerprint: Fingerprint) -> Begin {
        let inner = &self.inner;
        let now_ns = duration_ns(inner.clock.monotonic());
        let mut kept = inner.kept.lock();
        kept.drop_expired(now_ns);
        if let Some(entry) = kept.entries.get(&scope) {
            match &entry.state {
                State::Finished { expires_ns, .. } if *expires_ns <= now_ns => kept.remove(&scope),
                _ if entry.fingerprint != fingerprint => return Begin::Mismatch,
                State::InFlight => return Begin::InFlight,
                State::Finished { answer: Some(answer), .. } => return Begin::Replay(Arc::clone(answer)),
                State::Finished { answer: None, .. } => return Begin::NotKept,
            }
        }
        while kept.entries.len() >= inner.config.entries_max {
            if !kept.drop_oldest() {
                return Begin::Full;
            }
        }
        kept.leases = kept.leases.wrapping_add(1);
        let lease = kept.leases;
        kept.entries.insert(scope, Entry { fingerprint, lease, state: State::InFlight });
        let settle: Arc<dyn Settle> = Arc::clone(inner) as Arc<dyn Settle>;
        Begin::Fresh(Lease::new(settle, scope, lease))
    }
}

impl Settle for Inner {
    fn settle(&self, scope: &Scope, lease: u64, settlement: Settlement) {
        let expires_ns = duration_ns(self.clock.monotonic()).saturating_add(duration_ns(self.config.keep));
        let (answer, cost_bytes) = match settlement {
            Settlement::Release => return self.kept.lock().release(scope, lease),
            Settlement::NotKept => (None, 0),
            Settlement::Keep(stored) => {
                let cost_bytes = stored.cost_bytes();
                if stored.body.len() > self.config.response_bytes_max || cost_bytes > self.config.bytes_max {
                    (None, 0)
                } else {
                    (Some(Arc::new(stored)), cost_bytes)
                }
            }
        };
        let mut kept = self.kept.lock();
        if !kept.is_in_flight(scope, lease) {
            return;
        }
        while kept.bytes.saturating_add(cost_bytes) > self.config.bytes_max {
            if !kept.drop_oldest() {
                break;
            }
        }
        if let Some(entry) = kept.entries.get_mut(scope) {
            entry.state = State::Finished { answer, cost_bytes, expires_ns };
            kept.bytes = kept.bytes.saturating_add(cost_bytes);
            kept.finished.push_back((*scope, lease));
        }
    }
}

impl Kept {
    fn is_in_flight(&self, scope: &Scope, lease: u64) -> bool {
        self.entries.get(scope).is_some_and(|entry| entry.lease == lease && matches!(entry.state, State::InFlight))
    }

    fn release(&mut self, scope: &Scope, lease: u64) {
        if self.is_in_flight(scope, lease) {
            self.entries.remove(scope);
        }
    }

    fn remove(&mut self, scope: &Scope) {
        if let Some(entry) = self.entries.remove(scope)
            && let State::Finished { cost_bytes, .. } = entry.state
        {
            self.bytes = self.bytes.saturating_sub(cost_bytes);
        }
    }

    /// Drops the finished entry that finished first; `false` where there is none.
    fn drop_oldest(&mut self) -> bool {
        while let Some((scope, lease)) = self.finished.pop_front() {
            if self.entries.get(&scope).is_some_and(|entry| entry.lease == lease) {
                self.remove(&scope);
                return true;
            }
        }
        false
    }

    fn drop_expired(&mut self, now_ns: u64) {
        for _ in 0..EXPIRED_STEPS_MAX {
            let Some((scope, lease)) = self.finished.front().copied() else { return };
            match self.entries.entry(scope) {
                MapEntry::Occupied(entry) if entry.get().lease == lease => match entry.get().state {
                    State::Finished { expires_ns, .. } if expires_ns > now_ns => return,
                    _ => self.remove(&scope),
                },
                _ => {}
            }
            self.finished.pop_front();
        }
    }
}
