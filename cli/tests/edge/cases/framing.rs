// SPDX-License-Identifier: Apache-2.0
//! T01–T05: where a body ends is said once and plainly (RFC 9112 §6, SM-1..SM-4).

use crate::case::{Case, End, HOST, JUDGED, SMUGGLED, STREAMED, Sees, Table, get, head, post};
use crate::corpus;
use crate::origin;

/// Content-Length beside Transfer-Encoding, in every order (CL.TE, TE.CL).
fn t01() -> Vec<Case> {
    let mut table = Table::new("T01");
    let chunked = "Transfer-Encoding: chunked\r\n";
    for length in ["0", "4", "6", "49"] {
        let length = format!("Content-Length: {length}\r\n");
        for fields in
            [format!("{length}{chunked}"), format!("{chunked}{length}"), format!("{chunked}X-A: 1\r\n{length}")]
        {
            for kind in [STREAMED, JUDGED] {
                table.refuse(400, &fields, post(kind, &fields, &format!("0\r\n\r\n{SMUGGLED}")));
            }
            table.refuse(400, &fields, head("GET /v1/items/1", &fields) + "0\r\n\r\n" + SMUGGLED);
        }
    }
    for fields in [
        "content-length: 6\r\nTRANSFER-ENCODING: Chunked\r\n",
        "Content-Length: 6\r\nTransfer-Encoding:chunked\r\nContent-Length: 6\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: x\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: x\r\nContent-Length: 5\r\n",
        "Transfer-Encoding:\r\nContent-Length: 5\r\n",
        "Content-Length:\r\nTransfer-Encoding: chunked\r\n",
        "Connection: Content-Length\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "Connection: Transfer-Encoding\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n",
    ] {
        table.refuse(400, fields, post(STREAMED, fields, &format!("0\r\n\r\nG{SMUGGLED}")));
    }
    // A second decision before the ambiguous one stays what it was.
    let fields = format!("Content-Length: 6\r\n{chunked}");
    let second = post(STREAMED, &fields, &format!("0\r\n\r\nG{SMUGGLED}"));
    table.answers(&[200, 400], End::Closed, "second of two", get("/v1/items/1") + &second);
    table.cases
}

fn t02() -> Vec<Case> {
    let mut table = Table::new("T02");
    let line = |value: &str| format!("Content-Length: {value}\r\n");
    for values in [
        &["5", "5"] as &[&str],
        &["5", "0"],
        &["0", "5"],
        &["5", "6"],
        &["5", "05"],
        &["5", ""],
        &["", "5"],
        &["5", "5", "5"],
        &["0", "0"],
        &["5", "x"],
        &["5, 5"],
        &["5,5"],
        &["5 5"],
        &["5\t5"],
        &["5, 0"],
        &["5,"],
        &[",5"],
        &["5;5"],
        &["5, 5", "5"],
    ] {
        let fields: String = values.iter().map(|v| line(v)).collect();
        table.refuse(400, &fields, post(STREAMED, &fields, &format!("hello{SMUGGLED}")));
        table.refuse(400, &fields, post(JUDGED, &fields, &format!("hello{SMUGGLED}")));
    }
    table.refuse(400, "apart", post(STREAMED, "Content-Length: 5\r\nX-A: b\r\ncONTENT-lENGTH: 5\r\n", "hello"));
    table.refuse(400, "get", head("GET /v1/items/1", "Content-Length: 0\r\nContent-Length: 0\r\n"));
    table.cases
}

fn t03() -> Vec<Case> {
    let mut table = Table::new("T03");
    for length in [
        "+5",
        "-5",
        "-0",
        "+0",
        "0x5",
        "0X5",
        "010",
        "05",
        "00",
        "000000000000000000005",
        "1_0",
        "_5",
        "5_",
        "",
        "\"5\"",
        "'5'",
        "5 0",
        "5Z",
        "Z5",
        "5;",
        "5;a=b",
        "5.",
        "5.0",
        "5e0",
        "5%",
        "%35",
        "five",
        "5,",
        "5\\",
        "5(c)",
        "5\u{b}",
        "\u{b}5",
        "5\u{c}",
        "5\u{0}",
        "5\u{7f}",
        "\u{ff15}",
        "\u{665}",
        "5\u{a0}",
        "18446744073709551616",
        "18446744073709551621",
        "99999999999999999999999999",
        "4294967301.",
        "Infinity",
        "NaN",
        "-9223372036854775808",
    ] {
        let fields = format!("Content-Length: {length}\r\n");
        table.refuse(400, length, post(STREAMED, &fields, &format!("hello{SMUGGLED}")));
    }
    for length in ["+5", "05", "0x5", "5 5", "1_0"] {
        let fields = format!("Content-Length: {length}\r\n");
        table.refuse(400, length, post(JUDGED, &fields, &format!("hello{SMUGGLED}")));
        table.refuse(400, length, head("GET /v1/items/1", &fields) + "hello" + SMUGGLED);
    }
    // Plain decimals that no body may have: over every cap.
    for length in ["9223372036854775807", "9223372036854775808", "9999999999999999999", "4294967301"] {
        let fields = format!("Content-Length: {length}\r\n");
        table.refuse_any(&[413, 400], length, post(STREAMED, &fields, "hello"));
        table.refuse_any(&[413, 400], length, post(JUDGED, &fields, "hello"));
    }
    // Blanks around a value are not part of it (RFC 9110 §5.5); refusing them is as safe.
    for length in ["5 ", "5\t", " 5", "\t5"] {
        table.either(length, post(STREAMED, &format!("Content-Length:{length}\r\n"), "hello"));
    }
    let seen = [Sees::Body(b"hello".to_vec()), Sees::Field("content-length".into(), "5".into())];
    table.serve("plain", post(STREAMED, "Content-Length: 5\r\n", "hello"), &seen);
    let case = table.case("none", post(STREAMED, "Content-Length: 0\r\n", "")).or(&[200], End::Open);
    table.add(case.or(&[400], End::Any).sees(Sees::Body(Vec::new())));
    table.cases
}

