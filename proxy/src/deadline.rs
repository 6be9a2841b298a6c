// SPDX-License-Identifier: Apache-2.0
//! Deadlines of one core, swept together.
//!
//! A timer per request costs more than the request's own bookkeeping, and nearly all of them are cancelled. So a
//! deadline is a number beside its owner: arming and clearing are single stores, without reading a clock, and one
//! sweep per [`TICK`] finds the ones that passed and wakes their owners. A deadline never fires early and at most
//! two ticks late.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;
use std::time::Duration;

/// How often a core looks at its deadlines.
pub(crate) const TICK: Duration = Duration::from_millis(100);

const OFF: u64 = u64::MAX;
/// Marks a deadline whose start the next sweep will fix.
const RELATIVE: u64 = 1 << 62;

/// One deadline; its owner arms it, waits, and asks whether it fired.
#[derive(Debug)]
pub(crate) struct Deadline {
    at: AtomicU64,
    fired: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Deadline {
    fn new() -> Self {
        Self { at: AtomicU64::new(OFF), fired: AtomicBool::new(false), waker: Mutex::new(None) }
    }

    /// Starts (or restarts) the time.
    pub(crate) fn arm(&self, after: Duration) {
        let ms = u64::try_from(after.as_millis()).unwrap_or(RELATIVE - 1).min(RELATIVE - 1);
        self.fired.store(false, Ordering::Relaxed);
        self.at.store(RELATIVE | ms, Ordering::Relaxed);
    }

    /// Stops the time.
    pub(crate) fn clear(&self) {
        self.at.store(OFF, Ordering::Relaxed);
        self.fired.store(false, Ordering::Relaxed);
    }

    /// Whether time runs.
    pub(crate) fn runs(&self) -> bool {
        self.at.load(Ordering::Relaxed) != OFF
    }

    /// Whether the time passed since it was last armed.
    pub(crate) fn fired(&self) -> bool {
        self.fired.load(Ordering::Relaxed)
    }

    /// Whom to wake. The last caller wins.
    pub(crate) fn watch(&self, waker: &Waker) {
        let mut slot = self.waker.lock();
        if !slot.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *slot = Some(waker.clone());
        }
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.lock() {
            waker.wake_by_ref();
        }
    }

    fn sweep(&self, now_ms: u64) {
        let at = self.at.load(Ordering::Relaxed);
        if at == OFF {
            return;
        }
        if at & RELATIVE != 0 {
            let fixed = now_ms.saturating_add(at & !RELATIVE);
            // Lost only against the owner, who then knows better.
            let _ = self.at.compare_exchange(at, fixed, Ordering::Relaxed, Ordering::Relaxed);
        } else if at <= now_ms && self.at.compare_exchange(at, OFF, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.fired.store(true, Ordering::Relaxed);
            self.wake();
        }
    }
}

/// Every deadline of one core. Bounded by its connections: each client connection has at most two and each of its
/// HTTP/2 streams that waits two more, each upstream connection two.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    entries: Mutex<Vec<Arc<Deadline>>>,
    now_ms: AtomicU64,
}

impl Deadlines {
    /// A new deadline, swept until its owner drops it.
    pub(crate) fn register(&self) -> Arc<Deadline> {
        let deadline = Arc::new(Deadline::new());
        self.entries.lock().push(Arc::clone(&deadline));
        deadline
    }

    /// Fires what passed, forgets what nobody owns any more.
    pub(crate) fn sweep(&self, now: Duration) {
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(RELATIVE - 1);
        self.now_ms.store(now_ms, Ordering::Relaxed);
        self.entries.lock().retain(|deadline| {
            deadline.sweep(now_ms);
            Arc::strong_count(deadline) > 1
        });
    }

    /// Wakes every owner, so that it can see that the core is draining.
    pub(crate) fn wake_all(&self) {
        for deadline in &*self.entries.lock() {
            deadline.wake();
        }
    }

    /// The time of the last sweep, in milliseconds: coarse, and free.
    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn fires_never_early_and_once() {
        let all = Deadlines::default();
        let one = all.register();
        one.arm(ms(500));
        all.sweep(ms(10_000));
        all.sweep(ms(10_499));
        assert!(!one.fired());
        all.sweep(ms(10_500));
        assert!(one.fired() && !one.runs());
        one.arm(ms(1));
        assert!(!one.fired());
    }

    #[test]
    fn cleared_never_fires() {
        let all = Deadlines::default();
        let one = all.register();
        one.arm(ms(1));
        all.sweep(ms(1));
        one.clear();
        all.sweep(ms(100_000));
        assert!(!one.fired());
    }

    #[test]
    fn forgets_what_nobody_owns() {
        let all = Deadlines::default();
        let kept = all.register();
        drop(all.register());
        all.sweep(ms(1));
        assert_eq!(all.len(), 1);
        drop(kept);
        all.sweep(ms(2));
        assert_eq!(all.len(), 0);
    }

    #[test]
    fn wakes_its_owner() {
        struct Count(AtomicU64);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let all = Deadlines::default();
        let one = all.register();
        let count = Arc::new(Count(AtomicU64::new(0)));
        one.watch(&Arc::clone(&count).into());
        one.arm(ms(5));
        all.sweep(ms(1));
        all.sweep(ms(6));
        all.sweep(ms(7));
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        all.wake_all();
        assert_eq!(count.0.load(Ordering::SeqCst), 2);
    }
}
