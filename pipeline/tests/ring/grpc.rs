// SPDX-License-Identifier: Apache-2.0
//! gRPC: the status of a call is in the trailers of its answer, and in those alone may trailers leave.

use crate::gate::Stand;
use crate::gate::body::{Step, Steps, data};
use crate::gate::origin::Does;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body::{Body, Frame};
use std::pin::Pin;

fn fields(all: &[(&'static str, &'static str)]) -> HeaderMap {
    all.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

fn answer(trailers: HeaderMap) -> Response<Steps> {
    let steps = [data("message"), Step::Trailers(trailers)];
    Response::builder().header("content-type", "application/grpc").body(Steps::stream(steps)).unwrap()
}

/// Calls with a streamed body of this type; what leaves but its head.
async fn frames(stand: &Stand, media_type: &str) -> Vec<Frame<Bytes>> {
    let call = stand.call("POST", "/uploads").user("alice").chunked(media_type, [data("ask")]);
    let mut body = call.start().await.into_body();
    let mut frames = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        frames.push(frame.unwrap());
    }
    frames
}

#[tokio::test]
async fn px_6_trailers_of_a_call_leave_without_what_is_ours_and_after_the_record() {
    let stand = Stand::new();
    let said = [
        ("grpc-status", "0"),
        ("grpc-message", "fine"),
        ("x-own", "1"),
        ("set-cookie", "a=b"),
        ("content-length", "9"),
        ("transfer-encoding", "chunked"),
        ("cache-control", "public"),
        ("ratelimit", "\"x\";r=9"),
        ("retry-after", "9"),
        ("location", "http://10.0.0.7:9000/"),
        ("server", "hidden"),
        ("request-id", "theirs"),
        ("www-authenticate", "Basic"),
        ("x-user-id", "alice"),
    ];
    stand.origin.does(move |_| Does::Answer(answer(fields(&said))));
    let mut frames = frames(&stand, "application/grpc+proto").await;
    let trailers = frames.pop().unwrap().into_trailers().unwrap();
    assert_eq!(trailers, fields(&[("grpc-status", "0"), ("grpc-message", "fine"), ("x-own", "1")]));
    assert_eq!(frames.pop().unwrap().into_data().unwrap(), "message");
    assert_eq!(stand.records().len(), 1, "before the trailers left");
    assert_eq!(stand.origin.seen()[0].headers.get("te").unwrap(), "trailers");
}

#[tokio::test]
async fn sm_12_nothing_but_grpc_asks_for_trailers_or_gets_them() {
    for media_type in ["text/plain", "application/grpc-web"] {
        let stand = Stand::new();
        stand.origin.does(move |_| Does::Answer(answer(fields(&[("grpc-status", "0")]))));
        let frames = frames(&stand, media_type).await;
        assert!(frames.iter().all(Frame::is_data), "{media_type}");
        assert!(stand.origin.seen()[0].headers.get("te").is_none(), "{media_type}");
    }
}