fn t04() -> Vec<Case> {
    let mut table = Table::new("T04");
    let chunks = format!("5\r\nhello\r\n0\r\n\r\n{SMUGGLED}");
    for coding in [
        ",chunked",
        "chunked,",
        " , chunked",
        "chunked, ",
        "xchunked",
        "chunkedx",
        "x-chunked",
        "\u{b}chunked",
        "\u{c}chunked",
        "chunked\u{b}",
        "chunked\u{0}",
        "\u{a0}chunked",
        "chunked\u{a0}",
        "chunked;a=b",
        "chunked; q=1",
        "identity",
        "gzip",
        "gzip, chunked",
        "chunked, gzip",
        "gzip,chunked",
        "chunked, identity",
        "identity, chunked",
        "deflate, gzip, chunked",
        "\"chunked\"",
        "'chunked'",
        "chunked, chunked",
        "chunked chunked",
        "chu nked",
        "",
        "*",
        "trailers",
        "chunke\u{212a}d",
        "c\u{212a}unked",
        "chunked/1",
        "chunked (c)",
        "[chunked]",
        "=chunked",
        "0",
    ] {
        let fields = format!("Transfer-Encoding: {coding}\r\n");
        table.refuse(400, coding, post(STREAMED, &fields, &chunks));
    }
    for fields in [
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked\r\ntransfer-encoding: cow\r\n",
        "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Transfer-Encoding: chun\r\n ked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding\u{b}: chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "X-A: b\nTransfer-Encoding: chunked\r\n",
        "X-A: b\rTransfer-Encoding: chunked\r\n",
    ] {
        table.refuse(400, fields, post(STREAMED, fields, &chunks));
        table.refuse(400, fields, post(JUDGED, fields, &chunks));
    }
    for coding in ["chunked ", "\tchunked", "chunked\t", "  chunked  "] {
        table.either(coding, post(STREAMED, &format!("Transfer-Encoding:{coding}\r\n"), "5\r\nhello\r\n0\r\n\r\n"));
    }
    for coding in ["chunked", "Chunked", "CHUNKED", "cHuNkEd"] {
        let bytes = post(STREAMED, &format!("Transfer-Encoding: {coding}\r\n"), "5\r\nhello\r\n0\r\n\r\n");
        table.serve(coding, bytes, &[Sees::Body(b"hello".to_vec()), Sees::Absent("content-length".into())]);
        let bytes = post(JUDGED, &format!("transfer-encoding: {coding}\r\n"), "2\r\n{}\r\n0\r\n\r\n");
        table.serve(coding, bytes, &[Sees::Body(b"{}".to_vec()), Sees::Absent("transfer-encoding".into())]);
    }
    table.cases
}

fn t05() -> Vec<Case> {
    let mut table = Table::new("T05");
    let old = |bytes: String| bytes.replacen("HTTP/1.1", "HTTP/1.0", 1);
    for connection in ["", "Connection: keep-alive\r\n", "Connection: close\r\n"] {
        for (name, fields, body) in [
            ("chunked", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
            ("both", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "hello"),
            ("identity", "Transfer-Encoding: identity\r\n", "hello"),
        ] {
            for kind in [STREAMED, JUDGED] {
                let bytes = old(post(kind, &format!("{connection}{fields}"), body)) + SMUGGLED;
                table.refuse(400, name, bytes);
            }
        }
        // Neither length nor coding: no body, and none that ends with the connection.
        let bytes = old(post(STREAMED, connection, "hello")) + SMUGGLED;
        let case = table.case("until the end", bytes).or(&[400], End::Closed).or(&[200, 400], End::Closed);
        // The bytes that follow are no body, so that they are the next request: `helloGET` is no method.
        let case = case.or(&[400, 405], End::Any).or(&[400, 400], End::Closed);
        table.add(case.or(&[200], End::Closed).sees(Sees::Body(Vec::new())));
        let bytes = old(post(STREAMED, &format!("{connection}Content-Length: 5\r\n"), "hello"));
        let case = table.case("a length", bytes).or(&[200], End::Any).sees(Sees::Body(b"hello".to_vec()));
        table.add(case);
        table.answers(&[200], End::Any, "get", old(head("GET /v1/items/1", connection)));
    }
    table.answers(&[200], End::Closed, "closes", old(get("/v1/items/1")));
    let bytes = old(get("/v1/items/1")) + &get("/v1/items/smuggled");
    table.answers(&[200], End::Closed, "nothing follows", bytes);
    let no_host = "GET /v1/items/1 HTTP/1.0\r\n\r\n";
    table.deny(421, "no host is no known host", no_host);
    table.refuse(400, "two hosts", format!("GET /v1/items/1 HTTP/1.0\r\n{HOST}{HOST}\r\n"));
    table.cases
}

/// The cases of this file.
pub(super) fn all() -> Vec<Case> {
    [t01(), t02(), t03(), t04(), t05()].concat()
}

#[test]
fn t01_t02_t03_t04_t05_where_a_body_ends_is_said_once_and_plainly() {
    corpus::run(&all(), origin::echo);
}
