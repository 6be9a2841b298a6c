// SPDX-License-Identifier: Apache-2.0
//! Objects that hide: behind templates, envelopes, `oneOf`, `allOf`, queries, and operations without an id.

use crate::fixture::{contract, empty, gateway, known, object, operation, property, reply, rule, user};
use crate::gateway::Gateway;
use portcullis_authorize::{Declared, OperationDeclaration, Pointer, compile};
use portcullis_contract::Contract;
use portcullis_decision::Reason;
use serde_json::{Value, json};
use std::sync::Arc;

const DOCUMENT: &str = include_str!("composed.yaml");

fn papers(contract: &Contract) -> Declared {
    let mut team = object("Team", "/teams/{id}");
    team.owner = Some(Pointer::parse("/lead").unwrap());
    let mut paper = object("Paper", "/teams/{id}/papers/{paper}");
    paper.schemas = vec!["Draft".into(), "Report".into()];
    paper.owner = Some(Pointer::parse("/author").unwrap());
    paper.key = Some(Pointer::parse("/uid").unwrap());
    let returns = vec![("Paper".into(), Pointer::parse("/rows/*").unwrap())];
    let rows = OperationDeclaration { returns, ..operation() };
    let mut declared = empty();
    declared.objects = vec![team, paper];
    declared.operations = [(contract.find("onePaper").unwrap(), rows)].into();
    declared
}

fn api_with(change: impl FnOnce(&mut Declared)) -> Gateway {
    let contract = contract(DOCUMENT);
    let mut declared = papers(&contract);
    change(&mut declared);
    assert_eq!(compile(Arc::clone(&contract), declared.clone()).findings, []);
    gateway(contract, declared)
}

fn api(answers: impl Fn(&str) -> Value + Send + Sync + 'static) -> Gateway {
    api_with(|_| {}).with(move |method, path, _| match method.as_str() {
        "GET" | "PATCH" => reply(200, &answers(path)),
        _ => crate::fixture::bare(204),
    })
}

fn team(lead: &str) -> Value {
    json!({"id": 7, "lead": lead, "name": "t"})
}

#[test]
fn api1_1_parent_and_child_of_a_path_are_both_judged() {
    let world = |lead: &'static str, author: &'static str| {
        api(move |path| match path {
            "/teams/7" => team(lead),
            _ => json!({"result": {"kind": "draft", "uid": "p", "author": author}}),
        })
    };
    for (lead, author, line) in
        [("alice", "alice", "200"), ("alice", "bob", "404 object.not_owner"), ("bob", "alice", "404 object.not_owner")]
    {
        let gateway = world(lead, author);
        assert_eq!(gateway.get(&user("alice"), "/teams/7/papers/p").line(), line, "{lead} {author}");
        assert_eq!(gateway.calls()[0], "lookup /teams/7");
    }
    let gateway = world("alice", "alice");
    assert_eq!(gateway.ask(&user("alice"), "DELETE", "/teams/7/papers/p", "").line(), "204");
    assert_eq!(gateway.calls(), ["lookup /teams/7", "lookup /teams/7/papers/p", "DELETE /teams/7/papers/p"]);
}

#[test]
fn an_integer_id_is_compared_by_its_decimal_text() {
    let gateway = api(|_| team("alice"));
    assert_eq!(gateway.get(&user("alice"), "/teams/7").line(), "200");
    assert_eq!(gateway.get(&user("alice"), "/teams/8").line(), "404 object.absent", "the origin shows another");
}

#[test]
fn t78_a_branch_that_does_not_apply_declares_nothing() {
    let gateway = api(|path| match path {
        "/teams/7" => team("alice"),
        // `grade` belongs to reports, `notes` to drafts.
        _ => json!({"result": {"kind": "draft", "uid": "p", "author": "alice", "notes": "n", "grade": 3}}),
    });
    let outcome = gateway.get(&user("alice"), "/teams/7/papers/p");
    assert_eq!(outcome.value(), json!({"result": {"kind": "draft", "uid": "p", "author": "alice", "notes": "n"}}));
    assert_eq!(outcome.alerts, [Reason::ResponseUndeclared]);
}

