// SPDX-License-Identifier: Apache-2.0
//! What is done when an upstream does not answer, or not fast enough.

use std::time::Duration;

use portcullis_proxy::{CircuitBreaker, Concurrency, HealthCheck, Per, Retry};

use crate::cursor::Cursor;
use crate::read::edge::bounded_duration;
use crate::values::{ValueError, percent};

/// More attempts would only be later answers.
const ATTEMPTS_MAX: u32 = 3;
/// No budget may be larger: retries must not become the load (F31).
const BUDGET_PERCENT_MAX: u32 = 10;
const FAILURES_MAX: u32 = 1_000;
const REQUESTS_MAX: u32 = 1_000_000;
/// An upstream must not be left alone for longer, nor asked less often.
const OPEN_MAX: Duration = Duration::from_mins(10);
const EVERY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(10));
const EVERY_DEFAULT: Duration = Duration::from_secs(5);
/// Most places, and most who wait for one.
const PLACES_MAX: u32 = 1_000_000;
const QUEUE_TIMEOUT_MAX: Duration = Duration::from_secs(10);

pub(super) fn retry(cursor: &Cursor<'_>) -> Retry {
    let defaults = Retry::default();
    let budget = cursor.word("budget").parse(|text| match percent(text)? {
        large if large > BUDGET_PERCENT_MAX => Err(ValueError::TooLarge(format!("{BUDGET_PERCENT_MAX}%"))),
        fits => Ok(fits),
    });
    let attempts = cursor.word("attempts").count(ATTEMPTS_MAX);
    if cursor.word("budget").is_present() && !cursor.word("attempts").is_present() {
        cursor
            .word("budget")
            .refuse("there is a budget and nothing to spend it on")
            .help("write `attempts: 1` beside it");
    }
    Retry { attempts: attempts.unwrap_or(defaults.attempts), budget_percent: budget.unwrap_or(defaults.budget_percent) }
}

pub(super) fn circuit_breaker(cursor: &Cursor<'_>) -> Option<CircuitBreaker> {
    let defaults = CircuitBreaker::default();
    if !cursor.is_map() {
        // There is one word it may be; the table saw to that.
        return cursor.text().is_none().then_some(defaults);
    }
    let per = cursor.word("per").text().map(|per| if per == "target" { Per::Target } else { Per::Operation });
    Some(CircuitBreaker {
        per: per.unwrap_or(defaults.per),
        consecutive_failures: cursor
            .word("consecutive_failures")
            .count(FAILURES_MAX)
            .unwrap_or(defaults.consecutive_failures),
        failure_percent: cursor.word("failure_ratio").parse(percent).unwrap_or(defaults.failure_percent),
        requests_min: cursor.word("min_requests").count(REQUESTS_MAX).unwrap_or(defaults.requests_min),
        open: bounded_duration(&cursor.word("open"), OPEN_MAX).unwrap_or(defaults.open),
    })
}

pub(super) fn concurrency(cursor: &Cursor<'_>) -> Concurrency {
    let defaults = Concurrency::default();
    let places = |word: &str| cursor.word(word).count(PLACES_MAX).and_then(|count| usize::try_from(count).ok());
    let queue = places("queue");
    let queue_timeout = bounded_duration(&cursor.word("queue_timeout"), QUEUE_TIMEOUT_MAX);
    if queue_timeout.is_some() && queue.is_none() {
        cursor
            .word("queue_timeout")
            .refuse("there is no queue to wait in")
            .help("write `queue: N` beside it: how many may wait");
    }
    Concurrency {
        max: places("max").unwrap_or(defaults.max),
        queue: queue.unwrap_or(defaults.queue),
        queue_timeout: queue_timeout.unwrap_or(defaults.queue_timeout),
        adaptive: cursor.word("adaptive").flag().unwrap_or(defaults.adaptive),
    }
}

pub(super) fn health(cursor: &Cursor<'_>) -> Option<HealthCheck> {
    let every = cursor.word("every");
    let every = bounded_duration(&every, EVERY.1)
        .filter(|read| {
            let often = *read < EVERY.0;
            if often {
                every.refuse("an upstream is asked more often than once a second").help("write `every: 5s`");
            }
            !often
        })
        .unwrap_or(EVERY_DEFAULT);
    let path = cursor.word("path");
    let is_path =
        |text: &str| text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    let path = path.parse(|text| if is_path(text) { Ok(text) } else { Err("a path such as `/healthz`") })?;
    Some(HealthCheck { path: path.into(), every })
}
