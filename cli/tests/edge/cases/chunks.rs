// SPDX-License-Identifier: Apache-2.0
//! T10–T12: chunks, their extensions, and what follows the last one (RFC 9112 §7.1, SM-12, SM-13).

use crate::case::{Case, Cut, End, JUDGED, SMUGGLED, STREAMED, Sees, Table, head, post};
use crate::corpus;
use crate::origin;

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
const KINDS: [(&str, &str); 2] = [STREAMED, JUDGED];
/// A body both kinds of operation take.
const GOOD: &[u8] = b"{    }";

fn broken(table: &mut Table, statuses: &[u16], name: &str, chunks: &str) {
    for kind in KINDS {
        let bytes = post(kind, CHUNKED, &format!("{chunks}{SMUGGLED}"));
        let case = statuses.iter().fold(table.case(name, bytes), |case, status| case.or(&[*status], End::Closed));
        table.add(case.streams());
    }
}

fn good(table: &mut Table, name: &str, chunks: &str) {
    for kind in KINDS {
        table.serve(name, post(kind, CHUNKED, chunks), &[Sees::Body(GOOD.to_vec())]);
    }
}

fn either(table: &mut Table, name: &str, chunks: &str) {
    for kind in KINDS {
        let case = table.case(name, post(kind, CHUNKED, chunks)).or(&[200], End::Any).or(&[400], End::Closed);
        table.add(case.streams().sees(Sees::Body(GOOD.to_vec())));
    }
}

fn t10() -> Vec<Case> {
    let mut table = Table::new("T10");
    for size in [
        "0x6",
        "0X6",
        "1_0",
        "+6",
        "-6",
        "+0",
        "-0",
        "\u{b}6",
        "",
        ";a=b",
        " ",
        "g",
        "G6",
        "6g",
        "6h",
        "6.",
        "6,",
        "6 6",
        "6\"",
        "\"6\"",
        "00000000000000006",
        "10000000000000006",
        "FFFFFFFFFFFFFFFF6",
        "\u{ff16}",
        "6\u{a0}",
        "6\u{0}",
        "\u{0}6",
        "%36",
        "6%",
        "6=",
        "six",
    ] {
        broken(&mut table, &[400], &format!("size {size}"), &format!("{size}\r\n{{    }}\r\n0\r\n\r\n"));
    }
    for size in [" 6", "\t6", "6 ", "6\t", "6 ;a"] {
        broken(&mut table, &[400], &format!("blank {size}"), &format!("{size}\r\n{{    }}\r\n0\r\n\r\n"));
    }
    for (name, chunks) in [
        ("spill", "6\r\n{    }X\r\n0\r\n\r\n"),
        ("spill of a line", "6\r\n{    }\r\nX\r\n0\r\n\r\n"),
        ("data without an end", "6\r\n{    }0\r\n\r\n"),
        ("short data", "8\r\n{    }\r\n0\r\n\r\nX"),
        ("shorter by one", "5\r\n{    }\r\n0\r\n\r\n"),
        ("longer by one", "7\r\n{    }\r\n0\r\n\r\nX"),
        ("empty line between", "6\r\n{    }\r\n\r\n0\r\n\r\n"),
        ("no line end after size", "6{    }\r\n0\r\n\r\n"),
        ("no last chunk", "6\r\n{    }\r\n\r\n"),
        ("junk after the last", "6\r\n{    }\r\n0\r\nX\r\n\r\n"),
        ("last without its line", "6\r\n{    }\r\n0GET / HTTP/1.1\r\n\r\n"),
        ("last with data", "6\r\n{    }\r\n0\r\n{}\r\n\r\n"),
        ("nothing", "\r\n"),
        ("a request", "GET /v1/items/1 HTTP/1.1\r\n\r\n"),
    ] {
        broken(&mut table, &[400], name, chunks);
    }
    for size in
        ["FFFFFFFFFFFFFFFF", "7FFFFFFFFFFFFFFF", "8000000000000000", "FFFFFFFF", "100000000", "100000006", "FFFFF"]
    {
        // Known to be over the cap when the size is read; at the latest when the body does not come.
        broken(&mut table, &[413, 400, 408], &format!("huge {size}"), &format!("{size}\r\n{{    }}\r\n0\r\n\r\n"));
    }
    good(&mut table, "one", "6\r\n{    }\r\n0\r\n\r\n");
    good(&mut table, "several", "1\r\n{\r\n4\r\n    \r\n1\r\n}\r\n0\r\n\r\n");
    let (nine, ten) = (" ".repeat(9), " ".repeat(10));
    let digits = format!("A\r\n{{{nine}\r\na\r\n{ten}\r\n1\r\n}}\r\n0\r\n\r\n");
    for kind in KINDS {
        table.serve("hexadecimal", post(kind, CHUNKED, &digits), &[Sees::Body(format!("{{{nine}{ten}}}").into())]);
        let case = table.case("each byte", post(kind, CHUNKED, "3\r\n{  \r\n3\r\n  }\r\n0\r\n\r\n"));
        table.add(case.or(&[200], End::Open).cut(Cut::EachByte).sees(Sees::Body(GOOD.to_vec())));
        for end in 0..12 {
            let at = post(kind, CHUNKED, "").len() + end;
            let case = table.case(&format!("cut at {end}"), post(kind, CHUNKED, "6\r\n{    }\r\n0\r\n\r\n"));
            table.add(case.or(&[200], End::Open).cut(Cut::At(vec![at])).sees(Sees::Body(GOOD.to_vec())));
        }
        let text = post(kind, CHUNKED, "6\r\n{    }\r\n0\r\n\r\n") + &head("GET /v1/items/2", "");
        table.answers(&[200, 200], End::Open, "and the next", text);
        let case = table.case("never ends", post(kind, CHUNKED, "6\r\n{    }\r\n")).or(&[408], End::Closed);
        table.add(case.or(&[400], End::Closed).or(&[], End::Closed).streams());
    }
    either(&mut table, "leading zeros", "0006\r\n{    }\r\n0\r\n\r\n");
    either(&mut table, "sixteen digits", "0000000000000006\r\n{    }\r\n0\r\n\r\n");
    either(&mut table, "last of zeros", "6\r\n{    }\r\n000\r\n\r\n");
    table.cases
}

