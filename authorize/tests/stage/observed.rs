// SPDX-License-Identifier: Apache-2.0
//! `validate: observe`: a schema that does not hold is told, and everything that stands on the structure still holds.

use crate::fixture::{Reply, identity, known, orders_with, raw, reply, user};
use crate::gateway::{Gateway, Outcome};
use portcullis_authorize::{Strictness, UnknownResponse, Validate};
use portcullis_contract::Location;
use portcullis_decision::Reason;
use serde_json::json;

fn gateway() -> Gateway {
    orders_with(|declared| {
        declared.validate = Validate { request: Strictness::Observe, response: Strictness::Observe };
    })
}

fn answered(path: &str, answer: Reply) -> Outcome {
    gateway().with(move |_, _, _| answer.clone()).get(&user("alice"), path)
}

#[test]
fn an_answer_that_breaks_its_schema_leaves_with_an_alert() {
    for body in [json!({"id": "o-1", "owner": "alice", "item": 7}), json!({"id": "o-1", "owner": "alice"})] {
        let outcome = answered("/orders/o-1", reply(200, &body));
        assert_eq!((outcome.line().as_str(), outcome.value()), ("200", body));
        assert_eq!(outcome.alerts, [Reason::ResponseContract]);
    }
    let fine = answered("/orders/o-1", reply(200, &json!({"id": "o-1", "owner": "alice", "item": "x"})));
    assert_eq!((fine.line().as_str(), fine.alerts.as_slice()), ("200", &[] as &[Reason]));
}

#[test]
fn api1_owners_are_judged_in_answers_that_are_only_observed() {
    let foreign = answered("/orders/o-1", reply(200, &json!({"id": "o-1", "owner": "bob", "item": 7})));
    assert_eq!(foreign.line(), "404 object.not_owner");
    let unowned = answered("/orders/o-1", reply(200, &json!({"id": "o-1", "item": 7})));
    assert_eq!(unowned.line(), "404 object.unknown_owner");
    let item = |id: &str, owner: &str| json!({"id": id, "owner": owner, "item": 7});
    let list =
        answered("/orders", reply(200, &json!({"data": [item("o-1", "alice"), item("o-2", "bob")], "total": 2})));
    assert_eq!(list.value(), json!({"data": [item("o-1", "alice")]}));
    assert_eq!(list.alerts, [Reason::ObjectForeignItem, Reason::ResponseContract]);
}

#[test]
fn api3_properties_are_judged_in_answers_that_are_only_observed() {
    let body = json!({"id": "o-1", "owner": "alice", "item": 7, "debug": 1, "secret": "s", "internal_margin": "1"});
    let outcome = answered("/orders/o-1", reply(200, &body));
    assert_eq!(outcome.value(), json!({"id": "o-1", "owner": "alice", "item": 7}));
    let failing = orders_with(|declared| {
        declared.validate.response = Strictness::Observe;
        declared.unknown_response = UnknownResponse::Fail;
    });
    let failing = failing.with(move |_, _, _| reply(200, &body));
    assert_eq!(failing.get(&user("alice"), "/orders/o-1").line(), "502 response.undeclared");
}

#[test]
fn an_answer_of_another_structure_does_not_leave() {
    let foreign = json!({"id": "o-2", "owner": "bob", "item": "x"});
    for (path, answer) in [
        ("/orders", reply(200, &json!([foreign]))),
        ("/orders", reply(200, &json!({"data": {"o-2": foreign}}))),
        ("/orders", reply(200, &json!({"data": [[foreign]]}))),
        ("/orders", reply(200, &json!({"data": [], "next": foreign}))),
        ("/whoami", reply(200, &json!([{"name": "x"}]))),
        ("/orders/o-1", raw(200, "application/json", "{")),
        ("/orders/o-1", raw(200, "text/html", "<h1>")),
    ] {
        let outcome = answered(path, answer.clone());
        assert_eq!(outcome.status / 100, 5, "{path} {answer:?}: {outcome:?}");
        assert!(outcome.body.is_empty());
    }
}

#[test]
fn what_names_an_object_is_relied_on() {
    let Gateway { contract, authorizer, .. } = gateway();
    let of = |id: &str| contract.find(id).unwrap();
    assert!(authorizer.observes_requests());
    assert!(authorizer.relies_on_parameter(of("getOrder"), Location::Path, "orderId"));
    assert!(authorizer.relies_on_parameter(of("orderPdf"), Location::Path, "orderId"));
    assert!(!authorizer.relies_on_parameter(of("listOrders"), Location::Query, "customer"));
    assert!(!authorizer.relies_on_parameter(of("getOrder"), Location::Query, "orderId"));
    for (pointer, relied_on) in
        [("/ids/0", true), ("/ids/0/x", true), ("/ids", false), ("", false), ("/other/0", false)]
    {
        assert_eq!(authorizer.relies_on_body(of("archiveMany"), pointer), relied_on, "{pointer}");
    }
    assert!(!authorizer.relies_on_body(of("createOrder"), "/item"));
}

#[test]
fn properties_of_requests_are_judged_without_their_schema() {
    let outcome = |body: &str| gateway().ask(&user("alice"), "PATCH", "/orders/o-1", body).line();
    assert_eq!(outcome(r#"{"item":7}"#), "200");
    assert_eq!(outcome(r#"{"item":7,"debug":1}"#), "400 property.undeclared");
    assert_eq!(outcome(r#"{"item":7,"owner":"bob"}"#), "400 property.not_writable");
    assert_eq!(outcome(r#"{"lines":[{"discount":"9"}]}"#), "400 property.not_writable");
    let admin = known(identity("alice", &["orders.write", "orders.admin"], &[]));
    assert_eq!(gateway().ask(&admin, "PATCH", "/orders/o-1", r#"{"status":1}"#).line(), "200");
}
