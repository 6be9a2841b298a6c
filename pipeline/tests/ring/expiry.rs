// SPDX-License-Identifier: Apache-2.0
//! Access ends with the token: an answer that is under way when its caller's token ends breaks off (T128).

use crate::gate::Stand;
use crate::gate::body::{Step, Steps, data};
use crate::gate::client::read;
use crate::gate::origin::Does;
use http_body::Body;
use serde_json::json;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A token of the tests lives so long, and the leeway beside it.
const LIFETIME: Duration = Duration::from_secs(600 + 30);

fn endless(stand: &Stand) {
    stand.origin.does(|_| {
        let answer = http::Response::builder().header("content-type", "application/octet-stream");
        Does::Answer(answer.body(Steps::stream([data("first"), Step::Stall])).unwrap())
    });
}

#[tokio::test]
async fn t128_an_open_stream_ends_with_the_token_and_its_record_says_so() {
    let stand = Stand::new();
    endless(&stand);
    let mut answer = stand.call("GET", "/exports").user("alice").start().await;
    let mut cx = Context::from_waker(Waker::noop());
    let mut body = pin!(answer.body_mut());
    assert!(matches!(body.as_mut().poll_frame(&mut cx), Poll::Ready(Some(Ok(_)))));
    assert_eq!(body.time_left(), Some(LIFETIME));
    stand.clock.advance(LIFETIME.saturating_sub(Duration::from_millis(1)));
    assert!(body.as_mut().poll_frame(&mut cx).is_pending(), "not a moment early, and the leeway counts");
    stand.clock.advance(Duration::from_millis(1));
    assert_eq!(body.time_left(), Some(Duration::ZERO));
    let reply = read(answer).await;
    assert!(reply.fault.is_some() && reply.body.is_empty(), "it never looks whole: {reply:?}");
    let records = stand.final_records();
    assert_eq!(records.len(), 1, "{records:#?}");
    let record = &records[0];
    assert_eq!((&record["decision"], &record["reason"]), (&json!("aborted"), &json!("identity.expired")));
    assert_eq!((&record["status"], &record["who"]["subject"]), (&json!(200), &json!("alice")));
}

#[tokio::test]
async fn t128_whoever_needs_no_token_is_not_timed() {
    let stand = Stand::new();
    endless(&stand);
    let mut answer = stand.call("GET", "/status").start().await;
    assert_eq!(answer.body().time_left(), None);
    stand.clock.advance(LIFETIME * 100);
    let mut cx = Context::from_waker(Waker::noop());
    let _ = Pin::new(answer.body_mut()).poll_frame(&mut cx);
}
