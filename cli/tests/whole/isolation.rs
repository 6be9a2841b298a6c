// SPDX-License-Identifier: Apache-2.0
//! The isolation matrix: every operation of the demo × who calls it. The golden file is the whole of what is allowed;
//! a change of it is a change of policy and is reviewed as one.

use crate::client::Request;
use crate::gate::Gate;
use std::fmt::Write;

const GOLDEN: &str = include_str!("isolation.golden.txt");
/// Column, user whose token is sent.
const CALLERS: [(&str, Option<&str>); 5] = [
    ("anonymous", None),
    ("stranger", Some("bob")),
    ("owner", Some("alice")),
    ("admin", Some("dora")),
    ("low plan", Some("carol")),
];

/// Every operation once, on an order of alice's. `deleteOrder` comes last: it may really delete.
fn operations() -> Vec<(&'static str, Request)> {
    vec![
        ("listProducts", Request::get("/catalog")),
        ("login", Request::new("POST", "/login").json(r#"{"username":"x","password":"correct horse"}"#)),
        ("listOrders", Request::get("/orders")),
        ("createOrder", Request::new("POST", "/orders").json(r#"{"item":"pen","quantity":1}"#)),
        ("getOrder", Request::get("/orders/ord-1")),
        ("headOrder", Request::new("HEAD", "/orders/ord-1")),
        ("getReceipt", Request::get("/orders/ord-1/receipt")),
        ("updateOrder", Request::new("PATCH", "/orders/ord-1").json(r#"{"note":"hi"}"#)),
        ("getStatistics", Request::get("/statistics")),
        ("deleteOrder", Request::new("DELETE", "/orders/ord-1")),
    ]
}

#[test]
fn api1_1_isolation_matrix_is_the_golden_file() {
    let mut table = format!("{:<14}", "");
    for (column, _) in CALLERS {
        let _ = write!(table, "{column:<11}");
    }
    let mut rows: Vec<String> = operations().iter().map(|(name, _)| format!("{name:<14}")).collect();
    for (column, user) in CALLERS {
        // A gate for each caller, so that no caller sees what another did. The low plan is asked six times first.
        let gate = Gate::demo();
        let token = user.map(|u| gate.token(u));
        let with = |request: &Request| match &token {
            Some(token) => request.clone().bearer(token),
            None => request.clone(),
        };
        if column == "low plan" {
            for _ in 0..6 {
                gate.send(&with(&Request::get("/orders")));
            }
        }
        for ((_, request), row) in operations().iter().zip(&mut rows) {
            let answer = gate.send(&with(request));
            let _ = write!(row, "{:<11}", answer.status);
        }
    }
    for row in rows {
        table = format!("{}\n{}", table.trim_end(), row.trim_end());
    }
    table.push('\n');
    assert_eq!(table, GOLDEN, "the isolation matrix changed:\n{table}");
}

#[test]
fn the_matrix_covers_every_operation_of_the_document() {
    let document = include_str!("../../demo/openapi.yaml");
    let declared: Vec<&str> = document.lines().filter_map(|l| l.trim().strip_prefix("operationId: ")).collect();
    let mut covered: Vec<&str> = operations().iter().map(|(name, _)| *name).collect();
    let mut wanted = declared.clone();
    covered.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(covered, wanted);
}

#[test]
fn a_list_holds_the_callers_own_objects_only() {
    let gate = Gate::demo();
    for user in ["alice", "bob"] {
        let answer = gate.send(&Request::get("/orders").bearer(&gate.token(user)));
        let list = answer.json();
        let owners: Vec<&str> = list["data"].as_array().unwrap().iter().map(|o| o["owner"].as_str().unwrap()).collect();
        assert!(!owners.is_empty() && owners.iter().all(|o| *o == user), "{list}");
        assert!(
            list.get("total").is_none(),
            "the count beside a filtered list tells how many others there are: {list}"
        );
        let why = gate.explain(answer.id());
        assert!(why["alerts"].as_array().unwrap().iter().any(|a| a["reason"] == "object.foreign_item"), "{why}");
    }
}
