// SPDX-License-Identifier: Apache-2.0
//! T13–T16, T19: what follows on a connection is the next request, or nothing at all (HTTP-3..HTTP-5, SM-13).

use crate::case::{Case, Cut, End, HOST, JUDGED, SMUGGLED, STREAMED, Sees, Table, get, head, post};
use crate::corpus;
use crate::origin;
use std::time::Duration;

/// Refusals that leave a body unread, with a request inside that body.
fn t13() -> Vec<Case> {
    let mut table = Table::new("T13");
    let length = |extra: usize| format!("Content-Length: {}\r\n", SMUGGLED.len() + extra);
    let hidden = format!("{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len());
    for (status, what, line, kind) in [
        (404, "unknown path", "POST /v1/nope", "Content-Type: application/octet-stream\r\n"),
        (404, "outside", "POST /nope", "Content-Type: application/octet-stream\r\n"),
        (405, "method", "POST /v1/items/1", "Content-Type: application/json\r\n"),
        (415, "type", "POST /v1/uploads", "Content-Type: text/html\r\n"),
        (415, "no type", "POST /v1/items", ""),
        (400, "not json", "POST /v1/items", "Content-Type: application/json\r\n"),
        (400, "no body declared", "GET /v1/items/1", ""),
        (401, "no token", "GET /v1/private/1", ""),
        (421, "host", "POST /v1/uploads", "Content-Type: application/octet-stream\r\n"),
    ] {
        let request = |fields: &str| {
            let text = head(line, &format!("{kind}{fields}"));
            if status == 421 { text.replace("edge.example.com", "other.example.com") } else { text }
        };
        // A GET with a body may be refused for the body before anybody asks who sends it.
        let statuses: &[u16] = if what == "no token" { &[401, 400] } else { &[status] };
        let refused = |name: &str, text: String, cut: Cut| {
            let case = table.case(&format!("{what} {name}"), text).cut(cut);
            statuses.iter().fold(case, |case, status| case.or(&[*status], End::Any))
        };
        let whole = request(&length(0)) + SMUGGLED;
        let at = request(&length(0)).len();
        let cases = [
            refused("length", whole.clone(), Cut::Whole),
            refused("length, body later", whole.clone(), Cut::Pause(at, Duration::from_millis(200))),
            refused("length, body in pieces", whole.clone(), Cut::At(vec![at, at + 1, at + 10])),
            refused("chunks", request("Transfer-Encoding: chunked\r\n") + &hidden, Cut::Whole),
            refused("long", request(&length(300_000)) + SMUGGLED, Cut::Whole).or(&[413], End::Closed),
            refused("says close", request(&format!("Connection: close\r\n{}", length(0))) + SMUGGLED, Cut::Whole),
        ];
        for case in cases {
            table.add(case);
        }
        // What truly follows is the next request, or nothing is.
        let text = whole + &get("/v1/items/next");
        let case = statuses.iter().fold(table.case(&format!("{what}, and the next"), text), |case, status| {
            case.or(&[*status], End::Closed).or(&[*status, 200], End::Any)
        });
        table.add(case.sees(Sees::Target("/items/next".into())));
    }
    let text = post(STREAMED, "Content-Length: 70000\r\n", SMUGGLED);
    let case = table.case("over the cap", text).or(&[413], End::Closed);
    table.add(case);
    table.cases
}

fn t14() -> Vec<Case> {
    let mut table = Table::new("T14");
    let with = |kind, expect: &str, body: &str| {
        post(kind, &format!("Content-Length: {}\r\nExpect: {expect}\r\n", body.len()), body)
    };
    for expect in [
        "200-ok",
        "100",
        "continue",
        "100-continue, x",
        "x, 100-continue",
        "100-continue; q=1",
        "100 continue",
        "100-continued",
        "\"100-continue\"",
        "x",
        "100-continue=1",
        "100_continue",
        "417",
    ] {
        for kind in [STREAMED, JUDGED] {
            table.refuse(417, expect, with(kind, expect, "{}") + SMUGGLED);
        }
        table.refuse(417, expect, head("GET /v1/items/1", &format!("Expect: {expect}\r\n")) + SMUGGLED);
    }
    for fields in
        ["Expect: 100-continue\r\nExpect: 100-continue\r\n", "Expect: 100-continue\r\nExpect: x\r\n", "Expect:\r\n"]
    {
        table.refuse_any(&[417, 400], fields, post(STREAMED, &format!("Content-Length: 2\r\n{fields}"), "{}"));
    }
    table.refuse_any(&[400], "control", with(STREAMED, "100-continue\u{0}", "{}"));
    for kind in [STREAMED, JUDGED] {
        for expect in ["100-continue", "100-Continue", "100-CONTINUE"] {
            let text = with(kind, expect, "{}");
            let at = text.len() - 2;
            let case =
                table.case("asked for", text.clone()).or(&[200], End::Any).cut(Cut::AwaitContinue(at)).interim(1);
            table.add(case.sees(Sees::Body(b"{}".to_vec())));
            let case = table.case("sent at once", text).or(&[200], End::Any);
            table.add(case.sees(Sees::Body(b"{}".to_vec())));
        }
    }
    // A refusal is not preceded by an invitation.
    for (status, line) in [(404, "POST /v1/nope"), (405, "PATCH /v1/uploads"), (415, "POST /v1/items")] {
        let text = head(line, "Content-Type: text/html\r\nContent-Length: 50\r\nExpect: 100-continue\r\n");
        let case = table.case("refused uninvited", text).or(&[status], End::Closed).interim(0);
        table.add(case.or(&[status, 400], End::Closed));
    }
    let text = post(STREAMED, "Content-Length: 999999\r\nExpect: 100-continue\r\n", "");
    let case = table.case("too large, uninvited", text).or(&[413], End::Closed).interim(0);
    table.add(case);
    // 0.CL: the body that was announced does not come; what comes instead is not a request of its own.
    for status_line in [(404, "POST /v1/nope"), (405, "DELETE /v1/uploads")] {
        let text = head(status_line.1, "Content-Length: 48\r\n") + &get("/v1/items/smuggled");
        let case = table.case("0.cl", text).or(&[status_line.0], End::Closed).or(&[status_line.0, 400], End::Closed);
        table.add(case);
    }
    let old = with(STREAMED, "100-continue", "{}").replacen("HTTP/1.1", "HTTP/1.0", 1);
    let case = table.case("1.0 is not asked", old).or(&[200], End::Any).interim(0);
    table.add(case);
    table.answers(&[200], End::Any, "nothing to expect", head("GET /v1/items/1", "Expect: 100-continue\r\n"));
    table.cases
}

fn t15() -> Vec<Case> {
    let mut table = Table::new("T15");
    let websocket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    let clean = [Sees::Absent("upgrade".into()), Sees::Absent("http2-settings".into())];
    for (name, fields) in [
        ("websocket", websocket),
        ("h2c", h2c),
        ("tls", "Connection: upgrade\r\nUpgrade: TLS/1.0\r\n"),
        ("own", "Connection: upgrade\r\nUpgrade: mallory\r\n"),
        ("without connection", "Upgrade: websocket\r\n"),
        ("only connection", "Connection: Upgrade\r\n"),
        ("two", "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n"),
        ("list", "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n"),
    ] {
        table.serve(name, head("GET /v1/items/1", fields), &clean);
        table.serve(name, post(STREAMED, &format!("{fields}Content-Length: 5\r\n"), "hello"), &clean);
        // Bytes after the request are the next request, never a stream to the upstream.
        let text = head("GET /v1/items/1", fields) + "\u{1}\u{2} frames of another protocol\r\n\r\n" + SMUGGLED;
        table.answers(&[200, 400], End::Closed, &format!("{name}, early bytes"), text);
        let text = head("GET /v1/items/1", fields) + &get("/v1/items/2");
        table.answers(&[200, 200], End::Open, &format!("{name}, a request"), text);
        table.refuse(
            400,
            &format!("{name}, a body"),
            head("GET /v1/items/1", &format!("{fields}Content-Length: 5\r\n")) + "hello",
        );
    }
    let preface = head("GET /v1/items/1", h2c) + "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let case = table.case("h2c and its preface", preface).or(&[200, 400], End::Closed).or(&[200, 505], End::Closed);
    table.add(case);
    table.cases
}

fn t16() -> Vec<Case> {
    let mut table = Table::new("T16");
    for line in [
        "CONNECT edge.example.com:443",
        "CONNECT 127.0.0.1:22",
        "CONNECT [::1]:80",
        "CONNECT edge.example.com",
        "CONNECT *",
        "CONNECT http://edge.example.com/v1/items/1",
        "CONNECT :80",
        "CONNECT edge.example.com:443/v1/items/1",
    ] {
        table.refuse_any(&[400, 405], line, head(line, ""));
        table.refuse_any(&[400, 405], line, format!("{line} HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n"));
    }
    for path in ["/v1/items/1", "/v1/uploads", "/v1/private/1", "/v1/nope", "/"] {
        let status = if path.ends_with("nope") || path == "/" { 404 } else { 405 };
        let case = table.case(path, head(&format!("CONNECT {path}"), "")).or(&[405], End::Any).or(&[status], End::Any);
        table.add(case);
        let text = head(&format!("CONNECT {path}"), "Content-Length: 5\r\n") + "hello";
        let case = table.case(path, text).or(&[405], End::Any).or(&[status], End::Any).or(&[400], End::Closed);
        table.add(case);
    }
    // No tunnel opens: what follows is judged as a request, or not read.
    let text = head("CONNECT edge.example.com:443", "") + &get("/v1/items/smuggled");
    table.refuse_any(&[400, 405], "and a request", text);
    let text = head("CONNECT edge.example.com:443", "") + "\u{16}\u{3}\u{1}";
    table.refuse_any(&[400, 405], "and tls", text);
    let early =
        format!("CONNECT edge.example.com:443 HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}");
    table.refuse_any(&[400, 405], "chunked", early);
    table.cases
}

fn t19() -> Vec<Case> {
    let mut table = Table::new("T19");
    let one = get("/v1/items/1");
    let (private, upload) = (get("/v1/private/1"), post(STREAMED, "Content-Length: 5\r\n", "hello"));
    let chunked = post(STREAMED, "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n");
    let json = post(JUDGED, "Content-Length: 2\r\n", "{}");
    for count in [2, 3, 10, 50] {
        table.answers(&vec![200; count], End::Open, &format!("{count} in one piece"), one.repeat(count));
    }
    table.answers(&[200, 401, 200], End::Open, "one refused", format!("{one}{private}{one}"));
    table.answers(
        &[401, 404, 405, 200],
        End::Open,
        "three refused",
        private.clone() + &get("/v1/nope") + &head("PATCH /v1/items/1", "") + &one,
    );
    table.answers(&[200, 200, 200, 200], End::Open, "with bodies", format!("{upload}{json}{chunked}{one}"));
    let slow = get("/v1/slow/1");
    table.answers(&[200, 200, 200], End::Open, "the first is slow", format!("{slow}{one}{json}"));
    table.answers(&[200, 401], End::Any, "slow, then refused", format!("{slow}{private}"));
    for (name, bad) in [
        ("no colon", head("GET /v1/items/2", "X-A\r\n")),
        ("two lengths", post(STREAMED, "Content-Length: 5\r\nContent-Length: 5\r\n", "hello")),
        ("cl and te", post(STREAMED, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
        ("bare lf", "GET /v1/items/2 HTTP/1.1\nHost: edge.example.com\n\n".to_owned()),
        ("no host", "GET /v1/items/2 HTTP/1.1\r\n\r\n".to_owned()),
        ("double slash", get("/v1//items/2")),
        ("garbage", "\u{0}\u{0}\u{0}\r\n\r\n".to_owned()),
        ("fragment", get("/v1/items/2#a")),
        ("absolute", get("http://edge.example.com/v1/items/2")),
    ] {
        table.answers(&[200, 400], End::Closed, &format!("then {name}"), format!("{one}{bad}{SMUGGLED}"));
        table.answers(
            &[200, 200, 400],
            End::Closed,
            &format!("upload, then {name}"),
            format!("{upload}{chunked}{bad}{SMUGGLED}"),
        );
        table.answers(&[200, 400], End::Closed, &format!("slow, then {name}"), format!("{slow}{bad}{SMUGGLED}"));
    }
    let last = head("GET /v1/items/1", "Connection: close\r\n");
    table.answers(&[200], End::Closed, "nothing after the last", last.clone() + SMUGGLED);
    table.answers(&[200, 200], End::Closed, "two, the second last", one.clone() + &last + SMUGGLED);
    let last = head("GET /v1/items/1", "Connection: keep-alive, Close\r\n");
    table.answers(&[200], End::Closed, "close in a list", last + SMUGGLED);
    let two = format!("{one}{chunked}{one}");
    for at in (1..two.len()).step_by(7) {
        let case = table.case(&format!("cut at {at}"), two.clone()).or(&[200, 200, 200], End::Open);
        table.add(case.cut(Cut::At(vec![at])));
    }
    let case = table.case("each byte", two).or(&[200, 200, 200], End::Open).cut(Cut::EachByte);
    table.add(case);
    table.cases
}

/// The cases of this file.
pub(super) fn all() -> Vec<Case> {
    [t13(), t14(), t15(), t16(), t19()].concat()
}

#[test]
fn t13_t14_t15_t16_t19_what_follows_is_the_next_request_or_nothing() {
    corpus::run(&all(), origin::echo);
}
