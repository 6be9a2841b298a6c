// SPDX-License-Identifier: Apache-2.0
//! The counter against a model that keeps every admission and computes in exact fractions.

use super::*;
use proptest::prelude::*;

fn rate(count: u32, per_ns: u64, burst: Option<u32>) -> Rate {
    Rate {
        count: NonZeroU32::new(count).unwrap(),
        per: Duration::from_nanos(per_ns),
        burst: burst.and_then(NonZeroU32::new),
    }
}

/// A token bucket in exact fractions: its content in units of `1 / per_ns` tokens.
struct Bucket {
    count: u128,
    per_ns: u128,
    capacity: u128,
    content: u128,
    at_ns: u128,
}

impl Bucket {
    fn new(rate: &Rate) -> Self {
        let per_ns = rate.per.as_nanos();
        let capacity = u128::from(rate.burst_or_count().get()) * per_ns;
        Self { count: u128::from(rate.count.get()), per_ns, capacity, content: capacity, at_ns: 0 }
    }

    fn take(&mut self, now_ns: u64) -> bool {
        let now_ns = u128::from(now_ns);
        self.content = self.capacity.min(self.content + (now_ns - self.at_ns) * self.count);
        self.at_ns = now_ns;
        if self.content < self.per_ns {
            return false;
        }
        self.content -= self.per_ns;
        true
    }

    fn available(&self) -> u128 {
        self.content / self.per_ns
    }
}

fn rates() -> impl Strategy<Value = Rate> {
    (1u32..5_000, 1u64..200_000_000_000, prop::option::of(1u32..5_000)).prop_map(|(c, p, b)| rate(c, p, b))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn p8_admits_exactly_what_an_exact_token_bucket_admits(
        rate in rates(),
        steps in prop::collection::vec((0u64..4, 0u64..1_000_000_007), 1..400),
    ) {
        let gcra = Gcra::new(&rate);
        let mut bucket = Bucket::new(&rate);
        let (mut tat, mut now) = (Moment::default(), 0u64);
        for (kind, step) in steps {
            // Bursts at one instant, steps near the interval, and long pauses.
            now += match kind { 0 => 0, 1 => step % 3, 2 => step, _ => step * 50 };
            let expected = bucket.take(now);
            match gcra.judge(tat, now) {
                Judgement::Allow(next) => {
                    prop_assert!(expected, "admitted too much at {now}");
                    tat = next;
                }
                Judgement::Deny => {
                    prop_assert!(!expected, "admitted too little at {now}");
                    let wait = gcra.wait_ns(tat, now);
                    prop_assert!(wait > 0);
                    prop_assert!(matches!(gcra.judge(tat, now + wait), Judgement::Allow(_)), "the wait is too short");
                    prop_assert!(matches!(gcra.judge(tat, now + wait - 1), Judgement::Deny), "the wait is too long");
                }
            }
            prop_assert_eq!(u128::from(gcra.available(tat, now)), bucket.available());
            let full = tat.remaining_ns(now);
            prop_assert!(tat.has_passed(now + full));
            prop_assert_eq!(gcra.available(tat, now + full), rate.burst_or_count().get());
        }
    }

    #[test]
    fn p8_no_interval_sees_more_than_burst_and_rate(
        rate in rates(),
        steps in prop::collection::vec(0u64..60_000_000, 1..200),
    ) {
        let gcra = Gcra::new(&rate);
        let (mut tat, mut now, mut admitted) = (Moment::default(), 0u64, Vec::new());
        for step in steps {
            now += step;
            if let Judgement::Allow(next) = gcra.judge(tat, now) {
                tat = next;
                admitted.push(u128::from(now));
            }
        }
        for (i, from) in admitted.iter().enumerate() {
            for (j, to) in admitted.iter().enumerate().skip(i) {
                let seen = u128::try_from(j - i + 1).unwrap();
                let bound = u128::from(rate.burst_or_count().get()) * rate.per.as_nanos()
                    + (to - from) * u128::from(rate.count.get());
                prop_assert!(seen * rate.per.as_nanos() <= bound);
            }
        }
    }

    #[test]
    fn debt_is_paid_back_and_bounded(rate in rates(), failures in 1u32..200) {
        let gcra = Gcra::new(&rate);
        let mut tat = Moment::default();
        for _ in 0..failures {
            tat = gcra.indebted(tat, 0);
        }
        let burst = u64::from(rate.burst_or_count().get());
        let owed = u64::from(failures).min(2 * burst);
        prop_assert_eq!(u64::from(gcra.available(tat, 0)), burst.saturating_sub(owed));
        let exact = (u128::from(owed) * rate.per.as_nanos()).div_ceil(u128::from(rate.count.get()));
        prop_assert_eq!(u128::from(tat.remaining_ns(0)), exact);
    }
}

#[test]
fn thirds_of_a_nanosecond_do_not_drift() {
    // 3 per 10 ns: the interval is 3⅓ ns; a rounded one would drift away from the exact bucket within a few periods.
    let rate = rate(3, 10, Some(1));
    let gcra = Gcra::new(&rate);
    let (mut tat, mut admitted) = (Moment::default(), 0u32);
    for now in 0..10_000_000u64 {
        if let Judgement::Allow(next) = gcra.judge(tat, now) {
            tat = next;
            admitted += 1;
        }
    }
    let mut exact = Bucket::new(&rate);
    let expected = (0..10_000_000u64).filter(|now| exact.take(*now)).count();
    assert_eq!(usize::try_from(admitted).unwrap(), expected);
}

#[test]
fn what_cannot_be_counted_is_refused_not_admitted() {
    // A period of zero, and bursts beyond what 64 bits of nanoseconds hold, never become "unlimited".
    for (count, per_ns, burst) in [(1, 0, Some(u32::MAX)), (1, u64::MAX, Some(u32::MAX)), (u32::MAX, 0, None)] {
        let gcra = Gcra::new(&rate(count, per_ns, burst));
        let (mut tat, mut admitted) = (Moment::default(), 0u64);
        while let Judgement::Allow(next) = gcra.judge(tat, 7) {
            tat = next;
            admitted += 1;
            if count > 1 && admitted == 1000 {
                break;
            }
        }
        assert!((1..=1000).contains(&admitted), "{admitted}");
        assert!(gcra.available(tat, 7) < u32::MAX);
    }
    let gcra = Gcra::new(&rate(1, 1_000, None));
    assert_eq!(gcra.judge(Moment::at_ns(u64::MAX), 5), Judgement::Deny);
    assert_eq!(gcra.judge(Moment::default(), u64::MAX), Judgement::Deny, "the end of time refuses");
}
