// SPDX-License-Identifier: Apache-2.0
//! A foreign id asked for in ways that could show that it exists: no byte, no sign.

use crate::client::Request;
use crate::gate::Gate;

/// Adds to a request what could betray a foreign object.
type Way = Box<dyn Fn(Request) -> Request>;

#[test]
fn t114_a_foreign_id_and_an_absent_one_look_the_same() {
    let gate = Gate::demo();
    let (alice, bob) = (gate.token("alice"), gate.token("bob"));
    let own = gate.send(&Request::get("/orders/ord-1").bearer(&alice));
    let tag = own.header("etag").unwrap_or("\"x\"").to_owned();
    let ways: Vec<(&str, Way)> = vec![
        ("plain", Box::new(|r| r)),
        (
            "If-None-Match: its own tag",
            Box::new({
                let tag = tag.clone();
                move |r| r.header("If-None-Match", &tag)
            }),
        ),
        ("If-None-Match: *", Box::new(|r| r.header("If-None-Match", "*"))),
        ("If-Modified-Since", Box::new(|r| r.header("If-Modified-Since", "Sun, 06 Nov 2050 08:49:37 GMT"))),
        ("Range", Box::new(|r| r.header("Range", "bytes=0-0"))),
        (
            "Range and If-Range",
            Box::new({
                let tag = tag.clone();
                move |r| r.header("Range", "bytes=0-1").header("If-Range", &tag)
            }),
        ),
        ("Accept-Encoding", Box::new(|r| r.header("Accept-Encoding", "gzip, br"))),
        ("Accept", Box::new(|r| r.header("Accept", "application/xml"))),
    ];
    for method in ["GET", "HEAD"] {
        for path in ["/orders/{}", "/orders/{}/receipt"] {
            if method == "HEAD" && path.ends_with("receipt") {
                continue;
            }
            for (way, add) in &ways {
                let ask = |id: &str| {
                    let request = Request::new(method, &path.replace("{}", id)).bearer(&bob);
                    gate.send(&add(request))
                };
                let (foreign, absent) = (ask("ord-1"), ask("ord-999999"));
                assert_eq!(foreign.status, 404, "{method} {path} {way}: {foreign:?}");
                assert_eq!(foreign.without_identity(), absent.without_identity(), "{method} {path} {way}");
                if method == "HEAD" {
                    assert!(foreign.body.is_empty(), "{way}");
                }
            }
        }
    }
}

#[test]
fn t114_a_foreign_write_and_an_absent_one_look_the_same() {
    let gate = Gate::demo();
    let bob = gate.token("bob");
    for (method, body) in [("PATCH", Some(r#"{"note":"x"}"#)), ("DELETE", None)] {
        for tag in [None, Some("\"0000000000000000\""), Some("*")] {
            let ask = |id: &str| {
                let mut request = Request::new(method, &format!("/orders/{id}")).bearer(&bob);
                if let Some(body) = body {
                    request = request.json(body);
                }
                if let Some(tag) = tag {
                    request = request.header("If-Match", tag);
                }
                gate.send(&request)
            };
            let (foreign, absent) = (ask("ord-1"), ask("ord-999999"));
            assert_eq!(foreign.status, 404, "{method} {tag:?}: {foreign:?}");
            assert_eq!(foreign.without_identity(), absent.without_identity(), "{method} {tag:?}");
        }
    }
}

#[test]
fn a_stale_tag_of_ones_own_is_412_and_a_fresh_one_passes() {
    let gate = Gate::demo();
    let alice = gate.token("alice");
    let patch = |tag: &str| {
        Request::new("PATCH", "/orders/ord-1").bearer(&alice).header("If-Match", tag).json(r#"{"note":"x"}"#)
    };
    let stale = gate.send(&patch("\"0000000000000000\""));
    assert_eq!(stale.status, 412, "{stale:?}");
    assert_eq!(gate.send(&Request::new("PATCH", "/orders/ord-1").bearer(&alice).json(r#"{"note":"y"}"#)).status, 200);
}
