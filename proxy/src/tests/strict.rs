// SPDX-License-Identifier: Apache-2.0
//! What no other parser may read otherwise is refused before a byte of it reaches an origin (T01–T24, T35, T42).

use super::*;

/// An origin that counts connections and the bytes it is sent.
fn untouched() -> (Scripted, Arc<AtomicUsize>) {
    let bytes: Arc<AtomicUsize> = Arc::default();
    let counted = Arc::clone(&bytes);
    let origin = origin(move |_, mut wire| {
        let mut some = [0; 1024];
        while let Ok(read @ 1..) = wire.reader.read(&mut some) {
            counted.fetch_add(read, Ordering::SeqCst);
            wire.ok("reached");
        }
    });
    (origin, bytes)
}

/// What would be served if it were read as a request.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";

/// Each of these is one refusal with this reason, closes, and nothing of it or after it is read by anybody else.
#[track_caller]
fn refused(reason: Reason, cases: &[String]) {
    let (origin, bytes) = untouched();
    let bench = bench(&origin, |_, _| {});
    for (n, case) in cases.iter().enumerate() {
        let mut client = bench.client();
        client.send(format!("{case}{SMUGGLED}"));
        let answer = client.read().unwrap_or_else(|error| panic!("{case:?}: {error}"));
        let status = reason.status().unwrap();
        assert_eq!((answer.status(), answer.field("connection")), (status.as_str(), Some("close")), "{case:?}");
        assert_eq!(String::from_utf8_lossy(&answer.body), reason.code(), "{case:?}");
        assert!(client.rest().is_ok_and(|rest| rest.is_empty()), "{case:?}: closed after one whole answer");
        assert_eq!(bench.handled.load(Ordering::SeqCst), n + 1, "{case:?}: one decision");
    }
    assert_eq!((origin.connections.load(Ordering::SeqCst), bytes.load(Ordering::SeqCst)), (0, 0));
}

/// A POST with these lines.
fn post(lines: &str) -> String {
    format!("POST /a HTTP/1.1\r\nhost: a\r\n{lines}\r\n\r\n")
}

fn all(cases: &[&str]) -> Vec<String> {
    cases.iter().map(|case| (*case).to_owned()).collect()
}

