// SPDX-License-Identifier: Apache-2.0
//! A repeated write happens once, and a repeat is judged like a first.

use crate::gate::body::{Steps, data};
use crate::gate::client::{Reply, SCOPES};
use crate::gate::origin::{Does, bare, json_answer, order, orders};
use crate::gate::{ANSWER_BYTES_MAX, Setup, Stand, tokens};
use serde_json::{Value, json};

async fn create(stand: &Stand, token: &str, key: &str, item: &str) -> Reply {
    let call = stand.call("POST", "/orders").token(token).header("idempotency-key", key);
    call.json(&json!({"item": item})).send().await
}

fn alice() -> String {
    tokens::token("alice", SCOPES, &[])
}

#[tokio::test]
async fn id_05_a_repeat_gets_the_same_answer_and_says_so() {
    let stand = Stand::new();
    let first = create(&stand, &alice(), "\"k\"", "lamp").await;
    let again = create(&stand, &alice(), "\"k\"", "lamp").await;
    assert_eq!((first.status, again.status), (201, 201), "{first:?}");
    assert_eq!(first.body, again.body);
    assert_eq!(first.header("idempotency-replayed"), None);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("cache-control"), Some("private, no-store"));
    assert_ne!(first.request_id(), again.request_id());
    assert_eq!(stand.origin.only().header("idempotency-key"), None);
    let records = stand.records();
    assert_eq!((&records[0]["replayed"], &records[1]["replayed"]), (&Value::Null, &json!(true)));
    assert!(records[1]["upstream"].is_null());
}

#[tokio::test]
async fn a_repeat_counts_against_the_plan() {
    let stand = Stand::with(Setup { plan_count: 2, ..Setup::default() });
    let left = async || create(&stand, &alice(), "\"k\"", "lamp").await;
    assert!(left().await.header("ratelimit").unwrap().contains("r=1"));
    assert!(left().await.header("ratelimit").unwrap().contains("r=0"));
    let reply = left().await;
    stand.recorded_refusal(&reply, 429, "limit.rate");
}

#[tokio::test]
async fn id_03_another_request_with_the_same_key_is_refused() {
    let stand = Stand::new();
    create(&stand, &alice(), "\"k\"", "lamp").await;
    let reply = create(&stand, &alice(), "\"k\"", "desk").await;
    stand.recorded_refusal(&reply, 422, "idempotency.mismatch");
    assert_eq!(stand.origin.sent().len(), 1);
}

#[tokio::test]
async fn id_06_keys_of_two_callers_do_not_meet() {
    let stand = Stand::new();
    create(&stand, &alice(), "\"k\"", "lamp").await;
    let bobs = create(&stand, &tokens::token("bob", SCOPES, &[]), "\"k\"", "lamp").await;
    assert_eq!((bobs.status, bobs.header("idempotency-replayed")), (201, None));
    assert_eq!(bobs.json()["owner"], "bob");
    assert_eq!(stand.origin.sent().len(), 2);
}

#[tokio::test]
async fn id_07_a_repeat_shows_what_the_caller_may_see_now() {
    let stand = Stand::new();
    let financier = tokens::token("alice", SCOPES, &["finance"]);
    let first = create(&stand, &financier, "\"k\"", "lamp").await;
    assert_eq!(first.json()["internal_margin"], 0.4, "{first:?}");
    let again = create(&stand, &alice(), "\"k\"", "lamp").await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.json().get("internal_margin"), None);
    assert_eq!(again.json()["item"], "lamp");
    // A scope that was lost is no scope.
    let reader = tokens::token("alice", "orders.read", &[]);
    let reply = create(&stand, &reader, "\"k\"", "lamp").await;
    stand.recorded_refusal(&reply, 403, "function.scope");
    // And what was hidden the first time is shown to who may see it.
    create(&stand, &alice(), "\"k2\"", "lamp").await;
    assert_eq!(create(&stand, &financier, "\"k2\"", "lamp").await.json()["internal_margin"], 0.4);
    assert_eq!(stand.origin.sent().len(), 2);
}

