// SPDX-License-Identifier: Apache-2.0
//! Tests of the head scanner: each gives it bytes as a client would.

use super::*;
use crate::framing::Framing;
use portcullis_decision::Reason;
use proptest::prelude::*;

mod cut;

fn scan(bytes: &[u8]) -> (Scanned, BytesMut) {
    let mut buffer = BytesMut::from(bytes);
    let scanned = Scan::new().head(&mut buffer, &HeadLimits::default(), &Reserved::default());
    (scanned, buffer)
}

fn head(text: &str) -> Head {
    match scan(text.as_bytes()) {
        (Scanned::Head(head), rest) if rest.is_empty() => head,
        other => panic!("{text:?}: {other:?}"),
    }
}

fn refusal(bytes: impl AsRef<[u8]>) -> Refusal {
    match scan(bytes.as_ref()) {
        (Scanned::Refused(refusal), _) => refusal,
        (other, _) => panic!("{:?}: {other:?}", String::from_utf8_lossy(bytes.as_ref())),
    }
}

fn reason(bytes: impl AsRef<[u8]>) -> Reason {
    refusal(bytes).fault.reason
}

/// A head with these lines below `Host`.
fn with(lines: &str) -> String {
    format!("GET /a HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n")
}

#[test]
fn a_head_is_read_once_and_its_bytes_are_taken() {
    let text = "POST /orders/%6f-1?q=a+b HTTP/1.1\r\nHost:api.example\r\nAccept: \t a/b \r\nX-Empty:\r\nContent-Length: 5\r\n\
                Connection: close, X-Hop\r\nX-Hop: 1\r\nX-User-Id: me\r\n\r\nhello";
    let (scanned, rest) = scan(text.as_bytes());
    let Scanned::Head(head) = scanned else { panic!("{scanned:?}") };
    assert_eq!((head.method.as_str(), head.path.as_str()), ("POST", "/orders/o-1"));
    assert_eq!(head.query.all("q").collect::<Vec<_>>(), ["a b"]);
    assert_eq!(head.authority.as_ref().map(ToString::to_string).as_deref(), Some("api.example"));
    assert_eq!((head.framing, head.expect_continue, head.last), (Framing::Length(5), false, true));
    assert_eq!((head.headers.len(), head.stripped), (2, 1));
    assert_eq!(head.headers.get("accept").unwrap(), "a/b");
    assert_eq!(head.headers.get("x-empty").unwrap(), "");
    assert_eq!(&rest[..], b"hello");
}

#[test]
fn only_what_says_so_is_the_last_request() {
    assert!(!head(&with("")).last && !head(&with("Connection: keep-alive\r\n")).last);
    assert!(head(&with("Connection: Close\r\n")).last);
    assert!(head("GET / HTTP/1.0\r\n\r\n").last);
}