#[test]
fn api3_2_a_branch_that_does_not_apply_takes_nothing() {
    let send = |body: &str| api(|_| json!({})).ask(&user("alice"), "POST", "/papers", body).line();
    assert_eq!(send(r#"{"kind":"draft","notes":"n"}"#), "204");
    assert_eq!(send(r#"{"kind":"draft","notes":"n","grade":3}"#), "400 property.undeclared");
    assert_eq!(send(r#"{"kind":"report","grade":3,"author":"bob"}"#), "400 property.not_writable");
    assert_eq!(send(r#"{"kind":"report","grade":3,"uid":"p"}"#), "400 property.not_writable", "it could exist");
    assert_eq!(send(r#"{"kind":"report","grade":3,"author":"alice"}"#), "204");
}

#[test]
fn every_candidates_rule_must_hold() {
    let gateway = api_with(|declared| {
        declared.properties.push(property("Draft", "author", Some(&["never"]), None));
    })
    .with(|_, path, _| match path {
        "/teams/7" => reply(200, &team("alice")),
        _ => reply(200, &json!({"result": {"kind": "report", "uid": "p", "author": "alice"}})),
    });
    let outcome = gateway.get(&user("alice"), "/teams/7/papers/p");
    assert_eq!(outcome.value(), json!({"result": {"kind": "report", "uid": "p"}}), "it may be a draft");
}

#[test]
fn an_object_beside_the_one_asked_for_is_judged_too() {
    let gateway = api(|path| match path {
        "/teams/7" => team("alice"),
        _ => json!({"result": {"kind": "draft", "uid": "p", "author": "alice"}, "team": {"id": 9, "lead": "bob"}}),
    });
    let outcome = gateway.get(&user("alice"), "/teams/7/papers/p");
    assert_eq!((outcome.line().as_str(), outcome.alerts), ("404 object.not_owner", vec![Reason::ObjectNotOwner]));
}

#[test]
fn t78_what_returns_points_at_is_judged_without_a_schema() {
    let gateway =
        api(|_| json!({"rows": [{"uid": "a", "author": "bob"}, {"uid": "b", "author": "alice"}, {"uid": "c"}]}));
    assert_eq!(gateway.get(&user("alice"), "/papers").value(), json!({"rows": [{"uid": "b", "author": "alice"}]}));
}

#[test]
fn an_operation_without_an_id_acts_on_the_callers_own() {
    for (lead, line) in [("alice", "200"), ("bob", "404 object.not_owner")] {
        let gateway = api(move |_| team(lead));
        assert_eq!(gateway.get(&user("alice"), "/me").line(), line);
        assert_eq!(gateway.ask(&user("alice"), "PATCH", "/me", r#"{"name":"x"}"#).line(), line);
    }
    let gateway = api(|_| team("alice"));
    let handed_over = gateway.ask(&user("alice"), "PATCH", "/me", r#"{"lead":"bob"}"#).line();
    assert_eq!(
        handed_over, "400 property.not_writable",
        "the body stands for the object, whatever its schema is called"
    );
    assert_eq!(gateway.ask(&user("alice"), "PATCH", "/me", r#"{"lead":"alice"}"#).line(), "200");
}

#[test]
fn an_id_in_a_query_is_judged_by_what_is_shown() {
    let contract = contract(DOCUMENT);
    let mut declared = papers(&contract);
    declared.objects[1].id = portcullis_authorize::IdPlace::parse("paper_id");
    let findings = compile(Arc::clone(&contract), declared.clone()).findings;
    // The papers below a team are no longer declared ids.
    assert!(findings.iter().all(|f| f.rule == Some("PC0203") || f.rule == Some("PC0202")), "{findings:#?}");
    let rules: Vec<_> = findings.iter().map(|f| (f.rule.unwrap(), f.at.rsplit('.').next().unwrap())).collect();
    assert!(rules.contains(&("PC0202", "onePaper")), "a list is no known place, and nothing loads it: {rules:?}");
}

#[test]
fn rules_without_an_owner_open_to_everybody_only_where_they_say_so() {
    let contract = contract(DOCUMENT);
    let mut declared = papers(&contract);
    declared.objects[0].rules.read = rule(3, &["public"]);
    let index = contract.find("getTeam").unwrap();
    declared.operations.insert(index, OperationDeclaration { public: true, ..operation() });
    let gateway = gateway(contract, declared).with(|_, _, _| reply(200, &team("bob")));
    assert_eq!(gateway.get(&crate::fixture::anonymous(), "/teams/7").line(), "200");
    let mut client = crate::fixture::identity("svc", &[], &[]);
    client.kind = portcullis_decision::Kind::Client;
    assert_eq!(gateway.get(&known(client), "/teams/7").line(), "200");
}
