// SPDX-License-Identifier: Apache-2.0
//! Every refusal of the head: the origin hears nothing, the trail says it once.

use crate::gate::client::{Reply, SCOPES};
use crate::gate::{HOST, Setup, Stand, tokens};

async fn send(stand: &Stand, method: &str, path: &str) -> Reply {
    stand.call(method, path).user("alice").send().await
}

#[tokio::test]
async fn t33_an_undeclared_path_is_refused() {
    let stand = Stand::new();
    let reply = send(&stand, "GET", "/admin").await;
    stand.refused(&reply, 404, "route.not_found");
}

#[tokio::test]
async fn t25_dot_segments_are_refused() {
    for path in ["/status/../orders/a-1", "/orders/%2e%2e/status", "/orders/a%2f1"] {
        let stand = Stand::new();
        let reply = send(&stand, "GET", path).await;
        stand.refused(&reply, 400, "wire.path");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let stand = Stand::new();
    let reply = send(&stand, "PUT", "/orders/a-1").await;
    stand.refused(&reply, 405, "route.method");
    let mut allow: Vec<&str> = reply.header("allow").unwrap().split(", ").collect();
    allow.sort_unstable();
    assert_eq!(allow, ["DELETE", "GET", "HEAD", "PATCH"]);
}

#[tokio::test]
async fn a_wrong_host_is_misdirected() {
    let stand = Stand::new();
    let reply = stand.call_at("other.example.com", "GET", "/status").send().await;
    stand.refused(&reply, 421, "route.host");
}

#[tokio::test]
async fn two_hosts_are_refused() {
    let stand = Stand::new();
    let reply = stand.call("GET", "/status").header("host", HOST).send().await;
    assert_eq!(reply.status, 400);
    assert!(stand.origin.seen().is_empty());
    assert_eq!(stand.records().len(), 1);
}

#[tokio::test]
async fn no_token_is_challenged() {
    let stand = Stand::new();
    let reply = stand.call("GET", "/orders/a-1").send().await;
    stand.refused(&reply, 401, "identity.missing");
    assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer"));
    assert_eq!(reply.header("ratelimit"), None);
}

#[tokio::test]
async fn a_token_of_another_key_is_refused() {
    let stand = Stand::new();
    let reply = stand.call("GET", "/orders/a-1").token(&tokens::forged("alice")).send().await;
    stand.refused(&reply, 401, "identity.signature");
}

#[tokio::test]
async fn two_credentials_are_refused() {
    let stand = Stand::new();
    let twice = stand.call("GET", "/orders/a-1").user("alice").user("bob").send().await;
    stand.refused(&twice, 400, "identity.several");
    let beside = stand.call("GET", "/orders/a-1").user("alice").header("x-api-key", "k").send().await;
    stand.refused(&beside, 400, "identity.several");
}

#[tokio::test]
async fn guessed_tokens_run_dry_and_a_known_one_goes_on() {
    let stand = Stand::with(Setup { failures_count: 2, ..Setup::default() });
    let known = tokens::token("alice", SCOPES, &[]);
    assert_eq!(stand.call("GET", "/orders/a-1").token(&known).send().await.status, 200);
    for _ in 0..2 {
        assert_eq!(stand.call("GET", "/orders/a-1").token(&tokens::forged("bob")).send().await.status, 401);
    }
    let reply = stand.call("GET", "/orders/a-1").token(&tokens::forged("bob")).send().await;
    stand.recorded_refusal(&reply, 429, "limit.auth_failures");
    assert!(reply.header("retry-after").is_some());
    assert_eq!(stand.call("GET", "/orders/a-1").token(&known).send().await.status, 200);
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let stand = Stand::new();
    let token = tokens::token("alice", "orders.read", &[]);
    let reply = stand.call("DELETE", "/orders/a-1").token(&token).send().await;
    stand.refused(&reply, 403, "function.scope");
    assert!(reply.header("www-authenticate").unwrap().contains("insufficient_scope"));
}

#[tokio::test]
async fn a_missing_role_is_refused() {
    let stand = Stand::new();
    let reply = send(&stand, "GET", "/statistics").await;
    stand.refused(&reply, 403, "function.role");
}

#[tokio::test]
async fn a_parameter_of_the_wrong_type_is_refused_without_repeating_it() {
    for query in ["limit=four-score", "limit=0", "limit=101", "limit=1&limit=2"] {
        let stand = Stand::new();
        let reply = send(&stand, "GET", &format!("/orders?{query}")).await;
        stand.refused(&reply, 400, "request.parameter");
        assert_eq!(reply.json()["errors"][0]["pointer"], "/query/limit");
        assert!(!String::from_utf8_lossy(&reply.body).contains("four-score"));
        assert!(!stand.records()[0].to_string().contains("four-score"));
    }
}

#[tokio::test]
async fn an_undeclared_query_parameter_is_refused() {
    let stand = Stand::new();
    let reply = send(&stand, "GET", "/orders?admin=true").await;
    stand.refused(&reply, 400, "request.parameter");
}

#[tokio::test]
async fn an_address_that_asks_too_much_is_refused_before_anything_is_known() {
    let stand = Stand::with(Setup { address_count: 1, ..Setup::default() });
    assert_eq!(stand.call("GET", "/nothing").send().await.status, 404);
    let reply = stand.call("GET", "/nothing").send().await;
    stand.refused(&reply, 429, "limit.address");
    assert!(reply.header("ratelimit").unwrap().contains("r=0"), "{reply:?}");
    assert!(reply.header("retry-after").is_some());
    stand.clock.advance(std::time::Duration::from_mins(1));
    assert_eq!(stand.call("GET", "/nothing").send().await.status, 404);
}

#[tokio::test]
async fn a_spent_plan_is_refused_with_its_fields() {
    let stand = Stand::with(Setup { plan_count: 1, ..Setup::default() });
    // A refusal after the plan step spends the plan too.
    let first = send(&stand, "GET", "/statistics").await;
    assert_eq!(first.status, 403);
    assert_eq!(first.header("ratelimit-policy"), Some("\"free\";q=1;w=60"));
    assert!(first.header("ratelimit").unwrap().starts_with("\"free\";r=0"), "{first:?}");
    let reply = send(&stand, "GET", "/orders/a-1").await;
    stand.refused(&reply, 429, "limit.rate");
    assert_eq!(reply.json()["violated-policies"], serde_json::json!(["free"]));
    assert!(reply.header("ratelimit").unwrap().contains("r=0"));
    let after: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!(after >= 60);
    assert_eq!(stand.call("GET", "/orders/b-1").user("bob").send().await.status, 200);
}

#[tokio::test]
async fn api6_a_name_in_the_body_is_limited_whoever_asks() {
    let stand = Stand::new();
    let login = |name: &str| stand.call("POST", "/login").json(&serde_json::json!({"username": name}));
    for _ in 0..2 {
        let reply = login("alice").send().await;
        assert_eq!(reply.status, 204, "{reply:?}");
        assert!(reply.header("ratelimit-policy").unwrap().contains("\"login\""), "{reply:?}");
    }
    let before = stand.origin.seen().len();
    let reply = login("ALICE ").send().await;
    let other = login("bob").send().await;
    assert_eq!(other.status, 204);
    let refused = login("alice").send().await;
    stand.recorded_refusal(&refused, 429, "limit.rate");
    assert!(refused.header("ratelimit").unwrap().contains("\"login\";r=0"), "{refused:?} {reply:?}");
    assert!(stand.origin.seen().len() <= before + 2);
}

#[tokio::test]
async fn a_full_trail_closes_the_gate() {
    let stand = Stand::with(Setup { queue_max: 1, ..Setup::default() });
    stand.origin.does(|_| crate::gate::origin::Does::Hang);
    let hanging = stand.call("GET", "/status").start();
    let other = async {
        stand.origin.called().await;
        stand.call("GET", "/status").send().await
    };
    let reply = tokio::select! {
        _ = hanging => panic!("the origin hangs"),
        reply = other => reply,
    };
    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(reply.header("retry-after").is_some());
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(stand.origin.seen().len(), 1);
}

#[tokio::test]
async fn st_15_a_circuit_that_is_open_says_when_to_come_back() {
    for (over_ms, told) in [(1, "1"), (1_000, "1"), (1_001, "2"), (12_400, "13")] {
        let stand = Stand::new();
        let over = std::time::Duration::from_millis(over_ms);
        stand
            .origin
            .does(move |_| crate::gate::origin::Does::Until(portcullis_decision::Reason::UpstreamBreakerOpen, over));
        let reply = send(&stand, "GET", "/orders/a-1").await;
        assert_eq!((reply.status, reply.header("retry-after")), (503, Some(told)), "{over_ms}");
        assert_eq!(stand.records()[0]["reason"], "upstream.breaker_open");
    }
}
