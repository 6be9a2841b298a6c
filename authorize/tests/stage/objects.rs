// SPDX-License-Identifier: Apache-2.0
//! API1: every id is judged, before the call or in the answer.

use crate::fixture::{bare, identity, known, orders, orders_with, reply, user};
use portcullis_authorize::{DenyAs, SubjectSource};
use portcullis_decision::caller::{Caller, Kind};
use portcullis_decision::{Facts, Reason, problem};
use serde_json::json;
use std::sync::Arc;

fn write(caller: &Caller, method: &str, path: &str, body: &str) -> (String, Vec<String>) {
    let gateway = orders();
    let line = gateway.ask(caller, method, path, body).line();
    (line, gateway.calls())
}

#[test]
fn api1_1_a_foreign_object_is_read_by_nobody_else() {
    let gateway = orders();
    assert_eq!(gateway.get(&user("alice"), "/orders/o-1").line(), "200");
    let outcome = gateway.get(&user("bob"), "/orders/o-1");
    assert_eq!(outcome.line(), "404 object.not_owner");
    assert_eq!(outcome.alerts, [Reason::ObjectNotOwner], "the origin showed it: its handler is broken");
    let object = outcome.object.unwrap();
    assert_eq!((&*object.kind, object.id.as_deref(), object.owner.as_deref()), ("Order", Some("o-1"), Some("alice")));
}

