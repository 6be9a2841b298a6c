// SPDX-License-Identifier: Apache-2.0
//! Leaves alone what fails: an operation, or a target (F26, MS-SS-5).
//!
//! Closed → open, when so many in a row failed or too large a share of the recent ones → half-open, when the time is
//! up: exactly one request tries → recovering, where the requests under way grow from a tenth to all in ten seconds
//! (F32) → closed. Each failed try leaves it alone for longer, and every wait is spread, so that gateways and callers
//! do not come back together. Closed costs one load; times are the core's coarse ones.

use crate::upstream::tally::Tally;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// From a tenth to everything.
pub(crate) const SLOW_START_MS: u64 = 10_000;
/// The share of the first moment, in percent.
const SLOW_START_PERCENT: u64 = 10;
/// No wait is doubled more often than this.
const DOUBLINGS_MAX: u32 = 3;
/// A try that never came to an end is given up after this; the next request tries.
const TRY_MS_MAX: u64 = 60_000;

/// What a circuit breaker watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// Each operation by itself: one that is broken does not close the others.
    Operation,
    /// Each target by itself.
    Target,
}

/// When something is left alone. A failure is an answer that did not come, or a 502, 503 or 504; a 500 is an answer,
/// because a caller can provoke it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitBreaker {
    /// What is watched.
    pub per: Per,
    /// So many failures in a row.
    pub consecutive_failures: u32,
    /// Or so many percent of the recent requests,
    pub failure_percent: u32,
    /// of which there were at least so many.
    pub requests_min: u32,
    /// For how long at least.
    pub open: Duration,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self {
            per: Per::Operation,
            consecutive_failures: 5,
            failure_percent: 50,
            requests_min: 20,
            open: Duration::from_secs(10),
        }
    }
}

/// Whether a request may go on, and what is expected of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Nothing is wrong.
    Free,
    /// It is the one that tries.
    Try,
    /// It is one of the few of a slow start.
    Counted,
}

/// Why a request may not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// Left alone for so many milliseconds.
    ForMs(u64),
    /// Slow start, and its few places are taken.
    Ramp,
}

/// The state of one operation or target.
#[derive(Debug, Default)]
pub(crate) struct Circuit {
    /// A [`State`], packed: a phase in the two lowest bits and a time above them. Zero is closed.
    state: AtomicU64,
    consecutive: AtomicU32,
    trips: AtomicU32,
    counted: AtomicU32,
    tally: Tally,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open { until_ms: u64 },
    HalfOpen { since_ms: u64 },
    Recovering { since_ms: u64 },
}

impl State {
    fn pack(self) -> u64 {
        match self {
            State::Closed => 0,
            State::Open { until_ms } => until_ms << 2 | 1,
            State::HalfOpen { since_ms } => since_ms << 2 | 2,
            State::Recovering { since_ms } => since_ms << 2 | 3,
        }
    }

    fn unpack(word: u64) -> Self {
        let ms = word >> 2;
        match word & 3 {
            1 => State::Open { until_ms: ms },
            2 => State::HalfOpen { since_ms: ms },
            3 => State::Recovering { since_ms: ms },
            _ => State::Closed,
        }
    }
}

/// The share of everything that a slow start allows, in percent.
fn share(since_ms: u64, now_ms: u64) -> u64 {
    let grown = now_ms.saturating_sub(since_ms).min(SLOW_START_MS).saturating_mul(100 - SLOW_START_PERCENT);
    SLOW_START_PERCENT.saturating_add(grown / SLOW_START_MS)
}

impl Circuit {
    /// Asks for a request; `whole` is how many may be under way when nothing is wrong.
    pub(crate) fn enter(&self, now_ms: u64, whole: usize) -> Result<Entry, Closed> {
        let word = self.state.load(Ordering::Relaxed);
        if word == 0 {
            return Ok(Entry::Free);
        }
        match State::unpack(word) {
            State::Closed => Ok(Entry::Free),
            State::Open { until_ms } if now_ms < until_ms => Err(Closed::ForMs(until_ms.saturating_sub(now_ms))),
            State::HalfOpen { since_ms } if now_ms.saturating_sub(since_ms) < TRY_MS_MAX => Err(Closed::ForMs(1_000)),
            State::Open { .. } | State::HalfOpen { .. } => {
                let trying = State::HalfOpen { since_ms: now_ms }.pack();
                match self.state.compare_exchange(word, trying, Ordering::AcqRel, Ordering::Relaxed) {
                    Ok(_) => Ok(Entry::Try),
                    // Somebody else tries.
                    Err(_) => Err(Closed::ForMs(1_000)),
                }
            }
            State::Recovering { since_ms } if now_ms.saturating_sub(since_ms) >= SLOW_START_MS => {
                if self.state.compare_exchange(word, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                    self.trips.store(0, Ordering::Relaxed);
                }
                Ok(Entry::Free)
            }
            State::Recovering { since_ms } => {
                let places = share(since_ms, now_ms).saturating_mul(whole as u64).div_ceil(100).max(1);
                if u64::from(self.counted.fetch_add(1, Ordering::Relaxed)) < places {
                    return Ok(Entry::Counted);
                }
                self.counted.fetch_sub(1, Ordering::Relaxed);
                Err(Closed::Ramp)
            }
        }
    }

