// SPDX-License-Identifier: Apache-2.0
//! T37–T41, T43–T46: who calls, and from where, is said by the gate alone (HTTP-8, HTTP-14, BCP-1).

use crate::case::{Case, End, HOST, SMUGGLED, STREAMED, Sees, Table, bytes, get, head, post};
use crate::corpus;
use crate::origin;
use crate::origin::{JSON, Reply, Then, answer};
use crate::strict::Message;

const TOKEN: &str = "Authorization: Bearer {ALICE}\r\n";
const SUBJECT: &str = "x-auth-subject";

const RESERVED: [&str; 44] = [
    "X-Auth-Subject",
    "X-User",
    "X-User-Id",
    "X-User-Email",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Access-Token",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Auth-Token",
    "X-Authenticated-User",
    "X-Remote-User",
    "Remote-User",
    "X-Client-Cert",
    "X-SSL-Client-Cert",
    "X-SSL-Client-S-DN",
    "Client-Cert",
    "Client-Cert-Chain",
    "SSL-Client-Verify",
    "X-Tenant-Id",
    "X-Org-Id",
    "X-Role",
    "X-Roles",
    "X-Groups",
    "X-Scope",
    "X-Scopes",
    "X-Admin",
    "X-Is-Admin",
    "X-JWT-Assertion",
    "X-Goog-IAP-JWT-Assertion",
    "X-Amzn-Oidc-Data",
    "X-Amzn-Oidc-Identity",
    "X-MS-Client-Principal",
    "Cf-Access-Jwt-Assertion",
    "X-Envoy-External-Address",
    "X-Envoy-Original-Path",
    "X-Consumer-Id",
    "X-Consumer-Username",
    "X-Credential-Identifier",
    "Impersonate-User",
    "X-On-Behalf-Of",
    "Proxy-Authorization",
    "X-Spiffe-Id",
];

/// Every reserved name with a token, without one, and on an operation that asks for none.
fn t37() -> Vec<Case> {
    let mut table = Table::new("T37");
    for name in RESERVED {
        let field = format!("{name}: mallory\r\n");
        let absent = if name == "X-Auth-Subject" { "x-none".to_owned() } else { name.to_lowercase() };
        let alice = [Sees::Field(SUBJECT.into(), "alice".into()), Sees::Absent(absent)];
        table.serve(name, head("GET /v1/private/1", &format!("{TOKEN}{field}")), &alice);
        table.serve(name, head("GET /v1/items/1", &field), &[Sees::Absent(name.to_lowercase())]);
        table.deny(401, name, head("GET /v1/private/1", &field));
    }
    table.cases
}

fn t38() -> Vec<Case> {
    let mut table = Table::new("T38");
    for name in ["X-Auth-Subject", "X-User-Id", "X-Forwarded-For", "X-Real-IP", "X-SSL-Client-Cert", "X-Original-URL"] {
        for sign in [".", "~", "!", "'", "*", "+", "|", "^", "`", "#", "$", "&"] {
            let spelled = name.replace('-', sign);
            for spelled in [spelled.clone(), spelled.to_uppercase(), spelled.to_lowercase()] {
                let fields = format!("{TOKEN}{spelled}: mallory\r\n");
                table.serve(
                    &spelled,
                    head("GET /v1/private/1", &fields),
                    &[Sees::Field(SUBJECT.into(), "alice".into())],
                );
            }
        }
        for spelled in [
            name.replace('-', "_"),
            name.replacen('-', "_", 1),
            name.to_uppercase().replace('-', "_"),
            format!("{name}_"),
            format!("_{name}"),
        ] {
            table.refuse(400, &spelled, head("GET /v1/private/1", &format!("{TOKEN}{spelled}: mallory\r\n")));
        }
        for spelled in [name.to_lowercase(), name.to_uppercase()] {
            table.serve(&spelled, head("GET /v1/items/1", &format!("{spelled}: mallory\r\n")), &[]);
        }
    }
    table.cases
}