#[tokio::test]
async fn id_07_a_repeat_for_one_who_lost_the_object_is_refused() {
    let stand = Stand::new();
    let patch = || {
        let call = stand.call("PATCH", "/orders/a-1").user("alice").header("idempotency-key", "\"k\"");
        call.raw("application/merge-patch+json", r#"{"item":"desk"}"#).send()
    };
    assert_eq!(patch().await.status, 200);
    stand.origin.does(|_| Does::Answer(json_answer(200, &order("a-1", "bob"))));
    let reply = patch().await;
    stand.recorded_refusal(&reply, 404, "object.not_owner");
    assert_eq!(stand.origin.sent().len(), 1);
}

#[tokio::test]
async fn id_08_answers_of_500_and_above_are_not_kept() {
    for (says, told) in [(503, 503), (500, 502)] {
        let stand = Stand::new();
        stand.origin.does(move |_| Does::Answer(json_answer(says, &json!({"message": "busy"}))));
        assert_eq!(create(&stand, &alice(), "\"k\"", "lamp").await.status, told);
        stand.origin.does(orders);
        let reply = create(&stand, &alice(), "\"k\"", "lamp").await;
        assert_eq!((reply.status, reply.header("idempotency-replayed")), (201, None));
        assert_eq!(stand.origin.sent().len(), 2);
    }
}

#[tokio::test]
async fn id_05_errors_of_the_origin_below_500_are_kept() {
    let stand = Stand::new();
    stand.origin.does(|_| Does::Answer(json_answer(409, &json!({"message": "exists"}))));
    let first = create(&stand, &alice(), "\"k\"", "lamp").await;
    stand.origin.does(orders);
    let again = create(&stand, &alice(), "\"k\"", "lamp").await;
    assert_eq!((first.status, again.status), (409, 409), "{first:?}");
    assert_eq!(again.json(), json!({"message": "exists"}));
    assert_eq!(stand.origin.sent().len(), 1);
}

#[tokio::test]
async fn id_08_refusals_of_ours_are_not_kept() {
    let stand = Stand::new();
    let spoilt = create(&stand, &alice(), "\"k\"", "").await;
    assert_eq!(spoilt.status, 201);
    let bad = stand.call("POST", "/orders").user("alice").header("idempotency-key", "\"k2\"");
    assert_eq!(bad.json(&json!({"thing": 1})).send().await.status, 400);
    assert_eq!(create(&stand, &alice(), "\"k2\"", "lamp").await.header("idempotency-replayed"), None);
}

#[tokio::test]
async fn an_answer_that_was_withheld_is_withheld_from_repeats() {
    let stand = Stand::new();
    stand.origin.does(|_| Does::Answer(json_answer(201, &order("n-1", "bob"))));
    let first = create(&stand, &alice(), "\"k\"", "lamp").await;
    assert!(first.status >= 400, "{first:?}");
    let again = create(&stand, &alice(), "\"k\"", "lamp").await;
    assert_eq!(first.status, again.status);
    assert!(!String::from_utf8_lossy(&again.body).contains("lamp"));
    assert_eq!(stand.origin.sent().len(), 1);
}

#[tokio::test]
async fn a_write_whose_answer_cannot_be_kept_is_not_done_again() {
    for answer_bytes_kept_max in [10, 64 * 1024] {
        let stand = Stand::with(Setup { answer_bytes_kept_max, ..Setup::default() });
        if answer_bytes_kept_max > ANSWER_BYTES_MAX {
            // Larger than what is judged: it cannot even be read.
            stand.origin.does(|_| {
                let answer = http::Response::builder().status(201).header("content-type", "application/json");
                Does::Answer(answer.body(Steps::stream([data(vec![b' '; ANSWER_BYTES_MAX + 1])])).unwrap())
            });
        }
        create(&stand, &alice(), "\"k\"", "lamp").await;
        let again = create(&stand, &alice(), "\"k\"", "lamp").await;
        stand.recorded_refusal(&again, 409, "idempotency.not_kept");
        assert_eq!(stand.origin.sent().len(), 1);
    }
}

#[tokio::test]
async fn nothing_is_kept_for_callers_nobody_knows() {
    let stand = Stand::new();
    for _ in 0..2 {
        let call = stand.call("POST", "/login").header("idempotency-key", "\"k\"");
        let reply = call.json(&json!({"username": "alice"})).send().await;
        assert_eq!((reply.status, reply.header("idempotency-replayed")), (204, None));
    }
    assert_eq!(stand.origin.sent().len(), 2);
}

#[tokio::test]
async fn a_kept_answer_holds_no_cookie_and_no_connection() {
    let stand = Stand::new();
    stand.origin.does(|seen| {
        let Does::Answer(mut answer) = orders(seen) else { return Does::Answer(bare(500)) };
        for (name, value) in [("set-cookie", "a=b"), ("connection", "x-hop"), ("x-hop", "1"), ("x-own", "kept")] {
            answer.headers_mut().insert(name, value.parse().unwrap());
        }
        Does::Answer(answer)
    });
    create(&stand, &alice(), "\"k\"", "lamp").await;
    let again = create(&stand, &alice(), "\"k\"", "lamp").await;
    for name in ["set-cookie", "connection", "x-hop"] {
        assert_eq!(again.header(name), None);
    }
    assert_eq!(again.header("x-own"), Some("kept"));
}

#[tokio::test]
async fn a_key_on_a_streamed_operation_reads_the_body() {
    let stand = Stand::new();
    let upload = |text: &'static str| {
        stand.call("POST", "/uploads").user("alice").header("idempotency-key", "\"k\"").raw("text/plain", text).send()
    };
    assert_eq!(upload("one").await.status, 204);
    assert_eq!(upload("one").await.header("idempotency-replayed"), Some("true"));
    let reply = upload("two").await;
    stand.recorded_refusal(&reply, 422, "idempotency.mismatch");
    assert_eq!(&stand.origin.only().body[..], b"one");
}
