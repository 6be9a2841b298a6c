// SPDX-License-Identifier: Apache-2.0
//! Tests of the field lines: spelling, size, and which of them go further.

use super::get;
use http::{HeaderName, HeaderValue};
use portcullis_decision::Reason;

#[test]
fn t07_field_values_are_visible_ascii() {
    for byte in 0..=255_u8 {
        let Ok(value) = HeaderValue::from_bytes(&[b'a', byte, b'b']) else { continue };
        let received = get("/").with("x-any", value.as_bytes()).receive();
        assert_eq!(received.is_ok(), matches!(byte, b' '..=b'~' | b'\t'), "{byte:#x}");
    }
}

#[test]
fn t09_underscores_in_names_are_refused() {
    for name in ["content_length", "transfer_encoding", "host_", "x_user_id", "_method"] {
        assert_eq!(get("/").with(name, "1").refused(), Reason::WireMalformed, "{name}");
    }
}

#[test]
fn t34_t37_t40_reserved_fields_are_taken_away_and_counted() {
    let names = [
        "x-http-method-override",
        "x-method-override",
        "x-original-url",
        "x-rewrite-url",
        "x-user-id",
        "X-USER",
        "x-auth-request-user",
        "x-forwarded-user",
        "x-client-cert",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "forwarded",
        "x-real-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "x-tenant-id",
        "client-cert",
        "client-cert-chain",
        "x-ssl-client-dn",
        "x-envoy-original-path",
        "proxy-authorization",
        "proxy",
        "x.user.id",
        "x~user~id",
        "content.length",
        "x-portcullis-subject",
    ];
    let case = names.iter().fold(get("/"), |case, name| case.with(name, "1"));
    let head = case.with("x-user-id", "2").accepted();
    assert_eq!(head.headers.keys().collect::<Vec<_>>(), Vec::<&HeaderName>::new());
    assert_eq!(head.stripped, names.len() + 1);
}

#[test]
fn t39_connection_may_not_name_what_checks_rely_on() {
    for value in [
        "X-User-Id",
        "close, authorization",
        "AUTHORIZATION",
        "cookie",
        "content-length",
        "Host",
        "x-forwarded-for",
        "dpop",
        "idempotency-key",
        "x_a",
        "x.user.id",
        "a b",
        "\"close\"",
        "transfer-encoding",
    ] {
        assert_eq!(get("/").with("connection", value).refused(), Reason::WireMalformed, "{value}");
    }
    let many: Vec<String> = (0..17).map(|n| format!("x-{n}")).collect();
    assert_eq!(get("/").with("connection", many.join(",")).refused(), Reason::WireMalformed);
    let head = get("/")
        .with("connection", "Upgrade, , HTTP2-Settings")
        .with("upgrade", "h2c")
        .with("http2-settings", "x")
        .accepted();
    assert!(head.headers.is_empty());
}

#[test]
fn http_8_fields_of_one_connection_end_here() {
    let names = ["keep-alive", "proxy-connection", "te", "trailer", "upgrade", "x-mine"];
    let head = names.iter().fold(get("/"), |case, name| case.with(name, "1")).with("connection", "x-mine").accepted();
    assert!(head.headers.is_empty());
    assert_eq!(head.stripped, 1, "proxy-connection is reserved");
}

#[test]
fn t41_fields_with_one_value_may_not_stand_twice() {
    for name in ["content-type", "cookie", "dpop", "idempotency-key", "origin", "range", "if-range", "user-agent"] {
        assert_eq!(get("/").with(name, "a").with(name, "a").refused(), Reason::WireMalformed, "{name}");
    }
    assert_eq!(get("/").with("accept", "a/b").with("accept", "c/d").accepted().headers.len(), 2);
}

#[test]
fn t42_heads_are_bounded() {
    let fields = |n: usize| (0..n).fold(get("/"), |case, i| case.with(&format!("x-f{i}"), "1"));
    assert_eq!(fields(99).accepted().headers.len(), 99);
    assert_eq!(fields(100).refused(), Reason::WireHeadTooLarge);
    assert_eq!(get("/").with("x-long", "a".repeat(8 * 1024)).refused(), Reason::WireHeadTooLarge);
    let wide = (0..5).fold(get("/"), |case, i| case.with(&format!("x-f{i}"), "a".repeat(7_000)));
    assert_eq!(wide.refused(), Reason::WireHeadTooLarge);
    assert_eq!(get(&format!("/{}", "a".repeat(8 * 1024))).refused(), Reason::WireUriTooLong);
    get(&format!("/{}", "a".repeat(8 * 1024 - 1))).accepted();
}
