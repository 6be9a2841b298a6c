// SPDX-License-Identifier: Apache-2.0
//! Where a request ends: whatever is said twice, oddly or not at all, one request is one decision.

use super::Stand;
use crate::client::exchange;

const BYTES: &str = "Content-Type: application/octet-stream\r\n";
const UPLOAD: &str = "POST /v1/uploads";

/// A request that would be served if it were read as one.
fn smuggled(stand: &Stand) -> Vec<u8> {
    stand.head("GET /v1/notes/1", "")
}

#[test]
fn t01_nothing_follows_a_length_beside_a_coding() {
    let stand = Stand::new();
    for fields in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n",
        "content-length: 0\r\ntRANSFER-eNCODING: Chunked\r\n",
    ] {
        let mut bytes = stand.head(UPLOAD, &format!("{BYTES}{fields}"));
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes.extend(smuggled(&stand));
        assert_eq!(stand.raw(&bytes).len(), 1, "{fields:?}");
        assert_ne!(stand.origin.last().target, "/notes/1", "{fields:?}");
    }
    stand.holds_the_oracle("length beside coding");
}

#[test]
fn t02_lengths_that_differ_are_refused() {
    let stand = Stand::new();
    for fields in ["Content-Length: 5\r\nContent-Length: 0\r\n", "Content-Length: 5, 5\r\n", "Content-Length: 5, 0\r\n"]
    {
        let mut bytes = stand.head(UPLOAD, &format!("{BYTES}{fields}"));
        bytes.extend_from_slice(b"hello");
        bytes.extend(smuggled(&stand));
        stand.refuses(400, &bytes, fields);
    }
}

#[test]
fn t03_a_length_that_is_no_plain_decimal_ends_the_connection() {
    let stand = Stand::new();
    for length in [
        "+5",
        "-5",
        "0x5",
        "010",
        "05",
        "00",
        "1_0",
        "",
        "5Z",
        "5;",
        "5.0",
        "18446744073709551617",
        "99999999999999999999",
        "\u{b5}",
    ] {
        let mut bytes = stand.head(UPLOAD, &format!("{BYTES}Content-Length: {length}\r\n"));
        bytes.extend_from_slice(b"hello");
        bytes.extend(smuggled(&stand));
        stand.refuses(400, &bytes, length);
    }
}

#[test]
fn t04_a_coding_that_is_not_chunked_ends_the_connection() {
    let stand = Stand::new();
    for coding in [
        "xchunked",
        "\u{b}chunked",
        "chunked;a=b",
        "identity",
        "gzip, chunked",
        "chunked, gzip",
        ",chunked",
        "chunked,",
        "\"chunked\"",
        "chunked, chunked",
        "chu nked",
        "",
        "chunked\r\nTransfer-Encoding: chunked",
        "identity\r\nTransfer-Encoding: chunked",
    ] {
        let mut bytes = stand.head(UPLOAD, &format!("{BYTES}Transfer-Encoding: {coding}\r\n"));
        bytes.extend_from_slice(b"5\r\nhello\r\n0\r\n\r\n");
        bytes.extend(smuggled(&stand));
        stand.refuses(400, &bytes, coding);
    }
}

#[test]
fn t05_http_1_0_has_no_coding_and_no_body_until_the_end() {
    let stand = Stand::new();
    for fields in ["Transfer-Encoding: chunked\r\n", ""] {
        let bytes = stand.head(UPLOAD, &format!("{BYTES}{fields}"));
        let mut bytes = String::from_utf8(bytes).unwrap().replace("HTTP/1.1", "HTTP/1.0").into_bytes();
        bytes.extend_from_slice(b"5\r\nhello\r\n0\r\n\r\n");
        stand.refuses(400, &bytes, fields);
    }
}

#[test]
fn t09_an_underscore_does_not_hide_a_framing_field() {
    let stand = Stand::new();
    for name in ["Transfer_Encoding: chunked", "Content_Length: 0", "Host_: a"] {
        let mut bytes = stand.head(UPLOAD, &format!("{BYTES}{name}\r\nContent-Length: 5\r\n"));
        bytes.extend_from_slice(b"hello");
        bytes.extend(smuggled(&stand));
        stand.refuses(400, &bytes, name);
    }
}

#[test]
fn t10_a_broken_chunk_is_refused_and_nothing_after_it_is_read() {
    let stand = Stand::new();
    for chunks in [
        "0x5\r\nhello\r\n0\r\n\r\n",
        "1_0\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "zz\r\n",
    ] {
        for line in [UPLOAD, "POST /v1/notes"] {
            let kind = if line == UPLOAD { BYTES } else { "Content-Type: application/json\r\n" };
            let mut bytes = stand.head(line, &format!("{kind}Transfer-Encoding: chunked\r\n"));
            bytes.extend_from_slice(chunks.as_bytes());
            bytes.extend(smuggled(&stand));
            stand.refuses(400, &bytes, chunks);
        }
    }
}

