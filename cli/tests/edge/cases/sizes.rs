// SPDX-License-Identifier: Apache-2.0
//! T42, T60: everything has a maximum, and it is known before the rest is read (SM-20, ST-10, ST-11).

use crate::case::{Case, Cut, End, JUDGED, SMUGGLED, STREAMED, Sees, Table, get, head, numbered, post};
use crate::corpus;
use crate::origin;

fn fields(count: usize) -> String {
    numbered(count, "b")
}

fn t42() -> Vec<Case> {
    let mut table = Table::new("T42");
    // The host counts.
    for count in [1, 50, 99] {
        table.serve(&format!("{count} fields and the host"), head("GET /v1/items/1", &fields(count)), &[]);
    }
    for count in [100, 101, 128, 129, 200, 1_000, 3_000] {
        table.refuse(431, &format!("{count} fields and the host"), head("GET /v1/items/1", &fields(count)) + SMUGGLED);
    }
    table.refuse(431, "the same field 200 times", head("GET /v1/items/1", &"X-A: b\r\n".repeat(200)));
    table.serve("a field of 8000", head("GET /v1/items/1", &format!("X-A: {}\r\n", "a".repeat(8_000))), &[]);
    for length in [8_200, 9_000, 20_000, 40_000, 66_000, 300_000] {
        let value = "a".repeat(length);
        table.refuse(431, &format!("a value of {length}"), head("GET /v1/items/1", &format!("X-A: {value}\r\n")));
        table.refuse(431, &format!("a name of {length}"), head("GET /v1/items/1", &format!("X-{value}: b\r\n")));
        table.refuse(431, &format!("a host of {length}"), format!("GET /v1/items/1 HTTP/1.1\r\nHost: {value}\r\n\r\n"));
        table.refuse(
            431,
            &format!("a token of {length}"),
            head("GET /v1/private/1", &format!("Authorization: Bearer {value}\r\n")),
        );
        table.refuse(
            431,
            &format!("blanks, {length}"),
            head("GET /v1/items/1", &format!("X-A: {}b\r\n", " ".repeat(length))),
        );
    }
    let wide = |count: usize| numbered(count, &"a".repeat(4_000));
    table.serve("28 KiB in 7 fields", head("GET /v1/items/1", &wide(7)), &[]);
    for count in [9, 16, 60] {
        table.refuse(431, &format!("{count} fields of 4000"), head("GET /v1/items/1", &wide(count)));
    }
    let crumbs = "a=b; ".repeat(10_000);
    table.refuse(431, "10000 crumbs", head("GET /v1/items/1", &format!("Cookie: {crumbs}\r\n")));
    table.refuse(431, "10000 crumbs, a line each", head("GET /v1/items/1", &"Cookie: a=b\r\n".repeat(10_000)));
    // Without an end: refused when the maximum is reached, not when the time is up.
    for (name, text, statuses) in [
        ("a method", "A".repeat(200_000), &[400_u16, 405, 414, 431, 501] as &[u16]),
        ("a target", format!("GET /{}", "a".repeat(200_000)), &[414]),
        ("a version", format!("GET / {}", "H".repeat(200_000)), &[400, 505, 414, 431]),
        ("a name", format!("GET /v1/items/1 HTTP/1.1\r\n{}", "a".repeat(200_000)), &[431]),
        ("a value", format!("GET /v1/items/1 HTTP/1.1\r\nX-A: {}", "a".repeat(200_000)), &[431]),
        ("fields", format!("GET /v1/items/1 HTTP/1.1\r\n{}", fields(20_000)), &[431]),
    ] {
        table.refuse_any(statuses, &format!("{name} without end"), text);
    }
    table.serve("a target of 8000", get(&format!("/v1/search?{}", ["tag=aaaaaaaaaaaaaaaa"; 5].join("&"))), &[]);
    for length in [8_200, 9_000, 20_000, 70_000] {
        table.refuse(414, &format!("a path of {length}"), get(&format!("/v1/items/{}", "a".repeat(length))));
        table.refuse(414, &format!("a query of {length}"), get(&format!("/v1/search?q={}", "a".repeat(length))));
    }
    table.cases
}

fn t60() -> Vec<Case> {
    let mut table = Table::new("T60");
    let long = |bytes: usize| "a".repeat(bytes);
    for kind in [STREAMED, JUDGED] {
        for length in [65_537_u64, 100_000, 1 << 30, 1 << 40] {
            let text = post(kind, &format!("Content-Length: {length}\r\n"), "");
            table.refuse(413, &format!("{length} announced"), text.clone());
            table.refuse(413, &format!("{length} and a request"), text + SMUGGLED);
        }
        for (name, chunks) in [
            ("one chunk", format!("10001\r\n{}\r\n0\r\n\r\n", long(65_537))),
            ("many chunks", format!("1000\r\n{}\r\n", long(4_096)).repeat(17) + "0\r\n\r\n"),
            ("size alone", "7fffffff\r\n".to_owned()),
        ] {
            let case = table.case(name, post(kind, "Transfer-Encoding: chunked\r\n", &chunks)).or(&[413], End::Closed);
            let case = if name == "size alone" { case.or(&[408], End::Closed) } else { case };
            table.add(case.streams());
        }
    }
    let whole = long(65_536);
    table.serve(
        "exactly the cap",
        post(STREAMED, "Content-Length: 65536\r\n", &whole),
        &[Sees::Body(whole.clone().into_bytes())],
    );
    let chunks = format!("8000\r\n{}\r\n8000\r\n{}\r\n0\r\n\r\n", long(32_768), long(32_768));
    table.serve(
        "exactly the cap in chunks",
        post(STREAMED, "Transfer-Encoding: chunked\r\n", &chunks),
        &[Sees::Body(whole.into_bytes())],
    );
    // Less than was announced, and then the end: nobody takes it for a whole body.
    for kind in [STREAMED, JUDGED] {
        let case = table.case("cut short", post(kind, "Content-Length: 10\r\n", "hello"));
        table.add(case.or(&[], End::Closed).or(&[400], End::Closed).cut(Cut::HalfClose).streams());
        let case = table.case("chunks cut short", post(kind, "Transfer-Encoding: chunked\r\n", "5\r\nhel"));
        table.add(case.or(&[], End::Closed).or(&[400], End::Closed).cut(Cut::HalfClose).streams());
    }
    table.cases
}

/// The cases of this file.
pub(super) fn all() -> Vec<Case> {
    [t42(), t60()].concat()
}

#[test]
fn t42_t60_everything_has_a_maximum() {
    corpus::run(&all(), origin::echo);
}
