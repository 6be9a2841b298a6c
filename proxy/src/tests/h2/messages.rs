// SPDX-License-Identifier: Apache-2.0
//! Requests that HTTP/2 can say and HTTP/1 must not be told (T16, T17): what reaches the origin, byte for byte.

use super::h2raw::{Answer, DATA, END_STREAM, End, Field, PROTOCOL_ERROR, frame, headers, pseudo};
use super::{client, *};

/// An origin that keeps what it was sent.
fn keeping() -> (Scripted, Seen<Message>) {
    let seen: Seen<Message> = Arc::default();
    let all = Arc::clone(&seen);
    let origin = origin(move |_, mut wire| {
        while let Some(request) = wire.request() {
            all.lock().push(request);
            wire.ok("taken");
        }
    });
    (origin, seen)
}

/// Whether this is a refusal: a problem, or the end of the stream for what is no message at all.
fn is_refused(answer: &Answer) -> bool {
    let of_protocol = [End::Reset(PROTOCOL_ERROR), End::GoAway(PROTOCOL_ERROR)];
    (answer.status == 400 && answer.end == End::Whole) || of_protocol.contains(&answer.end)
}

#[test]
fn t17_heads_with_two_readings_reach_no_origin() {
    let with = |extra: &[Field<'static>]| [&pseudo("GET", "/")[..], extra].concat();
    let only = |fields: &[Field<'static>]| fields.to_vec();
    let (method, scheme, authority, path) =
        ((":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/"));
    let cases: Vec<(&str, Vec<Field<'_>>)> = vec![
        ("CR LF in a value", with(&[("x", "y\r\nhost: b")])),
        ("LF in a value", with(&[("x", "y\nz")])),
        ("CR in a value", with(&[("x", "y\rz")])),
        ("NUL in a value", with(&[("x", "y\0z")])),
        ("a value that begins with a space", with(&[("x", " y")])),
        ("a value that ends with a tab", with(&[("x", "y\t")])),
        ("CR LF in a name", with(&[("x\r\ny", "z")])),
        ("a space in a name", with(&[("x y", "z")])),
        ("a colon in a name", with(&[("x:y", "z")])),
        ("an empty name", with(&[("", "z")])),
        ("an upper-case name", with(&[("X-Y", "z")])),
        ("transfer-encoding", with(&[("transfer-encoding", "chunked")])),
        ("connection", with(&[("connection", "close")])),
        ("keep-alive", with(&[("keep-alive", "timeout=5")])),
        ("proxy-connection", with(&[("proxy-connection", "close")])),
        ("upgrade", with(&[("upgrade", "websocket")])),
        ("te other than trailers", with(&[("te", "gzip")])),
        ("two paths", only(&[method, scheme, authority, path, (":path", "/b")])),
        ("two methods", only(&[method, (":method", "POST"), scheme, authority, path])),
        ("two schemes", only(&[method, scheme, (":scheme", "https"), authority, path])),
        ("two authorities", only(&[method, scheme, authority, (":authority", "b"), path])),
        ("host other than :authority", with(&[("host", "b.example")])),
        ("two hosts", only(&[method, scheme, path, ("host", "a"), ("host", "a")])),
        ("a path without a slash", only(&[method, scheme, authority, (":path", "x")])),
        ("an empty path", only(&[method, scheme, authority, (":path", "")])),
        ("no path", only(&[method, scheme, authority])),
        ("no method", only(&[scheme, authority, path])),
        ("no scheme", only(&[method, authority, path])),
        ("a scheme of its own", only(&[method, (":scheme", "ftp"), authority, path])),
        ("a scheme with a request in it", only(&[method, (":scheme", "http://b/ HTTP/1.1\r\nx"), authority, path])),
        ("a pseudo-field after a field", only(&[method, scheme, authority, ("x", "y"), path])),
        ("a pseudo-field nobody knows", with(&[(":x", "y")])),
        ("a pseudo-field of answers", only(&[(":status", "200"), method, scheme, authority, path])),
        ("a space in the path", only(&[method, scheme, authority, (":path", "/ HTTP/1.1\r\nx: ")])),
        ("a space in the method", only(&[(":method", "GET / HTTP/1.1\r\nx:"), scheme, authority, path])),
        ("userinfo in the authority", only(&[method, scheme, (":authority", "u@a"), path])),
        ("a path in the authority", only(&[method, scheme, (":authority", "a/b"), path])),
        ("a list as authority", only(&[method, scheme, (":authority", "a, b"), path])),
        ("no authority", only(&[method, scheme, path])),
        ("asterisk without OPTIONS", only(&[method, scheme, authority, (":path", "*")])),
        ("an underscore in a name", with(&[("content_length", "5")])),
        ("an expectation", with(&[("expect", "what")])),
    ];
    let (origin, seen) = keeping();
    let bench = bench(&origin, |_, _| {});
    let mut wrong = Vec::new();
    for (name, fields) in &cases {
        let mut client = client(&bench);
        let answer = client.fetch(1, fields);
        let refused = is_refused(&answer) || (*name == "an expectation" && answer.status == 417);
        let ended = matches!(answer.end, End::GoAway(_));
        if !refused || (!ended && client.fetch(3, &pseudo("GET", "/deny")).status != 403) {
            wrong.push((name, answer));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen.lock().is_empty(), "{:?}", seen.lock());
}

/// The parser drops both before anybody can see them, so what was decided is what the origin gets.
#[test]
fn t17_what_the_parser_leaves_out_reaches_no_origin_either() {
    let (origin, seen) = keeping();
    let bench = bench(&origin, |_, _| {});
    let fragment = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/a?q=1#/../b")];
    assert_eq!(client(&bench).fetch(1, &fragment).status, 200);
    let mut pseudo_in_trailers = client(&bench);
    pseudo_in_trailers.send(headers(1, 0, &pseudo("POST", "/c"))).send(frame(DATA, 0, 1, b"content"));
    pseudo_in_trailers.send(headers(1, END_STREAM, &[(":path", "/d"), (":authority", "b")]));
    assert_eq!(pseudo_in_trailers.answer(1).status, 200);
    let seen = seen.lock();
    let lines: Vec<_> = seen.iter().map(|request| request.line.trim_end()).collect();
    assert_eq!(lines, ["GET /base/a?q=1 HTTP/1.1", "POST /base/c HTTP/1.1"]);
}

#[test]
fn t17_content_that_does_not_keep_its_length_is_never_a_whole_request() {
    let (origin, seen) = keeping();
    let bench = bench(&origin, |_, _| {});
    let post = |length: &'static str, buffer: bool| {
        let mut fields = [&pseudo("POST", "/")[..], &[("content-length", length)]].concat();
        fields.extend(buffer.then_some(("x-buffer", "1")));
        fields
    };
    let cases: [(&str, &'static str, &[u8], u8); 7] = [
        ("short", "10", b"01234", END_STREAM),
        ("long", "3", b"01234", END_STREAM),
        ("long, and no end", "3", b"01234", 0),
        ("longer by nothing", "0", b"01234", END_STREAM),
        ("no number", "x", b"01234", END_STREAM),
        ("a sign", "+5", b"01234", END_STREAM),
        ("a list", "5, 5", b"01234", END_STREAM),
    ];
    for buffer in [true, false] {
        for (name, length, content, flags) in cases {
            let mut client = client(&bench);
            client.send(headers(1, 0, &post(length, buffer)));
            client.send(frame(DATA, flags, 1, content));
            let answer = client.answer(1);
            assert!(is_refused(&answer), "{name}, read whole: {buffer}: {answer:?}");
        }
        let mut ended = client(&bench);
        ended.send(headers(1, END_STREAM, &post("5", buffer)));
        assert_eq!(ended.answer(1).end, End::Reset(PROTOCOL_ERROR), "a length, and no content at all");
        let mut twice = client(&bench);
        twice.send(headers(1, END_STREAM, &[&post("0", buffer)[..], &[("content-length", "0")]].concat()));
        assert!(is_refused(&twice.answer(1)), "the same length twice");
    }
    assert!(seen.lock().is_empty(), "{:?}", seen.lock());
}

#[test]
fn t17_trailers_are_judged_and_go_nowhere() {
    let (origin, seen) = keeping();
    let bench = bench(&origin, |_, _| {});
    for trailers in [&[("x-y", "a\r\nb")][..], &[("X-Y", "z")], &[("transfer-encoding", "chunked")]] {
        let mut client = client(&bench);
        client.send(headers(1, 0, &pseudo("POST", "/"))).send(frame(DATA, 0, 1, b"content"));
        client.send(headers(1, END_STREAM, trailers));
        assert!(is_refused(&client.answer(1)), "{trailers:?}");
    }
    assert!(seen.lock().is_empty(), "{:?}", seen.lock());
    let mut client = client(&bench);
    client.send(headers(1, 0, &pseudo("POST", "/"))).send(frame(DATA, 0, 1, b"content"));
    client.send(headers(1, END_STREAM, &[("authorization", "Bearer x"), ("content-length", "3")]));
    let answer = client.answer(1);
    if answer.status == 200 {
        let seen = seen.lock();
        assert_eq!((seen.len(), seen[0].body.as_slice()), (1, b"content".as_slice()));
        assert_eq!((seen[0].field("authorization"), seen[0].field("content-length")), (None, None));
    } else {
        assert!(is_refused(&answer), "{answer:?}");
    }
}

#[test]
fn t17_the_head_an_origin_gets_is_written_from_the_canonical_one() {
    let (origin, seen) = keeping();
    let bench = bench(&origin, |_, _| {});
    let fields = [
        &pseudo("GET", "/a%20b?q=1&r=%2f")[..],
        &[
            ("host", "A.example"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("te", "trailers"),
            ("x-two", "1"),
            ("x-two", "2"),
        ],
    ]
    .concat();
    assert_eq!(client(&bench).fetch(1, &fields).status, 200);
    let seen = seen.lock();
    assert_eq!(seen[0].line.trim_end(), "GET /base/a%20b?q=1&r=/ HTTP/1.1");
    let all = |name: &str| {
        let named = seen[0].fields.iter().filter(move |(n, _)| n == name);
        named.map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    assert_eq!(all("cookie"), ["a=1; b=2"]);
    assert_eq!(all("x-two"), ["1", "2"]);
    assert_eq!(all("host"), [origin.address.to_string()]);
    assert!(all("te").is_empty() && all("transfer-encoding").is_empty());
}

#[test]
fn t16_connect_is_405_and_its_extended_form_was_never_offered() {
    let (origin, seen) = keeping();
    let bench = bench(&origin, |_, _| {});
    let mut client = client(&bench);
    for (stream, fields) in [
        (1, vec![(":method", "CONNECT"), (":authority", "a.example:443")]),
        (3, vec![(":method", "CONNECT"), (":authority", "a.example")]),
    ] {
        let answer = client.fetch(stream, &fields);
        assert_eq!((answer.status, answer.text().as_str()), (405, "route.method"), "{fields:?}");
    }
    let websocket = [&[(":method", "CONNECT"), (":protocol", "websocket")], &pseudo("GET", "/")[1..]].concat();
    assert_eq!(client.fetch(5, &websocket).end, End::Reset(PROTOCOL_ERROR));
    let no_authority = [(":method", "CONNECT")];
    let answer = client.fetch(7, &no_authority);
    assert!(answer.status == 405 || is_refused(&answer), "{answer:?}");
    let with_path = [(":method", "CONNECT"), (":scheme", "http"), (":authority", "a"), (":path", "/")];
    assert!(is_refused(&client.fetch(9, &with_path)));
    // What follows a refused CONNECT is no tunnel.
    client.send(headers(11, 0, &[(":method", "CONNECT"), (":authority", "a:443")]));
    client.send(frame(DATA, END_STREAM, 11, b"GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n"));
    assert_eq!(client.answer(11).status, 405);
    assert!(seen.lock().is_empty());
}
