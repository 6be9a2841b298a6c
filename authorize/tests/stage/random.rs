// SPDX-License-Identifier: Apache-2.0
//! p15 and p16: whatever a client sends and whatever a leaky origin answers.

use crate::fixture::{identity, known, orders, reply, user};
use crate::gateway::{Gateway, Outcome};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, OnceLock};

/// The only members an order may leave with, for a reader without roles.
const READABLE: [&str; 6] = ["id", "owner", "item", "status", "created", "lines"];

fn member() -> impl Strategy<Value = (String, Value)> {
    let names = proptest::sample::select(vec![
        "item",
        "owner",
        "Owner",
        "status",
        "secret",
        "created",
        "internal_margin",
        "debug",
        "id",
        "ID",
        "role",
        "lines",
        "is_admin",
    ]);
    let lines = proptest::collection::vec(
        proptest::sample::select(vec![json!({"sku": "a"}), json!({"discount": 1}), json!({"cost": 9})]),
        0..3,
    );
    let values = prop_oneof![
        8 => Just(json!("alice")),
        4 => Just(json!("bob")),
        1 => Just(json!(null)),
        1 => Just(json!(1)),
        1 => Just(json!({"owner": "bob"})),
        1 => lines.prop_map(Value::from),
    ];
    (names.prop_map(str::to_owned), values)
}

fn order() -> impl Strategy<Value = Value> {
    let fixed = (proptest::sample::select(vec!["alice", "bob", "", "ALICE"]), proptest::bool::weighted(0.9));
    (fixed, proptest::collection::vec(member(), 0..4)).prop_map(|((owner, valid), members)| {
        let mut order = Map::new();
        if valid {
            order.insert("id".to_owned(), json!("o-1"));
            order.insert("item".to_owned(), json!("tea"));
        }
        order.insert("owner".to_owned(), json!(owner));
        order.extend(members);
        Value::Object(order)
    })
}

/// Every object that looks like an order, wherever it stands.
fn orders_in(value: &Value) -> Vec<&Map<String, Value>> {
    let mut found = Vec::new();
    let mut stack = vec![value];
    while let Some(value) = stack.pop() {
        match value {
            Value::Object(members) => {
                if members.contains_key("owner") || members.contains_key("item") {
                    found.push(members);
                }
                stack.extend(members.values());
            }
            Value::Array(items) => stack.extend(items),
            _ => {}
        }
    }
    found
}

fn leaks(value: &Value) -> Option<String> {
    for order in orders_in(value) {
        if order.get("owner") != Some(&json!("alice")) {
            return Some(format!("a foreign order: {order:?}"));
        }
        if let Some(name) = order.keys().find(|name| !READABLE.contains(&name.as_str())) {
            return Some(format!("`{name}` is not readable"));
        }
        let lines = order.get("lines").and_then(Value::as_array);
        if lines.is_some_and(|lines| lines.iter().any(|line| line.get("cost").is_some())) {
            return Some("an undeclared member of a line".to_owned());
        }
    }
    None
}

/// A gateway whose origin answers what it is told to.
struct Leaky {
    gateway: Gateway,
    answer: Arc<Mutex<Value>>,
    /// The last body that reached the origin.
    reached: Arc<Mutex<Option<String>>>,
}

fn leaky() -> &'static Leaky {
    static LEAKY: OnceLock<Leaky> = OnceLock::new();
    LEAKY.get_or_init(|| {
        let (answer, reached): (Arc<Mutex<Value>>, Arc<Mutex<Option<String>>>) = Default::default();
        let (told, seen) = (Arc::clone(&answer), Arc::clone(&reached));
        let gateway = orders().with(move |method, _, body| {
            if method != "GET" {
                *seen.lock().unwrap() = Some(body.to_owned());
            }
            reply(200, &told.lock().unwrap())
        });
        Leaky { gateway, answer, reached }
    })
}

