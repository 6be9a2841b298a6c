// SPDX-License-Identifier: Apache-2.0
use crate::fixture;
use crate::{Captures, Contract, Parameters};
use http::{HeaderMap, HeaderName, HeaderValue};
use portcullis_decision::Violation;
use proptest::prelude::*;
use serde_json::{Value, json};

fn contract(parameters: &str) -> Contract {
    fixture::contract(&format!(
        "openapi: 3.0.3\ninfo: {{title: T, version: '1'}}\npaths:\n  /x/{{id}}:\n    get:\n      operationId: x\n      responses: {{}}\n      \
         parameters:\n      - {{name: id, in: path, required: true, schema: {{type: integer}}}}\n      - {}\n",
        parameters.replace('\n', "\n      - ")
    ))
}

fn read(
    contract: &Contract,
    id: &str,
    query: &[(&str, &str)],
    headers: &[(&str, &str)],
) -> Result<Parameters, Vec<Violation>> {
    assert!(contract.operations[0].is_served(), "{:?}", contract.findings);
    let query: Vec<(String, String)> = query.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let headers: HeaderMap =
        headers.iter().map(|(n, v)| (HeaderName::try_from(*n).unwrap(), HeaderValue::try_from(*v).unwrap())).collect();
    let captures = Captures::named(&["id".into()], &[id]);
    contract.operations[0].read((&query, &headers, &captures), None).map(|read| read.parameters)
}

#[test]
fn texts_become_typed_values() {
    let cases: [(&str, &str, Option<Value>); 26] = [
        ("{type: integer}", "7", Some(json!(7))),
        ("{type: integer}", "-7", Some(json!(-7))),
        ("{type: integer}", "18446744073709551615", Some(json!(u64::MAX))),
        ("{type: integer}", "07", None),
        ("{type: integer}", "-0", None),
        ("{type: integer}", "+7", None),
        ("{type: integer}", "7.0", None),
        ("{type: integer}", "７", None),
        ("{type: integer}", "", None),
        ("{type: integer, maximum: 100}", "101", None),
        ("{type: number}", "1.5e1", Some(json!(15.0))),
        ("{type: number}", "NaN", None),
        ("{type: number}", "1e999", None),
        ("{type: number}", ".5", None),
        ("{type: boolean}", "true", Some(json!(true))),
        ("{type: boolean}", "1", None),
        ("{type: boolean}", "True", None),
        ("{type: string, maxLength: 2}", "ab", Some(json!("ab"))),
        ("{type: string, maxLength: 2}", "abc", None),
        ("{oneOf: [{type: integer}, {type: string, pattern: '^[a-z]+$'}]}", "7", Some(json!(7))),
        ("{oneOf: [{type: integer}, {type: string, pattern: '^[a-z]+$'}]}", "abc", Some(json!("abc"))),
        ("{oneOf: [{type: integer}, {type: string, pattern: '^[a-z]+$'}]}", "A", None),
        ("{enum: [1, 2]}", "2", Some(json!(2))),
        ("{enum: [1, 2]}", "3", None),
        ("{}", "7", Some(json!("7"))),
        ("{type: string, nullable: true}", "null", Some(json!("null"))),
    ];
    for (schema, text, expected) in cases {
        let contract = contract(&format!("{{name: q, in: query, schema: {schema}}}"));
        let found = read(&contract, "1", &[("q", text)], &[]);
        assert_eq!(found.ok().map(|p| p.query("q").unwrap().value().clone()), expected, "{schema} {text}");
    }
}

