// SPDX-License-Identifier: Apache-2.0
//! Role × object × action: every caller against every operation, compared with the table that was reviewed.
//!
//! `UPDATE_GOLDEN=1` writes what is seen now; the change is then reviewed like code.

use crate::fixture::{anonymous, identity, known, orders, user};
use portcullis_decision::caller::{Caller, Kind};
use std::fmt::Write as _;

const TABLE: &str = include_str!("golden.txt");

fn callers() -> Vec<(&'static str, Caller)> {
    let both = &["orders.read", "orders.write"];
    let mut client = identity("alice", both, &[]);
    client.kind = Kind::Client;
    let mut stranger = identity("alice", both, &[]);
    stranger.issuer = "partners".into();
    vec![
        ("anonymous", anonymous()),
        ("owner", user("alice")),
        ("stranger", user("bob")),
        ("no scope", known(identity("alice", &[], &[]))),
        ("support", known(identity("sam", both, &["support"]))),
        ("finance", known(identity("fay", both, &["finance"]))),
        ("analyst", known(identity("zoe", both, &["analyst"]))),
        ("admin scope", known(identity("root", &["orders.read", "orders.write", "orders.admin"], &[]))),
        ("client alice", known(client)),
        ("other issuer", known(stranger)),
    ]
}

const ACTIONS: &[(&str, &str, &str)] = &[
    ("GET", "/orders", ""),
    ("GET", "/orders/o-1", ""),
    ("HEAD", "/orders/o-1", ""),
    ("GET", "/orders/o-77", ""),
    ("GET", "/orders/o-1/pdf", ""),
    ("POST", "/orders", r#"{"item":"x"}"#),
    ("POST", "/orders", r#"{"item":"x","owner":"alice"}"#),
    ("POST", "/orders", r#"{"item":"x","status":"paid"}"#),
    ("PUT", "/orders/o-1", r#"{"id":"o-1","owner":"alice","item":"x"}"#),
    ("PATCH", "/orders/o-1", r#"{"item":"x"}"#),
    ("PATCH", "/orders/o-1", r#"{"status":"paid"}"#),
    ("PATCH", "/orders/o-1", r#"{"owner":"bob"}"#),
    ("DELETE", "/orders/o-1", ""),
    ("DELETE", "/orders/o-77", ""),
    ("POST", "/orders/o-1/notes", r#"{"text":"x"}"#),
    ("POST", "/orders/archive", r#"{"ids":["o-1","o-3"]}"#),
    ("POST", "/orders/archive", r#"{"ids":["o-1","o-2"]}"#),
    ("GET", "/customers/alice", ""),
    ("GET", "/customers/bob", ""),
    ("GET", "/statistics", ""),
    ("GET", "/ping", ""),
    ("GET", "/whoami", ""),
];

#[test]
fn api1_1_api3_1_api5_1_role_by_object_by_action() {
    let mut table = String::new();
    for (method, path, body) in ACTIONS {
        writeln!(table, "{}", format!("{method} {path} {body}").trim_end()).unwrap();
        for (name, caller) in callers() {
            let gateway = orders();
            let outcome = gateway.ask(&caller, method, path, body);
            let reached = gateway.calls().iter().any(|call| !call.starts_with("lookup"));
            let reached = if reached { "origin called" } else { "" };
            writeln!(table, "{}", format!("  {name:<13}{:<30}{reached}", outcome.line()).trim_end()).unwrap();
        }
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stage/golden.txt"), &table).unwrap();
        return;
    }
    for (seen, reviewed) in table.lines().zip(TABLE.lines()) {
        assert_eq!(seen, reviewed);
    }
    assert_eq!(table.lines().count(), TABLE.lines().count());
}
