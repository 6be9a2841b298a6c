// SPDX-License-Identifier: Apache-2.0
//! The generic cell rate algorithm, exact in integers.
//!
//! One moment is all the state of a counter: the *theoretical arrival time* (TAT), at which the counter is full again.
//! A request is admitted when the TAT, moved on by one interval, is no later than `now + burst·interval`; so any
//! interval Δ sees at most `burst + rate·Δ` requests. A TAT that has passed says the same as no state at all, which is
//! why old entries may be forgotten without loss.
//!
//! The interval `per / count` is seldom a whole number of nanoseconds. Rounding it would admit too much or too little,
//! so a [`Moment`] carries whole nanoseconds and `count`-ths of one: additions, no division, no float.
//!
//! `governor` computes the same; it is not used because its keyed store cannot be bounded and because policies of one
//! step must be judged together before any of them is charged.

use super::Rate;
use std::num::NonZeroU32;
use std::time::Duration;

/// A period stands for at most this; keeps every sum below in range for bursts that make sense, and saturates to
/// *fewer* admissions for those that do not.
const PERIOD_NS_MAX: u64 = u64::MAX / 4;

/// A point or length of time: nanoseconds, and parts of one as counted by the rate it belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    ns: u64,
    part: u32,
}

impl Moment {
    /// A whole number of nanoseconds.
    pub(crate) fn at_ns(ns: u64) -> Self {
        Self { ns, part: 0 }
    }

    /// Whether a counter in this state is as good as new.
    pub(crate) fn has_passed(self, now_ns: u64) -> bool {
        self <= Self::at_ns(now_ns)
    }

    /// Nanoseconds, rounded up, until then: until a counter in this state is full again.
    pub(crate) fn remaining_ns(self, now_ns: u64) -> u64 {
        between_ns(Self::at_ns(now_ns), self)
    }
}

/// What a counter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// Admits, and would stand so afterwards.
    Allow(Moment),
    /// Refuses.
    Deny,
}

/// A rate, ready to count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gcra {
    /// Parts of a nanosecond: the rate's count.
    parts: NonZeroU32,
    period_ns: u64,
    interval: Moment,
    /// `burst` intervals.
    tolerance: Moment,
    /// Counters may hold what was charged at another rate.
    rate_changed: bool,
}

impl Gcra {
    pub(crate) fn new(rate: &Rate) -> Self {
        let period_ns = match duration_ns(rate.per) {
            0 => PERIOD_NS_MAX,
            ns => ns.min(PERIOD_NS_MAX),
        };
        Self {
            parts: rate.count,
            period_ns,
            interval: split(u128::from(period_ns), rate.count),
            tolerance: split(u128::from(period_ns).saturating_mul(u128::from(rate.burst_or_count().get())), rate.count),
            rate_changed: false,
        }
    }

    /// The same over counters that were charged at another rate.
    pub(crate) fn of_changed_rate(self) -> Self {
        Self { rate_changed: true, ..self }
    }

    /// A kept state in the terms of this rate. What another rate left behind blocks for no longer than this one could
    /// have: used up, with at most one more burst owed.
    pub(crate) fn settled(&self, tat: Moment, now_ns: u64) -> Moment {
        if !self.rate_changed {
            return tat;
        }
        let whole = if tat.part >= self.parts.get() { Moment::at_ns(tat.ns.saturating_add(1)) } else { tat };
        whole.min(self.add(self.latest(now_ns), self.tolerance))
    }

    /// Would one more be admitted?
    pub(crate) fn judge(&self, tat: Moment, now_ns: u64) -> Judgement {
        let next = self.charged(tat, now_ns);
        // A sum that saturated is no time at all: refuse.
        if next.ns < u64::MAX && next <= self.latest(now_ns) { Judgement::Allow(next) } else { Judgement::Deny }
    }

    /// The state after one more, admitted or not.
    pub(crate) fn charged(&self, tat: Moment, now_ns: u64) -> Moment {
        self.add(tat.max(Moment::at_ns(now_ns)), self.interval)
    }

    /// As [`Gcra::charged`], for what has happened already and cannot be refused; at most one more burst is owed.
    pub(crate) fn indebted(&self, tat: Moment, now_ns: u64) -> Moment {
        self.charged(tat, now_ns).min(self.add(self.latest(now_ns), self.tolerance))
    }

    /// How many would be admitted at once.
    pub(crate) fn available(&self, tat: Moment, now_ns: u64) -> u32 {
        let room = self.between(tat.max(Moment::at_ns(now_ns)), self.latest(now_ns));
        u32::try_from(room.checked_div(u128::from(self.period_ns)).unwrap_or(0)).unwrap_or(u32::MAX)
    }

    /// Nanoseconds, rounded up, until one more would be admitted.
    pub(crate) fn wait_ns(&self, tat: Moment, now_ns: u64) -> u64 {
        between_ns(self.latest(now_ns), self.charged(tat, now_ns))
    }

    /// The latest TAT that may be reached now.
    fn latest(&self, now_ns: u64) -> Moment {
        self.add(Moment::at_ns(now_ns), self.tolerance)
    }

    fn add(&self, a: Moment, b: Moment) -> Moment {
        let parts = u64::from(self.parts.get());
        let sum = u64::from(a.part).saturating_add(u64::from(b.part));
        let (carry, part) = if sum >= parts { (1, sum.saturating_sub(parts)) } else { (0, sum) };
        Moment { ns: a.ns.saturating_add(b.ns).saturating_add(carry), part: u32::try_from(part).unwrap_or(u32::MAX) }
    }

    /// From one moment to another in parts of a nanosecond; none where it lies behind.
    fn between(&self, from: Moment, to: Moment) -> u128 {
        let scaled = |m: Moment| {
            u128::from(m.ns).saturating_mul(u128::from(self.parts.get())).saturating_add(u128::from(m.part))
        };
        scaled(to).saturating_sub(scaled(from))
    }
}

/// From one moment to another in nanoseconds, rounded up; none where it lies behind.
fn between_ns(from: Moment, to: Moment) -> u64 {
    if to <= from {
        return 0;
    }
    let whole = to.ns.saturating_sub(from.ns);
    if to.part > from.part { whole.saturating_add(1) } else { whole }
}

/// A duration in nanoseconds, at most what 64 bits hold.
pub(crate) fn duration_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn split(total: u128, parts: NonZeroU32) -> Moment {
    let parts = u128::from(parts.get());
    let ns = total.checked_div(parts).and_then(|ns| u64::try_from(ns).ok()).unwrap_or(u64::MAX);
    let part = total.checked_rem(parts).and_then(|part| u32::try_from(part).ok()).unwrap_or(0);
    Moment { ns, part }
}

#[cfg(test)]
mod tests;
