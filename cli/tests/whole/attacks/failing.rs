// SPDX-License-Identifier: Apache-2.0
//! An upstream that fails again and again, at the running binary.

use super::Stand;
use super::origin::{self, JSON, NOTE, answer};
use crate::client::Request;
use portcullis_decision::{Clock, SystemClock};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn f26_a_failing_operation_is_refused_at_once_with_a_time_and_a_record_and_comes_back() {
    let fails = Arc::new(AtomicBool::new(true));
    let failing = Arc::clone(&fails);
    let respond = move |seen: &origin::Seen| {
        let broken = failing.load(Ordering::SeqCst) && seen.target.starts_with("/notes/");
        if broken { answer("503 Service Unavailable", JSON, NOTE) } else { origin::notes(seen) }
    };
    let stand = Stand::with_upstream(respond, "circuit_breaker: { consecutive_failures: 3, open: 1s }");
    let read = || stand.send(Request::get("/v1/notes/1"));
    for _ in 0..3 {
        assert_eq!(read().status, 502);
    }
    let asked = stand.origin.count();
    let clock = SystemClock::new();
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let began = clock.monotonic();
        let refused = read();
        slowest = slowest.max(clock.monotonic().saturating_sub(began));
        assert_eq!(refused.status, 503);
        assert!((1..=2).contains(&refused.header("retry-after").unwrap().parse::<u64>().unwrap()));
    }
    assert_eq!(stand.origin.count(), asked, "the upstream was not asked");
    let recorded = stand.records().iter().filter(|record| record["reason"] == "upstream.breaker_open").count();
    assert_eq!(recorded, 20);
    assert!(slowest < Duration::from_millis(100), "{slowest:?}");
    assert_eq!(stand.send(Request::get("/v1/exports/2026-11.csv")).status, 200, "other operations go on");
    fails.store(false, Ordering::SeqCst);
    let well = (0..40).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        read().status == 200
    });
    assert!(well, "one tries, and it is well again");
}
