// SPDX-License-Identifier: Apache-2.0
//! API3, on the way in: only declared and writable properties reach the origin.

use crate::fixture::{identity, known, orders, orders_with, property, user};
use portcullis_decision::Denial;
use portcullis_decision::caller::Caller;
use portcullis_wire::json::JsonLimits;
use serde_json::json;

fn send(caller: &Caller, method: &str, path: &str, body: &str) -> (String, Vec<String>) {
    let gateway = orders();
    let outcome = gateway.ask(caller, method, path, body);
    let pointers: Vec<String> = outcome.denial.iter().flat_map(Denial::violations).map(|v| v.pointer.clone()).collect();
    if outcome.reason.is_some() {
        assert!(!gateway.calls().iter().any(|call| !call.starts_with("lookup")), "nothing is forwarded: {body}");
    }
    (outcome.line(), pointers)
}

fn patch(body: &str) -> (String, Vec<String>) {
    send(&user("alice"), "PATCH", "/orders/o-1", body)
}

fn create(body: &str) -> (String, Vec<String>) {
    send(&user("alice"), "POST", "/orders", body)
}

#[test]
fn t74_what_is_not_declared_or_not_writable_is_refused() {
    for (body, reason, pointer) in [
        (r#"{"role":"admin"}"#, "property.undeclared", "/role"),
        (r#"{"__proto__":{"admin":true}}"#, "property.undeclared", "/__proto__"),
        (r#"{"Owner":"alice"}"#, "property.undeclared", "/Owner"),
        (r#"{"lines":[{"sku":"a"},{"discount":9}]}"#, "property.not_writable", "/lines/1/discount"),
        (r#"{"lines":[{"price":1}]}"#, "property.undeclared", "/lines/0/price"),
        (r#"{"status":"paid"}"#, "property.not_writable", "/status"),
        (r#"{"owner":"bob"}"#, "property.not_writable", "/owner"),
        (r#"{"owner":null}"#, "property.not_writable", "/owner"),
    ] {
        assert_eq!(patch(body), (format!("400 {reason}"), vec![pointer.to_owned()]), "{body}");
    }
    assert_eq!(patch(r#"{"item":"x","lines":[{"sku":"a","quantity":1}]}"#).0, "200");
}

#[test]
fn t74_another_spelling_of_a_known_name_is_refused_where_the_schema_is_open() {
    for name in ["Colour", "COLOUR", "col_our", "__proto__"] {
        let body = format!(r#"{{"item":"x","labels":{{"{name}":"red"}}}}"#);
        assert_eq!(create(&body), ("400 property.undeclared".to_owned(), vec![format!("/labels/{name}")]), "{name}");
    }
    assert_eq!(create(r#"{"item":"x","labels":{"colour":"red","size":"xl"}}"#).0, "201");
    let nested = create(r#"{"item":"x","labels":{"deep":{"__proto__":{}}}}"#);
    assert_eq!(nested, ("400 property.undeclared".to_owned(), vec!["/labels/deep/__proto__".to_owned()]));
}

#[test]
fn api3_2_an_owner_may_be_absent_or_ones_own_on_create() {
    assert_eq!(create(r#"{"item":"x"}"#).0, "201");
    assert_eq!(create(r#"{"item":"x","owner":"alice"}"#).0, "201");
    for owner in ["\"bob\"", "null", "\"\"", "[\"alice\"]", "true"] {
        let body = format!(r#"{{"item":"x","owner":{owner}}}"#);
        assert_eq!(create(&body), ("400 property.not_writable".to_owned(), vec!["/owner".to_owned()]), "{owner}");
    }
    let mut client = identity("alice", &["orders.write"], &[]);
    client.kind = portcullis_decision::Kind::Client;
    let sent = send(&known(client), "POST", "/orders", r#"{"item":"x","owner":"alice"}"#);
    assert_eq!(sent.0, "400 property.not_writable", "a client owns nothing");
}

#[test]
fn api3_2_equal_values_pass_on_update() {
    let put = |body: &str| send(&user("alice"), "PUT", "/orders/o-1", body).0;
    assert_eq!(put(r#"{"id":"o-1","owner":"alice","item":"x"}"#), "200");
    assert_eq!(put(r#"{"id":"o-2","owner":"alice","item":"x"}"#), "400 property.not_writable");
    assert_eq!(put(r#"{"id":"o-1","owner":"bob","item":"x"}"#), "400 property.not_writable");
    assert_eq!(put(r#"{"id":"o-1","owner":"alice","item":"x","created":"now"}"#), "400 property.not_writable");
    assert_eq!(put(r#"{"id":"o-1","owner":"alice","item":"x","internal_margin":1}"#), "400 property.not_writable");
    let stranger = send(&user("bob"), "PUT", "/orders/o-1", r#"{"id":"o-1","owner":"bob","item":"x"}"#);
    assert_eq!(stranger.0, "404 object.not_owner", "an owner that is sent does not make one");
}

#[test]
fn api3_2_a_property_rule_says_who_may_write() {
    let admin = known(identity("alice", &["orders.write", "orders.admin"], &[]));
    assert_eq!(send(&admin, "PATCH", "/orders/o-1", r#"{"status":"paid"}"#).0, "200");
    assert_eq!(
        send(&user("alice"), "POST", "/orders", r#"{"item":"x","status":"paid"}"#).0,
        "400 property.not_writable"
    );
    let gateway = orders_with(|declared| {
        declared.properties.push(property("Order", "owner", None, Some(&["role:support"])));
    });
    let support = known(identity("alice", &["orders.write"], &["support"]));
    assert_eq!(gateway.ask(&support, "PATCH", "/orders/o-1", r#"{"owner":"bob"}"#).line(), "200");
    assert_eq!(
        gateway.ask(&user("alice"), "PATCH", "/orders/o-1", r#"{"owner":"bob"}"#).line(),
        "400 property.not_writable"
    );
    assert_eq!(gateway.ask(&user("alice"), "PATCH", "/orders/o-1", r#"{"owner":"alice"}"#).line(), "200");
}

#[test]
fn words_that_need_the_object_wait_for_it() {
    let gateway = || {
        orders_with(|declared| {
            declared.properties.push(property("Order", "item", None, Some(&["owner"])));
            declared.objects[0].rules.update = crate::fixture::rule(23, &["owner", "role:support"]);
        })
    };
    let support = known(identity("sam", &["orders.write"], &["support"]));
    let (own, other) = (gateway(), gateway());
    assert_eq!(own.ask(&user("alice"), "PATCH", "/orders/o-1", r#"{"item":"x"}"#).line(), "200");
    assert_eq!(other.ask(&support, "PATCH", "/orders/o-1", r#"{"item":"x"}"#).line(), "400 property.not_writable");
    assert_eq!(other.calls(), ["lookup /orders/o-1"], "the word is judged on the object");
    assert_eq!(gateway().ask(&user("bob"), "POST", "/orders", r#"{"item":"x","owner":"bob"}"#).line(), "201");
}

#[test]
fn violations_name_places_and_never_values() {
    let gateway = orders();
    let outcome =
        gateway.ask(&user("alice"), "PATCH", "/orders/o-1", r#"{"owner":"canary-value","nick~name/x":"canary-value"}"#);
    let denial = outcome.denial.unwrap();
    let text = format!("{:?}", denial.violations());
    assert!(!text.contains("canary-value"), "{text}");
    assert!(text.contains("/nick~0name~1x"), "{text}");
}

#[test]
fn what_holds_for_everybody_is_told_without_a_caller() {
    let gateway = orders();
    let update = gateway.contract.find("updateOrder").unwrap();
    let shape = gateway.contract.operation(update).unwrap().body.as_ref().unwrap().media[0].shape.unwrap();
    let body = json!({"role": "x", "owner": "bob", "lines": [{"discount": 1}]}).to_string();
    let document = portcullis_wire::json::Document::parse(body.into(), &JsonLimits::default()).unwrap();
    let faults = gateway.authorizer.property_faults(update, &document, shape);
    let mut told: Vec<(&str, &str)> = faults.iter().map(|f| (f.reason.code(), f.violation.pointer.as_str())).collect();
    told.sort_unstable();
    assert_eq!(told, [("property.not_writable", "/lines/0/discount"), ("property.undeclared", "/role")]);
}
