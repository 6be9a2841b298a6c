// SPDX-License-Identifier: Apache-2.0
//! The fields, read back by a structured-fields parser of somebody else.

use super::*;
use crate::rate::Rate;
use crate::rate::gcra::{Gcra, Judgement, Moment};
use proptest::prelude::*;
use sfv::{BareItem, List, ListEntry, Parser};
use std::collections::BTreeMap;

/// Name and integer parameters of each item, in order.
fn read(value: &str) -> Vec<(String, BTreeMap<String, i64>)> {
    let list: List = Parser::new(value).parse().unwrap();
    let item = |entry| match entry {
        ListEntry::Item(item) => item,
        ListEntry::InnerList(_) => panic!("an inner list"),
    };
    list.into_iter()
        .map(item)
        .map(|item| {
            let BareItem::String(name) = item.bare_item else { panic!("no string") };
            let integers = item.params.iter().filter_map(|(key, value)| match value {
                BareItem::Integer(n) => Some((key.as_str().to_owned(), i64::from(*n))),
                BareItem::String(_) => None,
                _ => panic!("neither integer nor string"),
            });
            (name.as_str().to_owned(), integers.collect())
        })
        .collect()
}

/// The fields after `used` requests at one instant, the last of them refused or not.
fn fields_after(name: &str, rate: &Rate, used: u32) -> RateFields {
    let (gcra, mut tat, mut admits) = (Gcra::new(rate), Moment::default(), true);
    for _ in 0..used {
        match gcra.judge(tat, 0) {
            Judgement::Allow(next) => tat = next,
            Judgement::Deny => admits = false,
        }
    }
    let reading = Reading {
        admits,
        available: gcra.available(tat, 0),
        wait_ns: gcra.wait_ns(tat, 0),
        full_in_ns: tat.remaining_ns(0),
    };
    let mut fields = RateFields::default();
    fields.push_rate(&Arc::new(PolicyText::of_rate(name, rate)), &reading);
    fields
}

fn applied(fields: &RateFields) -> (String, String) {
    let mut headers = HeaderMap::new();
    fields.apply(&mut headers);
    let text = |name| headers.get::<&HeaderName>(name).unwrap().to_str().unwrap().to_owned();
    (text(&RATELIMIT_POLICY), text(&RATELIMIT))
}