fn asked(answer: &Value, method: &str, path: &str, body: &str) -> (Outcome, Option<String>) {
    // One test at a time tells this origin what to answer.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let leaky = leaky();
    *leaky.answer.lock().unwrap() = answer.clone();
    *leaky.reached.lock().unwrap() = None;
    leaky.gateway.calls.lock().unwrap().clear();
    let outcome = leaky.gateway.ask(&user("alice"), method, path, body);
    let reached = leaky.reached.lock().unwrap().clone();
    (outcome, reached)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn p16_t78_a_leaky_origin_leaks_nothing_in_a_read(answer in order()) {
        let outcome = asked(&answer, "GET", "/orders/o-1", "").0;
        if outcome.reason.is_none() {
            let value = outcome.value();
            prop_assert!(leaks(&value).is_none(), "{:?}", leaks(&value));
            prop_assert_eq!(&value["id"], &json!("o-1"));
        } else {
            prop_assert!(outcome.body.is_empty());
        }
    }

    #[test]
    fn p16_t78_a_leaky_origin_leaks_nothing_in_a_list(items in proptest::collection::vec(order(), 0..20), total in 0..9u32) {
        let own = items.iter().filter(|item| item["owner"] == json!("alice")).count();
        let many = items.len();
        let outcome = asked(&json!({"data": items, "total": total}), "GET", "/orders", "").0;
        if outcome.reason.is_none() {
            let value = outcome.value();
            prop_assert!(leaks(&value).is_none(), "{:?}", leaks(&value));
            prop_assert_eq!(value["data"].as_array().unwrap().len(), own, "every item of one's own stays");
            prop_assert_eq!(value.get("total").is_some(), own == many);
        }
    }

    #[test]
    fn p15_t74_nothing_foreign_or_read_only_reaches_the_origin(members in proptest::collection::vec(member(), 0..5)) {
        let body: Map<String, Value> = members.into_iter().collect();
        let text = Value::Object(body.clone()).to_string();
        let own = json!({"id": "o-1", "owner": "alice", "item": "x"});
        let (outcome, reached) = asked(&own, "PATCH", "/orders/o-1", &text);
        let forwarded: Option<Value> = reached.map(|body| serde_json::from_str(&body).unwrap());
        match &forwarded {
            None => prop_assert!(outcome.reason.is_some()),
            Some(forwarded) => {
                prop_assert_eq!(forwarded, &Value::Object(body), "a body goes on as it is");
                let members = forwarded.as_object().unwrap();
                prop_assert!(members.keys().all(|name| ["item", "owner", "lines"].contains(&name.as_str())), "{members:?}");
                prop_assert!(members.get("owner").is_none_or(|owner| owner == "alice"));
                let lines = members.get("lines").and_then(Value::as_array);
                prop_assert!(lines.is_none_or(|lines| lines.iter().all(|l| l.get("discount").is_none() && l.get("cost").is_none())));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn p4_removing_a_scope_or_role_never_shows_more(
        scopes in proptest::sample::subsequence(vec!["orders.read", "orders.write", "orders.admin"], 0..=3),
        roles in proptest::sample::subsequence(vec!["support", "finance"], 0..=2),
        subject in proptest::sample::select(vec!["alice", "bob"]),
        at in 0usize..5,
    ) {
        let fewer_scopes: Vec<&str> = scopes.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, s)| *s).collect();
        let fewer_roles: Vec<&str> = roles.iter().enumerate().filter(|(i, _)| i + 3 != at).map(|(_, s)| *s).collect();
        for (method, path, body) in [
            ("GET", "/orders", ""), ("GET", "/orders/o-1", ""), ("DELETE", "/orders/o-1", ""),
            ("PATCH", "/orders/o-1", r#"{"status":"x"}"#), ("POST", "/orders", r#"{"item":"x","status":"y"}"#),
        ] {
            let before = orders().ask(&known(identity(subject, &scopes, &roles)), method, path, body);
            let after = orders().ask(&known(identity(subject, &fewer_scopes, &fewer_roles)), method, path, body);
            prop_assert!(before.reason.is_none() || after.reason.is_some(), "{method} {path}");
            prop_assert!(after.body.len() <= before.body.len(), "{method} {path}");
        }
    }
}
