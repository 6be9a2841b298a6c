// SPDX-License-Identifier: Apache-2.0
//! Tests of the whole head. Each builds the request an HTTP/1 parser would have accepted.

use super::*;
use crate::framing::Framing;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use proptest::prelude::*;

mod fields;

struct Case {
    method: &'static str,
    target: String,
    version: Version,
    fields: Vec<(String, Vec<u8>)>,
}

fn get(target: &str) -> Case {
    Case { method: "GET", target: target.to_owned(), version: Version::HTTP_11, fields: Vec::new() }
        .with("host", "api.example")
}

fn bare(target: &str) -> Case {
    Case { fields: Vec::new(), ..get(target) }
}

impl Case {
    fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    fn version(self, version: Version) -> Self {
        Self { version, ..self }
    }

    fn parts(self) -> Parts {
        let mut request =
            Request::builder().method(self.method).uri(self.target).version(self.version).body(()).expect("uri");
        for (name, value) in self.fields {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("name");
            request.headers_mut().append(name, HeaderValue::from_bytes(&value).expect("value"));
        }
        request.into_parts().0
    }

    fn receive(self) -> Result<Head, WireFault> {
        receive(self.parts(), &HeadLimits::default(), &Reserved::default())
    }

    fn accepted(self) -> Head {
        self.receive().expect("accepted")
    }

    fn refused(self) -> Reason {
        let what = format!("{} {} {:?}", self.method, self.target, self.fields);
        self.receive().map(|_| ()).expect_err(&what).reason
    }
}

#[test]
fn a_plain_request_becomes_one_canonical_head() {
    let head = get("/orders/%6f-1?limit=10&q=a+b")
        .with("authorization", "Bearer a")
        .with("authorization", "Bearer b")
        .with("accept", "application/json")
        .with("connection", "keep-alive, X-Hop")
        .with("x-hop", "1")
        .with("x-keep", "1")
        .accepted();
    assert_eq!(head.path.as_str(), "/orders/o-1");
    assert_eq!(head.query.all("q").collect::<Vec<_>>(), ["a b"]);
    assert_eq!(head.authority.map(|a| a.to_string()).as_deref(), Some("api.example"));
    assert_eq!((head.framing, head.expect_continue, head.stripped), (Framing::None, false, 0));
    let mut names: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "authorization", "x-keep"]);
    assert_eq!(head.headers.get_all("authorization").iter().count(), 2);
}

#[test]
fn debug_shows_no_credential() {
    let head = get("/orders?access_token=canary-1").with("authorization", "Bearer canary-2").accepted();
    assert_eq!(head.query.all("access_token").count(), 1);
    assert!(!format!("{head:?}").contains("canary"));
}

#[test]
fn t01_content_length_with_transfer_encoding_is_refused() {
    let case = get("/").method("POST").with("content-length", "6").with("transfer-encoding", "chunked");
    assert_eq!(case.refused(), Reason::WireFraming);
}

#[test]
fn t02_several_content_lengths_are_refused() {
    for (first, second) in [("1", "1"), ("1", "2"), ("0", "0")] {
        let case = get("/").method("POST").with("content-length", first).with("content-length", second);
        assert_eq!(case.refused(), Reason::WireFraming);
    }
}

#[test]
fn t03_content_length_is_a_plain_decimal() {
    for value in [
        "+1",
        "-1",
        "-0",
        "0x1",
        "010",
        "00",
        "1_0",
        "",
        "1Z",
        "1, 1",
        "1,2",
        "1 1",
        "1.0",
        "1e1",
        "18446744073709551617",
        "99999999999999999999",
        "\u{661}",
    ] {
        let case = get("/").method("POST").with("content-length", value);
        let expected = if value.is_ascii() { Reason::WireFraming } else { Reason::WireMalformed };
        assert_eq!(case.refused(), expected, "{value}");
    }
    for (value, length) in
        [("0", 0), ("1", 1), ("1048576", 1_048_576), ("9999999999999999999", 9_999_999_999_999_999_999)]
    {
        let head = get("/").method("POST").with("content-length", value).accepted();
        assert_eq!(head.framing, Framing::Length(length));
        assert!(!head.headers.contains_key("content-length"));
    }
}