#[test]
fn t06_t07_no_bare_lf_no_bare_cr_no_control_character() {
    for bad in [
        "GET /a HTTP/1.1\nHost: a\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\n\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\r\n\r\n",
        "GET /a HTTP/1.1\rHost: a\r\n\r\n",
        "\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n",
        "\nGET",
        "\n",
    ] {
        assert_eq!(reason(bad), Reason::WireMalformed, "{bad:?}");
    }
    for byte in 0..=255_u8 {
        let [name, value] = [[b"X", [byte].as_slice(), b"Y: b"].concat(), [b"X: a", [byte].as_slice(), b"b"].concat()];
        for (line, good) in [
            (name, byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^`|~:".contains(&byte)),
            (value, byte == b'\t' || (0x20..0x7f).contains(&byte)),
        ] {
            let text = [b"GET /a HTTP/1.1\r\nHost: a\r\n", line.as_slice(), b"\r\n\r\n"].concat();
            let (scanned, _) = scan(&text);
            assert_eq!(matches!(scanned, Scanned::Head(_)), good, "{:?}", String::from_utf8_lossy(&text));
        }
    }
}

#[test]
fn t08_sm_5_sm_6_sm_8_a_field_line_is_a_name_a_colon_and_a_value() {
    for line in [
        "X : a",
        "X\t: a",
        " X: a",
        "\tX: a",
        "no colon",
        ": a",
        "X: a\r\n folded",
        "X: a\r\n\tfolded",
        " ",
        "Content-Length : 5",
    ] {
        assert_eq!(reason(with(&format!("{line}\r\n"))), Reason::WireMalformed, "{line:?}");
    }
    assert_eq!(reason("GET /a HTTP/1.1\r\n Host: a\r\n\r\n"), Reason::WireMalformed);
}

#[test]
fn t09_no_underscore_in_a_name() {
    for line in ["Content_Length: 0", "Transfer_Encoding: chunked", "Host_: a", "_: a"] {
        assert_eq!(reason(with(&format!("{line}\r\n"))), Reason::WireMalformed, "{line:?}");
    }
}

#[test]
fn t01_to_t05_framing_has_one_reading() {
    for lines in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
        "Content-Length: 1\r\nContent-Length: 1\r\n",
        "Content-Length: 1\r\nCONTENT-LENGTH: 2\r\n",
        "Content-Length: 010\r\n",
        "Content-Length: +1\r\n",
        "Content-Length: 1, 1\r\n",
        "Content-Length:\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: ,chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: identity\r\n",
    ] {
        assert_eq!(reason(with(lines)), Reason::WireFraming, "{lines:?}");
    }
    assert_eq!(reason("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Reason::WireFraming);
    assert_eq!(head(&with("Content-Length: \t 5 \r\n")).framing, Framing::Length(5));
    assert_eq!(head(&with("Transfer-Encoding: Chunked\r\n")).framing, Framing::Chunked);
}

#[test]
fn t20_only_http_1_0_and_1_1() {
    for (line, expected) in [
        ("GET /", Reason::WireMalformed),
        ("GET / ", Reason::WireMalformed),
        ("GET / HTTP/1.2", Reason::WireVersion),
        ("GET / HTTP/2.0", Reason::WireVersion),
        ("PRI * HTTP/2.0", Reason::WireVersion),
        ("GET / HTTP/0.9", Reason::WireVersion),
        ("GET / HTTP/01.1", Reason::WireMalformed),
        ("GET / http/1.1", Reason::WireMalformed),
        ("GET / HTTP/1.1 ", Reason::WireMalformed),
        ("GET / HTTP/1,1", Reason::WireMalformed),
        ("GET / HTTPS/1.1", Reason::WireMalformed),
        ("GET / HTTP/1.", Reason::WireMalformed),
        ("get / http/1.1", Reason::WireMalformed),
    ] {
        assert_eq!(reason(format!("{line}\r\n")), expected, "{line:?}");
    }
    // A TLS handshake is no request from its first byte on; a word that never ends is none after 65.
    assert_eq!(reason(b"\x16"), Reason::WireMalformed);
    assert_eq!(reason("A".repeat(65)), Reason::WireMalformed);
    assert!(matches!(scan(&[b'A'; 64]).0, Scanned::NeedMore));
}

#[test]
fn t21_sm_11_three_words_and_a_path() {
    for target in [
        " /",
        "/a b",
        "/\tb",
        "*",
        "a.example:443",
        "http://a.example/",
        "//",
        "/#",
        "/a#b",
        "a",
        "?a",
        "/é",
        "/a\u{7f}",
        "/\\",
        "/a%zz",
        "/<",
        "/?<",
        "/?`",
    ] {
        let (scanned, _) = scan(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        let Scanned::Refused(refusal) = scanned else { panic!("{target}: {scanned:?}") };
        assert!(matches!(refusal.fault.reason, Reason::WireMalformed | Reason::WirePath), "{target}");
    }
    for line in ["GET\t/ HTTP/1.1", "GET /\tHTTP/1.1", " GET / HTTP/1.1", "G(T / HTTP/1.1", "OPTIONS * HTTP/1.1"] {
        assert_eq!(reason(format!("{line}\r\nHost: a\r\n\r\n")), Reason::WireMalformed, "{line:?}");
    }
}

#[test]
fn t22_sm_9_exactly_one_host() {
    assert_eq!(reason("GET / HTTP/1.1\r\n\r\n"), Reason::WireMalformed);
    for host in ["", "a,b", "u@a", "a/b", "a:", "a b", "a:99999"] {
        assert_eq!(reason(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")), Reason::WireMalformed, "{host:?}");
    }
    assert_eq!(reason(with("host: a.example\r\n")), Reason::WireMalformed);
}

#[test]
fn t35_methods_are_words_of_some_length() {
    for method in ["get", "GETX", "TRACE", &"M".repeat(64)] {
        assert_eq!(head(&format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n")).method.as_str(), method);
    }
    assert_eq!(reason(format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "M".repeat(65))), Reason::WireMalformed);
}

#[test]
fn t42_sm_20_sizes_are_judged_as_bytes_arrive() {
    let fields = |n: usize| (0..n).map(|i| format!("x-f{i}: 1\r\n")).collect::<Vec<_>>().concat();
    assert_eq!(head(&with(&fields(99))).headers.len(), 99);
    assert_eq!(reason(format!("GET / HTTP/1.1\r\n{}", fields(101))), Reason::WireHeadTooLarge);
    let value = |n: usize| format!("x: {}\r\n", "a".repeat(n));
    head(&with(&value(8 * 1024 - 1)));
    for unfinished in [with(&value(8 * 1024)), with(&"a".repeat(9_000)), with(&value(7_000).repeat(5))] {
        assert_eq!(reason(unfinished.trim_end()), Reason::WireHeadTooLarge);
    }
    let target = |n: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(n));
    head(&target(8 * 1024 - 1));
    assert_eq!(reason(target(8 * 1024)), Reason::WireUriTooLong);
    assert_eq!(reason(&target(9_000).as_bytes()[..8_300]), Reason::WireUriTooLong);
}

#[test]
fn a_refusal_tells_the_method_where_there_was_one() {
    for (text, method) in [
        ("HEAD /a HTTP/1.1\r\nHost : a\r\n\r\n", "HEAD"),
        ("HEAD /a#b HTTP/1.1\r\n", "HEAD"),
        ("\x16\x03", "-"),
        ("G(T / HTTP/1.1\r\n", "-"),
    ] {
        assert_eq!(refusal(text).method.as_str(), method, "{text:?}");
    }
    let mut scan = Scan::new();
    let mut buffer = BytesMut::from("PUT /a HT");
    let scanned = scan.head(&mut buffer, &HeadLimits::default(), &Reserved::default());
    assert!(matches!(scanned, Scanned::NeedMore));
    let late = WireFault { reason: Reason::WireTooSlow, detail: "late" };
    assert_eq!(scan.broken_off(&buffer, late), Refusal { fault: late, method: Method::PUT });
}