#[test]
fn t01_t02_t03_t04_t05_framing_with_two_readings_is_refused() {
    let mut cases = Vec::new();
    for lines in [
        "content-length: 6\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 6",
        "Transfer-Encoding: Chunked\r\ncontent-length: 0",
        "content-length: 5\r\ncontent-length: 5",
        "content-length: 5\r\nContent-Length: 6",
        "content-length: 5, 5",
        "content-length: +5",
        "content-length: 05",
        "content-length: 0x5",
        "content-length:",
        "content-length: 18446744073709551617",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding: ,chunked",
        "transfer-encoding: chunked,",
        "transfer-encoding: xchunked",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked;a=b",
        "transfer-encoding: identity",
    ] {
        cases.push(format!("{}0\r\n\r\n", post(lines)));
    }
    cases.push("POST /a HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned());
    refused(Reason::WireFraming, &cases);
}

#[test]
fn t06_t07_t08_t09_lines_with_two_readings_are_refused() {
    let mut cases = all(&[
        "GET /a HTTP/1.1\nhost: a\n\n",
        "GET /a HTTP/1.1\r\nhost: a\n\r\n",
        "GET /a HTTP/1.1\r\nhost: a\r\n\n",
        "\r\nGET /a HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /a HTTP/1.1\r\n host: a\r\n\r\n",
    ]);
    for line in [
        "x: a\rb",
        "x: a\0b",
        "x: a\x7fb",
        "x: \u{e9}",
        "\u{e9}: x",
        "x : a",
        "x\t: a",
        " x: a",
        "x",
        ": x",
        "x: a\r\n b",
        "content_length: 0",
        "transfer_encoding: chunked",
        "host_: b",
        "x\0: a",
        "transfer-encoding: \u{b}chunked",
    ] {
        cases.push(post(line));
    }
    refused(Reason::WireMalformed, &cases);
}

#[test]
fn t20_what_is_not_http_1_0_or_1_1_is_refused() {
    refused(
        Reason::WireVersion,
        &all(&["GET / HTTP/1.2\r\nhost: a\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"]),
    );
    refused(
        Reason::WireMalformed,
        &all(&[
            "GET /\r\n",
            "GET / HTTP/01.1\r\nhost: a\r\n\r\n",
            "get / http/1.1\r\nhost: a\r\n\r\n",
            "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03",
            "SSH-2.0-OpenSSH_9.9\r\n",
        ]),
    );
}

#[test]
fn t20_a_word_that_never_ends_is_refused_within_1_kib() {
    let (origin, _) = untouched();
    let bench = bench(&origin, |_, _| {});
    let mut client = bench.client();
    assert_eq!(client.send([b'A'; 100]).read().unwrap().status(), "400");
}

#[test]
fn t21_t22_only_a_path_and_one_host() {
    let mut cases = Vec::new();
    for target in ["*", "a:443", "http://a/", "/a b", " /", "/\t", "/#f", "/a#f?b", "a", "?", "/\u{e9}"] {
        cases.push(format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n"));
    }
    cases.push("GET\t/ HTTP/1.1\r\nhost: a\r\n\r\n".to_owned());
    cases.push("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n".to_owned());
    cases.push("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n".to_owned());
    cases.push("GET / HTTP/1.1\r\n\r\n".to_owned());
    cases.push("GET / HTTP/1.1\r\nhost: a\r\nHost: a\r\n\r\n".to_owned());
    for host in ["", "a,b", "u@a", "a/b", "a:", "a b", "a:0"] {
        cases.push(format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n"));
    }
    refused(Reason::WireMalformed, &cases);
}

#[test]
fn t25_to_t30_paths_with_two_readings_are_refused() {
    let targets = ["/a/../b", "/%2e%2e/", "/a;b", "/a%2fb", "/a\\b", "/%252e", "//a", "/%00", "/%c0%ae", "/%zz", "/<"];
    let cases: Vec<_> = targets.iter().map(|target| format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n")).collect();
    refused(Reason::WirePath, &cases);
}

#[test]
fn t42_t14_too_large_and_other_expectations_are_refused() {
    let wide = "x: a\r\n".repeat(101);
    let long = format!("x: {}\r\n", "a".repeat(8 * 1024));
    let high = format!("x: {}\r\n", "a".repeat(8_000)).repeat(5);
    let cases: Vec<_> = [wide, long, high].iter().map(|lines| post(lines.trim_end())).collect();
    refused(Reason::WireHeadTooLarge, &cases);
    refused(Reason::WireUriTooLong, &[format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(9_000))]);
    refused(Reason::WireExpect, &[post("content-length: 1\r\nexpect: 200-ok"), post("expect: 100-continue, x")]);
}

#[test]
fn a_refused_head_request_is_answered_without_a_body() {
    let (origin, bytes) = untouched();
    let bench = bench(&origin, |_, _| {});
    for case in ["HEAD / HTTP/1.1\r\n\r\n", "HEAD /a#b HTTP/1.1\r\nhost: a\r\n\r\n"] {
        let mut client = bench.client();
        let answer = String::from_utf8(client.send(case).rest().unwrap()).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("\r\n\r\n"), "{case:?}: {answer}");
        assert_eq!(answer.matches("\r\n\r\n").count(), 1, "{case:?}: {answer}");
    }
    assert_eq!(bytes.load(Ordering::SeqCst), 0);
}

#[test]
fn t10_t11_t06_broken_chunks_are_refused_and_what_follows_is_not_read() {
    for chunks in [
        "0x1\r\na\r\n0\r\n\r\n",
        "1_0\r\n",
        "+1\r\na\r\n",
        "-1\r\n",
        " 1\r\na\r\n",
        "1 \r\na\r\n0\r\n\r\n",
        "00000000000000001\r\na\r\n",
        "\r\n",
        "1\na\r\n0\r\n\r\n",
        "1\r\na\n0\r\n\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "1\r\na0\r\n\r\n",
        "1;a\rb\r\na\r\n0\r\n\r\n",
        "1;\0\r\na\r\n0\r\n\r\n",
        "1;\n",
        "0\r\nT: a\n\r\n",
        "0\r\n t: a\r\n\r\n",
        "0\r\na b: c\r\n\r\n",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([format!("1;{}\r\na\r\n0\r\n\r\n", "e".repeat(300)), format!("0\r\n{}\r\n", "t: a\r\n".repeat(101))])
    {
        let (origin, _) = untouched();
        let bench = bench(&origin, |_, _| {});
        let mut client = bench.client();
        client.send(format!("{}{chunks}{SMUGGLED}", post("x-buffer: 1\r\ntransfer-encoding: chunked")));
        let answer = client.read().unwrap();
        assert_eq!((answer.status(), answer.body.as_slice()), ("400", b"wire.framing" as &[u8]), "{chunks:?}");
        drop(client.rest());
        assert_eq!((bench.handled.load(Ordering::SeqCst), origin.connections.load(Ordering::SeqCst)), (1, 0));
    }
}

#[test]
fn t11_t12_extensions_and_trailers_reach_no_origin() {
    let whole: Seen<Message> = Arc::default();
    let seen = Arc::clone(&whole);
    let origin = origin(move |_, mut wire| {
        while let Some(request) = wire.request() {
            seen.lock().push(request);
            wire.ok("ok");
        }
    });
    let bench = bench(&origin, |_, _| {});
    let body = "5;e=1\r\nhello\r\n1;f\r\n!\r\n0\r\nauthorization: x\r\ncontent-length: 9\r\n\r\n";
    for cut in [0, 1, 5, 11, 20, body.len() - 1] {
        let mut client = bench.client();
        let (now, later) = body.split_at(cut);
        client.send(format!("{}{now}", post("transfer-encoding: chunked")));
        std::thread::sleep(ms(30));
        client.send(format!("{later}GET /next HTTP/1.1\r\nhost: a\r\n\r\n"));
        assert_eq!(client.read().unwrap().status(), "200", "{cut}");
        assert_eq!(client.read().unwrap().status(), "200", "{cut}: the next one");
        let mut requests = std::mem::take(&mut *whole.lock());
        assert_eq!(requests[0].body, b"hello!", "{cut}");
        assert!(requests[0].field("authorization").is_none() && requests[0].field("trailer").is_none());
        assert_eq!(requests.remove(1).line.trim_end(), "GET /base/next HTTP/1.1");
    }
}

#[test]
fn t15_an_upgrade_is_not_passed_on_and_what_follows_is_a_request_of_its_own() {
    let seen: Seen<Message> = Arc::default();
    let record = Arc::clone(&seen);
    let origin = origin(move |_, mut wire| {
        while let Some(request) = wire.request() {
            record.lock().push(request);
            wire.ok("ok");
        }
    });
    let bench = bench(&origin, |_, _| {});
    let mut client = bench.client();
    client.send(format!("GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n{SMUGGLED}"));
    assert_eq!((client.read().unwrap().status(), client.read().unwrap().status()), ("200", "200"));
    assert_eq!(bench.handled.load(Ordering::SeqCst), 2, "the early bytes were judged like any request");
    assert!(seen.lock().iter().all(|request| request.field("upgrade").is_none()));
}

#[test]
fn t19_a_malformed_request_ends_a_pipeline_after_the_answers_before_it() {
    let origin = echo();
    let bench = bench(&origin, |_, _| {});
    let mut client = bench.client();
    client.send(format!("GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\n\r\nGET /3\r\n{SMUGGLED}"));
    assert_eq!(client.read().unwrap().body, b"GET /base/1 HTTP/1.1");
    assert_eq!(client.read().unwrap().body, b"GET /base/2 HTTP/1.1");
    assert_eq!(client.read().unwrap().body, b"wire.malformed");
    assert!(client.rest().is_ok_and(|rest| rest.is_empty()));
    assert_eq!((bench.handled.load(Ordering::SeqCst), origin.connections.load(Ordering::SeqCst)), (3, 1));
}

#[test]
fn t19_what_arrives_while_another_is_answered_is_answered_after_it() {
    let origin = origin(|_, mut wire| {
        while let Some(request) = wire.request() {
            std::thread::sleep(ms(150));
            wire.ok(request.line.trim_end());
        }
    });
    let bench = bench(&origin, |_, _| {});
    let mut client = bench.client();
    client.send("GET /1 HTTP/1.1\r\nhost: a\r\n\r\n");
    std::thread::sleep(ms(50));
    client.send("POST /2 HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhiGET /3 HTT");
    assert_eq!(client.read().unwrap().body, b"GET /base/1 HTTP/1.1");
    assert_eq!(client.read().unwrap().body, b"POST /base/2 HTTP/1.1");
    assert_eq!(client.send("P/1.1\r\nhost: a\r\n\r\n").read().unwrap().body, b"GET /base/3 HTTP/1.1");
}

#[test]
fn a_head_that_breaks_off_is_refused_where_somebody_still_reads() {
    let (origin, _) = untouched();
    let bench = bench(&origin, |_, _| {});
    let mut client = bench.client();
    client.send("GET /a HTTP/1.1\r\nho");
    client.reader.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.read().unwrap().body, b"wire.malformed");
    assert!(client.rest().is_ok_and(|rest| rest.is_empty()));
    assert_eq!((bench.handled.load(Ordering::SeqCst), origin.connections.load(Ordering::SeqCst)), (1, 0));
}

#[test]
fn p2_however_the_bytes_arrive_the_answers_are_the_same() {
    let bench = bench(&echo(), |_, _| {});
    let stream = "GET /1 HTTP/1.1\r\nhost: a\r\n\r\nPOST /2 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
                  POST /3 HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabcHEAD /4 HTTP/1.1\r\nhost: a\r\n\r\n\
                  GET /5 HTTP/1.0\r\nhost: a\r\n\r\n";
    let answers = |pieces: &[&str]| {
        let mut client = bench.client();
        for piece in pieces {
            client.send(piece);
            if pieces.len() > 1 {
                std::thread::sleep(ms(2));
            }
        }
        let text = String::from_utf8(client.rest().unwrap()).unwrap();
        text.lines().filter(|line| !line.starts_with("date:")).collect::<Vec<_>>().join("\n")
    };
    let whole = answers(&[stream]);
    assert_eq!(whole.matches("200 OK").count(), 5, "{whole}");
    for cut in (1..stream.len()).step_by(7) {
        let (one, two) = stream.split_at(cut);
        assert_eq!(answers(&[one, two]), whole, "cut at {cut}");
    }
}
