// SPDX-License-Identifier: Apache-2.0
use crate::Contract;
use crate::UnknownRequest::{Closed, Document as AsDocumented};
use crate::fixture::with_schemas;
use portcullis_wire::json::{Document, JsonLimits};
use serde_json::{Value, json};
use std::fmt::Write;

mod documents;

fn request(contract: &Contract) -> &crate::Validator {
    contract.operations[0].body.as_ref().unwrap().media[0].validator.as_ref().unwrap()
}

fn answer(contract: &Contract) -> &crate::Validator {
    contract.operations[0].responses.for_status(200).unwrap().media[0].validator.as_ref().unwrap()
}

/// Whether a value satisfies a schema as a request and as an answer.
fn verdict(version: &str, schemas: &str, value: &Value) -> (bool, bool) {
    let contract = with_schemas(version, schemas, Closed);
    assert!(contract.operations[0].is_served(), "{:?}", contract.findings);
    (valid(request(&contract), value), valid(answer(&contract), value))
}

/// Whether a value is valid, built and in place.
fn valid(validator: &crate::Validator, value: &Value) -> bool {
    let document = Document::parse(value.to_string().into(), &JsonLimits::default()).unwrap();
    let valid = validator.is_valid(value);
    assert_eq!(validator.accepts(&document, &[]), valid, "{value}");
    valid
}

#[test]
fn keywords_of_3_0_and_3_1() {
    let other = "\nO: {type: object, properties: {n: {type: integer}}, required: [n]}";
    let cases = [
        ("3.0.3", "{type: string, nullable: true}", json!(null), true),
        ("3.1.0", "{type: string, nullable: true}", json!(null), false),
        ("3.0.3", "{type: string, nullable: true, enum: [a]}", json!(null), true),
        ("3.0.3", "{nullable: true, allOf: [{$ref: '#/components/schemas/O'}]}", json!(null), true),
        ("3.0.3", "{nullable: true, allOf: [{$ref: '#/components/schemas/O'}]}", json!({}), false),
        ("3.0.3", "{$ref: '#/components/schemas/O', nullable: true}", json!(null), false),
        ("3.0.3", "{type: integer, minimum: 1, exclusiveMinimum: true}", json!(1), false),
        ("3.0.3", "{type: integer, minimum: 1, exclusiveMinimum: false}", json!(1), true),
        ("3.1.0", "{type: integer, exclusiveMinimum: 1}", json!(1), false),
        ("3.1.0", "{type: [string, 'null']}", json!(null), true),
        ("3.1.0", "{$ref: '#/components/schemas/O', required: [m]}", json!({"n": 1}), false),
        ("3.0.3", "{$ref: '#/components/schemas/O', required: [m]}", json!({"n": 1}), true),
        ("3.1.0", "{const: 3}", json!(4), false),
        ("3.1.0", "{prefixItems: [{type: string}], items: false}", json!(["a", 1]), false),
        ("3.1.0", "{if: {required: [a]}, then: {required: [b]}}", json!({"a": 1}), false),
        ("3.1.0", "{dependentRequired: {a: [b]}}", json!({"a": 1}), false),
        ("3.1.0", "{dependentSchemas: {a: {$ref: '#/components/schemas/O'}}}", json!({"a": 1}), false),
        ("3.1.0", "{propertyNames: {pattern: '^[a-z]+$'}}", json!({"A": 1}), false),
        ("3.1.0", "{type: array, uniqueItems: true}", json!([1, 1]), false),
        ("3.1.0", "{contains: {$ref: '#/components/schemas/O'}}", json!([1]), false),
        ("3.1.0", "{not: {$ref: '#/components/schemas/O'}}", json!({"n": 1}), false),
        ("3.1.0", "{type: string, minLength: 2.0}", json!("a"), false),
        ("3.1.0", "false", json!(1), false),
        ("3.1.0", "true", json!(1), true),
    ];
    for (version, schema, value, expected) in cases {
        let verdict = verdict(version, &format!("Root: {schema}{other}"), &value);
        assert_eq!(verdict, (expected, expected), "{version} {schema} {value}");
    }
}

#[test]
fn read_only_and_write_only_are_required_in_one_direction() {
    let schemas = "Root: {allOf: [{$ref: '#/components/schemas/Base'}], required: [id, secret, name]}\nBase: {properties: {id: {readOnly: \
                   true}, secret: {$ref: '#/components/schemas/Secret'}, name: {}}}\nSecret: {type: string, writeOnly: true}";
    assert_eq!(verdict("3.1.0", schemas, &json!({"name": 1, "secret": "s"})), (true, false));
    assert_eq!(verdict("3.1.0", schemas, &json!({"name": 1, "id": 1})), (false, true));
    assert_eq!(verdict("3.1.0", schemas, &json!({"id": 1, "secret": "s"})), (false, false));
    // That it may not be sent at all is `property.not_writable`, not a schema violation.
    assert_eq!(verdict("3.1.0", schemas, &json!({"name": 1, "id": 1, "secret": "s"})), (true, true));
}

