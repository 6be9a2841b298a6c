// SPDX-License-Identifier: Apache-2.0
//! No answer completes before its record has left the process, and none leaves without one.

use crate::gate::Stand;
use crate::gate::body::{Step, Steps, data};
use crate::gate::origin::{Does, bare, json_answer};
use http::Response;
use http_body::Body;
use portcullis_pipeline::{AnswerBody, BodyFault};
use serde_json::json;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

fn streamed(steps: impl IntoIterator<Item = Step>) -> Response<Steps> {
    let answer = Response::builder().header("content-type", "application/octet-stream");
    answer.body(Steps::stream(steps)).unwrap()
}

type Polled = Poll<Option<Result<Vec<u8>, BodyFault>>>;

fn poll(body: &mut AnswerBody<Steps>) -> Polled {
    let mut context = Context::from_waker(Waker::noop());
    let polled = Pin::new(body).poll_frame(&mut context);
    polled.map(|frame| frame.map(|frame| frame.map(|frame| frame.into_data().unwrap().to_vec())))
}

#[tokio::test]
async fn the_last_frame_waits_for_the_record() {
    let mut stand = Stand::new();
    // A core whose relay stands still: its records are not written until it moves.
    let (lane, relay) = stand.gate.lane();
    stand.lane = lane;
    let mut relay = pin!(relay);
    assert!(relay.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    stand.origin.does(|_| Does::Answer(streamed([data("first"), data("last")])));
    let mut answer = stand.call("GET", "/exports").user("alice").start().await;
    let body = answer.body_mut();
    assert_eq!(poll(body), Poll::Ready(Some(Ok(b"first".to_vec()))));
    for _ in 0..10 {
        assert_eq!(poll(body), Poll::Pending);
        assert!(!body.is_end_stream());
    }
    assert!(stand.records().is_empty());
    let moving = poll_fn(|cx| relay.as_mut().poll(cx));
    let reading = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx));
    let frame = tokio::select! {
        () = moving => panic!("the relay ended"),
        frame = reading => frame,
    };
    assert_eq!(&frame.unwrap().unwrap().into_data().unwrap()[..], b"last");
    assert_eq!(stand.records().len(), 1);
    assert_eq!(poll(body), Poll::Ready(None));
    assert!(body.is_end_stream());
}

#[tokio::test]
async fn the_head_of_a_judged_answer_waits_for_the_record() {
    let mut stand = Stand::new();
    let (lane, relay) = stand.gate.lane();
    stand.lane = lane;
    let mut relay = pin!(relay);
    assert!(relay.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    for path in ["/orders/a-1", "/nothing"] {
        let mut answer = pin!(stand.call("GET", path).user("alice").start());
        for _ in 0..10 {
            assert!(answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending(), "{path}");
        }
        let moving = poll_fn(|cx| relay.as_mut().poll(cx));
        tokio::select! {
            () = moving => panic!("the relay ended"),
            _ = answer => {}
        }
    }
    assert_eq!(stand.records().len(), 2);
}

#[tokio::test]
async fn a_closed_trail_closes_the_gate() {
    let stand = Stand::new();
    stand.journal.close(Duration::from_secs(5)).unwrap();
    for path in ["/orders/a-1", "/status", "/nothing"] {
        let reply = stand.call("GET", path).user("alice").send().await;
        assert_eq!(reply.status, 503, "{reply:?}");
        assert!(reply.header("retry-after").is_some());
        assert_eq!(reply.json()["status"], 503);
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert!(!reply.request_id().is_empty());
    }
    assert!(stand.origin.seen().is_empty());
}

#[tokio::test]
async fn a_trail_that_fails_during_the_call_withholds_the_answer() {
    let stand = Stand::new();
    let journal = stand.journal.clone();
    stand.origin.does(move |_| {
        // Only the record of this request is waited for, and not for long.
        let _late = journal.close(Duration::ZERO);
        Does::Answer(json_answer(200, &json!({"id": "a-1", "owner": "alice", "item": "lamp"})))
    });
    let reply = stand.call("GET", "/orders/a-1").user("alice").send().await;
    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(!String::from_utf8_lossy(&reply.body).contains("lamp"));
    assert!(reply.header("retry-after").is_some());
    assert!(stand.records().is_empty());
}

#[tokio::test]
async fn a_trail_that_fails_during_the_call_withholds_a_refusal_too() {
    let stand = Stand::new();
    let journal = stand.journal.clone();
    stand.origin.does(move |_| {
        let _late = journal.close(Duration::ZERO);
        Does::Answer(bare(404))
    });
    let reply = stand.call("GET", "/orders/a-1").user("alice").send().await;
    assert_eq!(reply.status, 503, "{reply:?}");
}

#[tokio::test]
async fn a_trail_that_fails_during_a_stream_breaks_the_answer_off() {
    let stand = Stand::new();
    stand.origin.does(|_| Does::Answer(streamed([data("first"), data("last")])));
    let mut answer = stand.call("GET", "/exports").user("alice").start().await;
    assert_eq!(poll(answer.body_mut()), Poll::Ready(Some(Ok(b"first".to_vec()))));
    let _late = stand.journal.close(Duration::ZERO);
    let reply = crate::gate::client::read(answer).await;
    assert_eq!((&reply.body[..], reply.fault), (&b""[..], Some(BodyFault::Aborted)));
}

#[tokio::test]
async fn a_stream_that_fails_is_recorded_with_the_upstreams_fault() {
    for (fault, reason) in [
        (BodyFault::Aborted, "upstream.invalid_response"),
        (BodyFault::Malformed, "upstream.invalid_response"),
        (BodyFault::TooSlow, "upstream.timeout"),
        (BodyFault::TooLarge, "response.too_large"),
    ] {
        let stand = Stand::new();
        stand.origin.does(move |_| Does::Answer(streamed([data("first"), Step::Fault(fault)])));
        let reply = stand.call("GET", "/exports").user("alice").send().await;
        assert_eq!((&reply.body[..], reply.fault.is_some()), (&b"first"[..], true));
        let records = stand.final_records();
        assert_eq!(records.len(), 1);
        let record = &records[0];
        assert_eq!((&record["decision"], &record["reason"]), (&json!("aborted"), &json!(reason)));
        assert_eq!(record["upstream"]["status"], 200);
    }
}

#[tokio::test]
async fn sm_12_trailers_of_the_origin_do_not_leave() {
    let trailers = http::HeaderMap::from_iter([(http::header::SET_COOKIE, http::HeaderValue::from_static("a=b"))]);
    for steps in [
        vec![data("all"), Step::Trailers(trailers.clone())],
        vec![data("a"), Step::Trailers(trailers.clone()), data("ll")],
    ] {
        let stand = Stand::new();
        stand.origin.does(move |_| Does::Answer(streamed(steps.clone())));
        let reply = stand.call("GET", "/exports").user("alice").send().await;
        assert_eq!((&reply.body[..], reply.fault), (&b"all"[..], None));
        assert_eq!(stand.final_records().len(), 1);
    }
}
