// SPDX-License-Identifier: Apache-2.0
//! API5: may this caller call this operation at all?

use crate::fixture::{anonymous, contract, empty, gateway, identity, known, operation, orders, rule, user, words};
use crate::gateway::Gateway;
use http::header::WWW_AUTHENTICATE;
use portcullis_authorize::{Declared, OperationDeclaration};
use portcullis_decision::Reason;
use proptest::prelude::*;
use std::collections::HashMap;

#[test]
fn api5_1_a_missing_scope_is_403_with_the_scopes_that_would_do() {
    let gateway = orders();
    let outcome = gateway.get(&known(identity("alice", &["orders.write"], &[])), "/orders");
    assert_eq!(outcome.line(), "403 function.scope");
    let denial = outcome.denial.unwrap();
    let challenge = denial.headers().iter().find(|(name, _)| *name == WWW_AUTHENTICATE).unwrap().1.clone();
    assert_eq!(challenge, "Bearer error=\"insufficient_scope\", scope=\"orders.read\"");
    assert!(gateway.calls().is_empty(), "nothing reaches the origin");
}

#[test]
fn api5_1_without_security_an_identity_is_asked_for_and_nothing_more() {
    let gateway = orders();
    assert_eq!(gateway.get(&known(identity("alice", &[], &[])), "/whoami").line(), "200");
    assert_eq!(gateway.get(&anonymous(), "/whoami").line(), "401 identity.missing");
}

#[test]
fn api5_1_only_a_declared_public_operation_takes_the_anonymous() {
    let gateway = orders();
    assert_eq!(gateway.get(&anonymous(), "/ping").line(), "204");
    for path in ["/orders", "/orders/o-1", "/statistics", "/customers/alice"] {
        assert_eq!(gateway.get(&anonymous(), path).line(), "401 identity.missing", "{path}");
    }
}

#[test]
fn api5_2_the_method_decides_with_the_path() {
    let gateway = orders();
    let reader = known(identity("alice", &["orders.read"], &[]));
    assert_eq!(gateway.get(&reader, "/orders/o-1").line(), "200");
    assert_eq!(gateway.ask(&reader, "DELETE", "/orders/o-1", "").line(), "403 function.scope");
}

#[test]
fn allow_is_asked_besides_the_scopes() {
    let gateway = orders();
    assert_eq!(gateway.get(&user("alice"), "/statistics").line(), "403 function.role");
    let analyst = known(identity("zoe", &["orders.read"], &["analyst"]));
    assert_eq!(gateway.get(&analyst, "/statistics").line(), "200");
    let unscoped = known(identity("zoe", &[], &["analyst"]));
    assert_eq!(gateway.get(&unscoped, "/statistics").line(), "403 function.scope");
}

const ALTERNATIVES: &str = r#"
openapi: 3.1.0
info: { title: T, version: "1" }
paths:
  /things:
    get:
      operationId: things
      security: [{ oauth: [a, b] }, { oauth: [c], key: [] }]
      responses: { "204": { description: none } }
components:
  securitySchemes:
    oauth: { type: oauth2, flows: {} }
    key: { type: apiKey, in: header, name: x-api-key }
"#;

fn things(allow: &[&str]) -> Gateway {
    let contract = contract(ALTERNATIVES);
    let mut declared: Declared = empty();
    if !allow.is_empty() {
        let things = contract.find("things").unwrap();
        declared.operations = HashMap::from([(things, OperationDeclaration { allow: rule(1, allow), ..operation() })]);
    }
    gateway(contract, declared).with(|_, _, _| crate::fixture::bare(204))
}

#[test]
fn alternatives_are_or_and_members_are_and() {
    let gateway = things(&[]);
    for (scopes, line) in [
        (&["a", "b"][..], "204"),
        (&["c"], "204"),
        (&["a"], "403 function.scope"),
        (&["b"], "403 function.scope"),
        (&[], "403 function.scope"),
        (&["A", "B", "C"], "403 function.scope"),
    ] {
        assert_eq!(gateway.get(&known(identity("u", scopes, &[])), "/things").line(), line, "{scopes:?}");
    }
}

#[test]
fn words_of_allow_say_why_not() {
    for (allow, reason) in [
        (&["role:r"][..], Reason::FunctionRole),
        (&["scope:s"], Reason::FunctionScope),
        (&["client:other"], Reason::FunctionKind),
        (&["plan:pro"], Reason::FunctionKind),
        (&["nobody"], Reason::FunctionKind),
    ] {
        let outcome = things(allow).get(&known(identity("u", &["c"], &[])), "/things");
        assert_eq!(outcome.reason, Some(reason), "{allow:?}");
    }
    assert_eq!(things(&["client:mobile"]).get(&known(identity("u", &["c"], &[])), "/things").line(), "204");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// p4: whoever loses a scope or a role may do no more than before.
    #[test]
    fn p4_removing_a_scope_or_a_role_never_allows_more(
        scopes in proptest::sample::subsequence(vec!["a", "b", "c", "s"], 0..=4),
        roles in proptest::sample::subsequence(vec!["r", "q"], 0..=2),
        allow in proptest::sample::subsequence(vec!["role:r", "scope:s", "role:q", "authenticated"], 0..=4),
        drop_scope in 0usize..4,
        drop_role in 0usize..2,
    ) {
        prop_assert!(words(&allow).len() == allow.len());
        let gateway = things(&allow);
        let before = gateway.get(&known(identity("u", &scopes, &roles)), "/things");
        let fewer = |list: &[&'static str], at: usize| -> Vec<&'static str> {
            list.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, s)| *s).collect()
        };
        let after = gateway.get(&known(identity("u", &fewer(&scopes, drop_scope), &fewer(&roles, drop_role))), "/things");
        prop_assert!(before.reason.is_none() || after.reason.is_some(), "{:?} {:?}", before.line(), after.line());
    }
}
