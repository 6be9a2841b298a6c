// SPDX-License-Identifier: Apache-2.0
//! A client that leaves: one record, nothing held, and a write with a key finished all the same.

use crate::gate::body::{Step, Steps, data};
use crate::gate::origin::{Does, json_answer, orders};
use crate::gate::{Setup, Stand};
use http_body::Body;
use serde_json::json;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::Notify;

/// Starts a call and leaves as soon as the origin has it.
async fn leave_in_mid_call(stand: &Stand, call: crate::gate::client::Call<'_>) {
    tokio::select! {
        biased;
        answer = call.start() => panic!("answered {}", answer.status()),
        () = stand.origin.called() => {}
    }
}

#[tokio::test]
async fn a_client_that_leaves_during_the_call_leaves_one_record_and_its_place() {
    let stand = Stand::with(Setup { plan_concurrency: Some(1), ..Setup::default() });
    stand.origin.does(|_| Does::Hang);
    leave_in_mid_call(&stand, stand.call("GET", "/orders/a-1").user("alice")).await;
    stand.origin.does(orders);
    // Its place in the plan is free again.
    assert_eq!(stand.call("GET", "/orders/a-1").user("alice").send().await.status, 200);
    let records = stand.final_records();
    assert_eq!(records.len(), 2, "{records:#?}");
    let left = &records[0];
    assert_eq!((&left["decision"], &left["reason"]), (&json!("aborted"), &json!("client.aborted")));
    assert_eq!((&left["operation"], &left["who"]["subject"]), (&json!("orders#getOrder"), &json!("alice")));
}

#[tokio::test]
async fn a_client_that_leaves_during_a_look_up_is_recorded_and_nothing_is_sent() {
    let stand = Stand::new();
    stand.origin.does(|_| Does::Hang);
    leave_in_mid_call(&stand, stand.call("DELETE", "/orders/a-1").user("alice")).await;
    let records = stand.final_records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["reason"], "client.aborted");
    assert!(stand.origin.sent().is_empty());
}

#[tokio::test]
async fn an_unkeyed_write_is_cancelled_when_its_client_leaves() {
    let stand = Stand::new();
    stand.origin.does(|_| Does::Hang);
    leave_in_mid_call(&stand, stand.call("POST", "/orders").user("alice").json(&json!({"item": "lamp"}))).await;
    let records = stand.final_records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["reason"], "client.aborted");
}

#[tokio::test]
async fn id_05_a_keyed_write_is_finished_although_its_client_left() {
    let stand = Stand::new();
    let told = Arc::new(Notify::new());
    let tell = Arc::clone(&told);
    stand.origin.does(move |_| Does::After(Arc::clone(&told), json_answer(201, &json!({"paid": true}))));
    let pay = || {
        let call = stand.call("POST", "/payments").user("alice").header("idempotency-key", "\"k\"");
        call.json(&json!({"amount": 1}))
    };
    leave_in_mid_call(&stand, pay()).await;
    // While it is under way a repeat waits outside.
    let early = pay().send().await;
    stand.recorded_refusal(&early, 409, "idempotency.in_flight");
    tell.notify_one();
    let mut late = pay().send().await;
    for _ in 0..100 {
        if late.status != 409 {
            break;
        }
        tokio::task::yield_now().await;
        late = pay().send().await;
    }
    assert_eq!((late.status, late.header("idempotency-replayed")), (201, Some("true")), "{late:?}");
    assert_eq!(late.json(), json!({"paid": true}));
    assert_eq!(stand.origin.sent().len(), 1);
    let records = stand.final_records();
    let finished: Vec<_> = records.iter().filter(|r| r["decision"] == "allow" && r["replayed"] != true).collect();
    assert_eq!(finished.len(), 1, "{records:#?}");
    assert!(records.iter().all(|r| r["reason"] != "client.aborted"));
}

#[tokio::test]
async fn a_client_that_leaves_during_a_streamed_answer_is_recorded() {
    let stand = Stand::with(Setup { plan_concurrency: Some(1), ..Setup::default() });
    stand.origin.does(|_| {
        let answer = http::Response::builder().header("content-type", "application/octet-stream");
        Does::Answer(answer.body(Steps::stream([data("first"), Step::Stall])).unwrap())
    });
    let mut answer = stand.call("GET", "/exports").user("alice").start().await;
    let frame = std::future::poll_fn(|cx| Pin::new(answer.body_mut()).poll_frame(cx)).await;
    assert_eq!(&frame.unwrap().unwrap().into_data().unwrap()[..], b"first");
    // The place is held until the last byte.
    assert_eq!(stand.call("GET", "/exports").user("alice").send().await.status, 429);
    drop(answer);
    stand.origin.does(orders);
    assert_eq!(stand.call("GET", "/exports").user("alice").send().await.status, 200);
    let records = stand.final_records();
    let told: Vec<_> = records.iter().map(|r| (r["decision"].as_str().unwrap(), r["reason"].as_str())).collect();
    assert_eq!(told, [("deny", Some("limit.concurrency")), ("aborted", Some("client.aborted")), ("allow", None)]);
}

#[tokio::test]
async fn a_client_whose_body_breaks_off_is_recorded_as_one_that_left() {
    use portcullis_pipeline::BodyFault;
    let stand = Stand::new();
    let steps = [data("{"), Step::Fault(BodyFault::Aborted)];
    let reply = stand.call("POST", "/orders").user("alice").chunked("application/json", steps).send().await;
    assert!(reply.status >= 400);
    assert!(stand.origin.seen().is_empty());
    let records = stand.final_records();
    assert_eq!(records.len(), 1);
    assert_eq!((&records[0]["decision"], &records[0]["reason"]), (&json!("aborted"), &json!("client.aborted")));
}