#[test]
fn formats_bind_requests_only() {
    for (schema, bad, good) in [
        ("{type: string, format: date-time}", json!("yesterday"), json!("2026-01-02T03:04:05Z")),
        ("{type: string, format: uuid}", json!("7"), json!("123e4567-e89b-12d3-a456-426614174000")),
        ("{type: integer, format: int32}", json!(2_147_483_648_u64), json!(2_147_483_647)),
        ("{type: integer, format: int64}", json!(9_223_372_036_854_775_808_u64), json!(-1)),
    ] {
        assert_eq!(verdict("3.0.3", &format!("Root: {schema}"), &bad), (false, true), "{schema}");
        assert_eq!(verdict("3.0.3", &format!("Root: {schema}"), &good), (true, true), "{schema}");
    }
    assert_eq!(verdict("3.0.3", "Root: {type: string, format: whatever}", &json!("x")), (true, true));
}

#[test]
fn t74_closedness_is_left_to_shapes_except_where_it_decides_a_branch() {
    let closed = "Root: {properties: {a: {}}, additionalProperties: false}";
    assert_eq!(verdict("3.1.0", closed, &json!({"z": 1})), (true, true));
    let branches = "Root: {oneOf: [{$ref: '#/components/schemas/A'}, {$ref: '#/components/schemas/B'}]}\nA: {properties: {a: {}}, \
                    additionalProperties: false}\nB: {properties: {b: {}}, unevaluatedProperties: false}";
    assert_eq!(verdict("3.1.0", branches, &json!({"a": 1})), (true, true));
    assert_eq!(verdict("3.1.0", branches, &json!({"a": 1, "b": 1})), (false, false));
    let negated = "Root: {not: {properties: {a: {}}, additionalProperties: false}}";
    assert_eq!(verdict("3.1.0", negated, &json!({"a": 1})), (false, false));
    assert_eq!(verdict("3.1.0", negated, &json!({"z": 1})), (true, true));
    // `unevaluated…` in a branch sees through references, because units are written out below it.
    let seen = "Root: {anyOf: [{allOf: [{$ref: '#/components/schemas/A'}], unevaluatedProperties: false}]}\nA: {properties: {a: {}}}";
    assert_eq!(verdict("3.1.0", seen, &json!({"a": 1})), (true, true));
    assert_eq!(verdict("3.1.0", seen, &json!({"z": 1})), (false, false));
    let items = "Root: {allOf: [{$ref: '#/components/schemas/P'}], unevaluatedItems: false}\nP: {prefixItems: [{type: string}]}";
    assert_eq!(verdict("3.1.0", items, &json!(["a"])), (true, true));
    assert_eq!(verdict("3.1.0", items, &json!(["a", 1])), (false, false));
}

#[test]
fn t74_undeclared_properties_are_found_by_the_branch_that_applies() {
    let schemas = "Root: {properties: {item: {oneOf: [{$ref: '#/components/schemas/Card'}, {$ref: '#/components/schemas/Bank'}]}, list: {type: \
                   array, items: {$ref: '#/components/schemas/Card'}}, free: {type: object}}}\nCard: {required: [card], properties: {card: \
                   {type: string}}}\nBank: {required: [iban], properties: {iban: {type: string}, admin: {type: boolean}}}";
    let contract = with_schemas("3.1.0", schemas, Closed);
    let found = |value: Value| -> Vec<String> {
        request(&contract).undeclared(&value, 20).into_iter().map(|v| v.pointer).collect()
    };
    assert_eq!(found(json!({"item": {"card": "c", "admin": true}})), ["/item/admin"]);
    assert!(found(json!({"item": {"iban": "i", "admin": true}})).is_empty());
    assert_eq!(found(json!({"list": [{"card": "c"}, {"card": "c", "~/": 1}], "x": 1})), ["/list/1/~0~1", "/x"]);
    assert!(found(json!({"free": {"anything": {"goes": 1}}})).is_empty());
    let open = with_schemas("3.1.0", schemas, AsDocumented);
    assert!(request(&open).undeclared(&json!({"x": 1}), 20).is_empty());
}

