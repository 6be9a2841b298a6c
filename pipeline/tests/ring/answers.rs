// SPDX-License-Identifier: Apache-2.0
//! What the origin says, held against what was promised.

use crate::gate::body::{Step, Steps, data};
use crate::gate::client::Reply;
use crate::gate::origin::{Does, bare, json_answer, order, orders, raw};
use crate::gate::{ANSWER_BYTES_MAX, Stand};
use http::Response;
use portcullis_pipeline::BodyFault;
use serde_json::json;

/// What Alice is told of her order when the origin says this.
async fn told(answer: impl Fn() -> Response<Steps> + Send + Sync + 'static, status: u16, reason: &str) -> Reply {
    told_of("/orders/a-1", answer, status, reason).await
}

async fn told_of(
    path: &str,
    answer: impl Fn() -> Response<Steps> + Send + Sync + 'static,
    status: u16,
    reason: &str,
) -> Reply {
    let stand = Stand::new();
    stand.origin.does(move |_| Does::Answer(answer()));
    let reply = stand.call("GET", path).user("alice").send().await;
    stand.recorded_refusal(&reply, status, reason);
    assert_eq!(stand.origin.seen().len(), 1);
    assert!(!String::from_utf8_lossy(&reply.body).contains("leak"), "{reply:?}");
    assert!(!format!("{:?}", reply.headers).contains("leak"), "{reply:?}");
    reply
}

fn leak(status: u16) -> Response<Steps> {
    let mut answer = json_answer(status, &json!({"message": "leak"}));
    answer.headers_mut().insert("location", "/leak".parse().unwrap());
    answer.headers_mut().insert("etag", "\"leak\"".parse().unwrap());
    answer
}

#[tokio::test]
async fn undeclared_refusals_keep_their_status_and_lose_their_body() {
    for status in [400, 409, 418, 429] {
        told(move || leak(status), status, "response.undeclared").await;
        told_of("/exports", move || leak(status), status, "response.undeclared").await;
    }
}

#[tokio::test]
async fn failures_of_the_origin_are_a_bad_gateway() {
    for status in [500, 501, 503] {
        told(move || leak(status), 502, "upstream.invalid_response").await;
        told_of("/exports", move || leak(status), 502, "upstream.invalid_response").await;
    }
}

#[tokio::test]
async fn successes_and_redirects_nobody_declared_are_a_bad_gateway() {
    for status in [201, 202, 204, 301, 302, 307] {
        told(move || leak(status), 502, "response.contract").await;
        told_of("/exports", move || leak(status), 502, "response.contract").await;
    }
}

#[tokio::test]
async fn t114_refusals_about_an_object_are_all_the_same_404() {
    for status in [401, 403, 404, 410] {
        told(move || leak(status), 404, "object.absent").await;
    }
}

#[tokio::test]
async fn a_declared_error_leaves_as_it_is() {
    let stand = Stand::new();
    stand.origin.does(|_| Does::Answer(json_answer(422, &json!({"message": "odd", "stack": "leak"}))));
    let reply = stand.call("GET", "/orders/a-1").user("alice").send().await;
    assert_eq!((reply.status, reply.json()), (422, json!({"message": "odd"})));
    assert_eq!(stand.records()[0]["status"], 422);
}