#[test]
fn undeclared_repeated_and_missing_query_parameters_are_violations() {
    let contract = contract(
        "{name: q, in: query, required: true, schema: {type: string}}\n{name: l, in: query, schema: {type: array, \
                             items: {type: integer}, maxItems: 3}}",
    );
    let fault = |query: &[(&str, &str)]| -> Vec<String> {
        let violations = read(&contract, "1", query, &[]).unwrap_err();
        violations.into_iter().map(|v| format!("{} {}", v.pointer, v.detail)).collect()
    };
    assert_eq!(fault(&[]), ["/query/q is required"]);
    assert_eq!(fault(&[("q", "a"), ("q", "b")]), ["/query/q must be sent once"]);
    assert_eq!(fault(&[("q", "a"), ("Q", "b")]), ["/query/Q is not a declared parameter"]);
    let secret = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.AAAA";
    assert_eq!(fault(&[("q", "a"), (secret, "")]), ["/query is not a declared parameter"]);
    assert_eq!(fault(&[("q", "a"), ("l", "x")]), ["/query/l must be of type array"]);
    assert_eq!(
        fault(&[("q", "a"), ("l", "1"), ("l", "2"), ("l", "3"), ("l", "4")]),
        ["/query/l must have at most 3 elements"]
    );
    let read = read(&contract, "1", &[("l", "1"), ("q", "a"), ("l", "2")], &[]).unwrap();
    assert_eq!(read.query("l").unwrap().value(), &json!([1, 2]));
    assert_eq!(read.query("l").unwrap().texts().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!((read.query("q").unwrap().text(), read.query("l").unwrap().text()), (Some("a"), None));
}

#[test]
fn path_header_and_cookie_parameters() {
    let contract = contract(
        "{name: X-Count, in: header, schema: {type: integer}}\n{name: X-List, in: header, schema: {type: array, items: \
                             {type: string}}}\n{name: session, in: cookie, schema: {type: string, minLength: 3}}\n{name: filter, in: \
                             query, content: {application/json: {schema: {type: object, required: [a]}}}}\n{name: ids, in: query, \
                             explode: false, schema: {type: array, items: {type: integer}}}\n{name: Accept, in: header, required: true, \
                             schema: {type: string}}",
    );
    let headers = [
        ("x-count", "4"),
        ("x-list", "a , b"),
        ("x-list", "c"),
        ("cookie", "other=1; session=abc"),
        ("x-unknown", "?"),
    ];
    let found = read(&contract, "7", &[("filter", "{\"a\":1}"), ("ids", "1,2")], &headers).unwrap();
    assert_eq!(found.path("id").unwrap().value(), &json!(7));
    assert_eq!(found.header("x-count").unwrap().value(), &json!(4));
    assert_eq!(found.header("x-list").unwrap().value(), &json!(["a", "b", "c"]));
    assert_eq!(found.cookie("session").unwrap().text(), Some("abc"));
    assert_eq!(found.query("filter").unwrap().value(), &json!({"a": 1}));
    assert_eq!(found.query("ids").unwrap().value(), &json!([1, 2]));
    assert!(found.cookie("other").is_none() && found.header("x-unknown").is_none());
    for (id, query, headers, pointer) in [
        ("x", vec![], vec![], "/path/id"),
        ("7", vec![], vec![("x-count", "1"), ("x-count", "2")], "/header/x-count"),
        ("7", vec![], vec![("cookie", "session=abc; session=abd")], "/cookie/session"),
        ("7", vec![], vec![("cookie", "session=ab")], "/cookie/session"),
        ("7", vec![("filter", "{\"a\":1,\"a\":2}")], vec![], "/query/filter"),
        ("7", vec![("filter", "{}")], vec![], "/query/filter"),
        ("7", vec![("ids", "1,x")], vec![], "/query/ids"),
    ] {
        assert_eq!(read(&contract, id, &query, &headers).unwrap_err()[0].pointer, pointer);
    }
}

#[test]
fn styles_without_one_reading_make_the_operation_unserved() {
    for parameter in [
        "{name: q, in: query, style: deepObject, schema: {type: object}}",
        "{name: q, in: query, style: pipeDelimited, schema: {type: array, items: {type: string}}}",
        "{name: q, in: query, style: spaceDelimited, schema: {type: array, items: {type: string}}}",
        "{name: q, in: query, schema: {type: object}}",
        "{name: q, in: query, schema: {type: array, items: {type: object}}}",
        "{name: q, in: cookie, schema: {type: array, items: {type: string}}}",
        "{name: id, in: path, required: true, style: matrix, schema: {type: string}}",
        "{name: id, in: path, required: true, style: label, schema: {type: string}}",
        "{name: q, in: query, content: {text/xml: {}}}",
        "{name: q, in: body, schema: {}}",
    ] {
        let contract = contract(parameter);
        let finding =
            contract.findings.iter().find(|f| f.rule == Some("PC0502")).unwrap_or_else(|| panic!("{parameter}"));
        assert_eq!(finding.at, "x");
        assert!(!contract.operations[0].is_served());
    }
}

proptest! {
    #[test]
    fn an_integer_has_one_spelling(text in "[-+0-9. eE]{0,24}") {
        let contract = contract("{name: q, in: query, schema: {type: integer}}");
        if let Ok(found) = read(&contract, "1", &[("q", &text)], &[]) {
            prop_assert_eq!(found.query("q").unwrap().value().to_string(), text);
        }
    }
}

#[test]
fn only_the_schemas_of_observed_parameters_may_break() {
    let contract = contract(
        "{name: limit, in: query, required: true, schema: {type: integer, maximum: 9}}\n{name: sort, in: query, schema: {enum: [a, \
         b]}}\n{name: f, in: query, content: {application/json: {schema: {type: object}}}}",
    );
    let observe = |id: &str, query: &[(&str, &str)]| {
        let query: Vec<(String, String)> = query.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let captures = Captures::named(&["id".into()], &[id]);
        let headers = HeaderMap::new();
        contract.operations[0].read((&query, &headers, &captures), Some(&|p| &*p.name != "id"))
    };
    let names = |violations: &[Violation]| violations.iter().map(|v| v.pointer.clone()).collect::<Vec<_>>();
    let read = observe("7", &[("limit", "x"), ("sort", "c")]).unwrap();
    assert_eq!(names(&read.observed), ["/query/limit", "/query/sort"]);
    assert!(read.parameters.query("limit").is_none(), "what breaks its schema is left out");
    assert_eq!(read.parameters.path("id").and_then(|id| id.text()), Some("7"));
    assert_eq!(names(&observe("7", &[]).unwrap().observed), ["/query/limit"]);
    for (id, query, refused) in [
        ("x", vec![("limit", "1")], "/path/id"),
        ("7", vec![("limit", "1"), ("limit", "2")], "/query/limit"),
        ("7", vec![("limit", "1"), ("debug", "1")], "/query/debug"),
        ("7", vec![("limit", "1"), ("f", "{")], "/query/f"),
        ("7", vec![("limit", "1"), ("f", "[]")], "/query/f"),
    ] {
        assert_eq!(names(&observe(id, &query).unwrap_err()), [refused]);
    }
}