fn t39() -> Vec<Case> {
    let mut table = Table::new("T39");
    for options in [
        "X-Auth-Subject",
        "x-auth-subject",
        "close, X-Auth-Subject",
        "X-Auth-Subject, close",
        "authorization",
        "close, Authorization",
        "x-forwarded-for",
        "X-Forwarded-Host",
        "via",
        "Host",
        "host, close",
        "content-length",
        "Content-Length, close",
        "transfer-encoding",
        "content-type",
        "cookie",
        "forwarded",
        "request-id",
        "X-User-Id",
        "x-real-ip",
        "if-match",
        "idempotency-key",
        "traceparent",
        "x.auth.subject",
        "a b",
        "close;q=1",
        "\"close\"",
        "(close)",
        "x_auth_subject",
        "=",
        "@",
    ] {
        let fields = format!("{TOKEN}Connection: {options}\r\n");
        table.refuse(400, options, head("GET /v1/private/1", &fields) + SMUGGLED);
        table.refuse(400, options, head("GET /v1/items/1", &format!("Connection: {options}\r\n")));
    }
    let two = format!("{TOKEN}Connection: keep-alive\r\nConnection: x-auth-subject\r\n");
    table.refuse(400, "in a second line", head("GET /v1/private/1", &two));
    let many = "a, ".repeat(200);
    table.refuse_any(&[400, 431], "200 options", head("GET /v1/items/1", &format!("Connection: {many}close\r\n")));
    for (options, end) in [
        ("keep-alive", End::Open),
        ("Keep-Alive, X-Mine", End::Open),
        ("x-mine", End::Open),
        (", ,keep-alive,,", End::Open),
        ("x-mine, close", End::Closed),
    ] {
        let fields = format!("{TOKEN}X-Mine: a\r\nX-Other: b\r\nConnection: {options}\r\nKeep-Alive: timeout=5\r\n");
        let case = table.case(options, head("GET /v1/private/1", &fields)).or(&[200], end);
        let mine = if options.to_lowercase().contains("x-mine") {
            Sees::Absent("x-mine".into())
        } else {
            Sees::Field("x-mine".into(), "a".into())
        };
        table.add(
            case.sees(Sees::Field(SUBJECT.into(), "alice".into()))
                .sees(mine)
                .sees(Sees::Field("x-other".into(), "b".into())),
        );
    }
    table.cases
}

fn t40() -> Vec<Case> {
    let mut table = Table::new("T40");
    let seen = [
        Sees::Field("x-forwarded-for".into(), "{CLIENT}".into()),
        Sees::Field("x-forwarded-proto".into(), "http".into()),
        Sees::Field("x-forwarded-host".into(), "edge.example.com".into()),
        Sees::Field("forwarded".into(), "for={CLIENT};proto=http;host=\"edge.example.com\"".into()),
        Sees::Field("via".into(), "1.1 portcullis".into()),
    ];
    for name in [
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Server",
        "X-Forwarded",
        "X-Forwarded-Scheme",
        "X-Forwarded-Ssl",
        "Forwarded",
        "Forwarded-For",
        "X-Real-IP",
        "X-Client-IP",
        "Client-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Cluster-Client-IP",
        "Fastly-Client-IP",
        "X-Originating-IP",
        "X-Remote-Addr",
        "X-Remote-IP",
        "X-ProxyUser-Ip",
        "Via",
        "X-Url-Scheme",
        "Front-End-Https",
        "X-Host",
    ] {
        for fields in [format!("{name}: mallory\r\n"), format!("{name}: 10.0.0.1, mallory\r\n{name}: mallory\r\n")] {
            table.serve(name, head("GET /v1/items/1", &fields), &seen);
        }
    }
    table.cases
}