    /// A request that was let in went well.
    pub(crate) fn succeed(&self, entry: Entry, now_ms: u64) {
        if self.consecutive.load(Ordering::Relaxed) != 0 {
            self.consecutive.store(0, Ordering::Relaxed);
        }
        if entry == Entry::Try {
            self.tally.clear();
            self.recover(now_ms);
        }
        self.tally.good(now_ms);
    }

    /// A request that was let in failed; `random` spreads the wait. Whether it is left alone from now on.
    pub(crate) fn fail(&self, entry: Entry, rules: &CircuitBreaker, now_ms: u64, random: u32) -> bool {
        let in_a_row = self.consecutive.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        self.tally.bad(now_ms);
        let recent = self.tally.recent(now_ms);
        let share_reached = recent.all() >= rules.requests_min
            && u64::from(recent.bad).saturating_mul(100)
                >= u64::from(recent.all()).saturating_mul(u64::from(rules.failure_percent));
        let opens = entry == Entry::Try || in_a_row >= rules.consecutive_failures || share_reached;
        opens && self.open(rules, now_ms, random)
    }

    /// A request that was let in will say nothing about it: its client left, or broke it.
    pub(crate) fn give_up(&self, entry: Entry, now_ms: u64) {
        if entry == Entry::Try {
            let word = self.state.load(Ordering::Relaxed);
            if matches!(State::unpack(word), State::HalfOpen { .. }) {
                let next = State::Open { until_ms: now_ms }.pack();
                // Lost only against another try.
                let _ = self.state.compare_exchange(word, next, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
    }

    /// A request that was let in is over, however it went.
    pub(crate) fn leave(&self, entry: Entry) {
        if entry == Entry::Counted {
            self.counted.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Begins a slow start.
    pub(crate) fn recover(&self, now_ms: u64) {
        self.consecutive.store(0, Ordering::Relaxed);
        self.state.store(State::Recovering { since_ms: now_ms }.pack(), Ordering::Release);
    }

    /// Whether requests pass without a count.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.load(Ordering::Relaxed) == 0
    }

    /// How a balancer sees it.
    pub(crate) fn standing(&self, now_ms: u64) -> Standing {
        match State::unpack(self.state.load(Ordering::Relaxed)) {
            State::Closed => Standing::Percent(100),
            State::Open { until_ms } if now_ms < until_ms => Standing::Out { for_ms: until_ms.saturating_sub(now_ms) },
            State::HalfOpen { since_ms } if now_ms.saturating_sub(since_ms) < TRY_MS_MAX => {
                Standing::Out { for_ms: 1_000 }
            }
            State::Open { .. } | State::HalfOpen { .. } => Standing::Due,
            State::Recovering { since_ms } => Standing::Percent(share(since_ms, now_ms)),
        }
    }

    fn open(&self, rules: &CircuitBreaker, now_ms: u64, random: u32) -> bool {
        let word = self.state.load(Ordering::Relaxed);
        if matches!(State::unpack(word), State::Open { until_ms } if now_ms < until_ms) {
            return false;
        }
        let trips = self.trips.load(Ordering::Relaxed).min(DOUBLINGS_MAX);
        let base_ms = u64::try_from(rules.open.as_millis()).unwrap_or(u64::MAX >> 8).min(u64::MAX >> 8);
        // Between what is configured and the doubled wait with a quarter on top: the whole width is used (F32).
        let longest_ms = (base_ms << trips).saturating_add((base_ms << trips) / 4);
        let spread_ms = longest_ms.saturating_sub(base_ms).saturating_mul(u64::from(random)) >> 32;
        let until_ms = now_ms.saturating_add(base_ms).saturating_add(spread_ms);
        let opened = State::Open { until_ms }.pack();
        let opened = self.state.compare_exchange(word, opened, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if opened {
            self.trips.store(trips.saturating_add(1), Ordering::Relaxed);
            self.consecutive.store(0, Ordering::Relaxed);
            self.tally.clear();
        }
        opened
    }
}

/// What a balancer may do with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Send it this share of what is its due.
    Percent(u64),
    /// The time is up: one request should try.
    Due,
    /// Leave it alone.
    Out { for_ms: u64 },
}

#[cfg(test)]
mod tests;
