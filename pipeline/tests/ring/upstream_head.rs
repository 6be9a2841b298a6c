// SPDX-License-Identifier: Apache-2.0
//! The head the origin sees is ours.

use crate::gate::client::{Call, SCOPES};
use crate::gate::origin::{Does, How, json_answer, order, orders};
use crate::gate::{HOST, Setup, Stand, tokens};
use serde_json::json;

/// What every call carries here that must not arrive.
fn laden(call: Call<'_>) -> Call<'_> {
    let fields = [
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-Host", "evil.example.com"),
        ("X-Forwarded-Proto", "gopher"),
        ("X-Forwarded-Prefix", "/evil"),
        ("Forwarded", "for=203.0.113.9"),
        ("X-User-Id", "mallory"),
        ("X.User.Id", "mallory"),
        ("X-User", "mallory"),
        ("X-Real-IP", "203.0.113.9"),
        ("X-Original-URL", "/admin"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("Request-Id", "mallory"),
        ("Via", "1.1 mallory"),
        ("Cookie", "session=mallory; theme=dark"),
        ("Traceparent", "00-11111111111111111111111111111111-2222222222222222-01"),
        ("Tracestate", "mallory=1"),
        ("Baggage", "mallory=1"),
        ("Idempotency-Key", "\"mallory\""),
        ("Keep-Alive", "timeout=mallory"),
        ("TE", "trailers"),
        ("Proxy-Authorization", "mallory"),
    ];
    fields.into_iter().fold(call, |call, (name, value)| call.header(name, value))
}

#[tokio::test]
async fn t37_nothing_of_the_clients_own_making_arrives() {
    for (method, path) in [("GET", "/orders/a-1"), ("DELETE", "/orders/a-1"), ("GET", "/exports"), ("GET", "/status")] {
        let stand = Stand::new();
        let call = laden(stand.call(method, path).user("alice"));
        let reply = call.send().await;
        assert!(reply.status < 300, "{path} {reply:?}");
        let public = path == "/status";
        for seen in stand.origin.seen() {
            let text = format!("{:?}", seen.headers).to_ascii_lowercase();
            for gone in ["mallory", "203.0.113.9", "evil", "gopher", "/admin", "11111111", "bearer"] {
                assert!(!text.contains(gone), "{path}: {gone} in {text}");
            }
            for name in ["authorization", "idempotency-key", "dpop", "x-api-key", "tracestate", "baggage", "te", "host"]
            {
                assert!(!seen.headers.contains_key(name), "{path}: {name}");
            }
            assert_eq!(seen.header("x-user-id"), if public { None } else { Some("alice") });
            assert_eq!(seen.header("via"), Some("1.1 portcullis"));
            assert_eq!(seen.header("request-id"), Some(reply.request_id()));
            assert_eq!(seen.header("cookie"), if path == "/exports" { Some("theme=dark") } else { None });
            if seen.how == How::Sent {
                assert_eq!(seen.header("x-forwarded-for"), Some("192.0.2.1"));
                assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
                assert_eq!(seen.header("x-forwarded-host"), Some(HOST));
                assert_eq!(seen.header("forwarded"), Some("for=192.0.2.1;proto=https;host=\"api.example.com\""));
            } else {
                let mut names: Vec<&str> = seen.headers.keys().map(http::HeaderName::as_str).collect();
                names.sort_unstable();
                assert_eq!(names, ["accept", "accept-encoding", "request-id", "traceparent", "via", "x-user-id"]);
            }
        }
    }
}

#[tokio::test]
async fn api_keys_and_proofs_of_a_public_operation_do_not_arrive() {
    let stand = Stand::new();
    let call =
        stand.call("GET", "/status").header("x-api-key", "k").header("dpop", "p").header("authorization", "Basic eA==");
    assert_eq!(call.send().await.status, 200);
    let only = stand.origin.only();
    for name in ["x-api-key", "dpop", "authorization"] {
        assert_eq!(only.header(name), None);
    }
}

#[tokio::test]
async fn t39_connection_cannot_name_our_headers_away() {
    let stand = Stand::new();
    let connection = "close, x-custom";
    let call = stand.call("GET", "/exports").user("alice").header("connection", connection).header("x-custom", "1");
    assert_eq!(call.send().await.status, 200);
    let only = stand.origin.only();
    assert_eq!(only.header("x-user-id"), Some("alice"));
    assert_eq!(only.header("x-forwarded-for"), Some("192.0.2.1"));
    assert_eq!(only.header("via"), Some("1.1 portcullis"));
    assert_eq!((only.header("x-custom"), only.header("connection")), (None, None));
    assert!(only.header("request-id").is_some() && only.header("traceparent").is_some());
    // What is ours, or what a check relies on, is not of this connection.
    let ours = ["x-user-id", "x-forwarded-for", "forwarded", "via", "request-id", "traceparent", "authorization"];
    for name in ours.into_iter().chain(["content-type", "content-length", "if-match", "idempotency-key"]) {
        let stand = Stand::new();
        let reply = stand.call("GET", "/orders/a-1").user("alice").header("connection", name).send().await;
        stand.refused(&reply, 400, "wire.malformed");
    }
}

#[tokio::test]
async fn t38_underscored_names_are_refused() {
    for name in ["X_Forwarded_For", "X_User_Id", "x-user_id", "content_length"] {
        let stand = Stand::new();
        let reply = stand.call("GET", "/orders/a-1").user("alice").header(name, "mallory").send().await;
        stand.refused(&reply, 400, "wire.malformed");
    }
}

#[tokio::test]
async fn tr_03_the_trace_is_ours_and_one_for_a_request() {
    let stand = Stand::new();
    stand.call("DELETE", "/orders/a-1").user("alice").send().await;
    let seen = stand.origin.seen();
    let traces: Vec<Vec<&str>> = seen.iter().map(|s| s.header("traceparent").unwrap().split('-').collect()).collect();
    assert_eq!(traces.len(), 2);
    assert_eq!((traces[0][0], traces[0][1].len(), traces[0][2].len(), traces[0][3]), ("00", 32, 16, "00"));
    assert_eq!(traces[0][1], traces[1][1]);
    assert_ne!(traces[0][2], traces[1][2]);
    assert_eq!(stand.records()[0]["trace"], traces[0][1]);
}

#[tokio::test]
async fn conditions_do_not_reach_an_origin_whose_answer_is_judged() {
    let ask = |path: &'static str| async move {
        let stand = Stand::new();
        let call = stand.call("GET", path).role("alice", "finance");
        let call = call.header("if-none-match", "\"v1\"").header("if-modified-since", "Mon, 01 Jan 2024 00:00:00 GMT");
        let call = call.header("range", "bytes=0-1").header("if-range", "\"v1\"").header("accept-encoding", "gzip, br");
        let call = call.header("accept", "text/html");
        assert_eq!(call.send().await.status, 200);
        stand.origin.only()
    };
    let judged = ask("/orders/a-1").await;
    for name in ["if-none-match", "if-modified-since", "range", "if-range"] {
        assert_eq!(judged.header(name), None, "{name}");
    }
    assert_eq!(judged.header("accept-encoding"), Some("identity"));
    assert_eq!(judged.header("accept"), Some("application/json"));
    // Ownership was known before: a part of the document may leave.
    let before = ask("/orders/a-1/pdf").await;
    assert_eq!((before.header("range"), before.header("if-range")), (Some("bytes=0-1"), Some("\"v1\"")));
    assert_eq!(before.header("if-none-match"), None);
    let unjudged = ask("/exports").await;
    assert_eq!(unjudged.header("if-none-match"), Some("\"v1\""));
    assert_eq!(unjudged.header("accept-encoding"), Some("gzip, br"));
}

/// An origin whose orders have this version.
fn versioned(stand: &Stand, tag: &'static str) {
    stand.origin.does(move |seen| {
        let mut does = orders(seen);
        if let (Does::Answer(answer), "GET") = (&mut does, seen.method.as_str()) {
            answer.headers_mut().insert("etag", tag.parse().unwrap());
        }
        does
    });
}

#[tokio::test]
async fn a_write_is_bound_to_the_version_whose_owner_was_seen() {
    for (tag, sent) in [("\"v7\"", Some("\"v7\"")), ("W/\"v7\"", None)] {
        let stand = Stand::new();
        versioned(&stand, tag);
        assert_eq!(stand.call("DELETE", "/orders/a-1").user("alice").send().await.status, 204);
        assert_eq!(stand.origin.only().header("if-match"), sent, "{tag}");
    }
}

#[tokio::test]
async fn a_stale_if_match_is_told_to_the_owner_alone() {
    let stand = Stand::new();
    versioned(&stand, "\"v7\"");
    let delete = |order: &str, tag: &str| {
        stand.call("DELETE", &format!("/orders/{order}")).user("alice").header("if-match", tag)
    };
    let own = delete("a-1", "\"v6\"").send().await;
    stand.recorded_refusal(&own, 412, "object.precondition_failed");
    let foreign = delete("b-1", "\"v6\"").send().await;
    stand.recorded_refusal(&foreign, 404, "object.not_owner");
    assert!(stand.origin.sent().is_empty());
    assert_eq!(delete("a-1", "\"v7\"").send().await.status, 204);
    assert_eq!(stand.origin.only().header("if-match"), Some("\"v7\""));
}

#[tokio::test]
async fn the_target_is_written_anew_below_the_base_path() {
    let stand = Stand::with(Setup { base_path: Some("/v1"), ..Setup::default() });
    let reply = stand.call("GET", "/v1/orders?note=a+b%2fc%41&limit=5").user("alice").send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let only = stand.origin.only();
    assert!(only.target.starts_with("/orders?note=a%20b"), "{}", only.target);
    assert!(only.target.ends_with("cA&limit=5"), "{}", only.target);
    let reply = stand.call("GET", "/orders").user("alice").send().await;
    stand.recorded_refusal(&reply, 404, "route.not_found");
    // An escape of a plain letter is that letter, for the rule and for the origin.
    assert_eq!(stand.call("GET", "/v1/orders/%61-1").user("alice").send().await.status, 200);
    assert_eq!(stand.origin.sent()[1].target, "/orders/a-1");
    assert_eq!(stand.call("DELETE", "/v1/orders/%61-1").user("alice").send().await.status, 204);
    let targets: Vec<String> = stand.origin.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets[2..], ["/orders/a-1", "/orders/a-1"]);
}

