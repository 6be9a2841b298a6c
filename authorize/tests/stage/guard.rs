// SPDX-License-Identifier: Apache-2.0
//! API1 and API3 on the way out: nothing leaves that is not declared, readable and the caller's to see.

use crate::fixture::{Reply, bare, identity, known, orders, orders_with, raw, reply, user};
use crate::gateway::Outcome;
use portcullis_authorize::{ForeignItems, UnknownResponse};
use portcullis_decision::Reason;
use serde_json::json;

fn read(answer: Reply) -> Outcome {
    let gateway = orders().with(move |_, _, _| answer.clone());
    gateway.get(&user("alice"), "/orders/o-1")
}

#[test]
fn t78_foreign_items_leave_a_list_with_the_counts_beside_it() {
    let outcome = orders().get(&user("alice"), "/orders");
    let value = outcome.value();
    let ids: Vec<&str> = value["data"].as_array().unwrap().iter().map(|o| o["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["o-1", "o-3"]);
    assert_eq!(value.get("total"), None, "a count would tell how many there are");
    assert_eq!(value["next"], "p2");
    assert_eq!(outcome.alerts, [Reason::ObjectForeignItem]);
    let judged = outcome.judged.unwrap();
    assert!(judged.changed && judged.private && judged.strip_headers.contains(&http::header::ETAG));
}

#[test]
fn t78_a_list_may_be_refused_as_a_whole() {
    let gateway = orders_with(|declared| {
        let list = portcullis_authorize::OperationDeclaration {
            foreign_items: ForeignItems::Fail,
            ..crate::fixture::operation()
        };
        let index = crate::fixture::contract(crate::fixture::ORDERS).find("listOrders").unwrap();
        declared.operations.insert(index, list);
    });
    assert_eq!(gateway.get(&user("alice"), "/orders").line(), "404 object.foreign_item");
}

#[test]
fn a_list_that_is_all_ones_own_is_passed_by_its_bytes() {
    let body = "{ \"total\" : 1 ,\"data\":[ {\"id\":\"o-1\",\"owner\":\"alice\",\"item\":\"\\u0041\" } ] }";
    let gateway = orders().with(move |_, _, _| raw(200, "application/json", body));
    let outcome = gateway.get(&user("alice"), "/orders");
    assert_eq!(outcome.body, body);
    assert!(!outcome.judged.unwrap().changed);
}

#[test]
fn t78_what_is_not_declared_or_not_readable_is_left_out_byte_by_byte() {
    let body = r#"{"id":"o-1", "debug":{"stack":"at x"}, "owner":"alice","secret":"s","item":"x","internal_margin":0.10,"created":"1e0"}"#;
    let outcome = read(raw(200, "application/json", body));
    assert_eq!(outcome.body, r#"{"id":"o-1", "owner":"alice","item":"x","created":"1e0"}"#);
    assert_eq!(outcome.alerts, [Reason::ResponseUndeclared, Reason::ResponseUndeclared], "undeclared, writeOnly");
    let gateway = orders().with(move |_, _, _| raw(200, "application/json", body));
    let finance = known(identity("alice", &["orders.read"], &["finance"]));
    assert_eq!(gateway.get(&finance, "/orders/o-1").value()["internal_margin"], json!(0.10));
}

#[test]
fn unknown_properties_may_refuse_or_pass() {
    let body = json!({"id": "o-1", "owner": "alice", "item": "x", "debug": 1, "secret": "s"});
    for (mode, line) in [(UnknownResponse::Fail, "502 response.undeclared"), (UnknownResponse::Pass, "200")] {
        let body = body.clone();
        let gateway = orders_with(|declared| declared.unknown_response = mode).with(move |_, _, _| reply(200, &body));
        let outcome = gateway.get(&user("alice"), "/orders/o-1");
        assert_eq!(outcome.line(), line);
        if mode == UnknownResponse::Pass {
            assert_eq!(outcome.value(), json!({"id": "o-1", "owner": "alice", "item": "x", "debug": 1}));
        }
    }
}

#[test]
fn api3_3_answers_that_break_their_contract_stay() {
    for answer in [
        reply(200, &json!({"id": "o-1", "owner": "alice", "item": 7})),
        reply(200, &json!({"id": "o-1", "owner": "alice"})),
        raw(200, "text/html", "<h1>stack trace</h1>"),
        raw(200, "application/json", "{"),
        raw(200, "application/json", r#"{"id":"o-1","owner":"bob","owner":"alice","item":"x"}"#),
        raw(200, "application/json; charset=utf-16", "{}"),
        reply(422, &json!({"message": 7})),
        reply(202, &json!({})),
        bare(304),
        bare(302),
        reply(206, &json!({"id": "o-1", "owner": "alice", "item": "x"})),
        reply(200, &json!({"id": "o-1", "owner": "alice", "item": "x"})).with("content-encoding", "gzip"),
    ] {
        assert_eq!(read(answer.clone()).line(), "502 response.contract", "{answer:?}");
    }
    assert_eq!(read(reply(422, &json!({"message": "odd"}))).line(), "422");
}

#[test]
fn undeclared_statuses_keep_no_body_of_the_origin() {
    assert_eq!(read(reply(418, &json!({"stack": "x"}))).line(), "418 response.undeclared");
    assert_eq!(read(reply(500, &json!({"stack": "x"}))).line(), "502 upstream.invalid_response");
}

#[test]
fn an_answer_over_the_maximum_stays() {
    let body = json!({"id": "o-1", "owner": "alice", "item": "x".repeat(300)});
    let gateway = orders_with(|declared| declared.response_max = 256).with(move |_, _, _| reply(200, &body));
    assert_eq!(gateway.get(&user("alice"), "/orders/o-1").line(), "502 response.too_large");
}

#[test]
fn t78_another_object_of_ones_own_is_not_the_one_that_was_asked_for() {
    let other = json!({"id": "o-3", "owner": "alice", "item": "x"});
    assert_eq!(read(reply(200, &other)).line(), "404 object.absent");
    assert_eq!(read(reply(200, &json!({"owner": "alice", "item": "x"}))).line(), "404 object.absent");
    assert_eq!(read(reply(200, &json!(null))).line(), "404 object.unknown_owner");
    assert_eq!(read(raw(200, "application/json", "")).line(), "404 object.unknown_owner");
}

#[test]
fn a_broken_answer_about_a_foreign_object_looks_absent() {
    let gateway = orders().with(|_, _, _| reply(200, &json!({"id": "o-1", "owner": "alice", "item": 7})));
    assert_eq!(gateway.get(&user("bob"), "/orders/o-1").line(), "404 object.not_owner");
}

#[test]
fn t78_an_answer_to_a_write_that_shows_another_owner_is_withheld() {
    let foreign = |id: &'static str| {
        move |method: &http::Method, _: &str, _: &str| match method.as_str() {
            "GET" => reply(200, &json!({"id": "o-1", "owner": "alice", "item": "x"})),
            "POST" => reply(201, &json!({"id": id, "owner": "bob", "item": "x"})),
            _ => reply(200, &json!({"id": id, "owner": "bob", "item": "x"})),
        }
    };
    for (method, path, body) in [("PATCH", "/orders/o-1", r#"{"item":"x"}"#), ("POST", "/orders", r#"{"item":"x"}"#)] {
        let outcome = orders().with(foreign("o-1")).ask(&user("alice"), method, path, body);
        assert_eq!(outcome.line(), "404 object.not_owner", "{method}");
        assert_eq!(outcome.alerts, [Reason::ObjectNotOwner], "{method}");
    }
}

#[test]
fn a_head_is_judged_as_its_get() {
    let gateway = orders();
    assert_eq!(gateway.ask(&user("alice"), "HEAD", "/orders/o-1", "").line(), "200");
    assert_eq!(gateway.ask(&user("bob"), "HEAD", "/orders/o-1", "").line(), "404 object.not_owner");
    assert_eq!(gateway.calls(), ["GET /orders/o-1", "GET /orders/o-1"]);
}

#[test]
fn what_cannot_be_read_leaves_only_where_the_owner_was_known_before() {
    let gateway = orders_with(|declared| declared.properties.clear());
    let pdf = gateway.get(&user("alice"), "/orders/o-1/pdf");
    assert_eq!((pdf.line().as_str(), &*pdf.body), ("200", &b"%PDF"[..]));
    assert_eq!(gateway.calls(), ["lookup /orders/o-1", "GET /orders/o-1/pdf"]);
    assert_eq!(orders().get(&user("alice"), "/orders/o-1/pdf").line(), "502 response.contract", "a read rule applies");
    let finance = known(identity("alice", &["orders.read"], &["finance"]));
    assert_eq!(orders().get(&finance, "/orders/o-1/pdf").line(), "200", "nothing is hidden from her");
}

#[test]
fn a_body_nobody_declared_does_not_leave() {
    let gateway = orders().with(|method, _, _| match method.as_str() {
        "GET" => reply(200, &json!({"id": "o-1", "owner": "alice", "item": "x"})),
        _ => reply(204, &json!({"id": "o-2", "owner": "bob"})),
    });
    let outcome = gateway.ask(&user("alice"), "DELETE", "/orders/o-1", "");
    assert_eq!((outcome.line().as_str(), outcome.body.len()), ("204", 0));
    assert_eq!(outcome.alerts, [Reason::ResponseUndeclared]);
}

#[test]
fn an_anonymous_answer_is_not_private() {
    assert!(!orders().get(&crate::fixture::anonymous(), "/ping").judged.unwrap().private);
    assert!(orders().get(&user("alice"), "/orders/o-1").judged.unwrap().private);
}
