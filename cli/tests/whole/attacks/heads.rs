// SPDX-License-Identifier: Apache-2.0
//! Field lines: who is calling, how often it is said, how much of it there is.

use super::{SUBJECT, Stand};
use crate::client::Request;

const CLOSE: &str = "Connection: close\r\n";

#[test]
fn t07_only_visible_bytes_stand_in_a_field() {
    let stand = Stand::new();
    for byte in (0..=255_u8).filter(|b| !matches!(b, b'\r' | b'\n')) {
        let with = |field: [&[u8]; 3]| {
            let mut bytes = stand.head("GET /v1/notes/1", "");
            bytes.truncate(bytes.len() - 2);
            bytes.extend(field.concat());
            bytes.extend_from_slice(b"\r\nConnection: close\r\n\r\n");
            bytes
        };
        if !matches!(byte, b' '..=b'~' | b'\t') {
            stand.refuses(400, &with([b"X-Other: a", &[byte], b"b"]), &format!("value with {byte:#x}"));
        }
        let token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^`|~:".contains(&byte);
        if !token {
            stand.refuses(400, &with([b"X-Other", &[byte], b"a: b"]), &format!("name with {byte:#x}"));
        }
    }
}

#[test]
fn t14_only_100_continue_is_met_and_only_after_the_decision() {
    let stand = Stand::new();
    for expected in ["200-ok", "100-continue, x", "x\r\nExpect: 100-continue"] {
        stand.refuses(417, &stand.head("GET /v1/notes/1", &format!("Expect: {expected}\r\n")), expected);
    }
    let body = "Content-Type: application/octet-stream\r\nContent-Length: 5\r\nExpect: 100-continue\r\n";
    let raw = crate::client::exchange(
        stand.gate.public,
        format!("POST /v1/uploads HTTP/1.1\r\nHost: a\r\n{body}\r\n").as_bytes(),
    );
    let text = String::from_utf8(raw.unwrap()).unwrap();
    assert!(text.starts_with("HTTP/1.1 401 ") && !text.contains(" 100 "), "{text}");
    assert_eq!(stand.origin.count(), 0);
}

#[test]
fn t37_t38_t40_nobody_but_the_gate_says_who_calls() {
    let stand = Stand::new();
    for name in [
        "X-Auth-Subject",
        "x-auth-subject",
        "X.Auth.Subject",
        "X-Auth-Subject-",
        "X~Auth~Subject",
        "X-User",
        "X-User-Id",
        "X-Forwarded-User",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "Forwarded",
        "X-Real-IP",
        "Client-IP",
        "True-Client-IP",
        "X-Client-Cert",
        "Remote-User",
        "X-Tenant-Id",
        "X-Org-Id",
        "X-Role",
        "X-Admin",
        "X-Auth-Token",
        "Proxy-Authorization",
        "X-JWT-Assertion",
        "X-Principal",
        "X-Original-Host",
        "X-Ms-Client-Principal-Id",
        "X-Amzn-Oidc-Data",
        "Cf-Access-Jwt-Assertion",
        "Impersonate-User",
        "X-Impersonate-User",
        "X-On-Behalf-Of",
        "X-ARR-ClientCert",
        "Via",
        "Request-Id",
        "Traceparent",
        "Baggage",
        "Cookie",
        "Idempotency-Key",
        "Te",
        "Upgrade",
    ] {
        assert_eq!(stand.send(Request::get("/v1/notes/1").header(name, "mallory")).status, 200, "{name}");
        let seen = stand.origin.last();
        assert!(!seen.fields.iter().any(|(_, value)| value.contains("mallory")), "{name}: {seen:?}");
        assert_eq!(seen.all(SUBJECT), ["alice"], "{name}");
        assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"], "{name}");
        assert!(seen.all("authorization").is_empty(), "{name}");
    }
    for name in ["X_Auth_Subject", "X-AUTH_SUBJECT", "x_user_id"] {
        stand.refuses(400, &stand.head("GET /v1/notes/1", &format!("{name}: mallory\r\n")), name);
    }
}

#[test]
fn t39_connection_takes_nothing_away_from_the_upstream() {
    let stand = Stand::new();
    for options in [
        "x-auth-subject",
        "X-Auth-Subject, close",
        "close, authorization",
        "x-forwarded-for",
        "via",
        "request-id",
        "forwarded",
        "cookie",
        "content-length",
        "host",
        "x_auth_subject",
        "x-auth.subject",
        "if-match",
        "transfer-encoding",
        "a b",
    ] {
        let fields = format!("Connection: {options}\r\n");
        stand.refuses(400, &stand.head("GET /v1/notes/1", &fields), options);
    }
    assert_eq!(stand.raw(&stand.head("GET /v1/notes/1", "X-Mine: 1\r\nConnection: x-mine, close\r\n")), [200]);
    let seen = stand.origin.last();
    assert_eq!((seen.all("x-mine").len(), seen.all(SUBJECT)), (0, vec!["alice"]));
}

#[test]
fn t41_one_credential_in_one_place() {
    let stand = Stand::new();
    let (alice, bob) = (&stand.alice, stand.mint.token("bob", super::SCOPES));
    for fields in [
        format!("Authorization: Bearer {alice}\r\n"),
        format!("Authorization: Bearer {bob}\r\n"),
        "X-Api-Key: abc\r\n".to_owned(),
        "Cookie: a=1\r\nCookie: b=2\r\n".to_owned(),
    ] {
        stand.refuses(400, &stand.head("GET /v1/notes/1", &format!("{CLOSE}{fields}")), &fields);
    }
    for (status, target, field) in [
        (400, "/v1/notes/1".to_owned(), format!("Authorization: Bearer {alice}, Bearer {bob}\r\n")),
        (400, "/v1/notes/1".to_owned(), format!("Authorization: Bearer {alice} x\r\n")),
        (400, "/v1/notes/1".to_owned(), "Authorization:\r\n".to_owned()),
        (401, "/v1/notes/1".to_owned(), format!("Cookie: access_token={alice}\r\n")),
        (401, "/v1/notes/1".to_owned(), "Authorization: Basic YTpi\r\n".to_owned()),
        (400, format!("/v1/notes/1?access_token={alice}"), String::new()),
        (400, format!("/v1/notes/1?access_token={alice}"), format!("Authorization: Bearer {alice}\r\n")),
    ] {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{CLOSE}{field}\r\n");
        stand.refuses(status, bytes.as_bytes(), &field);
    }
}

#[test]
fn t42_heads_that_are_too_large_are_refused_and_close() {
    let stand = Stand::new();
    let many = |count: usize| (0..count).map(|n| format!("X-A{n}: 1\r\n")).collect::<Vec<_>>().concat();
    for fields in
        [many(101), many(200), format!("X-A: {}\r\n", "a".repeat(9000)), format!("X-A: {}\r\n", "a".repeat(70_000))]
    {
        stand.refuses(431, &stand.head("GET /v1/notes/1", &fields), "a large head");
    }
    stand.refuses(414, &stand.head(&format!("GET /v1/notes?tag={}", "a".repeat(9000)), ""), "a long target");
    assert_eq!(stand.raw(&stand.head("GET /v1/notes/1", &format!("{CLOSE}{}", many(90)))), [200]);
}