fn t11() -> Vec<Case> {
    let mut table = Table::new("T11");
    for (name, extension) in [
        ("bare lf", ";\n"),
        ("lf inside", ";a\nb"),
        ("cr inside", ";a\rb"),
        ("nul", ";a\u{0}"),
        ("delete", ";a\u{7f}"),
        ("escape", ";\u{1b}[2J"),
        ("lf in quotes", ";a=\"\n\""),
        ("line in quotes", ";a=\"\r\n0\r\n\r\n\""),
        ("vertical tab", ";\u{b}"),
        ("no semicolon", " a=b"),
        ("no semicolon, tab", "\ta=b"),
        ("comma", ",a=b"),
    ] {
        broken(&mut table, &[400], name, &format!("6{extension}\r\n{{    }}\r\n0\r\n\r\n"));
        broken(&mut table, &[400], &format!("{name}, at the last"), &format!("6\r\n{{    }}\r\n0{extension}\r\n\r\n"));
    }
    for length in [300, 5_000, 20_000, 70_000] {
        let extension = ";a=".to_owned() + &"b".repeat(length);
        broken(&mut table, &[400], &format!("{length} bytes"), &format!("6{extension}\r\n{{    }}\r\n0\r\n\r\n"));
        broken(&mut table, &[400], &format!("{length} at the last"), &format!("6\r\n{{    }}\r\n0{extension}\r\n\r\n"));
    }
    let little_by_little: String = (0..40).map(|_| "1;extension=1\r\n \r\n".to_owned()).collect();
    broken(&mut table, &[400], "little by little", &format!("1\r\n{{\r\n{little_by_little}1\r\n}}\r\n0\r\n\r\n"));
    for (name, extension) in [
        ("name", ";a"),
        ("value", ";a=b"),
        ("quoted", ";a=\"b\""),
        ("quoted semicolon", ";a=\"b;c\""),
        ("several", ";a=b;c=d;e"),
        ("200 bytes", &format!(";a={}", "b".repeat(197))),
    ] {
        good(&mut table, name, &format!("6{extension}\r\n{{    }}\r\n0\r\n\r\n"));
    }
    good(&mut table, "at the last", "6\r\n{    }\r\n0;a=b\r\n\r\n");
    either(&mut table, "empty", "6;\r\n{    }\r\n0\r\n\r\n");
    either(&mut table, "blanks inside", "6; a = b\r\n{    }\r\n0\r\n\r\n");
    either(&mut table, "open quote", "6;a=\"b\r\n{    }\r\n0\r\n\r\n");
    table.cases
}

