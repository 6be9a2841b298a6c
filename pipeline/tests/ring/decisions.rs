// SPDX-License-Identifier: Apache-2.0
//! The way through, and the first refusals.

use crate::gate::Stand;
use crate::gate::origin::How;
use portcullis_audit::query::{Found, find};
use serde_json::{Value, json};

fn record_of(stand: &Stand, id: &str) -> Value {
    let Found::One(record) = find(&stand.audit_directory(), id, None).unwrap() else { panic!("no record of {id}") };
    serde_json::from_str(&record.json).unwrap()
}

#[tokio::test]
async fn an_own_order_is_shown_without_what_is_not_the_callers_business() {
    let stand = Stand::new();
    let reply = stand.call("GET", "/orders/a-1").user("alice").send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json(), json!({"id": "a-1", "owner": "alice", "item": "lamp", "status": "new"}));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let record = record_of(&stand, reply.request_id());
    assert_eq!(record["decision"], "allow");
    assert_eq!(record["status"], 200);
    assert_eq!(record["operation"], "orders#getOrder");
    assert_eq!(record["template"], "/orders/{orderId}");
    assert_eq!(record["who"]["subject"], "alice");
    assert_eq!(record["upstream"]["status"], 200);
    assert_eq!(record["revision"], "0123456789ab");
    let stages: Vec<&str> = record["stages"].as_array().unwrap().iter().map(|s| s["stage"].as_str().unwrap()).collect();
    let order = ["wire", "edge", "route", "identity", "plan", "function", "request", "object", "business", "upstream"];
    assert_eq!(stages[..order.len()], order);
    assert_eq!(stages.last(), Some(&"response"));
}

#[tokio::test]
async fn api1_a_foreign_order_is_the_same_404_as_an_absent_one() {
    let stand = Stand::new();
    let foreign = stand.call("GET", "/orders/b-1").user("alice").send().await;
    let absent = stand.call("GET", "/orders/none").user("alice").send().await;
    assert_eq!((foreign.status, absent.status), (404, 404));
    let blank = |reply: &crate::gate::client::Reply| {
        let text = String::from_utf8(reply.body.to_vec()).unwrap();
        text.replace(reply.request_id(), "")
    };
    assert_eq!(blank(&foreign), blank(&absent));
    assert!(!blank(&absent).contains("orders_v2"));
    let names = |reply: &crate::gate::client::Reply| {
        let mut names: Vec<String> = reply.headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    };
    assert_eq!(names(&foreign), names(&absent));
    assert_eq!(record_of(&stand, foreign.request_id())["reason"], "object.not_owner");
    assert_eq!(record_of(&stand, absent.request_id())["reason"], "object.absent");
    assert_eq!(stand.records().len(), 2);
}

#[tokio::test]
async fn api1_a_list_loses_its_foreign_items() {
    let stand = Stand::new();
    let reply = stand.call("GET", "/orders").user("bob").send().await;
    assert_eq!(reply.json()["data"].as_array().unwrap().len(), 1, "{reply:?}");
    assert_eq!(reply.json()["data"][0]["id"], "b-1");
    assert!(!stand.records()[0]["alerts"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn api1_a_foreign_write_is_looked_up_and_never_sent() {
    for (method, body) in [("PATCH", true), ("DELETE", false)] {
        let stand = Stand::new();
        let mut call = stand.call(method, "/orders/b-1").user("alice");
        if body {
            call = call.raw("application/merge-patch+json", r#"{"item":"mine"}"#);
        }
        let reply = call.send().await;
        stand.recorded_refusal(&reply, 404, "object.not_owner");
        let seen = stand.origin.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!(
            (seen[0].how, seen[0].method.as_str(), seen[0].target.as_str()),
            (How::LookedUp, "GET", "/orders/b-1")
        );
        assert_eq!(seen[0].header("x-user-id"), Some("alice"));
        assert_eq!(stand.records().len(), 1);
    }
}

#[tokio::test]
async fn an_own_order_is_changed_by_the_bytes_that_were_judged() {
    let stand = Stand::new();
    let body = "{ \"item\" : \"desk\" }";
    let reply = stand.call("PATCH", "/orders/a-1").user("alice").raw("application/merge-patch+json", body).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let sent = stand.origin.only();
    assert_eq!((&sent.body[..], sent.target.as_str()), (body.as_bytes(), "/orders/a-1"));
    assert_eq!(sent.header("content-type"), Some("application/merge-patch+json"));
    let reply = stand.call("DELETE", "/orders/a-1").user("alice").send().await;
    assert_eq!((reply.status, reply.body.len()), (204, 0));
}

#[tokio::test]
async fn a_document_leaves_only_for_its_owner_known_before() {
    let stand = Stand::new();
    let own = stand.call("GET", "/orders/a-1/pdf").role("alice", "finance").send().await;
    assert_eq!((own.status, &own.body[..]), (200, &b"%PDF"[..]), "{own:?}");
    let foreign = stand.call("GET", "/orders/b-1/pdf").role("alice", "finance").send().await;
    stand.recorded_refusal(&foreign, 404, "object.not_owner");
    assert_eq!(stand.origin.sent().len(), 1);
}

#[tokio::test]
async fn a_public_operation_reads_no_credential() {
    let stand = Stand::new();
    let reply = stand.call("GET", "/status").token("nonsense").send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(stand.origin.only().header("x-user-id"), None);
    assert_eq!(stand.records()[0]["who"]["kind"], "anonymous");
}

#[tokio::test]
async fn requests_go_on_after_an_unreachable_origin() {
    use crate::gate::origin::Does;
    use portcullis_decision::Reason;
    let stand = Stand::new();
    for (reason, status) in [
        (Reason::UpstreamUnreachable, 502),
        (Reason::UpstreamTimeout, 504),
        (Reason::UpstreamOverloaded, 503),
        (Reason::UpstreamInvalidResponse, 502),
    ] {
        stand.origin.does(move |_| Does::Fault(reason));
        let reply = stand.call("GET", "/statistics").role("alice", "analyst").send().await;
        stand.recorded_refusal(&reply, status, reason.code());
        assert_eq!(reply.header("retry-after").is_some(), status == 503);
        let looked_up = stand.call("DELETE", "/orders/a-1").user("alice").send().await;
        stand.recorded_refusal(&looked_up, 502, "object.lookup_failed");
    }
    assert!(stand.origin.sent().iter().all(|seen| seen.method == "GET"));
}

#[tokio::test]
async fn f33_a_request_carries_the_priority_of_its_callers_plan() {
    let stand = Stand::new();
    assert_eq!(stand.call("GET", "/orders/a-1").user("alice").send().await.status, 200);
    assert_eq!(stand.call("DELETE", "/orders/a-1").user("alice").send().await.status, 204);
    let seen = stand.origin.seen();
    assert!(seen.iter().any(|seen| seen.how == How::LookedUp));
    assert!(seen.iter().all(|seen| seen.to.priority == 7), "{seen:?}");
    assert_ne!(seen[0].to.operation, seen.last().unwrap().to.operation);
    let anonymous = Stand::new();
    assert_eq!(anonymous.call("GET", "/status").send().await.status, 200);
    assert_eq!(anonymous.origin.only().to.priority, 1);
}
