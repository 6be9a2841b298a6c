// SPDX-License-Identifier: Apache-2.0
//! Look-ups: what counts as the object, and how a write is tied to the version that was read.

use crate::fixture::{bare, orders, raw, reply, user};
use crate::gateway::Ask;
use serde_json::json;

fn deleted_when(status: u16, content_type: &'static str, body: &'static str) -> String {
    let gateway =
        orders().with(move |method, _, _| if method == "GET" { raw(status, content_type, body) } else { bare(204) });
    let line = gateway.ask(&user("alice"), "DELETE", "/orders/o-1", "").line();
    assert_eq!(gateway.calls().len(), if line == "204" { 2 } else { 1 }, "{body}");
    line
}

#[test]
fn anything_but_a_readable_200_of_the_same_object_is_absent_or_failed() {
    let own = r#"{"id":"o-1","owner":"alice","item":"x"}"#;
    let json = "application/json";
    for (status, content_type, body, line) in [
        (200, json, own, "204"),
        (200, "application/json; charset=utf-8", own, "204"),
        (404, json, "{}", "404 object.absent"),
        (410, json, "{}", "404 object.absent"),
        (403, json, "{}", "404 object.absent"),
        (401, json, own, "404 object.absent"),
        (200, json, r#"{"id":"o-2","owner":"alice","item":"x"}"#, "404 object.absent"),
        (200, json, r#"{"owner":"alice","item":"x"}"#, "502 object.lookup_failed"),
        (200, "text/html", own, "502 object.lookup_failed"),
        (200, json, "{", "502 object.lookup_failed"),
        (200, json, r#"{"id":"o-1","owner":"alice","owner":"bob"}"#, "502 object.lookup_failed"),
        (200, json, "[]", "502 object.lookup_failed"),
        (200, json, "null", "502 object.lookup_failed"),
        (201, json, own, "502 object.lookup_failed"),
        (206, json, own, "502 object.lookup_failed"),
        (302, json, own, "502 object.lookup_failed"),
        (500, json, own, "502 object.lookup_failed"),
    ] {
        assert_eq!(deleted_when(status, content_type, body), line, "{status} {content_type} {body}");
    }
}

#[test]
fn a_look_up_answer_is_at_most_64_kib() {
    let body = json!({"id": "o-1", "owner": "alice", "item": "x".repeat(64 * 1024)});
    let gateway = orders().with(move |_, _, _| reply(200, &body));
    assert_eq!(gateway.ask(&user("alice"), "DELETE", "/orders/o-1", "").line(), "502 object.lookup_failed");
}

fn delete_if(tag: Option<&'static str>, if_match: Option<&'static str>) -> (String, Option<String>) {
    let gateway = orders().with(move |method, _, _| {
        if method != "GET" {
            return bare(204);
        }
        let answer = reply(200, &json!({"id": "o-1", "owner": "alice", "item": "x"}));
        match tag {
            Some(tag) => answer.with("etag", tag),
            None => answer,
        }
    });
    let caller = user("alice");
    let outcome = gateway.send(Ask { caller: &caller, method: "DELETE", path: "/orders/o-1", body: "", if_match });
    if outcome.status == 412 {
        assert_eq!(gateway.calls(), ["lookup /orders/o-1"], "nothing is forwarded");
    }
    let sent = outcome.known.as_ref().and_then(|known| known.if_match.as_ref()).map(|v| v.to_str().unwrap().to_owned());
    (outcome.line(), sent)
}

#[test]
fn a_strong_etag_ties_the_write_to_the_version_that_was_read() {
    assert_eq!(delete_if(Some("\"v1\""), None), ("204".to_owned(), Some("\"v1\"".to_owned())));
    assert_eq!(delete_if(Some("W/\"v1\""), None), ("204".to_owned(), None));
    assert_eq!(delete_if(None, None), ("204".to_owned(), None));
}

#[test]
fn a_clients_own_if_match_must_name_that_version() {
    assert_eq!(delete_if(Some("\"v1\""), Some("\"v1\"")), ("204".to_owned(), Some("\"v1\"".to_owned())));
    assert_eq!(delete_if(Some("\"v1\""), Some("*")), ("204".to_owned(), Some("\"v1\"".to_owned())));
    assert_eq!(delete_if(Some("\"v1\""), Some("\"v0\"")).0, "412");
    assert_eq!(delete_if(None, Some("\"v0\"")), ("204".to_owned(), Some("\"v0\"".to_owned())), "the origin decides");
}

#[test]
fn a_precondition_tells_strangers_nothing() {
    let gateway = orders();
    let caller = user("bob");
    let outcome = gateway.send(Ask {
        caller: &caller,
        method: "DELETE",
        path: "/orders/o-1",
        body: "",
        if_match: Some("\"v0\""),
    });
    assert_eq!(outcome.line(), "404 object.not_owner");
}

#[test]
fn a_tag_of_the_object_is_no_tag_of_what_is_below_it() {
    let gateway = orders();
    let outcome = gateway.ask(&user("alice"), "POST", "/orders/o-1/notes", r#"{"text":"x"}"#);
    assert_eq!(outcome.line(), "204");
    assert_eq!(outcome.known.unwrap().if_match, None);
}