fn t12() -> Vec<Case> {
    let mut table = Table::new("T12");
    for trailer in [
        "X-T: a",
        "Authorization: Bearer x",
        "X-Auth-Subject: mallory",
        "X-Forwarded-For: mallory",
        "Cookie: a=b",
        "Content-Type: text/html",
        "X-User-Id: mallory",
        "Via: mallory",
        "Request-Id: mallory",
        "Traceparent: mallory",
        "Idempotency-Key: \"mallory\"",
        "Cache-Control: no-store",
        "Expect: 100-continue",
        "Range: bytes=0-1",
        "X-HTTP-Method-Override: DELETE",
    ] {
        let chunks = format!("6\r\n{{    }}\r\n0\r\n{trailer}\r\n\r\n");
        let name = trailer.split(':').next().unwrap().to_lowercase();
        for kind in KINDS {
            let case = table.case(trailer, post(kind, CHUNKED, &chunks)).or(&[200], End::Open);
            let known = ["x-auth-subject", "x-forwarded-for", "content-type", "via", "request-id", "traceparent"];
            let absent = if known.contains(&name.as_str()) { "x-t" } else { name.as_str() };
            table.add(case.sees(Sees::Body(GOOD.to_vec())).sees(Sees::Absent(absent.to_owned())));
        }
    }
    // What would move the borders of this or another message may also be refused.
    for trailer in [
        "Content-Length: 9",
        "Transfer-Encoding: chunked",
        "Host: mallory",
        "Connection: close",
        "Upgrade: h2c",
        "X_A: b",
    ] {
        either(&mut table, trailer, &format!("6\r\n{{    }}\r\n0\r\n{trailer}\r\n\r\n"));
    }
    for (name, trailer) in [
        ("no colon", "X-T"),
        ("blank before the colon", "X-T : a"),
        ("empty name", ": a"),
        ("fold", "X-T: a\r\n b"),
        ("leading blank", " X-T: a"),
        ("nul", "X-T: \u{0}"),
        ("cr", "X-T: a\rb"),
        ("lf", "X-T: a\nb"),
        ("not ascii", "X-T: \u{e9}"),
        ("request line", "GET /v1/items/smuggled HTTP/1.1"),
    ] {
        broken(&mut table, &[400], name, &format!("6\r\n{{    }}\r\n0\r\n{trailer}\r\n\r\n"));
    }
    let many = "X-T: a\r\n".repeat(10_000);
    broken(&mut table, &[400, 431], "10000 trailers", &format!("6\r\n{{    }}\r\n0\r\n{many}\r\n"));
    broken(
        &mut table,
        &[400, 431],
        "a long trailer",
        &format!("6\r\n{{    }}\r\n0\r\nX-T: {}\r\n\r\n", "a".repeat(100_000)),
    );
    broken(
        &mut table,
        &[400, 431],
        "trailers without end",
        &format!("6\r\n{{    }}\r\n0\r\n{}", "X-T: a\r\n".repeat(20_000)),
    );
    for kind in KINDS {
        let announced = format!("{CHUNKED}Trailer: X-T\r\nTE: trailers\r\n");
        let case = table.case("announced", post(kind, &announced, "6\r\n{    }\r\n0\r\nX-T: a\r\n\r\n"));
        table.add(case.or(&[200], End::Open).sees(Sees::Absent("x-t".into())));
        let text = post(kind, CHUNKED, "6\r\n{    }\r\n0\r\nX-T: a\r\n\r\n") + &head("GET /v1/items/2", "");
        table.answers(&[200, 200], End::Open, "and the next", text);
    }
    table.cases
}

/// The cases of this file.
pub(super) fn all() -> Vec<Case> {
    [t10(), t11(), t12()].concat()
}

#[test]
fn t10_t11_t12_chunks_have_one_reading_and_trailers_go_nowhere() {
    corpus::run(&all(), origin::echo);
}
