// SPDX-License-Identifier: Apache-2.0
//! Choices among targets in every state.

use super::*;
use crate::upstream::addresses::SystemResolver;
use crate::upstream::circuit_breaker::CircuitBreaker;
use crate::upstream::target::Target;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

fn endpoints(count: u16) -> Vec<Endpoint> {
    let target = |n: u16| Target::parse(&format!("http://127.0.0.1:{}", 9_000 + n)).unwrap();
    (0..count).map(|n| Endpoint::new(target(n), 1, NonZeroUsize::MIN, Arc::new(SystemResolver))).collect()
}

/// Random numbers that any run repeats.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

fn choice(now_ms: u64, random: u64) -> Choice {
    Choice { now_ms, per: Some(Per::Operation), whole: 1_000_000, tried: Tried::default(), random }
}

/// How many of `rounds` requests each target gets when nothing is under way.
fn shares(endpoints: &[Endpoint], now_ms: u64, rounds: usize) -> Vec<usize> {
    let (mut dice, mut shares) = (Dice(42), vec![0; endpoints.len()]);
    for _ in 0..rounds {
        shares[choose(endpoints, choice(now_ms, dice.roll())).unwrap().0] += 1;
    }
    shares
}

fn put_out(endpoint: &Endpoint, now_ms: u64) {
    for _ in 0..5 {
        endpoint.circuit.fail(Entry::Free, &CircuitBreaker::default(), now_ms, 0);
    }
}

#[test]
fn equal_targets_get_equal_shares() {
    for share in shares(&endpoints(4), 0, 10_000) {
        assert!((2_200..2_800).contains(&share), "{share}");
    }
}

#[test]
fn the_one_with_less_to_do_is_taken() {
    let endpoints = endpoints(2);
    endpoints[0].measured(Duration::from_millis(10), 0);
    endpoints[1].measured(Duration::from_millis(30), 0);
    assert_eq!(shares(&endpoints, 0, 1_000), [1_000, 0]);
    (0..4).for_each(|_| endpoints[0].begin());
    assert_eq!(shares(&endpoints, 0, 1_000), [0, 1_000]);
}

#[test]
fn who_was_slow_once_is_asked_again() {
    let endpoints = endpoints(2);
    endpoints[1].measured(Duration::from_millis(30), 0);
    let mut asked = Vec::new();
    for now_s in 1..=10 {
        endpoints[0].measured(Duration::from_millis(1), now_s * 1_000);
        asked.push(shares(&endpoints, now_s * 1_000, 100)[1] > 0);
    }
    assert!(!asked[0] && asked[9], "{asked:?}");
}

#[test]
fn f26_a_target_that_fails_is_left_alone_until_one_request_tries_it() {
    let endpoints = endpoints(3);
    put_out(&endpoints[1], 0);
    let before = shares(&endpoints, 9_000, 1_000);
    assert_eq!(before[1], 0);
    assert_eq!(choose(&endpoints, choice(10_000, 7)), Ok((1, Entry::Try)));
    assert_eq!(shares(&endpoints, 10_001, 1_000)[1], 0, "one tries");
    endpoints[1].circuit.succeed(Entry::Try, 10_002);
    assert!(shares(&endpoints, 10_003, 1_000)[1] > 0);
}

#[test]
fn f32_a_target_that_came_back_gets_a_tenth_and_then_more() {
    let endpoints = endpoints(2);
    endpoints[0].circuit.recover(0);
    let share = |now_ms| shares(&endpoints, now_ms, 10_000)[0];
    let (first, middle, last) = (share(0), share(5_000), share(10_000));
    assert!((350..700).contains(&first), "a tenth of its half: {first}");
    assert!((2_400..3_100).contains(&middle), "{middle}");
    assert!((4_600..5_400).contains(&last), "{last}");
}

#[test]
fn f26_failures_never_put_out_more_than_half_unless_asked_to() {
    let endpoints = endpoints(3);
    put_out(&endpoints[0], 0);
    put_out(&endpoints[1], 0);
    let shares = shares(&endpoints, 1, 3_000);
    assert!(shares.iter().all(|share| *share > 500), "{shares:?}");
    put_out(&endpoints[2], 0);
    let per_target = Choice { per: Some(Per::Target), ..choice(1, 7) };
    assert_eq!(choose(&endpoints, per_target), Err(Closed::ForMs(9_999)));
    assert!(choose(&endpoints, choice(1, 7)).is_ok());
}

#[test]
fn f31_another_target_is_tried_first() {
    let endpoints = endpoints(3);
    let mut dice = Dice(1);
    for _ in 0..100 {
        let tried = Tried::default().with(0).with(2);
        assert_eq!(choose(&endpoints, Choice { tried, ..choice(0, dice.roll()) }), Ok((1, Entry::Free)));
        let all = tried.with(1);
        assert!(choose(&endpoints, Choice { tried: all, ..choice(0, dice.roll()) }).is_ok());
    }
}

#[test]
fn nobody_is_chosen_of_none() {
    assert!(choose(&[], choice(0, 1)).is_err());
}
