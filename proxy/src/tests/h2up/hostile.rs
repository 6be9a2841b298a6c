// SPDX-License-Identifier: Apache-2.0
//! Upstreams that send what they may not.

use super::h2raw::{CONTINUATION, PING, PUSH_PROMISE, SETTINGS, WINDOW_UPDATE, block, reset};
use super::*;

/// A name, and what an upstream says on a stream.
type Said = (&'static str, Box<dyn Fn(u32) -> Vec<u8> + Send + Sync>);

/// What a client gets of an upstream that answers its first request so, on every connection; and what the next gets.
fn told(answer: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static) -> (h2raw::Answer, Bench) {
    let origin = framed(&[], move |_, mut wire| {
        while let Some((stream, fields)) = wire.request() {
            let healthy = fields.contains(&(":path".to_owned(), "/base/healthy".to_owned()));
            if wire.try_send(if healthy { whole(stream, "ok") } else { answer(stream) }).is_err() {
                return;
            }
        }
    });
    let bench = two(&origin, |_, upstream| upstream.total = ms(2_000));
    let mut client = H2::connect(bench.running.public);
    let answer = client.fetch(1, &pseudo("POST", "/"));
    (answer, bench)
}

#[test]
fn t18_heads_in_http_2_that_are_none_are_502_and_the_next_request_is_served() {
    let interim = |stream| headers(stream, 0, &[(":status", "103"), ("link", "x")]);
    let answers: Vec<Said> = vec![
        (
            "two lengths",
            Box::new(|s| {
                [ok(s, 0, &[("content-length", "2"), ("content-length", "2")]), frame(DATA, 1, s, b"ok")].concat()
            }),
        ),
        (
            "a length that is none",
            Box::new(|s| [ok(s, 0, &[("content-length", "+2")]), frame(DATA, 1, s, b"ok")].concat()),
        ),
        ("shorter than it says", Box::new(|s| ok(s, END_STREAM, &[("content-length", "2")]))),
        ("a connection field", Box::new(|s| ok(s, END_STREAM, &[("connection", "close")]))),
        ("a transfer coding", Box::new(|s| ok(s, END_STREAM, &[("transfer-encoding", "chunked")]))),
        ("an upgrade", Box::new(|s| headers(s, END_STREAM, &[(":status", "101"), ("upgrade", "x")]))),
        ("switching", Box::new(|s| [headers(s, 0, &[(":status", "101")]), whole(s, "x")].concat())),
        ("no status", Box::new(|s| headers(s, END_STREAM, &[("x", "y")]))),
        ("an uppercase name", Box::new(|s| ok(s, END_STREAM, &[("X-Upper", "y")]))),
        ("many interim answers", Box::new(move |s| [interim(s).repeat(6), whole(s, "x")].concat())),
        ("content before a head", Box::new(|s| frame(DATA, END_STREAM, s, b"x"))),
        ("a head with too many fields", Box::new(|s| ok(s, END_STREAM, &vec![("x-many", "1"); 101]))),
    ];
    for (what, answer) in answers {
        let (answer, bench) = told(answer);
        assert_eq!((answer.status, answer.text().as_str()), (502, "upstream.invalid_response"), "{what}");
        assert_eq!(bench.get("/healthy").unwrap().body, b"ok", "{what}");
    }
}

#[test]
fn t18_five_interim_answers_pass() {
    let (answer, _) = told(|s| [headers(s, 0, &[(":status", "103")]).repeat(5), whole(s, "x")].concat());
    assert_eq!((answer.status, answer.text().as_str()), (200, "x"));
}

#[test]
fn t49_t50_t53_an_upstream_that_floods_is_left_and_the_next_request_is_served() {
    let begun = |stream| frame(HEADERS, 0, stream, &block(&[(":status", "200")]));
    let bomb = move |stream| {
        let fields: Vec<u8> = block(&[("x-bomb", &"b".repeat(4_000))]).repeat(20);
        let mut bytes = begun(stream);
        for piece in fields.chunks(16_000) {
            bytes.extend(frame(CONTINUATION, 0, stream, piece));
        }
        bytes
    };
    let floods: Vec<Said> = vec![
        ("continuations", Box::new(move |s| [begun(s), frame(CONTINUATION, 0, s, b"").repeat(10)].concat())),
        ("a header bomb", Box::new(bomb)),
        ("pings", Box::new(|_| frame(PING, 0, 0, b"12345678").repeat(300))),
        ("settings", Box::new(|_| frame(SETTINGS, 0, 0, b"").repeat(300))),
        ("windows", Box::new(|_| h2raw::window(0, 1).repeat(300))),
        ("empty content", Box::new(|s| [ok(s, 0, &[]), frame(DATA, 0, s, b"").repeat(400)].concat())),
        (
            "a push",
            Box::new(|s| frame(PUSH_PROMISE, 4, s, &[&2_u32.to_be_bytes()[..], &block(&pseudo("GET", "/"))].concat())),
        ),
        ("heads without end", Box::new(|s| headers(s, 0, &[(":status", "103")]).repeat(200))),
        ("a window that overflows", Box::new(|_| h2raw::window(0, 0x7fff_ffff).repeat(2))),
        ("a zero window", Box::new(|s| frame(WINDOW_UPDATE, 0, s, &[0; 4]))),
        ("no frame at all", Box::new(|_| b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec())),
    ];
    for (what, flood) in floods {
        let (answer, bench) = told(flood);
        // What began before the flood was known is broken off, never whole.
        assert!(answer.status == 502 || answer.end == End::Reset(2), "{what}: {answer:?}");
        assert_eq!(bench.get("/healthy").unwrap().body, b"ok", "{what}");
    }
}

#[test]
fn f28_an_answer_in_http_2_that_is_cut_or_lies_about_its_length_is_never_whole() {
    let answers: Vec<Said> = vec![
        (
            "too short",
            Box::new(|s| [ok(s, 0, &[("content-length", "9")]), frame(DATA, END_STREAM, s, b"short")].concat()),
        ),
        (
            "too long",
            Box::new(|s| [ok(s, 0, &[("content-length", "2")]), frame(DATA, END_STREAM, s, b"longer")].concat()),
        ),
        ("reset", Box::new(|s| [ok(s, 0, &[]), frame(DATA, 0, s, b"part"), reset(s, 8)].concat())),
        ("reset without an error", Box::new(|s| [ok(s, 0, &[]), frame(DATA, 0, s, b"part"), reset(s, 0)].concat())),
        (
            "trailers too early",
            Box::new(|s| {
                [
                    ok(s, 0, &[("content-length", "9")]),
                    frame(DATA, 0, s, b"part"),
                    headers(s, END_STREAM, &[("x", "y")]),
                ]
                .concat()
            }),
        ),
        (
            "trailers without an end",
            Box::new(|s| [ok(s, 0, &[]), frame(DATA, 0, s, b"part"), headers(s, 0, &[("x", "y")])].concat()),
        ),
    ];
    for (what, answer) in answers {
        let (answer, bench) = told(answer);
        assert!(matches!(answer.end, End::Reset(2)) || answer.status == 502, "{what}: {answer:?}");
        assert_eq!(bench.get("/healthy").unwrap().body, b"ok", "{what}");
    }
}

#[test]
fn an_upstream_that_ends_its_answer_and_then_resets_the_stream_has_answered() {
    let (answer, bench) = told(|s| [whole(s, "enough"), reset(s, 0)].concat());
    assert_eq!((answer.text().as_str(), answer.end), ("enough", End::Whole));
    let mut client = bench.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nsome");
    assert_eq!(client.read().unwrap().body, b"enough");
}

#[test]
fn an_upstream_that_does_not_speak_http_2_is_unreachable() {
    let bench = two(&echo(), |_, upstream| upstream.connect = ms(500));
    assert_eq!(bench.get("/").unwrap().body, b"upstream.unreachable");
}
