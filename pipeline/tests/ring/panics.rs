// SPDX-License-Identifier: Apache-2.0
//! A panic ends its own request, recorded, and no other.

use crate::gate::Stand;
use crate::gate::body::{Step, Steps, data};
use crate::gate::origin::{Does, How, orders};
use portcullis_pipeline::BodyFault;

async fn goes_on(stand: &Stand) {
    stand.origin.does(orders);
    let reply = stand.call("GET", "/orders/a-1").user("alice").send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test]
async fn f37_a_panic_in_the_call_is_recorded() {
    let stand = Stand::new();
    stand.origin.does(|_| Does::Panic);
    let reply = stand.call("GET", "/orders/a-1").user("alice").send().await;
    stand.recorded_refusal(&reply, 500, "gate.internal");
    assert!(!stand.records()[0].to_string().contains("of a test panics"));
    assert!(reply.header("ratelimit").is_some());
    goes_on(&stand).await;
    assert_eq!(stand.final_records().len(), 2);
}

#[tokio::test]
async fn f37_a_panic_in_a_look_up_is_recorded_and_nothing_is_sent() {
    let stand = Stand::new();
    stand.origin.does(|seen| if seen.how == How::LookedUp { Does::Panic } else { orders(seen) });
    let reply = stand.call("DELETE", "/orders/a-1").user("alice").send().await;
    stand.recorded_refusal(&reply, 500, "gate.internal");
    assert!(stand.origin.sent().is_empty());
    goes_on(&stand).await;
    assert_eq!(stand.final_records().len(), 2);
}

#[tokio::test]
async fn f37_a_panic_in_a_body_that_is_judged_is_recorded() {
    let stand = Stand::new();
    stand.origin.does(|_| {
        let answer = http::Response::builder().header("content-type", "application/json");
        Does::Answer(answer.body(Steps::stream([data("{"), Step::Panic])).unwrap())
    });
    let reply = stand.call("GET", "/orders/a-1").user("alice").send().await;
    stand.recorded_refusal(&reply, 500, "gate.internal");
    goes_on(&stand).await;
    assert_eq!(stand.final_records().len(), 2);
}

#[tokio::test]
async fn f37_a_panic_in_a_body_that_is_streamed_breaks_the_answer_off() {
    let stand = Stand::new();
    stand.origin.does(|_| {
        let answer = http::Response::builder().header("content-type", "application/octet-stream");
        Does::Answer(answer.body(Steps::stream([data("first"), Step::Panic])).unwrap())
    });
    let reply = stand.call("GET", "/exports").user("alice").send().await;
    assert_eq!((reply.status, &reply.body[..], reply.fault), (200, &b"first"[..], Some(BodyFault::Aborted)));
    goes_on(&stand).await;
    let records = stand.final_records();
    assert_eq!(records.len(), 2);
    assert_eq!((&records[0]["decision"], &records[0]["reason"]), (&"aborted".into(), &"gate.internal".into()));
}

#[tokio::test]
async fn f37_a_panic_in_a_write_with_a_key_frees_the_key() {
    let stand = Stand::new();
    stand.origin.does(|_| Does::Panic);
    let pay = || {
        let call = stand.call("POST", "/payments").user("alice").header("idempotency-key", "\"k\"");
        call.json(&serde_json::json!({"amount": 1})).send()
    };
    let reply = pay().await;
    stand.recorded_refusal(&reply, 500, "gate.internal");
    stand.origin.does(orders);
    assert_eq!(pay().await.status, 201);
}