#[test]
fn details_say_what_is_expected_and_never_what_was_sent() {
    const CANARY: &str = "canary-7f3a";
    let schemas = "Root:\n  type: object\n  required: [need]\n  properties:\n    t: {type: integer}\n    e: {enum: [a, b]}\n    c: {const: k}\n    \
                   p: {type: string, pattern: '^x$'}\n    l: {type: string, maxLength: 2}\n    f: {type: string, format: uuid}\n    n: \
                   {$ref: '#/components/schemas/N'}\n    o: {oneOf: [{type: integer}, {$ref: '#/components/schemas/N'}]}\n    u: {type: \
                   array, uniqueItems: true, items: {$ref: '#/components/schemas/N'}}\n    x: {not: {type: string}}\n    k: {propertyNames: \
                   {maxLength: 2}}\n    z: {anyOf: [{properties: {q: {}}, additionalProperties: false}]}\nN: {type: object, required: [d], \
                   properties: {d: {type: number, minimum: 3}}}";
    let contract = with_schemas("3.1.0", schemas, Closed);
    let value = json!({
        "t": CANARY, "e": CANARY, "c": CANARY, "p": CANARY, "l": CANARY, "f": CANARY, "n": {"d": CANARY}, "o": CANARY,
        "u": [{"d": 1}, {"d": 1}, CANARY], "x": CANARY, "k": {CANARY: 1}, "z": {CANARY: 1},
    });
    let violations = request(&contract).violations(&value, 100);
    let told: Vec<String> = violations.iter().map(|v| format!("{} {}", v.pointer, v.detail)).collect();
    for expected in [
        " property `need` is required",
        "/t must be of type integer",
        "/e must be one of \"a\", \"b\"",
        "/p must match the pattern `^x$`",
        "/l must have at most 2 characters",
        "/f must have the format uuid",
        "/n/d must be of type number",
        "/o must fit one of 2 schemas",
        "/u must have no element twice",
        "/u/0/d must be at least 3",
        "/u/2 must be of type object",
        "/x must not fit the excluded schema",
        "/z must fit at least one of 1 schemas",
    ] {
        assert!(told.iter().any(|t| t == expected), "{expected} in {told:#?}");
    }
    assert!(told.iter().all(|t| !t.contains(CANARY)), "{told:#?}");
    assert_eq!(request(&contract).violations(&value, 3).len(), 3);
    assert!(request(&contract).violations(&json!({"need": 1}), 3).is_empty());
}

#[test]
fn t75_recursive_schemas_are_followed_as_deep_as_the_value() {
    let schemas = "Root: {type: object, required: [v], properties: {v: {type: integer}, next: {$ref: '#/components/schemas/Root'}}}";
    let contract = with_schemas("3.1.0", schemas, Closed);
    let mut value = json!({"v": 1});
    for _ in 0..30 {
        value = json!({"v": 1, "next": value});
    }
    assert!(valid(request(&contract), &value));
    *value.pointer_mut("/next/next/next/v").unwrap() = json!("x");
    assert_eq!(request(&contract).violations(&value, 9)[0].pointer, "/next/next/next/v");
}

#[test]
fn t75_a_bomb_of_branches_ends_within_its_budget_and_refuses() {
    let mut schemas = String::from("Root: {$ref: '#/components/schemas/L0'}\n");
    for n in 0..25 {
        let next = n + 1;
        let _ = writeln!(
            schemas,
            "L{n}: {{anyOf: [{{$ref: '#/components/schemas/L{next}'}}, {{$ref: '#/components/schemas/L{next}'}}]}}"
        );
    }
    schemas += "L25: {type: integer}";
    let contract = with_schemas("3.1.0", &schemas, Closed);
    assert!(valid(request(&contract), &json!(1)));
    assert!(!valid(request(&contract), &json!("x")));
    let violations = request(&contract).violations(&json!("x"), 9);
    assert_eq!(violations[0].detail, "takes more steps to check than are allowed");
    // A budget that ran out is no verdict, whatever stands around it.
    let negated =
        schemas.replace("Root: {$ref: '#/components/schemas/L0'}", "Root: {not: {$ref: '#/components/schemas/L0'}}");
    let contract = with_schemas("3.1.0", &negated, Closed);
    assert!(!valid(request(&contract), &json!("x")));
}

#[test]
fn violations_that_break_the_structure_are_told_apart() {
    let schemas = "Root: {type: object, required: [id], properties: {id: {type: string, pattern: '^o-'}, note: {type: \
                   [string, 'null'], maxLength: 3}, tags: {type: array, maxItems: 1, items: {type: string}}, part: \
                   {$ref: '#/components/schemas/Part'}, one: {oneOf: [{type: string}, {type: integer}]}, kind: {enum: [a, b]}}}\n\
                   Part: {type: object, properties: {n: {type: integer}}}";
    let contract = with_schemas("3.1.0", schemas, Closed);
    let structural = |value: &Value| {
        let found = request(&contract).structural_violations(value, 9);
        found.into_iter().map(|v| v.pointer).collect::<Vec<_>>()
    };
    let id = || json!({"id": "o-1"});
    for harmless in [
        json!({}),
        json!({"id": "x"}),
        json!({"id": 7}),
        json!({"id": "o-1", "note": "long", "tags": ["a", "b"], "kind": "c", "part": {"n": "1"}}),
    ] {
        assert!(!request(&contract).is_valid(&harmless), "{harmless}");
        assert_eq!(structural(&harmless), [""; 0], "{harmless}");
    }
    for (name, value) in [
        ("note", json!({"a": 1})),
        ("note", json!([])),
        ("tags", json!("a")),
        ("tags", json!(null)),
        ("part", json!([{"n": 1}])),
        ("part", json!("x")),
        ("one", json!(true)),
        ("kind", json!({"a": 1})),
    ] {
        let mut whole = id();
        whole[name] = value.clone();
        assert_eq!(structural(&whole), [format!("/{name}")], "{name}: {value}");
    }
    assert_eq!(structural(&json!([id()])), [""]);
    assert_eq!(structural(&json!({"id": "x", "tags": [["a"]], "part": {"n": {}}})), ["/tags/0", "/part/n"]);
}