fn t41() -> Vec<Case> {
    let mut table = Table::new("T41");
    for (name, fields) in [
        ("the same twice", format!("{TOKEN}{TOKEN}")),
        ("two callers", format!("{TOKEN}Authorization: Bearer {{BOB}}\r\n")),
        ("two schemes", format!("{TOKEN}Authorization: Basic YTpi\r\n")),
        ("other case", format!("{TOKEN}AUTHORIZATION: Bearer {{BOB}}\r\n")),
        ("apart", format!("{TOKEN}X-A: b\r\nauthorization: Bearer {{BOB}}\r\n")),
        ("a list", "Authorization: Bearer {ALICE}, Bearer {BOB}\r\n".to_owned()),
        ("two words", "Authorization: Bearer {ALICE} {BOB}\r\n".to_owned()),
        ("a key beside", format!("{TOKEN}X-Api-Key: a\r\n")),
        ("empty", "Authorization:\r\n".to_owned()),
        ("no credentials", "Authorization: Bearer\r\n".to_owned()),
        ("padding", "Authorization: Bearer {ALICE}=\r\n".to_owned()),
        ("two cookies", format!("{TOKEN}Cookie: a=b\r\nCookie: c=d\r\n")),
    ] {
        let case = table.case(name, head("GET /v1/private/1", &fields)).or(&[400], End::Any);
        table.add(if name == "padding" { case.or(&[401], End::Any) } else { case });
    }
    for target in [
        "/v1/private/1?access_token={ALICE}",
        "/v1/private/1?ACCESS_TOKEN={ALICE}",
        "/v1/private/1?access%5Ftoken={ALICE}",
    ] {
        table.deny(400, target, get(target));
        table.deny(400, target, head(&format!("GET {target}"), TOKEN));
    }
    for fields in [
        "Cookie: access_token={ALICE}\r\n",
        "X-Access-Token: {ALICE}\r\n",
        "X-Authorization: Bearer {ALICE}\r\n",
        "Proxy-Authorization: Bearer {ALICE}\r\n",
        "Authorization: Basic e0FMSUNFfTo=\r\n",
        "Authorization: Digest a=\"b\"\r\n",
        "Authorization: bear {ALICE}\r\n",
        "Authorization: Bearer x\r\n",
        "X-Auth-Token: {ALICE}\r\n",
    ] {
        let case = table.case(fields, head("GET /v1/private/1", fields)).or(&[401], End::Any);
        table.add(case);
    }
    let kinds = "Content-Type: application/octet-stream\r\nContent-Type: application/octet-stream\r\n";
    table.refuse(400, "two types", head("POST /v1/uploads", &format!("{kinds}Content-Length: 5\r\n")) + "hello");
    for field in [
        "User-Agent: a",
        "Origin: http://a",
        "Referer: http://a/",
        "Range: bytes=0-1",
        "Idempotency-Key: \"a\"",
        "From: a@b",
        "If-Modified-Since: a",
    ] {
        table.refuse(400, field, head("GET /v1/items/1", &format!("{field}\r\n{field}\r\n")));
    }
    for scheme in ["Bearer", "bearer", "BEARER"] {
        table.serve(
            scheme,
            head("GET /v1/private/1", &format!("Authorization: {scheme} {{ALICE}}\r\n")),
            &[Sees::Field(SUBJECT.into(), "alice".into())],
        );
    }
    table.cases
}

/// No byte of a request stands in a head or a problem of ours.
fn t43() -> Vec<Case> {
    let mut table = Table::new("T43");
    for target in [
        "/v1/injected",
        "/v1/search?q=injected&n=a",
        "/v1/search?n=injected",
        "/v1/items/1?a=injected",
        "/injected%0d%0aX-Injected:%201",
        "/v1/items/%0d%0ainjected",
        "/v1/search?n=%0d%0aX-A:%20injected",
        "/v1//injected",
        "//injected.example.com/v1",
        "/v1/private/injected",
        "/v1/injected%22%3E%3Cscript%3E",
    ] {
        let case = table.case(target, get(target));
        let case = [400, 401, 404].into_iter().fold(case, |case, status| case.or(&[status], End::Any));
        table.add(case);
    }
    for fields in [
        "Host: injected.example.com\r\n",
        "Host: edge.example.com\r\nAuthorization: injected injected\r\n",
        "Host: edge.example.com\r\nX-Forwarded-Host: injected\r\n",
        "Host: edge.example.com\r\nOrigin: http://injected\r\n",
        "Host: edge.example.com\r\nRequest-Id: injected\r\n",
        "Host: edge.example.com\r\nTraceparent: injected\r\n",
        "Host: edge.example.com\r\nAccept: injected/injected\r\n",
    ] {
        let case = table.case(fields, format!("GET /v1/private/1 HTTP/1.1\r\n{fields}\r\n"));
        table.add([400, 401, 421].into_iter().fold(case, |case, status| case.or(&[status], End::Any)));
    }
    table.deny(405, "a method", head("INJECTED /v1/items/1", ""));
    table.deny(415, "a type", post((STREAMED.0, "Content-Type: injected/injected\r\n"), "Content-Length: 1\r\n", "a"));
    table.cases
}

