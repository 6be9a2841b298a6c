// SPDX-License-Identifier: Apache-2.0
//! Each transition, with times given.

use super::*;
use proptest::prelude::*;

const RULES: CircuitBreaker = CircuitBreaker {
    per: Per::Operation,
    consecutive_failures: 3,
    failure_percent: 50,
    requests_min: 10,
    open: Duration::from_secs(10),
};
const WHOLE: usize = 100;

fn tripped(now_ms: u64) -> Circuit {
    let circuit = Circuit::default();
    for _ in 0..3 {
        circuit.fail(circuit.enter(now_ms, WHOLE).unwrap(), &RULES, now_ms, 0);
    }
    circuit
}

#[test]
fn f26_opens_after_failures_in_a_row_and_a_success_between_them_counts() {
    let circuit = Circuit::default();
    for outcome in [false, false, true, false, false] {
        let entry = circuit.enter(0, WHOLE).unwrap();
        if outcome {
            circuit.succeed(entry, 0);
        } else {
            assert!(!circuit.fail(entry, &RULES, 0, 0));
        }
    }
    assert!(circuit.is_closed());
    assert!(circuit.fail(Entry::Free, &RULES, 0, 0), "told once");
    assert!(!circuit.fail(Entry::Free, &RULES, 0, 0));
    assert_eq!(circuit.enter(1, WHOLE), Err(Closed::ForMs(9_999)));
}

#[test]
fn f26_opens_at_a_share_of_failures_once_there_are_enough() {
    let circuit = Circuit::default();
    for _ in 0..5 {
        circuit.succeed(Entry::Free, 0);
    }
    for n in 0..5 {
        assert!(circuit.is_closed(), "{n}");
        circuit.fail(Entry::Free, &RULES, 0, 0);
        if n < 4 {
            circuit.consecutive.store(0, Ordering::Relaxed);
        }
    }
    assert!(!circuit.is_closed());
}

#[test]
fn f26_exactly_one_request_tries_and_success_begins_a_slow_start() {
    let circuit = tripped(0);
    assert_eq!(circuit.enter(10_000, WHOLE), Ok(Entry::Try));
    for _ in 0..10 {
        assert_eq!(circuit.enter(10_001, WHOLE), Err(Closed::ForMs(1_000)));
    }
    circuit.succeed(Entry::Try, 10_100);
    assert_eq!(circuit.standing(10_100), Standing::Percent(10));
}

#[test]
fn f26_a_failed_try_leaves_it_alone_for_longer() {
    let circuit = tripped(0);
    let mut now = 0;
    let mut waits = Vec::new();
    for _ in 0..6 {
        let Err(Closed::ForMs(wait)) = circuit.enter(now, WHOLE) else { panic!("open") };
        waits.push(wait);
        now += wait;
        assert_eq!(circuit.enter(now, WHOLE), Ok(Entry::Try));
        circuit.fail(Entry::Try, &RULES, now, u32::MAX);
    }
    assert_eq!(waits[0], 10_000, "no spread with a random zero");
    assert!(waits[1] > 24_000 && waits[2] > 49_000 && waits[3] > 99_000, "{waits:?}");
    assert!(waits[4] < 101_000 && waits[5] < 101_000, "bounded: {waits:?}");
}

#[test]
fn f26_a_try_that_says_nothing_lets_the_next_one_try() {
    let circuit = tripped(0);
    assert_eq!(circuit.enter(10_000, WHOLE), Ok(Entry::Try));
    circuit.give_up(Entry::Try, 10_050);
    assert_eq!(circuit.enter(10_050, WHOLE), Ok(Entry::Try));
    // Not even its end is heard of.
    assert_eq!(circuit.enter(10_060, WHOLE), Err(Closed::ForMs(1_000)));
    assert_eq!(circuit.enter(10_050 + TRY_MS_MAX, WHOLE), Ok(Entry::Try));
}

#[test]
fn f32_a_slow_start_grows_from_a_tenth_to_all_in_ten_seconds() {
    let circuit = Circuit::default();
    circuit.recover(0);
    let places = |now_ms| {
        let mut taken = 0;
        while circuit.enter(now_ms, WHOLE) == Ok(Entry::Counted) {
            taken += 1;
        }
        for _ in 0..taken {
            circuit.leave(Entry::Counted);
        }
        taken
    };
    assert_eq!((places(0), places(1_000), places(5_000), places(9_999)), (10, 19, 55, 99));
    assert_eq!(circuit.enter(10_000, WHOLE), Ok(Entry::Free));
    assert!(circuit.is_closed());
}

#[test]
fn f32_failing_in_a_slow_start_opens_again() {
    let circuit = Circuit::default();
    circuit.recover(0);
    for _ in 0..3 {
        let entry = circuit.enter(100, WHOLE).unwrap();
        circuit.fail(entry, &RULES, 100, 0);
        circuit.leave(entry);
    }
    assert_eq!(circuit.standing(100), Standing::Out { for_ms: 10_000 });
}

proptest! {
    #[test]
    fn f26_waits_stay_inside_their_bounds(trips in 0_u32..9, random: u32, open_s in 1_u64..600) {
        let rules = CircuitBreaker { open: Duration::from_secs(open_s), ..RULES };
        let circuit = Circuit::default();
        circuit.trips.store(trips, Ordering::Relaxed);
        circuit.open(&rules, 1_000, random);
        let Standing::Out { for_ms } = circuit.standing(1_000) else { panic!("open") };
        prop_assert!(for_ms >= open_s * 1_000 && for_ms <= open_s * 10_000, "{for_ms}");
    }

    #[test]
    fn f26_never_two_tries_at_once(steps in proptest::collection::vec((0_u8..4, 0_u64..4_000), 1..200)) {
        let circuit = tripped(0);
        let (mut now, mut trying) = (0, None::<u64>);
        for (step, wait) in steps {
            now += wait;
            match (step, trying) {
                (0 | 1, _) => {
                    let tries = circuit.enter(now, WHOLE) == Ok(Entry::Try);
                    // Within the time a try may take; beyond it the next one may.
                    prop_assert!(!tries || trying.is_none_or(|since| now - since >= TRY_MS_MAX));
                    if tries { trying = Some(now); }
                }
                (2, Some(_)) => { circuit.fail(Entry::Try, &RULES, now, 7); trying = None; }
                (3, Some(_)) => { circuit.give_up(Entry::Try, now); trying = None; }
                _ => {}
            }
        }
    }
}