#[test]
fn rl_01_both_fields_are_lists_of_strings() {
    let (policy, state) = applied(&fields_after("pro", &"600/min".parse().unwrap(), 188));
    assert_eq!((policy.as_str(), state.as_str()), (r#""pro";q=600;w=60"#, r#""pro";r=412;t=42"#));
    let (policy, state) = applied(&fields_after("free", &"60/min burst 20".parse().unwrap(), 1));
    assert_eq!(policy, r#""free";q=60;w=60, "free-burst";q=20;w=20"#);
    assert_eq!(state, r#""free";r=19;t=19, "free-burst";r=19;t=19"#);
}

#[test]
fn rl_03_the_policy_that_refused_shows_nothing_left_and_when_there_will_be() {
    let (_, state) = applied(&fields_after("free", &"60/h burst 2".parse().unwrap(), 3));
    assert_eq!(state, r#""free";r=0;t=60, "free-burst";r=0;t=60"#);
}

#[test]
fn rl_08_ten_thousand_in_a_thousand_seconds_never_shows_ten_thousand_in_ten() {
    let rate: Rate = "10000/1000s".parse().unwrap();
    let (_, state) = applied(&fields_after("bulk", &rate, 1));
    assert_eq!(state, r#""bulk";r=9999;t=1000"#);
}

#[test]
fn rl_05_plan_and_operation_are_one_list() {
    let mut fields = fields_after("pro", &"600/min".parse().unwrap(), 1);
    fields.merge(fields_after("createOrder", &"5/min".parse().unwrap(), 1));
    let (policy, state) = applied(&fields);
    assert_eq!(policy, r#""pro";q=600;w=60, "createOrder";q=5;w=60"#);
    assert_eq!(state, r#""pro";r=599;t=60, "createOrder";r=4;t=48"#);
    let mut headers = HeaderMap::new();
    RateFields::default().apply(&mut headers);
    assert!(headers.is_empty());
}

#[test]
fn rl_09_fields_of_the_origin_stay_beside_ours() {
    let fields = fields_after("pro", &"600/min burst 9".parse().unwrap(), 1);
    let apply = |policy: &'static str, state: &'static str| {
        let mut headers = HeaderMap::new();
        headers.append(RATELIMIT_POLICY, HeaderValue::from_static(policy));
        headers.append(RATELIMIT, HeaderValue::from_static(state));
        fields.apply(&mut headers);
        assert_eq!(headers.get_all(RATELIMIT).iter().count(), 1);
        let names = |name: &HeaderName| -> Vec<String> {
            read(headers.get(name).unwrap().to_str().unwrap()).into_iter().map(|item| item.0).collect()
        };
        (names(&RATELIMIT_POLICY), names(&RATELIMIT))
    };
    let (policy, state) = apply(r#""db";q=5;w=1, "pro";q=1;w=1"#, r#""pro";r=0;t=9, "pro-burst";r=1;t=1"#);
    assert_eq!(policy, ["pro", "pro-burst", "db", "upstream-pro"]);
    assert_eq!(state, ["pro", "pro-burst", "upstream-pro", "upstream-pro-burst"]);
    // What would make the whole field unreadable is removed.
    for junk in ["limit=100, remaining=5", "100", "\"a", "(\"a\" \"b\")"] {
        assert_eq!(apply(junk, junk).1, ["pro", "pro-burst"], "{junk}");
    }
}

#[test]
fn rl_02_concurrency_is_a_policy_of_its_own_unit() {
    let mut fields = RateFields::default();
    fields.push_concurrency(&Arc::new(PolicyText::of_concurrency("pro", 5)));
    let (policy, state) = applied(&fields);
    assert_eq!(policy, r#""pro-concurrency";q=5;qu="concurrent-requests""#);
    assert_eq!(state, r#""pro-concurrency";r=0"#);
    assert_eq!(read(&policy)[0].1["q"], 5);
}

proptest! {
    #[test]
    fn rl_01_rl_08_whatever_the_rate_the_fields_parse_and_promise_no_more_than_the_rate(
        name in "\\PC{1,20}",
        count in 1u32..100_000,
        per_ms in 1u64..100_000_000,
        burst in prop::option::of(1u32..1000),
        used in 0u32..300,
    ) {
        let rate = Rate {
            count: count.try_into().unwrap(),
            per: std::time::Duration::from_millis(per_ms),
            burst: burst.and_then(std::num::NonZeroU32::new),
        };
        let (policy, state) = applied(&fields_after(&name, &rate, used));
        let (policy, state) = (read(&policy), read(&state));
        prop_assert_eq!(policy.len(), state.len());
        for ((policy_name, p), (state_name, s)) in policy.iter().zip(&state) {
            prop_assert_eq!(policy_name, state_name);
            prop_assert!(p["q"] >= 1 && p["w"] >= 1 && s["r"] >= 0 && s["t"] >= 1);
            prop_assert!(s["r"] <= p["q"]);
        }
        // r/t is at most the sustained rate, but for the one request that is always worth telling of.
        let (p, s) = (&policy[0].1, &state[0].1);
        prop_assert!(i128::from(s["r"]) * i128::from(p["w"]) <= i128::from(s["t"]) * i128::from(p["q"]));
    }

    #[test]
    fn rl_07_retry_after_is_never_early_and_never_much_later(t_s in 0u64..100_000, subject: [u8; 8]) {
        let retry_s = retry_after(t_s, &subject);
        prop_assert!(retry_s >= t_s.max(1));
        prop_assert!(retry_s <= t_s.max(1) + (t_s / 4).clamp(1, 10));
        prop_assert_eq!(retry_s, retry_after(t_s, &subject), "the same caller is told the same");
    }
}

#[test]
fn rl_08_callers_refused_together_do_not_come_back_together() {
    let mut at = BTreeMap::<u64, u32>::new();
    for n in 0..1_100u32 {
        *at.entry(retry_after(60, &n.to_be_bytes())).or_default() += 1;
    }
    assert_eq!(at.len(), 11);
    assert!(at.values().all(|n| *n < 200));
}
