// SPDX-License-Identifier: Apache-2.0
//! Every refusal of the body: not one byte of it reaches the origin.

use crate::gate::body::{Step, data};
use crate::gate::client::{Call, Reply};
use crate::gate::{BODY_BYTES_MAX, Stand, tokens};
use portcullis_pipeline::BodyFault;
use serde_json::json;

fn create(stand: &Stand) -> Call<'_> {
    stand.call("POST", "/orders").user("alice")
}

async fn refused(make: impl AsyncFn(&Stand) -> Reply, status: u16, reason: &str) -> Reply {
    let stand = Stand::new();
    let reply = make(&stand).await;
    stand.refused(&reply, status, reason);
    assert_eq!(stand.records().len(), 1);
    reply
}

async fn body_refused(body: &str, status: u16, reason: &str) -> Reply {
    refused(async |stand| create(stand).raw("application/json", body).send().await, status, reason).await
}

#[tokio::test]
async fn broken_json_is_refused() {
    for body in [r#"{"item":}"#, r#"{"item":"a"} x"#, "\u{feff}{\"item\":\"a\"}", r#"{"item":NaN}"#] {
        body_refused(body, 400, "request.json").await;
    }
}

#[tokio::test]
async fn t67_a_duplicate_member_is_refused() {
    body_refused(r#"{"item":"a","item":"b"}"#, 400, "request.json").await;
    body_refused(r#"{"item":"a","\u0069tem":"b"}"#, 400, "request.json").await;
}

#[tokio::test]
async fn t68_deep_json_is_refused() {
    let body = format!(r#"{{"item":"a","tags":{}{}}}"#, "[".repeat(20), "]".repeat(20));
    body_refused(&body, 400, "payload.too_deep").await;
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_refused_unread() {
    let body = "x".repeat(BODY_BYTES_MAX + 1);
    body_refused(&body, 413, "payload.too_large").await;
}

#[tokio::test]
async fn a_chunked_body_that_grows_too_large_is_refused() {
    let chunk = || data("x".repeat(BODY_BYTES_MAX / 2 + 1));
    let steps = [chunk(), chunk()];
    let make = async |stand: &Stand| create(stand).chunked("application/json", steps.clone()).send().await;
    refused(make, 413, "payload.too_large").await;
}

#[tokio::test]
async fn a_streamed_body_that_grows_too_large_is_refused_after_its_start() {
    let stand = Stand::new();
    let chunk = || data("x".repeat(BODY_BYTES_MAX / 2 + 1));
    let reply = stand.call("POST", "/uploads").user("alice").chunked("text/plain", [chunk(), chunk()]).send().await;
    stand.refused(&reply, 413, "payload.too_large");
}

#[tokio::test]
async fn a_slow_or_broken_body_has_its_own_reason() {
    for (fault, status, reason) in
        [(BodyFault::TooSlow, 408, "payload.too_slow"), (BodyFault::Malformed, 400, "wire.framing")]
    {
        let steps = [data("{"), Step::Fault(fault)];
        let make = async |stand: &Stand| create(stand).chunked("application/json", steps.clone()).send().await;
        refused(make, status, reason).await;
        let make = async |stand: &Stand| {
            stand.call("POST", "/uploads").user("alice").chunked("text/plain", steps.clone()).send().await
        };
        refused(make, status, reason).await;
    }
}

#[tokio::test]
async fn t71_another_media_type_is_refused_with_the_declared_ones() {
    let make = async |stand: &Stand| create(stand).raw("text/xml", "<a/>").send().await;
    let reply = refused(make, 415, "request.content_type").await;
    assert_eq!(reply.header("accept"), Some("application/json"));
    let make =
        async |stand: &Stand| create(stand).header("content-type", "text/xml").json(&json!({"item": "a"})).send().await;
    refused(make, 400, "wire.malformed").await;
}

#[tokio::test]
async fn t72_a_coded_body_is_refused() {
    let make = async |stand: &Stand| create(stand).header("content-encoding", "gzip").json(&json!({})).send().await;
    let reply = refused(make, 415, "request.content_encoding").await;
    assert_eq!(reply.header("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn a_body_nobody_declared_is_refused() {
    let make = async |stand: &Stand| stand.call("DELETE", "/orders/a-1").user("alice").json(&json!({})).send().await;
    refused(make, 400, "request.body").await;
    let make = async |stand: &Stand| {
        stand.call("GET", "/orders/a-1").user("alice").chunked("application/json", [data("{}")]).send().await
    };
    refused(make, 400, "request.body").await;
}

#[tokio::test]
async fn a_missing_body_is_refused() {
    refused(async |stand| create(stand).send().await, 400, "request.body").await;
}

#[tokio::test]
async fn api3_properties_that_are_not_the_callers_to_write_are_refused() {
    // Unknown, read-only, and reserved to a scope.
    let unknown = body_refused(r#"{"item":"a","owner":"bob"}"#, 400, "property.undeclared").await;
    assert!(!String::from_utf8_lossy(&unknown.body).contains("bob"));
    for (body, reason) in [
        (r#"{"item":"a","created":"now"}"#, "property.not_writable"),
        (r#"{"item":"a","status":"paid"}"#, "property.not_writable"),
    ] {
        let stand = Stand::new();
        let reply = create(&stand).raw("application/json", body).send().await;
        assert_eq!(reply.status, 400, "{reply:?}");
        stand.refused(&reply, 400, reason);
    }
    let stand = Stand::new();
    let token = tokens::token("alice", "orders.write orders.admin", &[]);
    let reply = stand.call("POST", "/orders").token(&token).json(&json!({"item": "a", "status": "paid"})).send().await;
    assert_eq!(reply.status, 201, "{reply:?}");
}

#[tokio::test]
async fn a_malformed_idempotency_key_is_refused() {
    for key in ["bare", "\"\"", "\"open", "\"a\", \"b\"", "\"k\";p=1;"] {
        let make =
            async |stand: &Stand| create(stand).header("idempotency-key", key).json(&json!({"item": "a"})).send().await;
        refused(make, 400, "idempotency.malformed").await;
    }
    let make = async |stand: &Stand| {
        let call = create(stand).header("idempotency-key", "\"a\"").header("idempotency-key", "\"b\"");
        call.json(&json!({"item": "a"})).send().await
    };
    refused(make, 400, "wire.malformed").await;
}

#[tokio::test]
async fn id_02_a_missing_idempotency_key_is_refused_where_it_is_required() {
    let make =
        async |stand: &Stand| stand.call("POST", "/payments").user("alice").json(&json!({"amount": 1})).send().await;
    refused(make, 400, "idempotency.missing").await;
}