#[test]
fn t04_transfer_encoding_is_one_line_chunked() {
    for value in [
        ",chunked",
        "chunked,",
        "xchunked",
        "chunked;a=b",
        "identity",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        "",
        "\"chunked\"",
        "chunked x",
    ] {
        assert_eq!(get("/").method("POST").with("transfer-encoding", value).refused(), Reason::WireFraming, "{value}");
    }
    assert_eq!(get("/").with("transfer-encoding", b"\xa0chunked").refused(), Reason::WireMalformed);
    let twice = get("/").with("transfer-encoding", "chunked").with("transfer-encoding", "chunked");
    assert_eq!(twice.refused(), Reason::WireFraming);
    assert_eq!(get("/").method("POST").with("transfer-encoding", "Chunked").accepted().framing, Framing::Chunked);
}

#[test]
fn t05_transfer_encoding_in_http_1_0_is_refused() {
    let case = get("/").version(Version::HTTP_10).with("transfer-encoding", "chunked");
    assert_eq!(case.refused(), Reason::WireFraming);
}

#[test]
fn t14_only_100_continue_may_be_expected() {
    for value in ["200-ok", "junk", "", "100-continue, 100-continue", "100-continue;x"] {
        let case = get("/").method("POST").with("content-length", "3").with("expect", value);
        assert_eq!(case.refused(), Reason::WireExpect, "{value}");
    }
    let head = get("/").method("POST").with("content-length", "3").with("expect", "100-Continue").accepted();
    assert!(head.expect_continue && !head.headers.contains_key("expect"));
    assert!(!get("/").with("expect", "100-continue").accepted().expect_continue);
    let old = get("/").version(Version::HTTP_10).with("content-length", "3").with("expect", "100-continue");
    assert!(!old.accepted().expect_continue);
    let twice = get("/").with("expect", "100-continue").with("expect", "100-continue");
    assert_eq!(twice.refused(), Reason::WireExpect);
}

#[test]
fn t20_other_versions_are_refused() {
    for version in [Version::HTTP_09, Version::HTTP_3] {
        assert_eq!(get("/").version(version).refused(), Reason::WireVersion);
    }
}

#[test]
fn t21_only_origin_form_is_served() {
    for (method, target) in [
        ("GET", "http://api.example/"),
        ("GET", "https://other.example/a?b"),
        ("CONNECT", "api.example:443"),
        ("GET", "api.example"),
        ("OPTIONS", "*"),
        ("GET", "*"),
    ] {
        assert_eq!(get(target).method(method).refused(), Reason::WireMalformed, "{method} {target}");
    }
}

#[test]
fn t22_exactly_one_valid_host() {
    assert_eq!(bare("/").refused(), Reason::WireMalformed);
    assert_eq!(get("/").with("host", "api.example").refused(), Reason::WireMalformed);
    for host in ["", "a,b", "user@a", "a/b", "a:", "a:99999", "a b", "a?x"] {
        assert_eq!(bare("/").with("host", host).refused(), Reason::WireMalformed, "{host}");
    }
    let head = bare("/").with("host", "API.example.:8080").accepted();
    assert_eq!(head.authority.map(|a| a.to_string()).as_deref(), Some("api.example:8080"));
    assert!(bare("/").version(Version::HTTP_10).accepted().authority.is_none());
}

#[test]
fn t25_to_t30_bad_paths_are_refused_in_a_request() {
    for target in ["/a/../b", "/a;b", "/a%2fb", "/%252e", "//a", "/a%00", "/%c0%ae", "/e%cc%81"] {
        assert_eq!(get(target).refused(), Reason::WirePath, "{target}");
    }
}