/// A look-up carries the caller's upstream identity and what the gate says of itself, nothing of the client.
fn t44() -> Vec<Case> {
    let mut table = Table::new("T44");
    for fields in [
        "X-Mine: a\r\nUser-Agent: a\r\n",
        "Cookie: a=b\r\n",
        "Accept-Language: de\r\n",
        "X-Auth-Subject: mallory\r\n",
        "X-Forwarded-For: mallory\r\n",
        "If-None-Match: \"a\"\r\n",
        "Accept: text/html\r\n",
        "Range: bytes=0-1\r\n",
    ] {
        let case = table
            .case(fields, head("DELETE /v1/notes/1", &format!("{TOKEN}{fields}")))
            .or(&[200], End::Open)
            .upstream(2);
        table.add(case.sees(Sees::Field(SUBJECT.into(), "alice".into())).sees(Sees::Absent("cookie".into())));
    }
    let case = table
        .case("nobody's note", head("DELETE /v1/notes/1", "Authorization: Bearer {BOB}\r\n"))
        .or(&[404], End::Any)
        .upstream(1);
    let pattern = "GET /notes/1 HTTP/1.1\nhost: {ORIGIN}\naccept: application/json\naccept-encoding: identity\nvia: 1.1 portcullis\nrequest-id: *\n\
        traceparent: 00-*\nx-auth-subject: bob\n\n";
    table.add(case.sees(Sees::Head(pattern)));
    table.cases
}

/// No listener here believes a PROXY header.
fn t45() -> Vec<Case> {
    let mut table = Table::new("T45");
    let request = get("/v1/items/1");
    for line in [
        "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n",
        "PROXY TCP6 ::1 ::1 1 2\r\n",
        "PROXY UNKNOWN\r\n",
        "PROXY TCP4 10.0.0.1\r\n",
        "PROXY \r\n",
        "proxy TCP4 10.0.0.1 10.0.0.2 1 2\r\n",
    ] {
        table.refuse_any(&[400, 505], line, format!("{line}{request}"));
        table.answers(&[200, 400], End::Closed, &format!("second, {line}"), format!("{request}{line}{request}"));
    }
    let signature = b"\r\n\r\n\x00\r\nQUIT\n";
    for (name, rest) in [
        ("ipv4", &b"\x21\x11\x00\x0c\x0a\x00\x00\x01\x0a\x00\x00\x02\x00\x01\x00\x02"[..]),
        ("local", b"\x20\x00\x00\x00"),
        ("overrun", b"\x21\x11\xff\xff\x0a\x00\x00\x01"),
        ("version 1", b"\x11\x11\x00\x00"),
        ("tlv", b"\x21\x11\x00\x0f\x0a\x00\x00\x01\x0a\x00\x00\x02\x00\x01\x00\x02\x03\x00\x04"),
    ] {
        table.refuse_any(&[400, 505], name, bytes(&[signature, rest, request.as_bytes()]));
    }
    table.cases
}

/// Addresses written by clients are nobody's address, however they are spelled.
fn t46() -> Vec<Case> {
    let mut table = Table::new("T46");
    for address in [
        "::ffff:10.0.0.1",
        "[::ffff:10.0.0.1]:80",
        "fe80::1%eth0",
        "010.0.0.1",
        "0x7f.1",
        "2130706433",
        "127.1",
        "::1",
        "0.0.0.0",
        "localhost",
        "10.0.0.1:80",
        "unknown",
        "_hidden",
        "\"[::1]\"",
        "127.0.0.1, 127.0.0.1",
        "",
    ] {
        for name in ["X-Forwarded-For", "X-Real-IP", "Forwarded"] {
            let value = if name == "Forwarded" { format!("for={address}") } else { address.to_owned() };
            let seen = [Sees::Field("x-forwarded-for".into(), "{CLIENT}".into()), Sees::Absent("x-real-ip".into())];
            table.serve(address, head("GET /v1/items/1", &format!("{name}: {value}\r\n")), &seen);
        }
        let text = format!("GET /v1/private/1 HTTP/1.1\r\n{HOST}X-Forwarded-For: {address}\r\n\r\n");
        table.deny(401, address, text);
    }
    table.cases
}

fn with_tag(message: &Message) -> Reply {
    if message.method == "GET" && message.target.starts_with("/notes/") {
        let note = br#"{"id":"1","owner":"alice"}"#;
        return Reply { bytes: answer("200 OK", &format!("{JSON}ETag: \"v1\"\r\n"), note), then: Then::Keep };
    }
    origin::echo(message)
}

/// The cases of this file.
pub(super) fn all() -> Vec<Case> {
    [t37(), t38(), t39(), t40(), t41(), t43(), t44(), t45(), t46()].concat()
}

#[test]
fn t37_t38_t39_t40_t41_t43_t44_t45_t46_who_calls_is_said_by_the_gate_alone() {
    corpus::run(&all(), with_tag);
}
