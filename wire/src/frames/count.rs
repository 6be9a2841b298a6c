// SPDX-License-Identifier: Apache-2.0
//! Counting over time: events of the last ten seconds, and a bucket that refills.

/// Seconds a [`Recent`] looks back.
const WINDOW_SECONDS: u64 = 10;
const MILLIS: u64 = 1_000;

/// How often something happened in the last ten seconds, in steps of one second.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recent {
    counts: [u16; 10],
    second: u64,
}

impl Recent {
    /// Counts one more and answers how many there were.
    pub(crate) fn add(&mut self, now_ms: u64) -> u32 {
        self.forget(now_ms);
        if let Some(count) = self.counts.get_mut(place(self.second)) {
            *count = count.saturating_add(1);
        }
        self.sum()
    }

    /// How many there were.
    pub(crate) fn count(&mut self, now_ms: u64) -> u32 {
        self.forget(now_ms);
        self.sum()
    }

    fn sum(&self) -> u32 {
        self.counts.iter().map(|count| u32::from(*count)).sum()
    }

    fn forget(&mut self, now_ms: u64) {
        let now = now_ms / MILLIS;
        // A clock that goes back forgets nothing.
        let gone = now.saturating_sub(self.second).min(WINDOW_SECONDS);
        for step in 1..=gone {
            if let Some(count) = self.counts.get_mut(place(self.second.saturating_add(step))) {
                *count = 0;
            }
        }
        self.second = self.second.max(now);
    }
}

fn place(second: u64) -> usize {
    usize::try_from(second % WINDOW_SECONDS).unwrap_or(0)
}

/// A bucket that refills with time up to its burst, and beyond it only by what was earned.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    /// In thousandths, so that a millisecond refills `rate` of them.
    milli: u64,
    rate: u64,
    burst: u64,
    earned_max: u64,
    at_ms: u64,
}

impl Bucket {
    /// Full; `rate` a second.
    pub(crate) fn new(rate: u32, burst: u32, earned_max: u32) -> Self {
        let burst = u64::from(burst).saturating_mul(MILLIS);
        let earned_max = u64::from(earned_max).saturating_mul(MILLIS);
        Self { milli: burst, rate: u64::from(rate), burst, earned_max, at_ms: 0 }
    }

    /// Takes one; `false`: there is none.
    pub(crate) fn take(&mut self, now_ms: u64) -> bool {
        let refill = now_ms.saturating_sub(self.at_ms).saturating_mul(self.rate);
        self.at_ms = self.at_ms.max(now_ms);
        self.milli = self.milli.max(self.milli.saturating_add(refill).min(self.burst));
        match self.milli.checked_sub(MILLIS) {
            Some(left) => {
                self.milli = left;
                true
            }
            None => false,
        }
    }

    /// Puts `count` in.
    pub(crate) fn earn(&mut self, count: u32) {
        let earned = u64::from(count).saturating_mul(MILLIS);
        self.milli = self.milli.max(self.milli.saturating_add(earned).min(self.earned_max));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_is_the_last_ten_seconds() {
        let mut recent = Recent::default();
        for second in 0..10 {
            recent.add(second * 1_000);
        }
        assert_eq!(recent.count(9_999), 10);
        assert_eq!(recent.count(10_000), 9);
        assert_eq!(recent.count(18_000), 1);
        assert_eq!(recent.add(1_000_000), 1);
        assert_eq!(recent.count(0), 1, "a clock that goes back forgets nothing");
    }

    #[test]
    fn a_bucket_refills_to_its_burst_and_is_filled_further_by_what_was_earned() {
        let mut bucket = Bucket::new(10, 3, 5);
        let taken = |bucket: &mut Bucket, now_ms| std::iter::from_fn(|| bucket.take(now_ms).then_some(())).count();
        assert_eq!(taken(&mut bucket, 0), 3);
        assert_eq!(taken(&mut bucket, 100), 1);
        assert_eq!(taken(&mut bucket, 99_999), 3);
        bucket.earn(9);
        assert_eq!(taken(&mut bucket, 99_999), 5);
    }
}
