// SPDX-License-Identifier: Apache-2.0
//! How many requests an upstream has at once, exactly and over all cores, and who waits for a place (F33).
//!
//! Where there is a place it costs one atomic addition. Where there is none a few may wait for a short time: the
//! highest priority first; in one priority first come, first served, until the first has waited too long for that to
//! help anybody, from then on the youngest first. A full queue refuses at once, the lowest priority first.

use crate::upstream::adaptive::Adaptive;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Priorities are 1 to this.
const PRIORITIES: usize = 9;
/// When the first in a line has waited so long, the youngest is served first.
const FIRST_COME_MAX: Duration = Duration::from_millis(10);

/// Requests at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    /// Under way at once, over all cores.
    pub max: usize,
    /// Waiting for a place at once.
    pub queue: usize,
    /// For how long at most; never longer than the request has left.
    pub queue_timeout: Duration,
    /// Whether the upstream's own latency lowers `max`.
    pub adaptive: bool,
}

impl Default for Concurrency {
    fn default() -> Self {
        Self { max: 10_000, queue: 0, queue_timeout: Duration::from_millis(250), adaptive: false }
    }
}

/// No place was to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoPlace;

/// The places of one upstream.
#[derive(Debug)]
pub(crate) struct Bulkhead {
    rules: Concurrency,
    under_way: AtomicUsize,
    /// `max`, or what [`Adaptive`] made of it.
    limit: AtomicUsize,
    /// Length of the queue, those who left it included until somebody looks.
    waiting: AtomicUsize,
    queue: Mutex<Queue>,
    adaptive: Option<Adaptive>,
}

/// Those who wait, by priority.
#[derive(Debug, Default)]
struct Queue {
    lines: [VecDeque<Waiter>; PRIORITIES],
}

#[derive(Debug)]
struct Waiter {
    grant: oneshot::Sender<Grant>,
    since: Instant,
}

/// A place on its way to who waited for it; dropped unread, it is given back.
#[derive(Debug)]
struct Grant(Option<Arc<Bulkhead>>);

impl Drop for Grant {
    fn drop(&mut self) {
        if let Some(bulkhead) = self.0.take() {
            bulkhead.leave();
        }
    }
}

impl Bulkhead {
    pub(crate) fn new(rules: Concurrency) -> Arc<Self> {
        let adaptive = rules.adaptive.then(|| Adaptive::new(rules.max));
        let limit = adaptive.as_ref().map_or(rules.max, Adaptive::initial);
        Arc::new(Self {
            rules,
            under_way: AtomicUsize::new(0),
            limit: AtomicUsize::new(limit),
            waiting: AtomicUsize::new(0),
            queue: Mutex::default(),
            adaptive,
        })
    }

    /// How many may be under way now.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Whether latencies are asked for.
    pub(crate) fn is_adaptive(&self) -> bool {
        self.adaptive.is_some()
    }

    /// Takes a place if there is one and nobody waits for it; it is given back with [`Bulkhead::leave`].
    pub(crate) fn enter(&self) -> Result<(), NoPlace> {
        if self.waiting.load(Ordering::SeqCst) == 0 {
            if self.under_way.fetch_add(1, Ordering::SeqCst) < self.limit() {
                return Ok(());
            }
            self.give_back();
        }
        if let Some(adaptive) = &self.adaptive {
            adaptive.reached();
        }
        Err(NoPlace)
    }

    /// Waits for a place.
    pub(crate) async fn wait(self: &Arc<Self>, priority: u8, patience: Duration) -> Result<(), NoPlace> {
        let place = self.stand_in_line(priority)?;
        match tokio::time::timeout(patience.min(self.rules.queue_timeout), place).await {
            Ok(Ok(mut grant)) => {
                grant.0 = None;
                Ok(())
            }
            // Pushed out by a higher priority, or too late.
            Ok(Err(_)) | Err(_) => Err(NoPlace),
        }
    }

    /// Gives a place back.
    pub(crate) fn leave(self: &Arc<Self>) {
        self.give_back();
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.hand_over();
        }
    }

    /// An answer's head came after so long, or in vain.
    pub(crate) fn measured(self: &Arc<Self>, took: Option<Duration>, now_ms: u64) {
        let Some(adaptive) = &self.adaptive else { return };
        let Some(limit) = adaptive.sample(took, now_ms) else { return };
        let before = self.limit.swap(limit.min(self.rules.max), Ordering::Relaxed);
        if limit > before && self.waiting.load(Ordering::SeqCst) > 0 {
            self.hand_over();
        }
    }

    fn give_back(&self) {
        self.under_way.fetch_sub(1, Ordering::SeqCst);
    }

    fn take(&self) -> bool {
        let limit = self.limit();
        self.under_way
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |under_way| {
                (under_way < limit).then(|| under_way.saturating_add(1))
            })
            .is_ok()
    }

    fn stand_in_line(self: &Arc<Self>, priority: u8) -> Result<oneshot::Receiver<Grant>, NoPlace> {
        let class = usize::from(priority).clamp(1, PRIORITIES).saturating_sub(1);
        let pushed_out;
        let receiver;
        {
            let mut queue = self.queue.lock();
            pushed_out = if queue.len() >= self.rules.queue { queue.make_room(class, self.rules.queue)? } else { None };
            let (grant, place) = oneshot::channel();
            receiver = place;
            if let Some(line) = queue.lines.get_mut(class) {
                line.push_back(Waiter { grant, since: Instant::now() });
            }
            self.waiting.store(queue.len(), Ordering::SeqCst);
        }
        drop(pushed_out);
        // A place may have become free before anybody could know that we wait for it.
        self.hand_over();
        Ok(receiver)
    }

    /// Gives free places to those who wait.
    fn hand_over(self: &Arc<Self>) {
        loop {
            let waiter = {
                let mut queue = self.queue.lock();
                if queue.len() == 0 || !self.take() {
                    self.waiting.store(queue.len(), Ordering::SeqCst);
                    return;
                }
                let next = queue.next();
                self.waiting.store(queue.len(), Ordering::SeqCst);
                next
            };
            match waiter {
                Some(waiter) => {
                    // One who left meanwhile drops the grant, outside of the lock: the place comes back.
                    if let Err(mut unread) = waiter.grant.send(Grant(Some(Arc::clone(self)))) {
                        unread.0 = None;
                        self.give_back();
                    }
                }
                None => self.give_back(),
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::SeqCst)
    }
}

impl Queue {
    fn len(&self) -> usize {
        self.lines.iter().map(VecDeque::len).sum()
    }

    /// The next to be served.
    fn next(&mut self) -> Option<Waiter> {
        let line = self.lines.iter_mut().rev().find(|line| !line.is_empty())?;
        let first_waited = line.front().map(|first| first.since.elapsed())?;
        if first_waited > FIRST_COME_MAX { line.pop_back() } else { line.pop_front() }
    }

    /// Forgets who left; if that is not enough pushes out the youngest of a lower priority, who is answered.
    fn make_room(&mut self, class: usize, places: usize) -> Result<Option<Waiter>, NoPlace> {
        for line in &mut self.lines {
            line.retain(|waiter| !waiter.grant.is_closed());
        }
        if self.len() < places {
            return Ok(None);
        }
        let lower = self.lines.iter_mut().take(class).find(|line| !line.is_empty()).ok_or(NoPlace)?;
        Ok(lower.pop_back())
    }
}

#[cfg(test)]
mod tests;