#[test]
fn t12_trailers_of_a_client_reach_no_upstream() {
    let stand = Stand::new();
    let mut bytes = stand.head(UPLOAD, &format!("{BYTES}Connection: close\r\nTransfer-Encoding: chunked\r\n"));
    bytes.extend_from_slice(b"5\r\nhello\r\n0\r\nX-Auth-Subject: bob\r\nAuthorization: x\r\nContent-Length: 9\r\n\r\n");
    assert_eq!(stand.raw(&bytes), [200]);
    let seen = stand.origin.last();
    assert_eq!(seen.body, b"hello");
    assert_eq!(seen.all(super::SUBJECT), ["alice"]);
    assert!(seen.all("authorization").is_empty(), "{seen:?}");
}

#[test]
fn t13_a_refused_body_is_never_read_as_a_request() {
    let stand = Stand::new();
    let hidden = smuggled(&stand);
    let long = hidden.len() + 200_000;
    for (status, line, fields) in [
        (404, "POST /v1/nope", format!("{BYTES}Content-Length: {}\r\n", hidden.len())),
        (405, "PATCH /v1/uploads", format!("{BYTES}Content-Length: {}\r\n", hidden.len())),
        (415, UPLOAD, format!("Content-Type: text/html\r\nContent-Length: {}\r\n", hidden.len())),
        (413, UPLOAD, format!("{BYTES}Content-Length: 99999999\r\n")),
        (404, "POST /v1/nope", format!("{BYTES}Content-Length: {long}\r\n")),
        (400, "GET /v1/notes/1", format!("Content-Length: {}\r\n", hidden.len())),
    ] {
        let mut bytes = stand.head(line, &format!("Connection: close\r\n{fields}"));
        bytes.extend_from_slice(&hidden);
        stand.refuses(status, &bytes, line);
    }
    // Where the connection goes on, what follows the body is the next request; where it does not, nothing is.
    let head = format!("POST /v1/uploads HTTP/1.1\r\nHost: a\r\n{BYTES}Content-Length: {}\r\n\r\n", hidden.len());
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&hidden);
    bytes.extend(stand.head("GET /v1/notes", "Connection: close\r\n"));
    assert!([&[401, 200][..], &[401]].contains(&stand.raw(&bytes).as_slice()));
    assert_ne!(stand.origin.last().target, "/notes/1");
    stand.holds_the_oracle("unread bodies");
}

#[test]
fn t19_each_of_a_pipeline_has_its_own_decision_in_order() {
    let stand = Stand::new();
    let anonymous = b"GET /v1/notes/1 HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
    let last = stand.head("GET /v1/notes", "Connection: close\r\n");
    let bytes = [smuggled(&stand), anonymous, last.clone()].concat();
    assert_eq!(stand.raw(&bytes), [200, 401, 200]);
    let decisions: Vec<_> = stand.records().iter().map(|r| r["decision"].clone()).collect();
    assert_eq!(decisions, ["allow", "deny", "allow"]);
    for malformed in [b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n".to_vec(), stand.head("GET //v1/notes/1", "")] {
        assert_eq!(stand.raw(&[smuggled(&stand), malformed, last.clone()].concat()), [200, 400]);
    }
    stand.holds_the_oracle("pipelines");
}

#[test]
fn t20_what_is_not_http_1_is_refused_unread() {
    let stand = Stand::new();
    for line in ["GET /v1/notes/1 HTTP/1.2", "GET /v1/notes/1 HTTP/2.0", "PRI * HTTP/2.0"] {
        stand.refuses(505, format!("{line}\r\nHost: a\r\n\r\n").as_bytes(), line);
    }
    for line in [
        "GET /v1/notes/1 HTTP/01.1",
        "GET /v1/notes/1 http/1.1",
        "GET /v1/notes/1",
        "GET  /v1/notes/1 HTTP/1.1",
        "GET\t/v1/notes/1\tHTTP/1.1",
    ] {
        stand.refuses(400, format!("{line}\r\nHost: a\r\n\r\n").as_bytes(), line);
    }
    for bytes in [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaaaaaaa\r\n\r\n".to_vec(), vec![0; 3000]] {
        stand.refuses(400, &bytes, "no text at all");
    }
}

#[test]
fn t24_a_client_that_leaves_still_has_its_record() {
    let stand = Stand::new();
    for _ in 0..10 {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(stand.gate.public).unwrap();
        stream.write_all(&smuggled(&stand)).unwrap();
    }
    let answer = exchange(stand.gate.public, &stand.head("GET /v1/notes/1", "Connection: close\r\n")).unwrap();
    assert_eq!(super::statuses(&answer), [200]);
    assert!(stand.records().iter().all(|r| r["decision"] == "allow" || r["reason"] == "client.aborted"));
}
