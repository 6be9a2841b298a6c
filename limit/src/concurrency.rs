// SPDX-License-Identifier: Apache-2.0
//! Requests at a time: a counter per key, held by permits that go down when they are dropped.
//!
//! A key has an entry only while a permit is held for it, so the map is bounded by the requests under way; it has a
//! maximum of its own all the same, and refuses beyond.

use crate::key::Key;
use crate::store::ByKey;
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

/// Keys with requests under way, at most.
const KEYS_MAX: usize = 65_536;
const SHARDS: usize = 16;

type Held = HashMap<Key, u32, BuildHasherDefault<ByKey>>;

/// Why no permit was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPermit {
    /// As many requests are under way as may be.
    Busy,
    /// The map is full.
    Full,
}

/// Requests under way, by key.
#[derive(Debug)]
pub(crate) struct Concurrency {
    shards: Vec<Mutex<Held>>,
    shard_keys_max: usize,
}

impl Concurrency {
    pub(crate) fn new() -> Arc<Self> {
        Self::bounded(KEYS_MAX)
    }

    fn bounded(keys_max: usize) -> Arc<Self> {
        Arc::new(Self {
            shards: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
            shard_keys_max: keys_max.div_ceil(SHARDS).max(1),
        })
    }

    /// Takes one of `requests_max` places of a key into `permit`.
    pub(crate) fn take(self: &Arc<Self>, permit: &mut Permit, key: Key, requests_max: u32) -> Result<(), NoPermit> {
        let mut held = self.shard(key).ok_or(NoPermit::Full)?.lock();
        let keys = held.len();
        match held.get_mut(&key) {
            Some(count) if *count >= requests_max => return Err(NoPermit::Busy),
            Some(count) => *count = count.saturating_add(1),
            None if keys >= self.shard_keys_max => return Err(NoPermit::Full),
            None => drop(held.insert(key, 1)),
        }
        drop(held);
        permit.held.push((Arc::clone(self), key));
        Ok(())
    }

    fn give_back(&self, key: Key) {
        if let Some(shard) = self.shard(key) {
            let mut held = shard.lock();
            match held.get_mut(&key) {
                Some(count) if *count > 1 => *count = count.saturating_sub(1),
                _ => drop(held.remove(&key)),
            }
        }
    }

    fn shard(&self, key: Key) -> Option<&Mutex<Held>> {
        let number = usize::try_from(key.high).unwrap_or(usize::MAX) & SHARDS.saturating_sub(1);
        self.shards.get(number)
    }

    /// Keys with requests under way.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }
}

/// The places a request holds; given back when it is dropped, which is after the last byte of the answer.
#[derive(Default)]
#[must_use = "a permit that is dropped counts no longer"]
pub struct Permit {
    held: SmallVec<[(Arc<Concurrency>, Key); 2]>,
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("held", &self.held.len()).finish()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        for (concurrency, key) in self.held.drain(..) {
            concurrency.give_back(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> Key {
        Key { high: n, low: n }
    }

    #[test]
    fn rl_13_at_most_so_many_at_a_time_and_a_dropped_permit_counts_no_longer() {
        let table = Concurrency::new();
        let take = |n| {
            let mut permit = Permit::default();
            table.take(&mut permit, key(n), 2).map(|()| permit)
        };
        let (first, _second) = (take(1).unwrap(), take(1).unwrap());
        assert_eq!(take(1).unwrap_err(), NoPermit::Busy);
        let _other = take(2).unwrap();
        drop(first);
        let _third = take(1).unwrap();
        assert_eq!(take(1).unwrap_err(), NoPermit::Busy);
    }

    #[test]
    fn t64_keys_are_kept_only_while_held_and_bounded() {
        let table = Concurrency::bounded(SHARDS);
        let mut permit = Permit::default();
        table.take(&mut permit, key(0), 9).unwrap();
        assert_eq!(table.take(&mut permit, key(16), 9), Err(NoPermit::Full));
        table.take(&mut permit, key(0), 9).unwrap();
        drop(permit);
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn t120_threads_never_hold_more_than_the_maximum() {
        let table = Concurrency::new();
        let peak = std::sync::atomic::AtomicU32::new(0);
        let now = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        let mut permit = Permit::default();
                        if table.take(&mut permit, key(7), 4).is_ok() {
                            let seen = now.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                            peak.fetch_max(seen, std::sync::atomic::Ordering::SeqCst);
                            now.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        assert!((1..=4).contains(&peak.into_inner()));
        assert_eq!(table.len(), 0);
    }
}