#[tokio::test]
async fn an_answer_too_large_to_be_judged_is_withheld() {
    let large = || json!({"id": "a-1", "owner": "alice", "item": "leak".repeat(ANSWER_BYTES_MAX / 4)}).to_string();
    told(move || raw(200, "application/json", large()), 502, "response.too_large").await;
    let streamed = || {
        let answer = Response::builder().header("content-type", "application/json");
        answer.body(Steps::stream([data(vec![b' '; ANSWER_BYTES_MAX]), data(" ")])).unwrap()
    };
    told(streamed, 502, "response.too_large").await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_judged_is_withheld() {
    told(|| bare(304), 502, "response.contract").await;
    told(|| raw(206, "application/json", "leak"), 502, "response.contract").await;
    let coded = || {
        let mut answer = raw(200, "application/json", "leak");
        answer.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
        answer
    };
    told(coded, 502, "response.contract").await;
    told(|| raw(200, "text/html", "<p>leak"), 502, "response.contract").await;
    told(|| raw(200, "application/json", "{\"id\":\"leak\""), 502, "response.contract").await;
    told(|| raw(200, "application/json", r#"{"id":"a-1","id":"leak"}"#), 502, "response.contract").await;
}

#[tokio::test]
async fn an_answer_against_the_contract_is_withheld() {
    told(|| json_answer(200, &json!({"id": "a-1", "owner": "alice", "item": 7})), 502, "response.contract").await;
}

#[tokio::test]
async fn api1_an_answer_about_another_object_or_nobodys_is_withheld() {
    let stand = Stand::new();
    for body in [order("b-1", "bob"), order("a-2", "alice"), json!({"id": "a-1", "item": "leak"}), json!([])] {
        stand.origin.does(move |_| Does::Answer(json_answer(200, &body)));
        let reply = stand.call("GET", "/orders/a-1").user("alice").send().await;
        assert!(matches!(reply.status, 404 | 502), "{reply:?}");
        assert!(!String::from_utf8_lossy(&reply.body).contains("leak"));
    }
    assert_eq!(stand.records().len(), 4);
}

#[tokio::test]
async fn an_answer_cut_short_or_slow_is_withheld_whole() {
    for (fault, status, reason) in [
        (BodyFault::Aborted, 502, "upstream.invalid_response"),
        (BodyFault::Malformed, 502, "upstream.invalid_response"),
        (BodyFault::TooSlow, 504, "upstream.timeout"),
    ] {
        let cut = move || {
            let answer = Response::builder().header("content-type", "application/json");
            answer.body(Steps::stream([data(r#"{"id":"leak"#), Step::Fault(fault)])).unwrap()
        };
        told(cut, status, reason).await;
    }
}

#[tokio::test]
async fn a_head_is_judged_as_a_get_and_shows_no_body() {
    let stand = Stand::new();
    let own = stand.call("HEAD", "/orders/a-1").user("alice").send().await;
    assert_eq!((own.status, own.body.len()), (200, 0), "{own:?}");
    let get = stand.call("GET", "/orders/a-1").user("alice").send().await;
    assert_eq!(own.header("content-length"), Some(get.body.len().to_string().as_str()));
    assert_eq!(own.header("content-type"), get.header("content-type"));
    assert!(stand.origin.sent().iter().all(|seen| seen.method == "GET"));
    let foreign = stand.call("HEAD", "/orders/b-1").user("alice").send().await;
    assert_eq!(foreign.status, 404);
    let records = stand.records();
    assert_eq!((&records[0]["method"], &records[2]["reason"]), (&json!("HEAD"), &json!("object.not_owner")));
}

#[tokio::test]
async fn untouched_bytes_leave_as_they_came() {
    let stand = Stand::new();
    let body = "{ \"id\" : \"a-1\", \"owner\":\"alice\" , \"item\":\"l\\u0061mp\", \"internal_margin\": 1.50e0 }";
    stand.origin.does(move |_| Does::Answer(raw(200, "application/json", body)));
    let reply = stand.call("GET", "/orders/a-1").role("alice", "finance").send().await;
    assert_eq!(reply.body, body.as_bytes());
}

#[tokio::test]
async fn api3_a_changed_answer_loses_what_no_longer_fits_it() {
    let stand = Stand::new();
    stand.origin.does(|seen| {
        let mut does = orders(seen);
        if let Does::Answer(answer) = &mut does {
            for (name, value) in [("etag", "\"v1\""), ("content-digest", "sha-256=:AA==:"), ("content-length", "999")] {
                answer.headers_mut().insert(name, value.parse().unwrap());
            }
        }
        does
    });
    let reply = stand.call("GET", "/orders/a-1").user("alice").send().await;
    assert_eq!(reply.status, 200);
    for name in ["etag", "content-digest", "content-length"] {
        assert_eq!(reply.header(name), None, "{name}");
    }
    assert_eq!(stand.records()[0]["alerts"][0]["reason"], "response.undeclared");
}