#[tokio::test]
async fn a_subject_an_origin_would_read_differently_is_not_sent() {
    for subject in [" alice", "alice ", "al\tice", "ali\u{e7}e", "alice\r\nx-admin: 1"] {
        let stand = Stand::new();
        let token = tokens::token(subject, SCOPES, &["analyst"]);
        let reply = stand.call("GET", "/statistics").token(&token).send().await;
        for seen in stand.origin.seen() {
            let sent = seen.headers.get("x-user-id").map(http::HeaderValue::as_bytes).unwrap_or_default();
            assert!(sent.is_empty() || sent == subject.as_bytes(), "{sent:?}");
            assert_eq!(sent.trim_ascii(), sent);
            assert!(!seen.headers.contains_key("x-admin"));
        }
        assert_eq!(stand.records().len(), 1, "{reply:?}");
    }
}

#[tokio::test]
async fn media_types_that_are_not_json_keep_their_parameters() {
    let stand = Stand::new();
    for sent in ["multipart/form-data; boundary=xyz", "image/png", "text/plain"] {
        let reply = stand.call("POST", "/uploads").user("alice").raw(sent, "--xyz--").send().await;
        assert_eq!(reply.status, 204, "{reply:?}");
        let last = stand.origin.sent().pop().unwrap();
        assert_eq!((last.header("content-type"), &last.body[..]), (Some(sent), &b"--xyz--"[..]));
    }
    let call = stand.call("POST", "/orders").user("alice");
    call.raw("Application/JSON; charset=\"UTF-8\"", "{\"item\":\"a\"}").send().await;
    assert_eq!(stand.origin.sent().pop().unwrap().header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_bodiless_request_carries_no_media_type() {
    let stand = Stand::new();
    stand.origin.does(|_| Does::Answer(json_answer(200, &order("a-1", "alice"))));
    let call = stand.call("GET", "/orders/a-1").user("alice").header("content-type", "application/json");
    assert_eq!(call.send().await.status, 200);
    let only = stand.origin.only();
    assert_eq!((only.header("content-type"), only.header("content-length")), (None, None));
    assert_eq!(json!(only.body.to_vec()), json!([]));
}
