// SPDX-License-Identifier: Apache-2.0
//! How many of the recent requests went well: two half windows that take turns, so that nothing has to be stored per
//! request. Exact across cores but for the instant in which the halves turn.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// What "recent" means: between this and twice as long ago.
pub(crate) const HALF_WINDOW_MS: u64 = 5_000;

/// Recent outcomes.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    turned_ms: AtomicU64,
    now: Half,
    before: Half,
}

#[derive(Debug, Default)]
struct Half {
    good: AtomicU32,
    bad: AtomicU32,
}

/// What a tally holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recent {
    pub(crate) good: u32,
    pub(crate) bad: u32,
}

impl Recent {
    /// All of them.
    pub(crate) fn all(self) -> u32 {
        self.good.saturating_add(self.bad)
    }
}

impl Tally {
    /// One went well.
    pub(crate) fn good(&self, now_ms: u64) {
        self.turn(now_ms);
        self.now.good.fetch_add(1, Ordering::Relaxed);
    }

    /// One did not.
    pub(crate) fn bad(&self, now_ms: u64) {
        self.turn(now_ms);
        self.now.bad.fetch_add(1, Ordering::Relaxed);
    }

    /// The last one or two half windows.
    pub(crate) fn recent(&self, now_ms: u64) -> Recent {
        self.turn(now_ms);
        let sum = |of: fn(&Half) -> &AtomicU32| {
            of(&self.now).load(Ordering::Relaxed).saturating_add(of(&self.before).load(Ordering::Relaxed))
        };
        Recent { good: sum(|half| &half.good), bad: sum(|half| &half.bad) }
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        for half in [&self.now, &self.before] {
            half.good.store(0, Ordering::Relaxed);
            half.bad.store(0, Ordering::Relaxed);
        }
    }

    fn turn(&self, now_ms: u64) {
        let turned = self.turned_ms.load(Ordering::Relaxed);
        let since = now_ms.saturating_sub(turned);
        if since < HALF_WINDOW_MS {
            return;
        }
        // The winner moves the halves; who counts in this very instant may land in either.
        if self.turned_ms.compare_exchange(turned, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let (good, bad) = (self.now.good.swap(0, Ordering::Relaxed), self.now.bad.swap(0, Ordering::Relaxed));
            let fresh = since < HALF_WINDOW_MS.saturating_mul(2);
            self.before.good.store(if fresh { good } else { 0 }, Ordering::Relaxed);
            self.before.bad.store(if fresh { bad } else { 0 }, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_after_two_half_windows() {
        let tally = Tally::default();
        tally.good(0);
        tally.bad(4_999);
        assert_eq!(tally.recent(5_000), Recent { good: 1, bad: 1 });
        tally.bad(6_000);
        assert_eq!(tally.recent(9_999), Recent { good: 1, bad: 2 });
        assert_eq!(tally.recent(10_000), Recent { good: 0, bad: 1 });
        assert_eq!(tally.recent(60_000), Recent::default());
        tally.good(60_001);
        tally.clear();
        assert_eq!(tally.recent(60_002).all(), 0);
    }
}
