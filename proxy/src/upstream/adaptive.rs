// SPDX-License-Identifier: Apache-2.0
//! How many requests at once an upstream bears, learnt from its latency (F33).
//!
//! Where requests queue inside the upstream, more of them at once make each slower and none more get done. So the
//! part of the latency that queueing explains (Vegas) is held between two bounds. The latency without a queue is
//! learnt from what passes by, with no window in which traffic is held back to measure it: it falls when a faster
//! answer is seen, it follows slowly while the limit is not reached, and it is corrected by the control's own steps:
//! where fewer requests at once did not make them faster, the time was not ours, and the step is taken back.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Fewer are never allowed: enough to learn from.
const LIMIT_MIN: usize = 4;
/// Where it begins; doubled in each window until requests queue.
const LIMIT_INITIAL: usize = 8;
/// A window closes after this, once it has [`SAMPLES_MIN`].
const WINDOW_MS: u64 = 200;
/// Or after this with fewer.
const WINDOW_MS_MAX: u64 = 2_000;
const SAMPLES_MIN: u32 = 20;
/// Shares of the limit that may queue: below the first it grows, above the second it shrinks.
const QUEUE_SHARE: (f64, f64) = (0.10, 0.25);
/// What is left of a limit that is too high.
const SHRINK: f64 = 0.9;
/// So much of the limit must be gone before the effect is judged.
const JUDGED_AT: f64 = 0.8;

/// The samples of all cores, and the limit they make.
#[derive(Debug)]
pub(crate) struct Adaptive {
    opened_ms: AtomicU64,
    count: AtomicU32,
    sum_us: AtomicU64,
    failed: AtomicU32,
    reached: AtomicBool,
    control: Mutex<Control>,
    initial: usize,
}

impl Adaptive {
    pub(crate) fn new(max: usize) -> Self {
        let initial = LIMIT_INITIAL.min(max);
        Self {
            opened_ms: AtomicU64::new(0),
            count: AtomicU32::new(0),
            sum_us: AtomicU64::new(0),
            failed: AtomicU32::new(0),
            reached: AtomicBool::new(false),
            control: Mutex::new(Control::new(initial, max)),
            initial,
        }
    }

    /// Where it begins.
    pub(crate) fn initial(&self) -> usize {
        self.initial
    }

    /// The limit was reached.
    pub(crate) fn reached(&self) {
        if !self.reached.load(Ordering::Relaxed) {
            self.reached.store(true, Ordering::Relaxed);
        }
    }

    /// One more answer, or none in time; the new limit where this closes a window.
    pub(crate) fn sample(&self, took: Option<Duration>, now_ms: u64) -> Option<usize> {
        match took {
            Some(took) => {
                let us = u64::try_from(took.as_micros()).unwrap_or(u64::from(u32::MAX));
                self.sum_us.fetch_add(us.min(u64::from(u32::MAX)), Ordering::Relaxed);
                self.count.fetch_add(1, Ordering::Relaxed);
            }
            None => {
                self.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        let opened = self.opened_ms.load(Ordering::Relaxed);
        let open_ms = now_ms.saturating_sub(opened);
        let enough = self.count.load(Ordering::Relaxed) >= SAMPLES_MIN && open_ms >= WINDOW_MS;
        if !enough && open_ms < WINDOW_MS_MAX {
            return None;
        }
        self.opened_ms.compare_exchange(opened, now_ms, Ordering::Relaxed, Ordering::Relaxed).ok()?;
        let count = self.count.swap(0, Ordering::Relaxed);
        let window = Window {
            mean_us: f64::from(u32::try_from(self.sum_us.swap(0, Ordering::Relaxed) / u64::from(count.max(1))).ok()?),
            count,
            failed: self.failed.swap(0, Ordering::Relaxed),
            reached: self.reached.swap(false, Ordering::Relaxed),
        };
        Some(self.control.lock().close(window))
    }
}

/// What a window saw.
#[derive(Clone, Copy, Debug)]
struct Window {
    mean_us: f64,
    count: u32,
    failed: u32,
    reached: bool,
}

/// The control loop; one step per window.
#[derive(Debug)]
struct Control {
    limit: f64,
    max: f64,
    /// Latency without a queue; zero before the first window.
    base_us: f64,
    starting: bool,
    /// Limit and latency where a series of steps down began.
    descent: Option<(f64, f64)>,
}

impl Control {
    fn new(initial: usize, max: usize) -> Self {
        Self { limit: whole(initial), max: whole(max), base_us: 0.0, starting: true, descent: None }
    }

    fn close(&mut self, window: Window) -> usize {
        if window.failed > window.count {
            // Hardly anything comes back in time: whatever the reason, fewer at once is right.
            self.descent = None;
            self.limit = (self.limit * SHRINK).max(whole(LIMIT_MIN)).min(self.max);
        } else if window.count > 0 {
            self.learn(window);
            if window.reached {
                self.step(window.mean_us);
            } else {
                self.descent = None;
            }
        }
        to_limit(self.limit)
    }

    fn learn(&mut self, window: Window) {
        let mean = window.mean_us.max(1.0);
        if self.base_us == 0.0 {
            self.base_us = mean;
        } else if mean < self.base_us {
            self.base_us = f64::midpoint(self.base_us, mean);
        } else if !window.reached {
            self.base_us += (mean - self.base_us) * 0.05;
        }
    }

    fn step(&mut self, mean_us: f64) {
        let mean = mean_us.max(self.base_us).max(1.0);
        let queued = 1.0 - self.base_us / mean;
        if queued > QUEUE_SHARE.1 {
            self.starting = false;
            self.descend(mean);
            return;
        }
        self.descent = None;
        if queued < QUEUE_SHARE.0 {
            let step = if self.starting { self.limit } else { (self.limit.sqrt() / 2.0).max(1.0) };
            self.limit = (self.limit + step).min(self.max);
        } else {
            self.starting = false;
        }
    }

    fn descend(&mut self, mean: f64) {
        let (limit_before, mean_before) = *self.descent.get_or_insert((self.limit, mean));
        let left = self.limit / limit_before;
        if left <= JUDGED_AT {
            // Had it been a queue, latency would have gone down in step with the limit.
            if mean / mean_before > f64::midpoint(1.0, left) {
                self.base_us = mean;
                self.limit = limit_before;
                self.descent = None;
                return;
            }
            self.descent = Some((self.limit, mean));
        }
        self.limit = (self.limit * SHRINK).max(whole(LIMIT_MIN)).min(self.max);
    }
}

fn whole(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float made from a u32 and never raised above it"
)]
fn to_limit(limit: f64) -> usize {
    limit.round().max(1.0) as usize
}

#[cfg(test)]
mod tests;
