// SPDX-License-Identifier: Apache-2.0
//! Refusals after which nothing more of a connection is read, and tokens where they never belong.

use crate::gate::Stand;
use crate::gate::body::data;
use serde_json::json;

#[tokio::test]
async fn a_refusal_with_an_unread_body_closes_the_connection() {
    let stand = Stand::new();
    let unread = stand.call("POST", "/orders").json(&json!({"item": "lamp"})).send().await;
    stand.refused(&unread, 401, "identity.missing");
    assert_eq!(unread.header("connection"), Some("close"));
    let chunked = stand.call("POST", "/nowhere").user("alice").chunked("application/json", [data("{}")]).send().await;
    stand.refused(&chunked, 404, "route.not_found");
    assert_eq!(chunked.header("connection"), Some("close"));
    let read = stand.call("POST", "/orders").user("alice").json(&json!({"item": 7})).send().await;
    stand.refused(&read, 400, "request.body");
    assert_eq!(read.header("connection"), None, "it was read to its end");
    let none = stand.call("GET", "/orders").send().await;
    stand.refused(&none, 401, "identity.missing");
    assert_eq!(none.header("connection"), None, "there was no body");
}

#[tokio::test]
async fn t01_a_refusal_of_the_wire_closes_the_connection() {
    let stand = Stand::new();
    let both = stand.call("POST", "/orders").header("content-length", "2").header("transfer-encoding", "chunked");
    let reply = both.send().await;
    stand.refused(&reply, 400, "wire.framing");
    assert_eq!(reply.header("connection"), Some("close"));
    let reply = stand.call("GET", "/orders/a%00b").user("alice").send().await;
    stand.refused(&reply, 400, "wire.path");
    assert_eq!(reply.header("connection"), Some("close"));
}

#[tokio::test]
async fn t41_a_token_in_the_query_is_refused_on_public_operations_too() {
    for name in ["access_token", "Access_Token", "access%5Ftoken"] {
        let stand = Stand::new();
        let reply = stand.call("GET", &format!("/status?{name}=a.b.c")).send().await;
        stand.refused(&reply, 400, "identity.malformed");
        assert!(!String::from_utf8_lossy(&reply.body).contains("a.b.c"));
    }
    let stand = Stand::new();
    let reply = stand.call("GET", "/orders?access_token=a.b.c").user("alice").send().await;
    stand.refused(&reply, 400, "identity.several");
    assert_eq!(stand.call("GET", "/status").send().await.status, 200);
}
