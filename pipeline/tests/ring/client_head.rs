// SPDX-License-Identifier: Apache-2.0
//! The head the client sees is ours.

use crate::gate::client::Reply;
use crate::gate::origin::{Does, orders};
use crate::gate::{Setup, Stand, UPSTREAM};

/// The answer to this call, when the origin adds these fields to what it says.
async fn with_fields(stand: &Stand, call: (&str, &str), fields: &[(&'static str, String)]) -> Reply {
    let fields = fields.to_vec();
    stand.origin.does(move |seen| {
        let mut does = orders(seen);
        if let Does::Answer(answer) = &mut does {
            for (name, value) in &fields {
                answer.headers_mut().append(*name, value.parse().unwrap());
            }
        }
        does
    });
    let reply = stand.call(call.0, call.1).user("alice").send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply
}

#[tokio::test]
async fn what_runs_behind_the_gate_is_not_told() {
    for path in ["/orders/a-1", "/exports", "/status"] {
        let stand = Stand::new();
        let fields = [
            ("server", "leak/1.0"),
            ("x-powered-by", "leak"),
            ("x-aspnet-version", "leak"),
            ("connection", "keep-alive, x-hop"),
            ("x-hop", "leak"),
            ("keep-alive", "leak"),
            ("proxy-connection", "leak"),
            ("proxy-authenticate", "leak"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "leak"),
            ("te", "leak"),
            ("trailer", "leak"),
            ("alt-svc", "h2=\"leak:443\""),
            ("request-id", "leak"),
            ("idempotency-replayed", "leak"),
            ("x-accel-redirect", "leak"),
            ("x-sendfile", "leak"),
            ("x-user-id", "leak"),
            ("x-own", "kept"),
        ];
        let fields = fields.map(|(name, value)| (name, value.to_owned()));
        let reply = with_fields(&stand, ("GET", path), &fields).await;
        assert!(!format!("{:?}", reply.headers).contains("leak"), "{path} {:?}", reply.headers);
        for name in ["connection", "transfer-encoding", "content-length"] {
            assert_eq!(reply.header(name), None, "{path} {name}");
        }
        assert_eq!(reply.header("x-own"), Some("kept"));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("request-id"), stand.records()[0]["request"].as_str());
    }
}

#[tokio::test]
async fn cookies_leave_only_where_they_are_declared() {
    let cookie = [("set-cookie", "a=b".to_owned())];
    let stand = Stand::new();
    assert_eq!(with_fields(&stand, ("GET", "/orders/a-1"), &cookie).await.header("set-cookie"), None);
    assert_eq!(with_fields(&stand, ("GET", "/exports"), &cookie).await.header("set-cookie"), None);
    assert_eq!(with_fields(&stand, ("GET", "/status"), &cookie).await.header("set-cookie"), Some("a=b"));
}

#[tokio::test]
async fn locations_of_the_origin_become_ours() {
    let stand = Stand::with(Setup { base_path: Some("/v1"), upstream_path: "/internal", ..Setup::default() });
    for (said, told) in [
        (format!("{UPSTREAM}/internal/orders/a-1"), Some("https://api.example.com/v1/orders/a-1")),
        ("/internal/orders/a-1".to_owned(), Some("/v1/orders/a-1")),
        ("/internally".to_owned(), Some("/v1/internally")),
        ("a-2".to_owned(), Some("a-2")),
        ("https://id.example.com/login".to_owned(), Some("https://id.example.com/login")),
        ("HTTP://10.0.0.7:9000/x".to_owned(), Some("https://api.example.com/v1/x")),
        ("https://10.0.0.7/x".to_owned(), None),
        ("http://u:p@10.0.0.7:9000/x".to_owned(), None),
        ("/internal//evil.example.com/x".to_owned(), Some("/v1//evil.example.com/x")),
        ("\\\\evil.example.com/x".to_owned(), None),
        (format!("{UPSTREAM}0/x"), None),
        ("//10.0.0.7:9000/x".to_owned(), None),
    ] {
        let reply = with_fields(&stand, ("GET", "/v1/exports"), &[("location", said.clone())]).await;
        assert_eq!(reply.header("location"), told, "{said}");
    }
    for link in [format!("<{UPSTREAM}/x>; rel=next"), "<//10.0.0.7/x>; rel=next".to_owned()] {
        let reply = with_fields(&stand, ("GET", "/v1/exports"), &[("link", link)]).await;
        assert_eq!(reply.header("link"), None);
    }
    let other = [("content-location", format!("{UPSTREAM}/x")), ("refresh", format!("0; url={UPSTREAM}/x"))];
    let reply = with_fields(&stand, ("GET", "/v1/exports"), &other).await;
    assert!(!format!("{:?}", reply.headers).contains("10.0.0.7"), "{:?}", reply.headers);
}

#[tokio::test]
async fn st_20_answers_for_somebody_are_not_stored() {
    let stand = Stand::new();
    let public = [("cache-control", "public, max-age=600".to_owned())];
    for path in ["/orders/a-1", "/exports"] {
        let reply = with_fields(&stand, ("GET", path), &public).await;
        assert_eq!(reply.header("cache-control"), Some("private, no-store"), "{path}");
    }
    let reply = with_fields(&stand, ("GET", "/status"), &public).await;
    assert_eq!(reply.header("cache-control"), Some("public, max-age=600"));
    let refused = stand.call("GET", "/orders/b-1").user("alice").send().await;
    assert_eq!((refused.status, refused.header("cache-control")), (404, Some("no-store")));
}

#[tokio::test]
async fn every_answer_after_the_plan_says_what_is_left() {
    let stand = Stand::with(Setup { plan_count: 9, ..Setup::default() });
    let mut left = 9;
    for (method, path, status) in [
        ("GET", "/orders/a-1", 200),
        ("GET", "/orders/b-1", 404),
        ("GET", "/orders?limit=no", 400),
        ("GET", "/statistics", 403),
        ("DELETE", "/orders/b-1", 404),
        ("DELETE", "/orders/a-1", 204),
        ("GET", "/exports", 200),
    ] {
        let reply = stand.call(method, path).user("alice").send().await;
        left -= 1;
        assert_eq!(reply.status, status, "{path}");
        assert_eq!(reply.header("ratelimit-policy"), Some("\"free\";q=9;w=60"), "{path}");
        let said = reply.header("ratelimit").unwrap();
        assert!(said.starts_with(&format!("\"free\";r={left};t=")), "{path}: {said}");
    }
    // What the origin says of its own limits stays beside ours, never before it.
    let own = [("ratelimit-policy", "\"free\";q=999;w=1".to_owned()), ("ratelimit", "\"free\";r=998;t=1".to_owned())];
    let beside = with_fields(&stand, ("GET", "/orders/a-1"), &own).await;
    assert!(beside.header("ratelimit").unwrap().starts_with("\"free\";r=1;"), "{beside:?}");
    assert_eq!(beside.header("ratelimit").unwrap().matches("\"free\"").count(), 1);
    let before = stand.call("GET", "/nothing").user("alice").send().await;
    assert_eq!(before.header("ratelimit"), None);
}
