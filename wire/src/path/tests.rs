// SPDX-License-Identifier: Apache-2.0
//! Tests of the canonical path.

use super::*;
use portcullis_decision::Reason;
use proptest::prelude::*;

fn canonical(raw: &str) -> String {
    CanonicalPath::parse(raw).unwrap_or_else(|fault| panic!("{raw}: {fault}")).as_str().to_owned()
}

fn segments(raw: &str) -> Vec<String> {
    CanonicalPath::parse(raw).expect(raw).segments().map(str::to_owned).collect()
}

fn refused(paths: &[&str]) {
    for raw in paths {
        let fault = CanonicalPath::parse(raw).expect_err(raw);
        assert_eq!(fault.reason, Reason::WirePath, "{raw}");
    }
}

#[test]
fn segments_are_decoded_and_the_text_is_canonical() {
    assert_eq!(segments("/"), [""; 0]);
    assert_eq!(segments("/a/"), ["a", ""]);
    assert_eq!(segments("/orders/o-1"), ["orders", "o-1"]);
    assert_eq!(segments("/%41%2d/%e2%82%ac/100%25/a%20b%3fc%23"), ["A-", "€", "100%", "a b?c#"]);
    assert_eq!(canonical("/%41%2d/%e2%82%ac/100%25/a%20b%3fc%23"), "/A-/%E2%82%AC/100%25/a%20b%3Fc%23");
    assert_eq!(canonical("/a:b@c/(x)=1,2+3"), "/a:b@c/(x)=1,2+3");
    assert_eq!(segments("/.well-known/..."), [".well-known", "..."]);
}

#[test]
fn t25_dot_segments_and_path_parameters_are_refused() {
    refused(&[
        "/..",
        "/.",
        "/a/..",
        "/a/../b",
        "/a/./b",
        "/../",
        "/%2e%2e/",
        "/%2e",
        "/.%2e/b",
        "/%2E./b",
        "/a/%2e%2e",
        "/..;/admin",
        "/.;/admin",
        "/a;p=v/b",
        "/a;",
        "/;",
        "/a%3bp=v",
        "/..%3b/admin",
    ]);
}

#[test]
fn t26_encoded_separators_and_backslashes_are_refused() {
    refused(&["/a%2fb", "/a%2Fb", "/admin%2f..", "/a%5cb", "/a%5Cb", "/a\\b", "\\a", "/\\", "/%2f", "/%2e%2e%2f"]);
}

#[test]
fn t27_double_encoding_is_refused() {
    refused(&["/%252e%252e", "/%25%32%66", "/%u002f", "/a%2541", "/%2500", "/%", "/%4", "/%zz", "/%%41"]);
}

#[test]
fn t28_empty_segments_are_refused() {
    refused(&["//", "//admin", "/a//b", "/a//", "///"]);
}

#[test]
fn t29_paths_are_compared_byte_by_byte() {
    let path = |raw: &str| CanonicalPath::parse(raw).expect(raw);
    assert_ne!(path("/Orders"), path("/orders"));
    assert_ne!(path("/orders/"), path("/orders"));
    assert_ne!(path("/orders."), path("/orders"));
    assert_eq!(path("/%6frders"), path("/orders"));
}

#[test]
fn t30_bytes_that_are_no_clean_text_are_refused() {
    refused(&[
        "/%00",
        "/a%00b",
        "/%0d%0a",
        "/%7f",
        "/%c2%85",
        "/é",
        "/%c0%ae",
        "/%ff",
        "/%ed%a0%80",
        "/e%cc%81",
        "/a\u{0}",
        "/a b",
        "/a\"b",
        "/<a>",
        "/a^b",
        "/{id}",
        "/a|b",
        "/a#b",
        "/a?b",
        "/[a]",
        "",
        "a",
        "*",
        "http://a/b",
    ]);
    assert_eq!(segments("/%c3%a9"), ["é"]);
    // Full-width characters are themselves, never folded into separators.
    assert_eq!(segments("/a%ef%bc%8fb"), ["a\u{ff0f}b"]);
}

#[test]
fn bases_are_whole_segments() {
    let path = |raw: &str| CanonicalPath::parse(raw).expect(raw);
    let strip = |raw: &str, base: &str| path(raw).strip_base(&path(base)).map(|p| p.to_string());
    assert_eq!(strip("/v1/orders", "/v1").as_deref(), Some("/orders"));
    assert_eq!(strip("/v1/orders", "/v1/").as_deref(), Some("/orders"));
    assert_eq!(strip("/v1/orders", "/").as_deref(), Some("/v1/orders"));
    assert_eq!(strip("/v1/", "/v1").as_deref(), Some("/"));
    assert_eq!(strip("/v1", "/v1"), None);
    assert_eq!(strip("/v1x/orders", "/v1"), None);
    assert_eq!(strip("/V1/orders", "/v1"), None);
    let below = path("/v%201/a%20b/%E2%82%AC").strip_base(&path("/v%201")).expect("below");
    assert_eq!(below.segments().collect::<Vec<_>>(), ["a b", "€"]);
    let twice = path("/a/b/c").strip_base(&path("/a")).and_then(|p| p.strip_base(&path("/b"))).expect("below");
    assert_eq!(twice.as_str(), "/c");
    assert_eq!(twice.join(&path("/a%20")).segments().collect::<Vec<_>>(), ["a ", "c"]);
}

#[test]
fn a_canonical_target_is_not_copied() {
    let target = PathAndQuery::from_static("/orders/a%20b?x=1");
    let path = CanonicalPath::from_target(target.clone()).expect("valid");
    assert_eq!(path.as_str().as_ptr(), target.as_str().as_ptr());
    let rewritten = CanonicalPath::from_target(PathAndQuery::from_static("/%6frders?x=1")).expect("valid");
    assert_eq!(rewritten.as_str(), "/orders");
}

proptest! {
    #[test]
    fn t27_canonical_form_is_a_fixed_point(raw in "/[a-c/.%0-9A-Fa-f;\\\\é ]{0,40}|\\PC{0,40}") {
        if let Ok(path) = CanonicalPath::parse(&raw) {
            let again = CanonicalPath::parse(path.as_str()).expect("canonical");
            prop_assert_eq!(again.as_str(), path.as_str());
            prop_assert_eq!(again.segments().collect::<Vec<_>>(), path.segments().collect::<Vec<_>>());
            for segment in path.segments() {
                prop_assert!(segment != "." && segment != ".." && !segment.contains(['/', '\\', ';', '\0']));
                prop_assert!(!percent::has_escape(segment.as_bytes()));
            }
        }
    }

    #[test]
    fn t31_joining_undoes_stripping(base in "(/([a-z]|%20|%e2%82%ac){1,4}){0,3}", rest in "(/([a-z]|%20|%41){1,4}){1,3}/?") {
        let (Ok(base), Ok(path)) = (CanonicalPath::parse(&format!("{base}/")), CanonicalPath::parse(&format!("{base}{rest}")))
        else { return Ok(()) };
        let below = path.strip_base(&base).expect("below its base");
        prop_assert_eq!(&below, &CanonicalPath::parse(&rest).expect("rest"));
        let joined = below.join(&base);
        prop_assert_eq!(joined.segments().collect::<Vec<_>>(), path.segments().collect::<Vec<_>>());
        prop_assert_eq!(joined, path);
    }
}