#[test]
fn api1_1_writes_to_foreign_objects_never_reach_the_origin() {
    let patch = r#"{"item":"x"}"#;
    for (method, path, body) in [
        ("PATCH", "/orders/o-1", patch),
        ("DELETE", "/orders/o-1", ""),
        ("POST", "/orders/o-1/notes", r#"{"text":"x"}"#),
        ("GET", "/orders/o-1/pdf", ""),
    ] {
        let gateway = orders_with(|declared| declared.properties.clear());
        assert_eq!(gateway.ask(&user("bob"), method, path, body).line(), "404 object.not_owner", "{method} {path}");
        assert_eq!(gateway.calls(), ["lookup /orders/o-1"], "{method} {path}");
        let line = gateway.ask(&user("alice"), method, path, body).line();
        assert!(line.starts_with('2'), "{method} {path}: {line}");
        assert_eq!(gateway.calls().len(), 3, "{method} {path}");
    }
}

#[test]
fn api1_1_one_foreign_id_among_many_refuses_the_request() {
    let (line, calls) = write(&user("alice"), "POST", "/orders/archive", r#"{"ids":["o-1","o-3"]}"#);
    assert_eq!((line.as_str(), calls.len()), ("200", 3));
    let (line, calls) = write(&user("alice"), "POST", "/orders/archive", r#"{"ids":["o-1","o-2","o-3"]}"#);
    assert_eq!(line, "404 object.not_owner");
    assert_eq!(calls, ["lookup /orders/o-1", "lookup /orders/o-2"]);
}

#[test]
fn ids_of_a_body_are_few_different_and_texts() {
    let many = json!({"ids": (0..101).map(|n| n.to_string()).collect::<Vec<_>>()}).to_string();
    for body in [many.as_str(), r#"{"ids":["o-1","o-1"]}"#, r#"{"ids":[]}"#, r#"{"ids":[""]}"#, r#"{"ids":[null]}"#] {
        let (line, calls) = write(&user("alice"), "POST", "/orders/archive", body);
        assert_eq!(line, "400 request.body", "{body}");
        assert!(calls.is_empty(), "{body}");
    }
}

#[test]
fn an_id_never_changes_the_path_of_its_look_up() {
    for id in ["..", ".", "a/b", "a\\\\b", "o-1/../o-2"] {
        let body = format!(r#"{{"ids":["{id}"]}}"#);
        let (line, calls) = write(&user("alice"), "POST", "/orders/archive", &body);
        assert_eq!(line, "502 object.lookup_failed", "{id}");
        assert!(calls.is_empty(), "{id}");
    }
    let (line, calls) = write(&user("alice"), "POST", "/orders/archive", r#"{"ids":["o?1#ä"]}"#);
    assert_eq!((line.as_str(), calls), ("404 object.absent", vec!["lookup /orders/o%3F1%23%C3%A4".to_owned()]));
}

#[test]
fn a_client_or_another_issuers_user_owns_nothing() {
    let mut client = identity("alice", &["orders.read", "orders.write"], &[]);
    client.kind = Kind::Client;
    let mut workload = client.clone();
    workload.kind = Kind::Workload;
    let mut stranger = identity("alice", &["orders.read", "orders.write"], &[]);
    stranger.issuer = "partners".into();
    for caller in [client, workload, stranger].map(known) {
        let gateway = orders();
        for (method, path) in [("GET", "/orders/o-1"), ("DELETE", "/orders/o-1"), ("GET", "/customers/alice")] {
            assert_eq!(gateway.ask(&caller, method, path, "").line(), "404 object.not_owner", "{method} {path}");
        }
        assert!(gateway.calls().is_empty(), "no object could make the rule hold, so none is loaded");
        assert_eq!(gateway.get(&caller, "/orders").value()["data"], json!([]));
    }
}

#[test]
fn a_word_that_needs_no_object_loads_none() {
    let gateway = orders();
    let admin = known(identity("root", &["orders.write", "orders.admin"], &[]));
    assert_eq!(gateway.ask(&admin, "DELETE", "/orders/o-1", "").line(), "204");
    assert_eq!(gateway.calls(), ["DELETE /orders/o-1"]);
    let support = known(identity("sam", &["orders.read"], &["support"]));
    assert_eq!(gateway.get(&support, "/orders/o-2").line(), "200");
    assert_eq!(gateway.get(&support, "/orders").value()["data"].as_array().unwrap().len(), 3);
}

#[test]
fn an_id_that_is_its_owner_is_compared_before_the_call() {
    let gateway = orders();
    assert_eq!(gateway.get(&user("bob"), "/customers/alice").line(), "404 object.not_owner");
    assert!(gateway.calls().is_empty());
    let own = gateway.get(&user("alice"), "/customers/alice");
    let value = own.value();
    assert_eq!(own.line(), "200");
    assert_eq!(value["orders"].as_array().unwrap().len(), 1, "the embedded order of somebody else is dropped");
}

#[test]
fn owners_that_are_no_text_are_unknown() {
    for owner in [json!(null), json!(""), json!(true), json!({"sub": "alice"}), json!(["alice"]), json!(1.0)] {
        let body = json!({"id": "o-1", "owner": owner, "item": "tea"});
        let gateway = orders().with(move |_, _, _| reply(200, &body));
        let line = gateway.get(&user("alice"), "/orders/o-1").line();
        assert_eq!(line, "404 object.unknown_owner", "{owner}");
    }
    let gateway = orders().with(|_, _, _| reply(200, &json!({"id": "o-1", "item": "tea"})));
    assert_eq!(gateway.get(&user("alice"), "/orders/o-1").line(), "404 object.unknown_owner");
    assert_eq!(gateway.ask(&user("alice"), "DELETE", "/orders/o-1", "").line(), "404 object.unknown_owner");
}

#[test]
fn an_integer_owner_has_its_decimal_text_and_escapes_are_undone() {
    let gateway = orders().with(|method, _, _| match method.as_str() {
        "GET" => crate::fixture::raw(200, "application/json", r#"{"id":"o-1","owner":42,"item":"x"}"#),
        _ => bare(204),
    });
    assert_eq!(gateway.ask(&user("42"), "DELETE", "/orders/o-1", "").line(), "204");
    assert_eq!(gateway.ask(&user("042"), "DELETE", "/orders/o-1", "").line(), "404 object.not_owner");
    let escaped = r#"{"id":"o-1","owner":"\u0061lice","item":"x"}"#;
    let gateway = orders().with(move |_, _, _| crate::fixture::raw(200, "application/json", escaped));
    assert_eq!(gateway.get(&user("alice"), "/orders/o-1").line(), "200");
    assert_eq!(gateway.get(&user("Alice"), "/orders/o-1").line(), "404 object.not_owner");
}

#[test]
fn a_claim_may_name_the_owner() {
    let gateway = orders_with(|declared| declared.objects[0].subject = SubjectSource::Claim("uid".into()));
    for (claim, line) in [
        (json!("alice"), "200"),
        (json!(["alice"]), "404 object.not_owner"),
        (json!(null), "404 object.not_owner"),
        (json!(""), "404 object.not_owner"),
    ] {
        let mut who = identity("someone", &["orders.read"], &[]);
        who.claims = Arc::new(serde_json::Map::from_iter([("uid".to_owned(), claim.clone())]));
        assert_eq!(gateway.get(&known(who), "/orders/o-1").line(), line, "{claim}");
    }
    assert_eq!(gateway.get(&user("alice"), "/orders/o-1").line(), "404 object.not_owner", "no such claim");
}

#[test]
fn t114_foreign_and_absent_objects_look_the_same() {
    let bytes = |path: &str, method: &str, origin: u16| {
        let gateway = orders().with(move |method, path, body| match origin {
            0 => (crate::fixture::leaky())(method, path, body),
            status => bare(status),
        });
        let denial = gateway.ask(&user("bob"), method, path, "").denial.unwrap();
        assert!(denial.headers().is_empty());
        (denial.status(), problem::body(&denial, "https://api.example.com"))
    };
    for method in ["GET", "DELETE", "HEAD"] {
        let foreign = bytes("/orders/o-1", method, 0);
        assert_eq!(foreign.0, 404);
        assert_eq!(foreign, bytes("/orders/o-77", method, 0), "{method}");
        for status in [401, 403, 404, 410] {
            assert_eq!(foreign, bytes("/orders/o-1", method, status), "{method} {status}");
        }
    }
}

#[test]
fn deny_as_403_forbids_both_alike() {
    let gateway = orders_with(|declared| declared.objects[0].deny_as = DenyAs::Forbidden);
    assert_eq!(gateway.get(&user("bob"), "/orders/o-1").line(), "403 object.not_owner");
    assert_eq!(gateway.get(&user("bob"), "/orders/o-77").line(), "403 object.absent");
    assert_eq!(gateway.ask(&user("bob"), "DELETE", "/orders/o-1", "").line(), "403 object.not_owner");
}

#[test]
fn facts_are_cut_between_characters() {
    let long = "ä".repeat(200);
    let body = json!({"id": "o-1", "owner": long, "item": "tea"});
    let gateway = orders().with(move |_, _, _| reply(200, &body));
    let owner = gateway.get(&user("alice"), "/orders/o-1").object.unwrap().owner.unwrap();
    assert_eq!((owner.len(), &*owner), (128, &*"ä".repeat(64)));
    assert_eq!(Facts::none().iter().count(), 0);
}
