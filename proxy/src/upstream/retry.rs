// SPDX-License-Identifier: Apache-2.0
//! When a request is sent again: where it is safe, and inside a budget, so that retries never become the load (F31).

use crate::upstream::tally::Tally;
use std::time::Duration;

/// The longest pause before the same target is asked again, doubled by each retry.
const PAUSE_MS: u64 = 25;

/// How often, and how many in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts beside the first one.
    pub attempts: u32,
    /// Retries in percent of the recent successes.
    pub budget_percent: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 0, budget_percent: 10 }
    }
}

/// What was spent and earned: good ones are successes, bad ones retries.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    tally: Tally,
}

impl Budget {
    /// A request went well at its first attempt.
    pub(crate) fn earn(&self, now_ms: u64) {
        self.tally.good(now_ms);
    }

    /// Takes one retry, if there is one left. Without recent successes there is none.
    pub(crate) fn spend(&self, retry: Retry, now_ms: u64) -> bool {
        let recent = self.tally.recent(now_ms);
        let allowed = u64::from(recent.good).saturating_mul(u64::from(retry.budget_percent)) / 100;
        if u64::from(recent.bad) >= allowed {
            return false;
        }
        // Two cores may take the last one together: one more in a window.
        self.tally.bad(now_ms);
        true
    }
}

/// How long to wait before the `number`th retry: anything up to the longest pause (full jitter).
pub(crate) fn pause(number: u32, random: u32) -> Duration {
    let longest_us = (PAUSE_MS << number.min(6)).saturating_mul(1_000);
    Duration::from_micros(longest_us.saturating_mul(u64::from(random)) >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Retry = Retry { attempts: 1, budget_percent: 10 };

    #[test]
    fn f31_nothing_is_retried_where_nothing_succeeds() {
        let budget = Budget::default();
        assert!((0..1_000).all(|n| !budget.spend(RETRY, n)));
    }

    #[test]
    fn f31_retries_stay_below_a_tenth_of_recent_successes() {
        let budget = Budget::default();
        let (mut earned, mut spent) = (0_u32, 0_u32);
        for n in 0..10_000_u64 {
            if n % 3 == 0 {
                spent += u32::from(budget.spend(RETRY, n));
            } else {
                budget.earn(n);
                earned += 1;
            }
            assert!(spent * 10 <= earned.max(1) * 11 / 10 + 10, "{spent} of {earned}");
        }
        assert!(spent > earned / 20, "and the budget is used: {spent} of {earned}");
    }

    #[test]
    fn f31_old_successes_buy_nothing() {
        let budget = Budget::default();
        (0..1_000).for_each(|_| budget.earn(0));
        assert!(budget.spend(RETRY, 9_000));
        assert!(!budget.spend(RETRY, 20_000));
    }

    #[test]
    fn pauses_are_spread_and_grow() {
        assert_eq!(pause(0, 0), Duration::ZERO);
        assert!(pause(0, u32::MAX) < Duration::from_millis(25) && pause(2, u32::MAX) > Duration::from_millis(99));
        assert!(pause(60, u32::MAX) < Duration::from_secs(2));
    }
}
