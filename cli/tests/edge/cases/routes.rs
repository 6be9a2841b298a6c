// SPDX-License-Identifier: Apache-2.0
//! T33–T36: what is not declared does not exist, and nothing a client adds changes what it asks for (API5-1, HTTP-11).

use crate::case::{Case, End, JUDGED, STREAMED, Sees, Table, get, head, post};
use crate::corpus;
use crate::origin;

/// The complement of the document: every method on every path, minus what is declared.
fn t33() -> Vec<Case> {
    let mut table = Table::new("T33");
    let declared = [
        ("/items", &["POST"] as &[&str]),
        ("/items/1", &["GET", "PUT", "DELETE"]),
        ("/uploads", &["POST"]),
        ("/search", &["GET"]),
        ("/private/1", &["GET"]),
        ("/script/none", &["GET"]),
    ];
    for (path, methods) in declared {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            if !methods.contains(&method) {
                let case = table.case(&format!("{method} {path}"), head(&format!("{method} /v1{path}"), ""));
                let case = case.or(&[405], End::Any);
                table.add(if method == "HEAD" { case.bodiless() } else { case });
            }
        }
    }
    for path in [
        "/v1/admin",
        "/v1/items/1/owner",
        "/v1/debug",
        "/v1/.git/config",
        "/v1/openapi.json",
        "/actuator/health",
        "/v1/*",
        "/v1/items/1,2/x",
    ] {
        table.deny(404, path, get(path));
    }
    table.cases
}

fn t34() -> Vec<Case> {
    let mut table = Table::new("T34");
    for name in [
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "x-http-method-override",
        "X.HTTP.Method.Override",
        "Method-Override",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Original-URI",
        "X-Original-Method",
        "X-Original-Host",
        "X-Middleware-Subrequest",
        "X-Accel-Mapping",
        "X-Forwarded-Method",
        "X-Forwarded-Uri",
        "X-Forwarded-Path",
        "X-Forwarded-Prefix",
        "X-Rewrite-Method",
    ] {
        for (method, value) in [("GET", "DELETE"), ("GET", "/private/1"), ("DELETE", "GET")] {
            let text = head(&format!("{method} /v1/items/1"), &format!("{name}: {value}\r\n"));
            let sees = [
                Sees::Absent(name.to_lowercase()),
                Sees::Method(if method == "GET" { "GET" } else { "DELETE" }),
                Sees::Target("/items/1".into()),
            ];
            table.serve(&format!("{name}: {value}"), text, &sees);
        }
        table.deny(401, name, head("GET /v1/private/1", &format!("{name}: /v1/items/1\r\n")));
        table.deny(405, name, head("PATCH /v1/items/1", &format!("{name}: GET\r\n")));
    }
    for query in ["_method=DELETE", "X-HTTP-Method-Override=DELETE", "http_method=DELETE"] {
        table.deny(400, query, get(&format!("/v1/items/1?{query}")));
    }
    let text = post(JUDGED, "Content-Length: 20\r\n", "{\"_method\":\"DELETE\"}");
    table.deny(400, "in the body", text);
    table.cases
}

fn t35() -> Vec<Case> {
    let mut table = Table::new("T35");
    let long = "X".repeat(10_000);
    for method in [
        "get", "Get", "gET", "GETX", "XGET", "TRACE", "TRACK", "DEBUG", "PROPFIND", "LINK", "PURGE", "BAN", "SEARCH",
        "QUERY", "HTTP", "PRI", "GET.", "G-E-T", "!", "*", "0", "post", "Delete", "MERGE", "M-SEARCH", "REPORT", "ACL",
    ] {
        table.deny(405, method, head(&format!("{method} /v1/items/1"), ""));
    }
    let case = table.case("a long method", head(&format!("{long} /v1/items/1"), "")).or(&[405], End::Any);
    table.add([400, 414, 431, 501].into_iter().fold(case, |case, status| case.or(&[status], End::Closed)));
    let text = head("TRACE /v1/items/1", "Authorization: Bearer mallory\r\nCookie: a=mallory\r\nMax-Forwards: 0\r\n");
    table.deny(405, "a trace shows nothing", text);
    table.cases
}

fn t36() -> Vec<Case> {
    let mut table = Table::new("T36");
    for agent in
        ["kube-probe/1.31", "ELB-HealthChecker/2.0", "GoogleHC/1.0", "Prometheus/3.0", "curl/8", "", "Googlebot"]
    {
        table.deny(401, agent, head("GET /v1/private/1", &format!("User-Agent: {agent}\r\n")));
    }
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/healthz",
        "/v1/private/1/healthz",
        "/v1/private/1/",
        "/ping",
        "/ready",
        "/status",
        "/favicon.ico",
        "/v1/items/1/private",
        "/api/v1/private/1",
        "/.well-known/acme-challenge/a",
    ] {
        table.deny(404, path, get(path));
    }
    for path in [
        "/v1/private/healthz",
        "/v1/private/favicon.ico",
        "/v1/private/1.json",
        "/v1/private/items",
        "/v1/private/login",
    ] {
        table.deny(401, path, get(path));
    }
    for query in ["public=true", "skip_auth=1", "token={ALICE}", "api_key=a"] {
        let case = table.case(query, get(&format!("/v1/private/1?{query}"))).or(&[401], End::Any).or(&[400], End::Any);
        table.add(case);
    }
    for fields in [
        "X-Auth-Subject: mallory\r\n",
        "X-Forwarded-For: 127.0.0.1\r\n",
        "X-Real-IP: 127.0.0.1\r\n",
        "Origin: http://edge.example.com\r\n",
        "Referer: /v1/items/1\r\n",
        "X-Api-Key: a\r\n",
        "Cookie: session=mallory\r\n",
        "X-Portcullis-Skip: 1\r\n",
        "Upgrade-Insecure-Requests: 1\r\n",
        "X-Internal: 1\r\n",
    ] {
        table.deny(401, fields, head("GET /v1/private/1", fields));
    }
    table.deny(401, "upload like", head("GET /v1/private/1", STREAMED.1));
    table.serve(
        "with a token",
        head("GET /v1/private/1", "Authorization: Bearer {ALICE}\r\n"),
        &[Sees::Field("x-auth-subject".into(), "alice".into())],
    );
    table.cases
}

/// The cases of this file.
pub(super) fn all() -> Vec<Case> {
    [t33(), t34(), t35(), t36()].concat()
}

#[test]
fn t33_t34_t35_t36_what_is_not_declared_does_not_exist() {
    corpus::run(&all(), origin::echo);
}
