// SPDX-License-Identifier: Apache-2.0
//! What is asked for: hosts, targets, methods.

use super::Stand;
use crate::client::Request;

const CLOSE: &str = "Connection: close\r\n";

#[test]
fn t16_t35_methods_that_are_not_declared_reach_nothing() {
    let stand = Stand::new();
    let long = "X".repeat(60);
    for method in ["get", "GETX", "HEAD", "OPTIONS", "TRACE", "TRACK", "CONNECT", "PATCH", &long] {
        stand.refuses(405, &stand.head(&format!("{method} /v1/notes/1"), CLOSE), method);
    }
    let endless = format!("{} /v1/notes/1", "X".repeat(5000));
    for line in ["CONNECT notes.example.com:443", "OPTIONS *", "GET *", &endless] {
        stand.refuses(400, &stand.head(line, CLOSE), line);
    }
}

#[test]
fn t21_only_a_path_may_be_asked_for() {
    let stand = Stand::new();
    for target in [
        "http://notes.example.com/v1/notes/1",
        "http://evil.example/v1/notes/1",
        "HTTP://notes.example.com/v1/notes/1",
        "notes.example.com:80",
        "v1/notes/1",
        "/v1/notes/ 1",
    ] {
        stand.refuses(400, &stand.head(&format!("GET {target}"), CLOSE), target);
    }
}

#[test]
fn t22_one_host_and_a_plain_one() {
    let stand = Stand::new();
    let with = |hosts: &str| {
        format!("GET /v1/notes/1 HTTP/1.1\r\n{hosts}Authorization: Bearer {}\r\n{CLOSE}\r\n", stand.alice)
    };
    for hosts in [
        "",
        "Host: a\r\nHost: b\r\n",
        "Host: a\r\nHost: a\r\n",
        "Host: a, b\r\n",
        "Host: u@a\r\n",
        "Host: a/b\r\n",
        "Host:\r\n",
        "Host: a:99999\r\n",
        "Host: a:080\r\n",
        "Host: a:\r\n",
        "Host: a..\r\n",
        "Host: [fe80::1%25eth0]\r\n",
        "Host: a b\r\n",
        "Host: a\\b\r\n",
        "Host: a%2e\r\n",
        "Host: a\"; for=\"b\r\n",
        "Host: a;b\r\n",
    ] {
        stand.refuses(400, with(hosts).as_bytes(), hosts);
    }
    assert_eq!(stand.raw(with("Host: Notes.EXAMPLE.com.:80\r\n").as_bytes()), [200]);
    let seen = stand.origin.last();
    assert_eq!(seen.all("host"), [stand.origin.address.to_string()]);
    assert_eq!(seen.all("x-forwarded-host"), ["notes.example.com:80"]);
}

#[test]
fn t25_t26_t27_t28_t30_paths_with_two_readings_are_refused() {
    let stand = Stand::new();
    for path in [
        "//v1/notes/1",
        "/v1//notes/1",
        "/v1/notes//1",
        "/v1/./notes/1",
        "/v1/notes/../notes/1",
        "/v1/%2e%2e/v1/notes/1",
        "/v1/.%2e/v1/notes/1",
        "/v1/notes/%2e%2e/1",
        "/v1/..;/v1/notes/1",
        "/v1/notes/1;x=1",
        "/v1/notes/1%3bx",
        "/v1/notes%2f1",
        "/v1/notes%2F1",
        "/v1/notes%5c1",
        "/v1\\notes\\1",
        "/v1/notes/1%00",
        "/v1/notes/%001",
        "/v1/notes/1%0a",
        "/v1/notes/1%0d%0aX:y",
        "/v1/notes/%2531",
        "/v1/notes/%25%33%31",
        "/v1/%u006eotes/1",
        "/v1/notes/é",
        "/v1/notes/%c0%ae",
        "/v1/notes/%zz",
        "/v1/notes/1%",
    ] {
        stand.refuses(400, &stand.head(&format!("GET {path}"), ""), path);
    }
}

#[test]
fn t29_t33_t36_other_spellings_of_a_path_are_other_paths() {
    let stand = Stand::new();
    for path in [
        "/v1/notes/1/",
        "/V1/notes/1",
        "/v1/Notes/1",
        "/v1/notes./1",
        "/notes/1",
        "/v1",
        "/v1/",
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/exports/2026-11-01.csv",
        "/v1/exports/2026-11.csv.txt",
    ] {
        stand.refuses(404, &stand.head(&format!("GET {path}"), CLOSE), path);
    }
    for id in ["01", "+1", "1.0", "1e0", "-1", "0", "1.", "1%20", "%ef%bc%91", "%d9%a1", "18446744073709551616"] {
        stand.refuses(400, &stand.head(&format!("GET /v1/notes/{id}"), CLOSE), id);
    }
    for path in ["/v1/notes/%31", "/%76%31/notes/1"] {
        assert_eq!(stand.send(Request::get(path)).status, 200, "{path}");
        assert_eq!(stand.origin.last().target, "/notes/1", "{path}");
    }
}

#[test]
fn t32_a_query_is_read_once_and_written_anew() {
    let stand = Stand::new();
    for query in [
        "TAG=a",
        "tag[]=a",
        "tag=%00",
        "_method=DELETE",
        "admin=1",
        "tag=a&admin=1",
        "access_token=zz",
        "access%5ftoken=zz",
        &["tag=a"; 101].join("&"),
    ] {
        stand.refuses(400, &stand.head(&format!("GET /v1/notes?{query}"), CLOSE), query);
    }
    for (query, upstream) in [
        ("tag=a;admin=1", "/notes?tag=a%3Badmin%3D1"),
        ("tag=a%26admin%3d1", "/notes?tag=a%26admin%3D1"),
        ("&&&", "/notes"),
    ] {
        assert_eq!(stand.send(Request::get(&format!("/v1/notes?{query}"))).status, 200, "{query}");
        assert_eq!(stand.origin.last().target, upstream, "{query}");
    }
}

#[test]
fn t34_no_field_changes_what_was_asked_for() {
    let stand = Stand::new();
    for field in [
        "X-HTTP-Method-Override",
        "X-Method-Override",
        "X-HTTP-Method",
        "X.HTTP.Method.Override",
        "Method-Override",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Original-Method",
        "X-Middleware-Subrequest",
        "X-Accel-Mapping",
        "X-Sendfile-Type",
    ] {
        assert_eq!(stand.send(Request::get("/v1/notes/1").header(field, "DELETE")).status, 200, "{field}");
        let seen = stand.origin.last();
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/notes/1"), "{field}");
        assert!(!seen.fields.iter().any(|(_, value)| value == "DELETE"), "{seen:?}");
    }
}
