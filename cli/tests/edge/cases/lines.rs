// SPDX-License-Identifier: Apache-2.0
//! T06–T09: a line is a line, a name is a name, a value is text (RFC 9110 §5, RFC 9112 §2.2, §5; SM-5..SM-8).

use crate::case::{Case, Cut, End, HOST, JUDGED, SMUGGLED, STREAMED, Sees, Table, bytes, get, head, post};
use crate::corpus;
use crate::origin;
use crate::strict::is_token_byte;
use std::time::Duration;

fn t06() -> Vec<Case> {
    let mut table = Table::new("T06");
    let line = "GET /v1/items/1 HTTP/1.1";
    for (name, text) in [
        ("everywhere", format!("{line}\nHost: edge.example.com\n\n")),
        ("request line", format!("{line}\n{HOST}\r\n")),
        ("a field", format!("{line}\r\nHost: edge.example.com\nX-A: b\r\n\r\n")),
        ("last field", format!("{line}\r\nHost: edge.example.com\n\r\n")),
        ("empty line", format!("{line}\r\n{HOST}\n")),
        ("two at the end", format!("{line}\r\nHost: edge.example.com\n\n")),
        ("inside a value", format!("{line}\r\n{HOST}X-A: b\nX-B: c\r\n\r\n")),
        ("inside a name", format!("{line}\r\n{HOST}X\nA: b\r\n\r\n")),
        ("inside the target", format!("GET /v1/items\n/1 HTTP/1.1\r\n{HOST}\r\n")),
        ("before the request", format!("\n{line}\r\n{HOST}\r\n")),
        ("cr before the request", format!("\r{line}\r\n{HOST}\r\n")),
        ("hides a second head", format!("{line}\r\n{HOST}X: y\n\n{SMUGGLED}")),
        (
            "hides a coding",
            format!("POST /v1/uploads HTTP/1.1\r\n{HOST}X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ),
        ("lf cr", format!("{line}\n\r{HOST}\n\r\n\r")),
        ("cr alone at the end", format!("{line}\r\n{HOST}\r{SMUGGLED}")),
        ("cr cr lf", format!("{line}\r\r\n{HOST}\r\n")),
        ("cr cr lf at the end", format!("{line}\r\n{HOST}\r\r\n{SMUGGLED}")),
        ("cr alone in a value", format!("{line}\r\n{HOST}X-A: b\rc\r\n\r\n")),
        ("cr after a value", format!("{line}\r\n{HOST}X-A: b\r\r\n\r\n")),
        ("cr alone in the target", format!("GET /v1/items\r/1 HTTP/1.1\r\n{HOST}\r\n")),
        ("vertical tab ends no line", format!("{line}\u{b}{HOST}\r\n")),
        ("next line ends no line", format!("{line}\r\n{HOST}X-A: b\u{85}X-B: c\r\n\r\n")),
    ] {
        table.refuse(400, name, text.clone() + SMUGGLED);
        let case = table.case(name, text).or(&[400], End::Closed).cut(Cut::EachByte);
        table.add(case);
    }
    for (name, chunks) in [
        ("size", "6\n{    }\r\n0\r\n\r\n"),
        ("data", "6\r\n{    }\n0\r\n\r\n"),
        ("last size", "6\r\n{    }\r\n0\n\r\n"),
        ("last line", "6\r\n{    }\r\n0\r\n\n"),
        ("trailer", "6\r\n{    }\r\n0\r\nX-T: a\n\r\n"),
        ("after a trailer", "6\r\n{    }\r\n0\r\nX-T: a\r\n\n"),
        ("everywhere", "6\n{    }\n0\n\n"),
        ("extension", "6;a=b\n{    }\r\n0\r\n\r\n"),
        ("cr alone after a size", "6\r{    }\r\n0\r\n\r\n"),
        ("cr alone after data", "6\r\n{    }\r0\r\n\r\n"),
        ("cr alone at the end", "6\r\n{    }\r\n0\r\n\rX"),
    ] {
        for kind in [STREAMED, JUDGED] {
            let text = post(kind, "Transfer-Encoding: chunked\r\n", &format!("{chunks}{SMUGGLED}"));
            let case = table.case(&format!("chunks {name}"), text).or(&[400], End::Closed).streams();
            table.add(case);
        }
    }
    // An empty line before a request may be passed over (RFC 9112 §2.2).
    table.either("crlf before the request", format!("\r\n{}", get("/v1/items/1")));
    let case = table.case("crlf after a body", post(STREAMED, "Content-Length: 5\r\n", "hello\r\n"));
    table.add(case.or(&[200], End::Any).or(&[200, 400], End::Closed));
    let case = table.case("only empty lines", "\r\n".repeat(3000)).or(&[400], End::Closed).or(&[], End::Closed);
    table.add(case.cut(Cut::HalfClose));
    table.cases
}

/// Every byte in every place of a head where it may not stand.
fn t07() -> Vec<Case> {
    let mut table = Table::new("T07");
    for byte in 0..=255_u8 {
        let place = |what: &str| format!("{what} {byte:02x}");
        let field = |parts: &[&[u8]]| {
            let start = format!("GET /v1/items/1 HTTP/1.1\r\n{HOST}");
            bytes(&[start.as_bytes(), &parts.concat(), b"\r\n\r\n"])
        };
        if !matches!(byte, b' '..=b'~' | b'\t') {
            table.refuse(400, &place("value"), field(&[b"X-Other: a", &[byte], b"b"]));
            table.refuse(400, &place("end of value"), field(&[b"X-Other: a", &[byte]]));
        }
        if !is_token_byte(byte) && byte != b':' {
            table.refuse(400, &place("name"), field(&[b"X-Other", &[byte], b"a: b"]));
            table.refuse(400, &place("start of name"), field(&[&[byte], b"X-Other: b"]));
        }
        if !is_token_byte(byte) {
            let line = bytes(&[b"GE", &[byte], b"T /v1/items/1 HTTP/1.1\r\n", HOST.as_bytes(), b"\r\n"]);
            table.refuse_any(&[400, 505], &place("method"), line);
        }
        if !byte.is_ascii_graphic() || b"\"#<>\\^`{|}".contains(&byte) {
            let line = bytes(&[b"GET /v1/items/a", &[byte], b"b HTTP/1.1\r\n", HOST.as_bytes(), b"\r\n"]);
            table.refuse_any(&[400, 505], &place("target"), line);
        }
    }
    table.serve("tab inside a value", head("GET /v1/items/1", "X-Other: a\tb\r\n"), &[]);
    table.serve("every sign of a token", head("GET /v1/items/1", "x!#$%&'*+-.^`|~9Z: b\r\n"), &[]);
    table.cases
}

fn t08() -> Vec<Case> {
    let mut table = Table::new("T08");
    for fields in [
        "X-A : b\r\n",
        "X-A\t: b\r\n",
        "X-A  : b\r\n",
        " : b\r\n",
        ": b\r\n",
        ":\r\n",
        "::\r\n",
        "X-A\r\n",
        "X-A b\r\n",
        " \r\n",
        "\t\r\n",
        "X A: b\r\n",
        "X-A: b\r\n c\r\n",
        "X-A: b\r\n\tc\r\n",
        "X-A:\r\n b\r\n",
        "X-A: b\r\n \r\n",
        "=: b\r\n",
        "(c): b\r\n",
        "\"X-A\": b\r\n",
        "X-A,X-B: b\r\n",
        "X[A]: b\r\n",
        "X@A: b\r\n",
        "X/A: b\r\n",
        "X;A: b\r\n",
        "{X}: b\r\n",
        "Content-Length : 5\r\n",
        "Content-Length\t: 5\r\n",
        "Content-Length: 5\r\n\t0\r\n",
        "Content-Length:\r\n 5\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: chunked\r\n , gzip\r\n",
        "Authorization : Bearer x\r\n",
        "Host : edge.example.com\r\n",
        "Connection: close\r\n, keep-alive\r\n",
        "Expect:\r\n 100-continue\r\n",
        "GET /v1/items/2 HTTP/1.1\r\n",
        "HTTP/1.1 200 OK\r\n",
    ] {
        table.refuse(400, fields, head("GET /v1/items/1", fields) + SMUGGLED);
        table.refuse(400, fields, format!("GET /v1/items/1 HTTP/1.1\r\n{fields}{HOST}\r\n{SMUGGLED}"));
    }
    for first in [
        " Host: edge.example.com\r\n",
        "\tHost: edge.example.com\r\n",
        " X-A: b\r\nHost: edge.example.com\r\n",
        "\r\n Host: a\r\n",
    ] {
        let text = format!("GET /v1/items/1 HTTP/1.1\r\n{first}\r\n");
        let case = table.case(first, text).or(&[400], End::Closed);
        table.add(case);
    }
    table.serve("no blank after the colon", "GET /v1/items/1 HTTP/1.1\r\nHost:edge.example.com\r\nX-A:b\r\n\r\n", &[]);
    table.serve("an empty value", head("GET /v1/items/1", "X-A:\r\n"), &[Sees::Field("x-a".into(), String::new())]);
    table.serve(
        "blanks around",
        head("GET /v1/items/1", "X-A: \t b c \t\r\n"),
        &[Sees::Field("x-a".into(), "b c".into())],
    );
    // One decision, however it is cut (p2).
    for cut in [Cut::EachByte, Cut::At(vec![1, 4, 20, 25, 26, 27]), Cut::Pause(30, Duration::from_millis(300))] {
        let served = table.case("cut", get("/v1/items/1")).or(&[200], End::Open).cut(cut.clone());
        table.add(served);
        let folded = head("GET /v1/items/1", "X-A: b\r\n c\r\n") + SMUGGLED;
        let refused = table.case("folded and cut", folded).or(&[400], End::Closed).cut(cut.clone());
        table.add(refused);
        let body = post(JUDGED, "Content-Length: 12\r\n", "{\"text\":\"a\"}");
        let served = table.case("body and cut", body).or(&[200], End::Open).cut(cut);
        table.add(served);
    }
    table.cases
}

fn t09() -> Vec<Case> {
    let mut table = Table::new("T09");
    for field in [
        "Content_Length: 5",
        "Transfer_Encoding: chunked",
        "Host_: edge.example.com",
        "_Host: edge.example.com",
        "_: a",
        "X_A: b",
        "X-Auth_Subject: mallory",
        "Transfer-Encoding_: chunked",
        "content_type: text/plain",
        "AUTHORIZATION_: x",
        "X__: b",
        "Connection_: close",
        "X_Forwarded_For: 10.0.0.1",
    ] {
        table.refuse(
            400,
            field,
            post(STREAMED, &format!("{field}\r\nContent-Length: 5\r\n"), &format!("hello{SMUGGLED}")),
        );
        table.refuse(400, field, head("GET /v1/items/1", &format!("{field}\r\n")) + SMUGGLED);
    }
    table.cases
}

/// The cases of this file.
pub(super) fn all() -> Vec<Case> {
    [t06(), t07(), t08(), t09()].concat()
}

#[test]
fn t06_t07_t08_t09_lines_and_fields_have_one_reading() {
    corpus::run(&all(), origin::echo);
}