#[test]
fn t30_bytes_an_http_parser_lets_into_a_target_are_refused() {
    for byte in 0..=255_u8 {
        let Ok(uri) = Uri::try_from([b"/a".as_slice(), &[byte], b"b"].concat()) else { continue };
        if uri.path() != "/ab" && uri.query().is_none() && !matches!(byte, b'/' | b'#') {
            let mut parts = get("/").parts();
            parts.uri = uri;
            let received = receive(parts, &HeadLimits::default(), &Reserved::default());
            assert_eq!(received.is_ok(), percent_free_pchar(byte), "{byte:#x}");
        }
    }
}

fn percent_free_pchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte)
}

#[test]
fn t32_queries_are_bounded() {
    assert_eq!(get(&format!("/?{}", vec!["a"; 101].join("&"))).refused(), Reason::WireMalformed);
    assert!(get("/?").accepted().query.is_empty());
}

#[test]
fn t16_t35_methods_are_kept_for_routing() {
    for method in ["TRACE", "CONNECT", "get", "GETX", "PURGE"] {
        assert_eq!(get("/").method(method).accepted().method.as_str(), method);
    }
}

#[test]
fn t17_http_2_has_its_own_rules() {
    let h2 = |target: &str| bare(target).version(Version::HTTP_2);
    let head =
        h2("https://api.example/a?b=1").with("cookie", "a=1").with("cookie", "b=2").with("te", "trailers").accepted();
    assert_eq!(head.authority.map(|a| a.to_string()).as_deref(), Some("api.example"));
    assert_eq!(head.headers.get("cookie").map(HeaderValue::as_bytes), Some(b"a=1; b=2".as_slice()));
    assert_eq!((head.headers.len(), head.framing), (1, Framing::Chunked));
    h2("https://api.example/").with("host", "API.example").accepted();
    assert_eq!(h2("https://api.example/").with("host", "b.example").refused(), Reason::WireMalformed);
    assert_eq!(h2("ftp://api.example/").refused(), Reason::WireMalformed);
    assert_eq!(h2("https://u@api.example/").refused(), Reason::WireMalformed);
    for name in ["connection", "keep-alive", "proxy-connection", "upgrade"] {
        assert_eq!(h2("https://api.example/").with(name, "close").refused(), Reason::WireMalformed, "{name}");
    }
    assert_eq!(h2("https://api.example/").with("te", "gzip").refused(), Reason::WireMalformed);
    for value in [" a", "a ", "\ta", "a\t", " "] {
        assert_eq!(h2("https://api.example/").with("x", value).refused(), Reason::WireMalformed, "{value:?}");
    }
    assert_eq!(h2("https://api.example/").with("transfer-encoding", "chunked").refused(), Reason::WireFraming);
}

proptest! {
    #[test]
    fn t24_any_head_is_judged_without_a_panic_and_leaves_no_reserved_field(
        target in "/[!-~]{0,40}",
        fields in proptest::collection::vec(("[a-zA-Z.~-]{1,12}|x-user-[a-z]{1,3}|connection|host|te", "[ -~]{0,20}"), 0..8),
    ) {
        let Ok(uri) = Uri::try_from(target) else { return Ok(()) };
        let mut parts = get("/").parts();
        parts.uri = uri;
        for (name, value) in fields {
            parts.headers.append(HeaderName::from_bytes(name.as_bytes()).expect("name"), HeaderValue::from_str(&value).expect("value"));
        }
        let reserved = Reserved::default();
        if let Ok(head) = receive(parts, &HeadLimits::default(), &reserved) {
            prop_assert!(head.headers.keys().all(|name| !reserved.contains(name)));
            let ended = |headers: &HeaderMap| ["connection", "host", "te", "upgrade", "expect"].iter().any(|n| headers.contains_key(*n));
            prop_assert!(!ended(&head.headers));
        }
    }
}
