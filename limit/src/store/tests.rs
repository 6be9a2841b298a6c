// SPDX-License-Identifier: Apache-2.0
//! Exact under threads, all or nothing, bounded, and never unlimited.

use super::*;
use crate::key::{KeyBuilder, KeySeed, Tag};
use crate::rate::Rate;
use proptest::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

const SECOND_NS: u64 = 1_000_000_000;

fn gcra(text: &str) -> Gcra {
    Gcra::new(&text.parse::<Rate>().unwrap())
}

fn key(seed: &KeySeed, policy: u32, n: u64) -> Key {
    let mut builder = KeyBuilder::new();
    builder.policy(policy);
    builder.part(Tag::Subject, &n.to_be_bytes());
    builder.finish(seed)
}

fn charge(gcra: &Gcra, policy: u32, key: Key) -> Charge<'_> {
    Charge { gcra, policy, key, class: Class::Open }
}

#[test]
fn t120_64_threads_get_exactly_the_limit() {
    let (plan, operation) = (gcra("30000/h"), gcra("20000/h"));
    let counters = Counters::new(1000);
    let seed = KeySeed::random();
    let admitted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..64u64 {
            let (counters, seed, admitted, plan, operation) = (&counters, &seed, &admitted, &plan, &operation);
            scope.spawn(move || {
                // Half of the threads name the policies in the other order: no deadlock, same count.
                let mut charges = [charge(plan, 1, key(seed, 1, 7)), charge(operation, 2, key(seed, 2, 7))];
                if thread % 2 == 0 {
                    charges.reverse();
                }
                for _ in 0..1_000 {
                    if counters.admit(&charges, SECOND_NS).0 == Step::Admitted {
                        admitted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(admitted.load(Ordering::Relaxed), 20_000);
    // The plan was charged for what was admitted and for nothing that the operation's limit refused.
    assert_eq!(counters.peek(&charge(&plan, 1, key(&seed, 1, 7)), SECOND_NS).available, 10_000);
}

proptest! {
    #[test]
    fn p8_a_step_charges_all_of_its_policies_or_none(
        steps in prop::collection::vec((0u64..5, 0u64..3, 0u64..3, 0u64..400_000_000), 1..200),
    ) {
        let policies = [gcra("10/s"), gcra("20/s burst 3"), gcra("3/7s")];
        let counters = Counters::new(10_000);
        let seed = KeySeed::random();
        let mut model: HashMap<(usize, u64), Moment> = HashMap::new();
        let mut now = 1;
        for (kind, a, b, pause) in steps {
            now += if kind == 0 { pause } else { 0 };
            let named = [(0usize, a), (1, b), (2, a)];
            let charges: Vec<_> = named
                .iter()
                .map(|(p, n)| charge(&policies[*p], u32::try_from(*p).unwrap(), key(&seed, u32::try_from(*p).unwrap(), *n)))
                .collect();
            let judged: Vec<_> = named
                .iter()
                .map(|at| policies[at.0].judge(model.get(at).copied().unwrap_or_default(), now))
                .collect();
            let (step, readings) = counters.admit(&charges, now);
            if judged.contains(&Judgement::Deny) {
                prop_assert_eq!(step, Step::Refused);
            } else {
                prop_assert_eq!(step, Step::Admitted);
                for (at, judgement) in named.iter().zip(&judged) {
                    if let Judgement::Allow(next) = judgement {
                        model.insert(*at, *next);
                    }
                }
            }
            for ((at, reading), judgement) in named.iter().zip(&readings).zip(&judged) {
                let tat = model.get(at).copied().unwrap_or_default();
                prop_assert_eq!(reading.available, policies[at.0].available(tat, now));
                prop_assert_eq!(reading.admits, *judgement != Judgement::Deny);
            }
        }
    }
}

#[test]
fn t64_a_million_random_keys_stay_bounded_and_are_limited_together() {
    let limit = gcra("5/h");
    let counters = Counters::new(10_000);
    let seed = KeySeed::random();
    let bound = 10_000usize.div_ceil(SHARDS) * SHARDS;
    let victim = charge(&limit, 1, key(&seed, 1, u64::MAX));
    assert_eq!(counters.admit(&[victim], 1).0, Step::Admitted);
    let mut admitted = 0usize;
    for n in 0..1_000_000 {
        if counters.admit(&[charge(&limit, 1, key(&seed, 1, n))], 1).0 == Step::Admitted {
            admitted += 1;
        }
    }
    assert!(counters.len() <= bound);
    // One each for the counters there is room for, and the five of the one shared counter.
    assert!(admitted <= bound + 5, "{admitted}");
    assert!(admitted >= bound / 2);
    // Who had a counter keeps it, and its count.
    assert_eq!(counters.peek(&victim, 1).available, 4);
    // When the flood has passed, newcomers have counters of their own again, and the map shrinks.
    let later = 3_700 * SECOND_NS;
    for n in 2_000_000..2_000_100 {
        for _ in 0..5 {
            assert_eq!(counters.admit(&[charge(&limit, 1, key(&seed, 1, n))], later).0, Step::Admitted);
        }
        assert_eq!(counters.admit(&[charge(&limit, 1, key(&seed, 1, n))], later).0, Step::Refused);
    }
}

#[test]
fn t64_a_flood_of_open_keys_does_not_touch_those_of_identities() {
    let limit = gcra("5/h");
    let counters = Counters::new(64);
    let seed = KeySeed::random();
    for n in 0..10_000 {
        counters.admit(&[charge(&limit, 1, key(&seed, 1, n))], 1);
    }
    let known = Charge { class: Class::Known, ..charge(&limit, 2, key(&seed, 2, 1)) };
    for _ in 0..5 {
        assert_eq!(counters.admit(&[known], 1).0, Step::Admitted);
    }
    assert_eq!(counters.admit(&[known], 1).0, Step::Refused);
}

#[test]
fn counters_that_are_full_again_are_dropped() {
    let limit = gcra("1/s");
    let counters = Counters::new(100_000);
    let seed = KeySeed::random();
    for n in 0..50_000u64 {
        assert_eq!(counters.admit(&[charge(&limit, 1, key(&seed, 1, n))], n * 10_000_000).0, Step::Admitted);
    }
    // A hundred keys a second, each of use for one second.
    assert!(counters.len() < 2_000, "{}", counters.len());
}

#[test]
fn what_happened_anyway_is_counted_beyond_the_limit() {
    let limit = gcra("3/min");
    let counters = Counters::new(10);
    let failure = charge(&limit, 1, key(&KeySeed::random(), 1, 1));
    for _ in 0..4 {
        counters.charge_anyway(&failure, 0);
    }
    let reading = counters.peek(&failure, 0);
    assert_eq!((reading.admits, reading.available, reading.wait_ns), (false, 0, 40 * SECOND_NS));
    assert!(counters.peek(&failure, 40 * SECOND_NS).admits);
}
