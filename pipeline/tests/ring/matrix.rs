// SPDX-License-Identifier: Apache-2.0
//! Every operation by every caller: allowed means the origin saw exactly that caller, denied means it saw no request.

use crate::gate::client::Call;
use crate::gate::{Stand, tokens};
use serde_json::json;

/// Subject, scopes, roles.
type Credential = (&'static str, &'static str, &'static [&'static str]);

const CALLERS: [(&str, Option<Credential>); 7] = [
    ("anonymous", None),
    ("owner", Some(("alice", "orders.read orders.write", &[]))),
    ("stranger", Some(("bob", "orders.read orders.write", &[]))),
    ("reader", Some(("alice", "orders.read", &[]))),
    ("support", Some(("sue", "orders.read orders.write", &["support"]))),
    ("analyst", Some(("ann", "orders.read", &["analyst"]))),
    ("admin", Some(("adam", "orders.write orders.admin", &[]))),
];

/// Method, path, and whom it is for; everybody else is refused.
const OPERATIONS: [(&str, &str, &[&str]); 12] = [
    ("GET", "/orders", &["owner", "stranger", "reader", "support", "analyst"]),
    ("POST", "/orders", &["owner", "stranger", "support", "admin"]),
    ("GET", "/orders/a-1", &["owner", "reader", "support"]),
    ("HEAD", "/orders/a-1", &["owner", "reader", "support"]),
    ("PATCH", "/orders/a-1", &["owner"]),
    ("DELETE", "/orders/a-1", &["owner", "admin"]),
    ("POST", "/payments", &["owner", "stranger", "support", "admin"]),
    ("GET", "/statistics", &["analyst"]),
    ("GET", "/status", &["anonymous", "owner", "stranger", "reader", "support", "analyst", "admin"]),
    ("POST", "/login", &["anonymous", "owner", "stranger", "reader", "support", "analyst", "admin"]),
    ("POST", "/uploads", &["owner", "stranger", "support", "admin"]),
    ("GET", "/exports", &["owner", "stranger", "reader", "support", "analyst"]),
];

fn with_body<'s>(call: Call<'s>, method: &str, path: &str) -> Call<'s> {
    match (method, path) {
        ("POST", "/orders") => call.json(&json!({"item": "lamp"})),
        ("POST", "/payments") => call.header("idempotency-key", "\"k\"").json(&json!({"amount": 1})),
        ("POST", "/login") => call.json(&json!({"username": "u"})),
        ("POST", "/uploads") => call.raw("text/plain", "text"),
        ("PATCH", _) => call.raw("application/merge-patch+json", r#"{"item":"desk"}"#),
        _ => call,
    }
}

#[tokio::test]
async fn p5_allowed_reaches_the_origin_as_the_caller_and_denied_never_does() {
    for (method, path, allowed) in OPERATIONS {
        for (name, caller) in CALLERS {
            let stand = Stand::new();
            let mut call = with_body(stand.call(method, path), method, path);
            if let Some((subject, scopes, roles)) = caller {
                call = call.token(&tokens::token(subject, scopes, roles));
            }
            let reply = call.send().await;
            let case = format!("{method} {path} by {name}: {reply:?}");
            let public = matches!(path, "/status" | "/login");
            let subject = caller.map(|(subject, ..)| subject).filter(|_| !public);
            let sent = stand.origin.sent();
            if allowed.contains(&name) {
                assert!((200..300).contains(&reply.status), "{case}");
                assert_eq!(sent.len(), 1, "{case}");
            } else {
                assert!((400..500).contains(&reply.status), "{case}");
                // A read is judged by its answer; anything that changes something is judged before.
                let read_of_an_order = path == "/orders/a-1" && matches!(method, "GET" | "HEAD");
                assert!(sent.is_empty() || read_of_an_order, "{case} {sent:?}");
                assert!(!String::from_utf8_lossy(&reply.body).contains("alice"), "{case}");
            }
            for seen in stand.origin.seen() {
                assert_eq!(seen.header("x-user-id"), subject, "{case}");
            }
            let records = stand.final_records();
            assert_eq!(records.len(), 1, "{case}");
            let decision = if allowed.contains(&name) { "allow" } else { "deny" };
            assert_eq!(records[0]["decision"], decision, "{case}");
            assert_eq!(records[0]["status"], reply.status, "{case}");
        }
    }
}
